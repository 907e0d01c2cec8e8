//! Nebius: routed until July 2026; wants a JSON schema under a second name.

use crate::{Backend, Chat, Routing, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "nebius",
    hub_org: "nebius",
    routing: Routing::Removed,
    direct: Some("https://api.studio.nebius.ai"),
    chat: Some(Chat { dialect: dialects::NEBIUS, ..Chat::V1 }),
    ..Backend::ROUTED
};
