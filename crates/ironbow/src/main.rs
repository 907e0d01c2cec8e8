//! Ironbow's command line: reads what was asked for, assembles the crates, runs. Nothing is decided here.

mod bench;
mod check;
mod cli;
mod doctor;
mod logging;
mod process;
mod route;
mod schema;
mod serve;
mod settings;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code for a configuration that cannot be used.
const BAD_CONFIGURATION: u8 = 2;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    // Fails only when a provider is there already, which is as good.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match cli.command {
        cli::Command::Serve(arguments) => serve::run(&arguments),
        cli::Command::Check { file } => check::run(&file),
        cli::Command::Schema => schema::run(),
        cli::Command::Doctor(arguments) => doctor::run(&arguments),
        cli::Command::Route(arguments) => route::run(&arguments),
        cli::Command::Bench(arguments) => bench::run(&arguments),
        cli::Command::Sandbox { listen } => serve::sandbox(listen),
    }
}
