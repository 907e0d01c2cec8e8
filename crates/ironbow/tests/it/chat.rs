//! Chat from door to door: a real gateway process in front of the sandbox, over real sockets.

mod raw;
mod world;
