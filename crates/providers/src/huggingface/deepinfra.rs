//! DeepInfra: OpenAI's shape under a prefix.

use crate::{Backend, Chat, Promise};

pub(crate) const BACKEND: Backend = Backend {
    id: "deepinfra",
    hub_org: "DeepInfra",
    direct: Some("https://api.deepinfra.com"),
    chat: Some(Chat { path: "v1/openai/chat/completions", promise: Promise::Upstream, ..Chat::V1 }),
    ..Backend::ROUTED
};
