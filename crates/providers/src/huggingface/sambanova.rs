//! SambaNova: routed until July 2026; takes no strict JSON schema.

use crate::{Backend, Chat, Routing, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "sambanova",
    hub_org: "sambanovasystems",
    routing: Routing::Removed,
    direct: Some("https://api.sambanova.ai"),
    chat: Some(Chat { dialect: dialects::SAMBANOVA, ..Chat::V1 }),
    ..Backend::ROUTED
};
