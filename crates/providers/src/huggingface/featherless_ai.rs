//! Featherless: OpenAI's shape and path.

use crate::{Backend, Chat};

pub(crate) const BACKEND: Backend = Backend {
    id: "featherless-ai",
    aliases: &["featherless"],
    hub_org: "featherless-ai",
    direct: Some("https://api.featherless.ai"),
    chat: Some(Chat::V1),
    ..Backend::ROUTED
};
