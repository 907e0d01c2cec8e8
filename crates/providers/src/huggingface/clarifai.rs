//! Clarifai: routed until July 2026; presents its key in its own way.

use crate::{Backend, Op, Routing, Scheme, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "clarifai",
    hub_org: "clarifai",
    routing: Routing::Removed,
    direct: Some("https://api.clarifai.com"),
    scheme: Scheme::Key,
    ops: &[Op::chat("v2/ext/openai/v1/chat/completions", dialects::COMPATIBLE).upstream()],
    ..Backend::ROUTED
};
