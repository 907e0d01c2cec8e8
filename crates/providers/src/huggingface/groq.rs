//! Groq: OpenAI's shape under a prefix; refuses members that it does not know.

use crate::{Backend, Op, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "groq",
    hub_org: "groq",
    direct: Some("https://api.groq.com"),
    ops: &[Op::chat("openai/v1/chat/completions", dialects::GROQ)],
    ..Backend::ROUTED
};
