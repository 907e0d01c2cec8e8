//! The Responses API: a call becomes OpenAI's chat, and the events of the answer become its objects and its stream.
//!
//! A door reads a [`Request`], has what the call refers to put in ([`Request::compose`], [`Request::resolve`]), and
//! asks for [`Request::heard`]: the chat to send, and the writer of the answer. What may be kept for later calls comes
//! from [`Request::own_items`] and [`output_of`]; a kept answer is streamed again by [`replay`]. Nothing here has a
//! clock, chance or a store: ids, time and the seal come in as [`Told`].

mod content;
mod conversations;
mod custom;
mod frames;
mod input;
mod items;
mod notes;
mod request;
mod settings;
mod shorten;
mod stored;
mod thought;
mod tools;
mod turns;
mod writer;

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use serde_json::Value;
use types::Fault;

use crate::events;

pub use crate::anthropic::Sealer;
pub use conversations::{Brought, conversation};
pub use request::Request;
pub use stored::{
    announce, called_off_event, cancelled, failed, listed, named_items, output_of, replay, unkept, unkept_event,
};
pub use writer::Writer;

/// What a translation cannot know by itself.
#[derive(Clone)]
pub struct Told {
    /// The response's id, `resp_` and letters and digits; the ids of its items are made from it.
    pub id: String,
    /// Seconds since 1970.
    pub created_at: u64,
    /// The clock, in seconds since 1970: read when the answer is complete.
    pub now: fn() -> u64,
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
    /// What had no place in the translation, to be named to the caller.
    pub dropped: Vec<String>,
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heard").field("model", &self.model).field("dropped", &self.dropped).finish_non_exhaustive()
    }
}

/// Where the writer leaves the whole response, also of a stream, and learns whether it is kept.
#[derive(Clone, Debug, Default)]
pub struct Answered(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    response: OnceLock<Value>,
    /// By item, what was thought and is kept sealed although the answer does not show it.
    thoughts: OnceLock<Vec<(String, String)>>,
    unkept: AtomicBool,
}

impl Answered {
    /// The response with its final status; nothing while it is being written, or where it is not to be kept.
    pub fn response(&self) -> Option<&Value> {
        self.0.response.get()
    }

    /// The items of the answer as they are kept. A vendor's signed thoughts are among them also where the answer does not show
    /// them: whoever continues it needs them.
    pub fn items(&self) -> Vec<(String, Value)> {
        let mut items = self.response().map(output_of).unwrap_or_default();
        for (id, sealed) in self.0.thoughts.get().into_iter().flatten() {
            if let Some((_, item)) = items.iter_mut().find(|(known, _)| known == id) {
                item["encrypted_content"] = sealed.as_str().into();
            }
        }
        items
    }

    /// The response is not kept, whatever the call wanted: what is written from now on says so.
    pub fn not_kept(&self) {
        self.0.unkept.store(true, Relaxed);
    }

    fn is_unkept(&self) -> bool {
        self.0.unkept.load(Relaxed)
    }

    fn set(&self, response: Value, thoughts: Vec<(String, String)>) {
        // Only the first end counts.
        if self.0.thoughts.set(thoughts).is_ok() {
            let _ = self.0.response.set(response);
        }
    }
}

/// A fault before anything was written: status, media type, body.
pub fn fault(fault: &Fault, request_id: &str) -> (u16, &'static str, Vec<u8>) {
    (super::fault::status(fault), "application/json", super::fault::body(fault, request_id))
}

impl Heard {
    /// How many tokens the prompt is likely to have: an estimate.
    pub fn tokens(&self) -> u64 {
        serde_json::from_slice(&self.chat).map_or(0, |chat| crate::anthropic::tokens::of_chat(&chat))
    }
}
