//! The sandbox over real sockets, asked by a client of a few lines.

#[cfg(test)]
mod it {
    mod chat;
    mod client;
    mod control;
    mod faults;
    mod hub;
    mod manual;
    mod strict;
}
