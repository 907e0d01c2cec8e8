//! Novita: OpenAI's shape under a prefix.

use crate::{Backend, Op, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "novita",
    hub_org: "novita",
    direct: Some("https://api.novita.ai"),
    ops: &[Op::chat("v3/openai/chat/completions", dialects::NOVITA)],
    ..Backend::ROUTED
};
