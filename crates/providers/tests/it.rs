//! What goes to each backend, held against what the official clients send, recorded traffic, and facts written by hand.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "it/captured.rs"]
mod captured;
#[path = "it/captured_tasks.rs"]
mod captured_tasks;
#[path = "it/docs.rs"]
mod docs;
#[path = "it/exchanges.rs"]
mod exchanges;
#[path = "it/expected.rs"]
mod expected;
#[path = "it/mutation.rs"]
mod mutation;
#[path = "it/probe.rs"]
mod probe;
#[path = "it/recorded.rs"]
mod recorded;
#[path = "it/recorded_tasks.rs"]
mod recorded_tasks;
#[path = "it/sent.rs"]
mod sent;
#[path = "it/works.rs"]
mod works;
