//! Runs the sandbox by itself: `cargo run -p sandbox --example sandbox -- 127.0.0.1:9999`.

#![expect(clippy::print_stdout, reason = "an example says where it listens")]

use sandbox::{Sandbox, Settings};

fn main() -> std::io::Result<()> {
    let mut settings = Settings::default();
    if let Some(listen) = std::env::args().nth(1) {
        settings.listen = listen.parse().map_err(std::io::Error::other)?;
    }
    let running = Sandbox::start(settings)?;
    println!("{}", running.url());
    running.wait()
}
