//! Embeddings: reading a call, writing it for a backend, reading what comes back.
//!
//! Bytes first, as with chat: a call is written by splicing, and an answer that already is what the caller asked for
//! passes untouched after one scan. The OpenAI SDKs ask for base64 without being told to; where a backend cannot, floats
//! are asked for upstream and converted here (32 bit floats, little-endian).

mod answer;
mod batch;
mod call;
mod dialect;
mod encode;
mod pool;
mod vectors;

use types::{Fault, Kind, Sent};

pub use answer::{Answer, Context, answer};
pub use batch::{join, split};
pub use call::{Call, Encoding, Input};
pub use dialect::{Dialect, Formats, Shape};
pub use encode::encode;

fn bad_reply(message: impl Into<String>) -> Box<Fault> {
    Fault::new(Kind::UpstreamBadReply, message).sent(Sent::Yes)
}
