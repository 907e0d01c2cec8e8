//! Z.ai: OpenAI's shape under a prefix; wants to know where a call comes from.

use crate::{Backend, Chat};

pub(crate) const BACKEND: Backend = Backend {
    id: "zai-org",
    aliases: &["z-ai", "zai"],
    hub_org: "zai-org",
    direct: Some("https://api.z.ai"),
    headers: &[("x-source-channel", "hugging_face"), ("accept-language", "en-US,en")],
    chat: Some(Chat { path: "api/paas/v4/chat/completions", ..Chat::V1 }),
    ..Backend::ROUTED
};
