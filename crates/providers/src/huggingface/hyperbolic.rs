//! Hyperbolic: routed until July 2026.

use types::Operation;

use crate::{Backend, Flow, Op, Routing};

pub(crate) const BACKEND: Backend = Backend {
    id: "hyperbolic",
    hub_org: "Hyperbolic",
    routing: Routing::Removed,
    direct: Some("https://api.hyperbolic.xyz"),
    ops: &[Op::CHAT, Op::exchange(Operation::Image, "v1/images/generations", Flow::Hyperbolic)],
    ..Backend::ROUTED
};
