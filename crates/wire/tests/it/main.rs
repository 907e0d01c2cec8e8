//! What `wire` promises, tested from outside.

mod call;
mod encode;
mod errors;
mod faults;
mod hub;
mod json;
mod recordings;
mod sse;
mod stream;
mod support;
