//! One answer of a model as typed events: what every front door's dialect is written from.
//!
//! The way in is OpenAI's chat (as [`crate::openai::chat`] has put it right), whole or streamed: [`of_answer`] and
//! [`Reader`] give the same events for the same answer. The way out is a [`Write`] per dialect. Nothing here knows a
//! dialect but OpenAI's.

mod read;

use bytes::Bytes;
use serde_json::Value;
use types::{Fault, SendBody, Usage};

use crate::openai::chat::Finish;

pub use read::{Reader, of_answer};

/// Something that an answer says, in order. `choice` is the answer's number when several were asked for, mostly 0.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The answer begins. Comes first, once.
    Start {
        /// The backend's id of the answer, never empty.
        id: String,
        /// The model as the backend names it.
        model: String,
        /// Seconds since 1970.
        created: u64,
    },
    /// Some text.
    Text {
        /// Which answer.
        choice: u32,
        /// The text.
        text: String,
    },
    /// How sure the model was of the tokens of the text just said: each as OpenAI's chat writes it in
    /// `logprobs.content`. A dialect without a place for it leaves it out.
    Logprobs {
        /// Which answer.
        choice: u32,
        /// One value per token.
        tokens: Vec<Value>,
    },
    /// Some of what the model thought.
    Reasoning {
        /// Which answer.
        choice: u32,
        /// The text.
        text: String,
    },
    /// A block of what the model thought is whole, in Anthropic's words: with its signature, or redacted. Its text
    /// was told before. What it is good for is to be sent back as it is.
    Thought {
        /// Which answer.
        choice: u32,
        /// The block.
        block: Value,
    },
    /// Some of a refusal.
    Refusal {
        /// Which answer.
        choice: u32,
        /// The text.
        text: String,
    },
    /// A tool call begins.
    ToolStart {
        /// Which answer.
        choice: u32,
        /// The call's number within the answer.
        index: u32,
        /// The call's id.
        id: String,
        /// The function's name.
        name: String,
    },
    /// Some of a tool call's arguments, as JSON text that may be cut anywhere.
    ToolArguments {
        /// Which answer.
        choice: u32,
        /// The call's number within the answer.
        index: u32,
        /// The text.
        json: String,
    },
    /// An answer ends.
    Finish {
        /// Which answer.
        choice: u32,
        /// Why.
        reason: Finish,
    },
    /// What was used. At most once, after the last `Finish`.
    Usage(Usage),
    /// Nothing follows. Comes last, once, in an answer that is complete.
    Done,
}

/// Writes an answer in one dialect.
pub trait Write: Send {
    /// Writes what an event makes due in a stream, in the dialect's own framing.
    fn event(&mut self, event: &Event, out: &mut dyn FnMut(Bytes));

    /// Writes a fault into a stream that has begun; nothing follows it.
    fn fault(&mut self, fault: &Fault, request_id: &str, out: &mut dyn FnMut(Bytes));

    /// Writes a whole answer. The same events give the same meaning as a stream of them.
    fn whole(&mut self, events: &[Event]) -> SendBody;

    /// The media type of a stream.
    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }
}
