//! Nscale: OpenAI's shape and path.

use types::Operation;

use crate::{Backend, Flow, Op};

pub(crate) const BACKEND: Backend = Backend {
    id: "nscale",
    hub_org: "nscale",
    direct: Some("https://inference.api.nscale.com"),
    ops: &[Op::CHAT, Op::exchange(Operation::Image, "v1/images/generations", Flow::Nscale).upstream()],
    ..Backend::ROUTED
};
