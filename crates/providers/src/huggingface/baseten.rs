//! Baseten: OpenAI's shape and path.

use crate::{Backend, Chat, Promise};

pub(crate) const BACKEND: Backend = Backend {
    id: "baseten",
    hub_org: "baseten",
    direct: Some("https://inference.baseten.co"),
    chat: Some(Chat { promise: Promise::Upstream, ..Chat::V1 }),
    ..Backend::ROUTED
};
