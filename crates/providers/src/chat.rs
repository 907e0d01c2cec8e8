//! A chat in the words of its backend: how a call is written by a codec, and how a whole answer is read. Streams are
//! read by whoever has their bytes.

use bytes::Bytes;
use types::{Operation, Result};
use wire::{
    anthropic::backend,
    events::{Event, Write as _},
    openai::chat::{self, Answer, AnswerContext, Ask, Call, Encoded, Writer},
};

use crate::{Codec, refusal};

/// What the names of models hold that answer anew wherever they run: their format has channels, and no way into the last one.
const ANSWERS_ANEW: &[&str] = &["gpt-oss"];

impl Codec {
    /// Writes `call` for a backend that calls the model `model`.
    ///
    /// # Errors
    /// What the backend cannot do, by name; `UnsupportedOperation` when the codec is none of chat.
    pub fn encode_chat(&self, call: &Call, model: &str, ask: Ask<'_>) -> Result<Encoded> {
        if call.goes_on() && ANSWERS_ANEW.iter().any(|family| model.contains(family)) {
            return Err(chat::encode::unable_to_go_on(ask.backend));
        }
        match self {
            Self::Chat(dialect) => chat::encode(call, dialect, model, ask),
            Self::Messages => backend::encode(call, model, ask),
            Self::Embeddings(_) | Self::Exchange(_) => Err(refusal::unsupported_by(ask.backend, Operation::Chat)),
        }
    }

    /// Reads a whole answer: the same in OpenAI's chat.
    ///
    /// # Errors
    /// The backend's own error when there is one in a good status; `UpstreamBadReply` when it is no answer.
    pub fn chat_answer(&self, body: &Bytes, context: &AnswerContext<'_>) -> Result<Answer> {
        match self {
            Self::Messages => {
                let events = backend::of_answer(body, context.created)?;
                let (mut usage, mut finish) = (None, None);
                for event in &events {
                    match event {
                        Event::Usage(used) => usage = Some(*used),
                        Event::Finish { reason, .. } => finish = Some(*reason),
                        _ => {}
                    }
                }
                Ok(Answer { body: Writer::new(context.model, true).whole(&events), usage, finish })
            }
            _ => chat::answer(body, context),
        }
    }
}
