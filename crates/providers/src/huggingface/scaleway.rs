//! Scaleway: OpenAI's shape and path.

use crate::{Backend, Op, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "scaleway",
    hub_org: "scaleway",
    direct: Some("https://api.scaleway.ai"),
    ops: &[Op::CHAT, Op::embeddings("v1/embeddings", dialects::EMBEDDINGS)],
    ..Backend::ROUTED
};
