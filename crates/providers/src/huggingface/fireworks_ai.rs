//! Fireworks: OpenAI's shape under a prefix, with a JSON schema of its own.

use crate::{Backend, Op, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "fireworks-ai",
    aliases: &["fireworks"],
    hub_org: "fireworks-ai",
    direct: Some("https://api.fireworks.ai"),
    ops: &[Op::chat("inference/v1/chat/completions", dialects::FIREWORKS)],
    ..Backend::ROUTED
};
