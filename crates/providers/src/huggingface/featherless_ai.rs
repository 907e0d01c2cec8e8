//! Featherless: OpenAI's shape and path.

use crate::{Backend, Op};

pub(crate) const BACKEND: Backend = Backend {
    id: "featherless-ai",
    aliases: &["featherless"],
    hub_org: "featherless-ai",
    direct: Some("https://api.featherless.ai"),
    ops: &[Op::CHAT],
    ..Backend::ROUTED
};
