//! Sound and pictures as bytes: what they are, and sound turned from one format into another.
//!
//! Everything here is computed from the bytes alone and bounded by [`audio::Limits`]. It is work for the processor, up to seconds
//! of it for long sounds: callers run it on a bounded pool of threads, never on one that serves sockets.

pub mod audio;
mod error;
pub mod image;
mod sniff;

pub use error::MediaError;
pub use sniff::{Kind, sniff};
