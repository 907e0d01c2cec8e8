//! Anthropic itself: never routed, takes its own key and its own names, speaks a dialect of its own.

use types::Operation;
use wire::native::Dialect;

use crate::{Backend, Codec, Op, Routing, Scheme, Vendor};

const MESSAGES: &str = "v1/messages";

pub(crate) const BACKEND: Backend = Backend {
    id: "anthropic",
    hub_org: "Anthropic",
    routing: Routing::Never,
    direct: Some("https://api.anthropic.com"),
    scheme: Scheme::ApiKey,
    // The version that translated calls are written for; a caller of the dialect says its own.
    headers: &[("anthropic-version", "2023-06-01")],
    ops: &[Op::of(Operation::Chat, MESSAGES, Codec::Messages).upstream()],
    vendor: Some(&VENDOR),
    ..Backend::ROUTED
};

const VENDOR: Vendor = Vendor {
    natives: &[(Dialect::Messages, MESSAGES)],
    families: &["claude-"],
    carried: &["anthropic-version", "anthropic-beta"],
    is_key: |key| key.starts_with("sk-ant-"),
    variable: "ANTHROPIC_API_KEY",
    // It gives twenty where nothing is asked.
    models: "v1/models?limit=1000",
    other_work: &[],
};
