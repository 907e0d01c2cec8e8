//! The process itself: its log, its folder on disk, and how long it remembers what it learned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Period, Size};

/// What is written to the log. Prompts, answers and secrets never are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// The least important line that is still written. `IRONBOW_LOG` sets it too.
    pub level: LogLevel,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What went wrong here.
    Error,
    /// And what may go wrong soon.
    Warn,
    /// And a line for each request.
    #[default]
    Info,
    /// And what happens inside a request.
    Debug,
    /// And everything else.
    Trace,
}

/// What is kept on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// A folder that the gateway may write to; `auto` is `ironbow` in the user's cache folder, `none` keeps nothing.
    pub folder: String,
}

impl Default for Data {
    fn default() -> Self {
        Self { folder: "auto".to_owned() }
    }
}

/// How long knowledge about models is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Catalog {
    /// How long an answer of the Hub is used before it is asked for again behind the scenes.
    pub fresh: Period,
    /// How long an old answer may serve while the Hub does not answer.
    pub keep: Period,
    /// How long it is remembered that the Hub does not know a model.
    pub unknown: Period,
    /// How long the Hub may take to answer.
    pub timeout: Period,
    /// How many models are remembered.
    #[schemars(range(min = 16, max = 10_000_000))]
    pub entries: u32,
}

impl Default for Catalog {
    fn default() -> Self {
        Self {
            fresh: Period::seconds(300),
            keep: Period::seconds(7 * 86_400),
            unknown: Period::seconds(60),
            timeout: Period::seconds(10),
            entries: 20_000,
        }
    }
}

/// Results that backends put at an address of their own: fetched without any key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Assets {
    /// Addresses (scheme, host, port) from which results are fetched although they are private. Public hosts need no entry.
    pub allow: Vec<String>,
    /// The largest result.
    pub size: Size,
    /// How long fetching one may take.
    pub time: Period,
    /// How long a result that was asked for as an address is kept under `/v1/files/`.
    pub keep: Period,
    /// All kept results together, those of jobs included; in memory 256 MiB at most. When it is full, new ones are refused with 503.
    pub kept: Size,
}

impl Default for Assets {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            size: Size::mebibytes(64),
            time: Period::seconds(120),
            keep: Period::seconds(3600),
            kept: Size::mebibytes(2048),
        }
    }
}

/// Calls that callers do not wait for (`Prefer: respond-async`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Jobs {
    /// How long a job may take.
    pub time: Period,
    /// How long a finished job and its result are kept.
    pub keep: Period,
    /// How many jobs are worked on at once; others wait for their turn.
    #[schemars(range(min = 1, max = 100_000))]
    pub running: u32,
}

impl Default for Jobs {
    fn default() -> Self {
        Self { time: Period::seconds(3600), keep: Period::seconds(86_400), running: 256 }
    }
}

/// Responses and conversations that are kept between calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Responses {
    /// Whether a response is kept when its call does not say (`store`). OpenAI keeps it.
    pub store: bool,
    /// How long a response is kept, and a conversation after the last that was said in it.
    pub keep: Period,
    /// All of them together, on disk; in memory at most 64 MiB. Those that nobody asked for make room for newer ones.
    pub kept: Size,
}

impl Default for Responses {
    fn default() -> Self {
        Self { store: true, keep: Period::seconds(30 * 86_400), kept: Size::mebibytes(1024) }
    }
}
