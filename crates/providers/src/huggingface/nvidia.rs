//! NVIDIA: routed until July 2026.

use crate::{Backend, Chat, Promise, Routing};

pub(crate) const BACKEND: Backend = Backend {
    id: "nvidia",
    hub_org: "nvidia",
    routing: Routing::Removed,
    direct: Some("https://integrate.api.nvidia.com"),
    chat: Some(Chat { promise: Promise::Upstream, ..Chat::V1 }),
    ..Backend::ROUTED
};
