//! NVIDIA: routed until July 2026.

use crate::{Backend, Op, Routing};

pub(crate) const BACKEND: Backend = Backend {
    id: "nvidia",
    hub_org: "nvidia",
    routing: Routing::Removed,
    direct: Some("https://integrate.api.nvidia.com"),
    ops: &[Op::CHAT.upstream()],
    ..Backend::ROUTED
};
