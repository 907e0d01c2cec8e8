//! Nebius: routed until July 2026; wants a JSON schema under a second name.

use types::Operation;

use crate::{Backend, Flow, Op, Routing, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "nebius",
    hub_org: "nebius",
    routing: Routing::Removed,
    direct: Some("https://api.studio.nebius.ai"),
    ops: &[
        Op::chat("v1/chat/completions", dialects::NEBIUS),
        Op::embeddings("v1/embeddings", dialects::EMBEDDINGS),
        Op::exchange(Operation::Image, "v1/images/generations", Flow::Nebius),
    ],
    ..Backend::ROUTED
};
