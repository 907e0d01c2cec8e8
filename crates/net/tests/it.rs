//! Real sockets on loopback: our server, our client, and peers that write their bytes by hand.

#[path = "it/bed.rs"]
mod bed;
#[path = "it/round.rs"]
mod round;
