//! What `wire` promises, tested from outside.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod answer;
mod anthropic;
mod audio;
mod bedrock;
mod call;
mod cohere;
mod completions;
mod damage;
mod doors;
mod embeddings;
mod encode;
mod errors;
mod faults;
mod gemini;
mod hub;
mod images;
mod json;
mod multipart;
mod native;
mod recordings;
mod responses;
mod round_trips;
mod sse;
mod stream;
mod support;
mod thread;
mod vectors;
