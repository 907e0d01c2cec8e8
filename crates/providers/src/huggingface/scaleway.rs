//! Scaleway: OpenAI's shape and path.

use crate::{Backend, Chat};

pub(crate) const BACKEND: Backend = Backend {
    id: "scaleway",
    hub_org: "scaleway",
    direct: Some("https://api.scaleway.ai"),
    chat: Some(Chat::V1),
    ..Backend::ROUTED
};
