//! Embeddings: reading a call, writing it for a backend, reading what comes back.
//!
//! Bytes first, as with chat: a call is written by splicing, and an answer that already is what the caller asked for
//! passes untouched after one scan. The OpenAI SDKs ask for base64 without being told to; where a backend cannot, floats
//! are asked for upstream and converted here (32 bit floats, little-endian).
//!
//! # Bare arrays
//!
//! Feature extraction answers arrays of numbers, nested up to four deep. They become one vector for each input:
//!
//! | depth | what it is | what becomes of it |
//! |---|---|---|
//! | 1 | one vector, for one input | itself |
//! | 2 | one vector for each input | themselves |
//! | 2, for one text, with more or fewer than one row | one vector for each token | their mean |
//! | 3 | for each input, one vector for each token | the mean of each |
//! | 4 | the same, with a batch of one around each | the mean of each |
//!
//! The mean is that of the sentence-transformers library for models without a pooling of their own, with every token
//! weighing the same. It is summed in 64 bit floats.

mod answer;
mod batch;
mod call;
mod dialect;
mod encode;
mod item;
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
