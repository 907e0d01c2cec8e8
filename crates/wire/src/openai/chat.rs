//! Chat completions: reading a call, writing it for a backend, reading what comes back.

pub mod answer;
pub mod call;
mod choices;
pub mod dialect;
pub mod encode;
pub mod stream;
mod thread;
pub(super) mod usage;
mod writer;

pub use answer::{Answer, AnswerContext, answer};
pub use call::{Call, Member};
pub use choices::Finish;
pub use dialect::{Dialect, JsonSchema, MaxTokens, Messages, Prefill, StreamOptions, Tools};
pub use encode::{Ask, Dropped, Encoded, encode};
pub use stream::{Stream, StreamContext};
pub use thread::Thread;
pub use writer::Writer;
