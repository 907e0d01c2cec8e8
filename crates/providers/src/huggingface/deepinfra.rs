//! DeepInfra: OpenAI's shape under a prefix.

use types::Operation;

use crate::{Backend, Flow, Op, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "deepinfra",
    hub_org: "DeepInfra",
    direct: Some("https://api.deepinfra.com"),
    ops: &[
        Op::chat("v1/openai/chat/completions", dialects::PREFILLED).upstream(),
        Op::embeddings("v1/openai/embeddings", dialects::DEEPINFRA_EMBEDDINGS).upstream(),
        Op::exchange(Operation::Speech, "v1/openai/audio/speech", Flow::Deepinfra).upstream(),
        Op::exchange(Operation::Transcription, "v1/openai/audio/transcriptions", Flow::Openai).upstream(),
    ],
    ..Backend::ROUTED
};
