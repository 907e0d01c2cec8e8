//! The sandbox over real sockets, asked by a client of a few lines.

#[cfg(test)]
mod it {
    mod chat;
    mod client;
    mod control;
    mod embeddings;
    mod faults;
    mod hub;
    mod jobs;
    mod manual;
    mod pictures;
    mod sound;
    mod strict;
    mod vendors;
}
