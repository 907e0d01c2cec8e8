//! WaveSpeed: pictures and films, no chat.

use crate::Backend;

pub(crate) const BACKEND: Backend =
    Backend { id: "wavespeed", hub_org: "wavespeed", direct: Some("https://api.wavespeed.ai"), ..Backend::ROUTED };
