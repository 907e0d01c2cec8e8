//! The command line as a whole: the real binary, started as a user starts it, and the shape of the workspace.

#[cfg(test)]
mod it {
    mod architecture;
    mod bench;
    mod chat;
    mod commands;
    mod doctor;
    mod doors;
    mod jobs;
    mod limits;
    mod peer;
    mod process;
    mod raw;
    mod refusals;
    mod reload;
    mod responses;
    mod routing;
    mod serving;
    mod tls;
    mod vendors;
    mod works;
    mod world;
}
