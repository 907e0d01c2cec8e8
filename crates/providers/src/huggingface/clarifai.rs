//! Clarifai: routed until July 2026; presents its key in its own way.

use crate::{Backend, Chat, Promise, Routing, Scheme};

pub(crate) const BACKEND: Backend = Backend {
    id: "clarifai",
    hub_org: "clarifai",
    routing: Routing::Removed,
    direct: Some("https://api.clarifai.com"),
    scheme: Scheme::Key,
    chat: Some(Chat { path: "v2/ext/openai/v1/chat/completions", promise: Promise::Upstream, ..Chat::V1 }),
    ..Backend::ROUTED
};
