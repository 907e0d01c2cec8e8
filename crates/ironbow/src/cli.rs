//! The command line: what can be asked of the binary, and how it answers with an exit code.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// An AI gateway: every Hugging Face inference backend behind one OpenAI-compatible address.
#[derive(Debug, Parser)]
#[command(name = "ironbow", version, about, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway. Needs no configuration: with HF_TOKEN in the environment it serves at once.
    Serve(Serve),
    /// Check a configuration file, and the environment with it, without listening.
    Check {
        /// The file to check.
        file: PathBuf,
    },
    /// Print the JSON Schema of the configuration file, for editors.
    Schema,
    /// Check token, router, Hub, clock and configuration, and say what to do about each failure.
    Doctor(Doctor),
    /// Ask a running gateway how a model would be routed now: who can serve it, at what price, how well, and why not.
    Route(Route),
    /// Run the simulated Hugging Face alone: Hub, router and every backend, offline.
    Sandbox {
        /// The address to listen on.
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
    },
}

/// `ironbow serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The configuration file (TOML); without it the defaults and the environment apply.
    #[arg(long, value_name = "FILE", env = "IRONBOW_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Serve from the built-in simulated Hugging Face: no token, no network.
    #[arg(long)]
    pub(crate) sandbox: bool,
    /// The address to listen on, such as 127.0.0.1:8080.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// The folder for what must survive a restart, such as jobs; `none` keeps nothing.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// Allow an address that other machines can reach. Whoever reaches the gateway can spend its keys.
    #[arg(long)]
    pub(crate) allow_remote: bool,
}

/// `ironbow route`.
#[derive(Debug, Args)]
pub(crate) struct Route {
    /// The model as a caller would name it, such as openai/gpt-oss-120b.
    pub(crate) model: String,
    /// What is asked of it, such as chat or embeddings; left out, the first thing that it can do.
    #[arg(long, value_name = "NAME")]
    pub(crate) operation: Option<String>,
    /// Something that the call needs: stream, tools, parallel_tools, json_schema, vision, input_tokens=N, max_tokens=N.
    #[arg(long = "need", value_name = "NEED")]
    pub(crate) needs: Vec<String>,
    /// Where the gateway is.
    #[arg(long, value_name = "URL", env = "IRONBOW_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// Print the whole answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ironbow doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The configuration file (TOML) to check with.
    #[arg(long, value_name = "FILE", env = "IRONBOW_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Print the findings as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_has_no_contradiction() {
        Cli::command().debug_assert();
    }
}
