//! What `wire` promises, tested from outside.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod answer;
mod call;
mod damage;
mod encode;
mod errors;
mod faults;
mod hub;
mod json;
mod multipart;
mod recordings;
mod sse;
mod stream;
mod support;
