//! Z.ai: OpenAI's shape under a prefix; wants to know where a call comes from.

use types::Operation;

use crate::{Backend, Flow, Op, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "zai-org",
    aliases: &["z-ai", "zai"],
    hub_org: "zai-org",
    direct: Some("https://api.z.ai"),
    headers: &[("x-source-channel", "hugging_face"), ("accept-language", "en-US,en")],
    ops: &[
        Op::chat("api/paas/v4/chat/completions", dialects::COMPATIBLE),
        Op::exchange(Operation::Image, "api/paas/v4/async/images/generations", Flow::Zai).upstream(),
    ],
    ..Backend::ROUTED
};
