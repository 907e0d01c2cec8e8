//! Hyperbolic: routed until July 2026.

use crate::{Backend, Chat, Routing};

pub(crate) const BACKEND: Backend = Backend {
    id: "hyperbolic",
    hub_org: "Hyperbolic",
    routing: Routing::Removed,
    direct: Some("https://api.hyperbolic.xyz"),
    chat: Some(Chat::V1),
    ..Backend::ROUTED
};
