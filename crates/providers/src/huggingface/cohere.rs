//! Cohere: OpenAI's shape under its compatibility path, with a JSON schema of its own.

use crate::{Backend, Op, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "cohere",
    hub_org: "CohereLabs",
    direct: Some("https://api.cohere.com"),
    ops: &[Op::chat("compatibility/v1/chat/completions", dialects::COHERE)],
    ..Backend::ROUTED
};
