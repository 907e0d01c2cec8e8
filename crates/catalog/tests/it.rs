//! The catalogue over real sockets, against a Hub that says what the test tells it to.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "it/hub.rs"]
mod hub;
#[path = "it/listing.rs"]
mod listing;
#[path = "it/lookup.rs"]
mod lookup;
#[path = "it/restart.rs"]
mod restart;
