//! Baseten: OpenAI's shape and path.

use crate::{Backend, Op};

pub(crate) const BACKEND: Backend = Backend {
    id: "baseten",
    hub_org: "baseten",
    direct: Some("https://inference.baseten.co"),
    ops: &[Op::CHAT.upstream()],
    ..Backend::ROUTED
};
