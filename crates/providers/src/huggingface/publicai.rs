//! Public AI: OpenAI's shape and path.

use crate::{Backend, Op};

pub(crate) const BACKEND: Backend = Backend {
    id: "publicai",
    aliases: &["public-ai"],
    hub_org: "publicai",
    direct: Some("https://api.publicai.co"),
    ops: &[Op::CHAT],
    ..Backend::ROUTED
};
