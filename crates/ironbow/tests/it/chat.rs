//! Chat from door to door: a real gateway process in front of the sandbox, over real sockets.

mod backends;
mod edge;
mod faults;
mod keys;
mod life;
mod listing;
pub(crate) mod matrix;
mod passage;
mod routes;
mod secrets;
mod streams;
