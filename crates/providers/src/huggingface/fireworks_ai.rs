//! Fireworks: OpenAI's shape under a prefix, with a JSON schema of its own.

use crate::{Backend, Chat, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "fireworks-ai",
    aliases: &["fireworks"],
    hub_org: "fireworks-ai",
    direct: Some("https://api.fireworks.ai"),
    chat: Some(Chat { path: "inference/v1/chat/completions", dialect: dialects::FIREWORKS, ..Chat::V1 }),
    ..Backend::ROUTED
};
