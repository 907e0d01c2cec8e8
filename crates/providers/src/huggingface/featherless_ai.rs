//! Featherless: OpenAI's shape and path.

use crate::{Backend, Op, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "featherless-ai",
    aliases: &["featherless"],
    hub_org: "featherless-ai",
    direct: Some("https://api.featherless.ai"),
    ops: &[Op::chat("v1/chat/completions", dialects::PREFILLED)],
    ..Backend::ROUTED
};
