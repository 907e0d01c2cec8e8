//! Hugging Face's own servers: the path names the model; no address beside the router.

use types::Operation;

use crate::{Backend, Flow, Op, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "hf-inference",
    hub_org: "hf-inference",
    ops: &[
        Op::chat("models/{model}/v1/chat/completions", dialects::HF_INFERENCE),
        Op::embeddings("models/{model}/pipeline/feature-extraction", dialects::HF_FEATURES),
        Op::exchange(Operation::Speech, "models/{model}", Flow::HfInference).upstream(),
        Op::exchange(Operation::Transcription, "models/{model}", Flow::HfInference),
        Op::exchange(Operation::Image, "models/{model}", Flow::HfInference),
        Op::exchange(Operation::ImageEdit, "models/{model}", Flow::HfInference).upstream(),
    ],
    ..Backend::ROUTED
};
