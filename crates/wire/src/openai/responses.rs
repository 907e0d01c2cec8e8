//! The Responses API: a call becomes OpenAI's chat, and the events of the answer become its objects and its stream.
//!
//! A door reads a [`Request`], has what the call refers to put in ([`Request::compose`], [`Request::resolve`]), and
//! asks for [`Request::heard`]: the chat to send, and the writer of the answer. What may be kept for later calls comes
//! from [`items_of`]; a kept answer is streamed again by [`replay`]. Nothing here has a clock, chance or a store: ids,
//! time and the seal come in as [`Told`].

mod content;
mod custom;
mod frames;
mod input;
mod items;
mod notes;
mod request;
mod settings;
mod stored;
mod tools;
mod turns;
mod writer;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use serde_json::Value;
use types::Fault;

use crate::events;

pub use crate::anthropic::Sealer;
pub use request::Request;
pub use stored::{Kept, cancelled, failed, items_of, replay, response_of};
pub use writer::Writer;

/// What a translation cannot know by itself.
#[derive(Clone)]
pub struct Told {
    /// The response's id, `resp_` and letters and digits; the ids of its items are made from it.
    pub id: String,
    /// Seconds since 1970.
    pub created_at: u64,
    /// What closes the model's reasoning.
    pub sealer: Arc<dyn Sealer>,
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").field("id", &self.id).field("created_at", &self.created_at).finish_non_exhaustive()
    }
}

/// A call, ready to be sent as chat.
pub struct Heard {
    /// OpenAI's chat body, with `model` and `stream`.
    pub chat: Bytes,
    /// The model as the caller named it.
    pub model: String,
    /// Writes the answer.
    pub writer: Box<dyn events::Write>,
    /// The whole response, once the writer has written its end.
    pub answered: Answered,
    /// The response that this one continues, if any.
    pub previous: Option<String>,
    /// What had no place in the translation, to be named to the caller.
    pub dropped: Vec<String>,
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heard").field("model", &self.model).field("dropped", &self.dropped).finish_non_exhaustive()
    }
}

/// Where the writer leaves the whole response, also of a stream.
#[derive(Clone, Debug, Default)]
pub struct Answered(Arc<OnceLock<Value>>);

impl Answered {
    /// The response with its final status; nothing while it is being written.
    pub fn response(&self) -> Option<&Value> {
        self.0.get()
    }

    fn set(&self, response: &Value) {
        // Only the first end counts.
        let _ = self.0.set(response.clone());
    }
}

/// A fault before anything was written: status, media type, body.
pub fn fault(fault: &Fault, request_id: &str) -> (u16, &'static str, Vec<u8>) {
    (super::fault::status(fault), "application/json", super::fault::body(fault, request_id))
}
