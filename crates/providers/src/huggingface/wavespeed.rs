//! WaveSpeed: pictures, submitted and polled; no chat.

use types::Operation;

use crate::{Backend, Flow, Op};

pub(crate) const BACKEND: Backend = Backend {
    id: "wavespeed",
    hub_org: "wavespeed",
    direct: Some("https://api.wavespeed.ai"),
    ops: &[
        Op::exchange(Operation::Image, "api/v3/{model}", Flow::Wavespeed).upstream(),
        Op::exchange(Operation::ImageEdit, "api/v3/{model}", Flow::Wavespeed).upstream(),
    ],
    ..Backend::ROUTED
};
