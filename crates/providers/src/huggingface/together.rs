//! Together: OpenAI's shape, with a JSON schema and pictures of its own.

use types::Operation;

use crate::{Backend, Flow, Op, dialects};

pub(crate) const BACKEND: Backend = Backend {
    id: "together",
    aliases: &["togetherai"],
    hub_org: "togethercomputer",
    direct: Some("https://api.together.xyz"),
    ops: &[
        Op::chat("v1/chat/completions", dialects::TOGETHER),
        Op::embeddings("v1/embeddings", dialects::TOGETHER_EMBEDDINGS).upstream(),
        Op::exchange(Operation::Speech, "v1/audio/speech", Flow::Together).upstream(),
        Op::exchange(Operation::Transcription, "v1/audio/transcriptions", Flow::Together).upstream(),
        Op::exchange(Operation::Image, "v1/images/generations", Flow::Together),
        Op::exchange(Operation::ImageEdit, "v1/images/generations", Flow::Together).upstream(),
    ],
    ..Backend::ROUTED
};
