//! Cohere: OpenAI's shape under its compatibility path, with a JSON schema of its own.

use crate::{Backend, Chat, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "cohere",
    hub_org: "CohereLabs",
    direct: Some("https://api.cohere.com"),
    chat: Some(Chat { path: "compatibility/v1/chat/completions", dialect: dialects::COHERE, ..Chat::V1 }),
    ..Backend::ROUTED
};
