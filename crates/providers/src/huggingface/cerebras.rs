//! Cerebras: refuses members that it does not know.

use crate::{Backend, Chat, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "cerebras",
    hub_org: "cerebras",
    direct: Some("https://api.cerebras.ai"),
    chat: Some(Chat { dialect: dialects::CEREBRAS, ..Chat::V1 }),
    ..Backend::ROUTED
};
