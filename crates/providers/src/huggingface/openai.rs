//! OpenAI itself: never routed, takes its own key and its own names, understands everything.

use crate::{Backend, Op, Routing, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "openai",
    hub_org: "openai",
    routing: Routing::Never,
    direct: Some("https://api.openai.com"),
    ops: &[Op::chat("v1/chat/completions", dialects::OPENAI).upstream()],
    ..Backend::ROUTED
};
