//! Replicate: pictures and sound, no chat.

use crate::Backend;

pub(crate) const BACKEND: Backend =
    Backend { id: "replicate", hub_org: "replicate", direct: Some("https://api.replicate.com"), ..Backend::ROUTED };
