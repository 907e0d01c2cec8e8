//! Novita: OpenAI's shape under a prefix.

use crate::{Backend, Chat, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "novita",
    hub_org: "novita",
    direct: Some("https://api.novita.ai"),
    chat: Some(Chat { path: "v3/openai/chat/completions", dialect: dialects::NOVITA, ..Chat::V1 }),
    ..Backend::ROUTED
};
