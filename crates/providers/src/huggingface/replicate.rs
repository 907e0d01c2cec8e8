//! Replicate: pictures and sound as predictions, no chat. It waits a minute for each before it asks to be polled.

use types::Operation;

use crate::{Backend, Flow, Op};

pub(crate) const BACKEND: Backend = Backend {
    id: "replicate",
    hub_org: "replicate",
    direct: Some("https://api.replicate.com"),
    headers: &[("prefer", "wait")],
    ops: &[
        prediction(Operation::Speech),
        prediction(Operation::Transcription),
        prediction(Operation::Image).upstream(),
        prediction(Operation::ImageEdit).upstream(),
    ],
    ..Backend::ROUTED
};

const fn prediction(operation: Operation) -> Op {
    Op::exchange(operation, "v1/models/{model}/predictions", Flow::Replicate).versioned("v1/predictions")
}
