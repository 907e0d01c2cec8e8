//! OpenAI's endpoints whose bodies are spliced: chat completions and embeddings.

use bytes::Bytes;
use types::Result;
use wire::{
    json::Limits,
    openai::{chat, embeddings},
};

use super::Wants;
use crate::call::Call;

/// Reads `/v1/chat/completions`.
pub(super) fn chat(body: Bytes, limits: &Limits) -> Result<(Call, String, Wants)> {
    let call = Box::new(chat::Call::read(body, limits)?);
    let model = call.model().to_owned();
    Ok((Call::Chat(call), model, Wants::AsItIs))
}

/// Reads `/v1/embeddings`.
pub(super) fn embeddings(body: Bytes, limits: &Limits) -> Result<(Call, String, Wants)> {
    let call = embeddings::Call::read(body, limits)?;
    let model = call.model().to_owned();
    Ok((Call::Embeddings(call), model, Wants::AsItIs))
}
