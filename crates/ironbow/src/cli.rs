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
    /// Put load on an OpenAI-compatible address and say how it did: calls and tokens a second, latency, first token, gaps.
    Bench(Bench),
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

/// `ironbow bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The base URL, as SDKs have it, such as http://127.0.0.1:8080/v1.
    pub(crate) url: String,
    /// The model to ask for.
    #[arg(long, short)]
    pub(crate) model: String,
    /// Do the same at this base URL afterwards, and say what the first one adds to it.
    #[arg(long, value_name = "URL")]
    pub(crate) against: Option<String>,
    /// The environment variable that holds the key. Keys are not taken on the command line, where others can read them.
    #[arg(long, value_name = "NAME")]
    pub(crate) key_env: Option<String>,
    /// Ask for streams.
    #[arg(long)]
    pub(crate) stream: bool,
    /// How many callers ask at the same time, each again as soon as it has its answer; with --rate, how many at most.
    #[arg(long, short, value_name = "N", default_value_t = 16, value_parser = at_least_one)]
    pub(crate) connections: usize,
    /// Calls a second that come at random, whatever becomes of those before (an open loop).
    #[arg(long, value_name = "PER_SECOND", value_parser = above_zero)]
    pub(crate) rate: Option<f64>,
    /// How long, in seconds.
    #[arg(long, short, value_name = "SECONDS", default_value_t = 10.0, value_parser = above_zero)]
    pub(crate) duration: f64,
    /// End after so many calls.
    #[arg(long, short = 'n', value_name = "N", value_parser = at_least_one)]
    pub(crate) requests: Option<usize>,
    /// How long the prompt is, in tokens of about four letters.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) prompt_tokens: usize,
    /// How long an answer may be, in tokens.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) max_tokens: u64,
    /// A file with the call as JSON, instead of one that is made up; `model` and `stream` are set in it.
    #[arg(long, value_name = "FILE")]
    pub(crate) body: Option<PathBuf>,
    /// How long one call may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = above_zero)]
    pub(crate) timeout: f64,
    /// A process on this machine whose memory is watched meanwhile.
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Print the figures as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "it must be a whole number above 0".to_owned())
}

fn above_zero(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|n| *n > 0.0 && *n < 1e6).ok_or_else(|| "it must be a number above 0".to_owned())
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
