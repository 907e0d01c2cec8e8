//! SambaNova: routed until July 2026; takes no strict JSON schema.

use crate::{Backend, Op, Routing, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "sambanova",
    hub_org: "sambanovasystems",
    routing: Routing::Removed,
    direct: Some("https://api.sambanova.ai"),
    ops: &[
        Op::chat("v1/chat/completions", dialects::SAMBANOVA),
        Op::embeddings("v1/embeddings", dialects::SAMBANOVA_EMBEDDINGS),
    ],
    ..Backend::ROUTED
};
