//! Real sockets on loopback: our server, our client, and peers that write their bytes by hand.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the runtime of a test owns its tasks")]

#[path = "it/abuse.rs"]
mod abuse;
#[path = "it/against_hyper.rs"]
mod against_hyper;
#[path = "it/bed.rs"]
mod bed;
#[path = "it/client.rs"]
mod client;
#[path = "it/drain.rs"]
mod drain;
#[path = "it/names.rs"]
mod names;
#[path = "it/pool.rs"]
mod pool;
#[path = "it/round.rs"]
mod round;
#[path = "it/server.rs"]
mod server;
#[path = "it/smuggling.rs"]
mod smuggling;
#[path = "it/tls.rs"]
mod tls;
