//! Real sockets on loopback: our server, our client, and peers that write their bytes by hand.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "it/bed.rs"]
mod bed;
#[path = "it/client.rs"]
mod client;
#[path = "it/drain.rs"]
mod drain;
#[path = "it/round.rs"]
mod round;
#[path = "it/server.rs"]
mod server;
#[path = "it/smuggling.rs"]
mod smuggling;
