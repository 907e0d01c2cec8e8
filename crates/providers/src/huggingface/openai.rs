//! OpenAI itself: never routed, takes its own key and its own names, understands everything.

use crate::{Backend, Chat, Promise, Routing, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "openai",
    hub_org: "openai",
    routing: Routing::Never,
    direct: Some("https://api.openai.com"),
    chat: Some(Chat { dialect: dialects::OPENAI, promise: Promise::Upstream, ..Chat::V1 }),
    ..Backend::ROUTED
};
