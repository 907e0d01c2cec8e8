//! OpenAI itself: never routed, takes its own key and its own names, understands everything.

use wire::{native::Dialect, openai::embeddings};

use crate::{Backend, Op, Routing, Vendor, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "openai",
    hub_org: "openai",
    routing: Routing::Never,
    direct: Some("https://api.openai.com"),
    ops: &[
        Op::chat("v1/chat/completions", dialects::OPENAI).upstream(),
        Op::embeddings("v1/embeddings", embeddings::Dialect::OPENAI).upstream(),
    ],
    vendor: Some(&VENDOR),
    ..Backend::ROUTED
};

const VENDOR: Vendor = Vendor {
    natives: &[(Dialect::Responses, "v1/responses")],
    families: &["gpt-", "chatgpt-", "codex-", "o1", "o3", "o4-", "text-embedding-"],
    carried: &["openai-beta", "openai-organization", "openai-project"],
    // Other vendors' keys begin so too, and say whose they are.
    is_key: |key| key.starts_with("sk-") && !key.starts_with("sk-ant-") && !key.starts_with("sk-or-"),
    variable: "OPENAI_API_KEY",
    models: "v1/models",
    other_work: &["-audio", "-image", "-instruct", "-realtime", "-transcribe", "-tts"],
};
