//! Together: OpenAI's shape, with a JSON schema of its own.

use crate::{Backend, Chat, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "together",
    aliases: &["togetherai"],
    hub_org: "togethercomputer",
    direct: Some("https://api.together.xyz"),
    chat: Some(Chat { dialect: dialects::TOGETHER, ..Chat::V1 }),
    ..Backend::ROUTED
};
