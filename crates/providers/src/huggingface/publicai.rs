//! Public AI: OpenAI's shape and path.

use crate::{Backend, Chat};

pub(crate) const BACKEND: Backend = Backend {
    id: "publicai",
    aliases: &["public-ai"],
    hub_org: "publicai",
    direct: Some("https://api.publicai.co"),
    chat: Some(Chat::V1),
    ..Backend::ROUTED
};
