//! Nscale: OpenAI's shape and path.

use crate::{Backend, Chat};

pub(crate) const BACKEND: Backend = Backend {
    id: "nscale",
    hub_org: "nscale",
    direct: Some("https://inference.api.nscale.com"),
    chat: Some(Chat::V1),
    ..Backend::ROUTED
};
