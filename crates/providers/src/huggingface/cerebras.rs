//! Cerebras: refuses members that it does not know.

use crate::{Backend, Op, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "cerebras",
    hub_org: "cerebras",
    direct: Some("https://api.cerebras.ai"),
    ops: &[Op::chat("v1/chat/completions", dialects::CEREBRAS)],
    ..Backend::ROUTED
};
