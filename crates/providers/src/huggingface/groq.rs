//! Groq: OpenAI's shape under a prefix; refuses members that it does not know.

use crate::{Backend, Chat, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "groq",
    hub_org: "groq",
    direct: Some("https://api.groq.com"),
    chat: Some(Chat { path: "openai/v1/chat/completions", dialect: dialects::GROQ, ..Chat::V1 }),
    ..Backend::ROUTED
};
