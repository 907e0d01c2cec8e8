//! fal: pictures and sound, no chat.

use crate::{Backend, Scheme};

pub(crate) const BACKEND: Backend = Backend {
    id: "fal-ai",
    aliases: &["fal"],
    hub_org: "fal",
    direct: Some("https://fal.run"),
    scheme: Scheme::Key,
    ..Backend::ROUTED
};
