//! Candidates and needs, as data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::health::Lane;

/// One way to serve a call, with what is known of it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The place, the model, the key.
    pub lane: Lane,
    /// What tokens cost there; for a server of the operator's own, none means nothing.
    pub price: Option<Price>,
    /// How many tokens call and answer may have together.
    pub context_length: Option<u64>,
    /// What it can do.
    pub abilities: Abilities,
    /// Members of calls that it cannot honour.
    pub refuses: &'static [&'static str],
    /// When its first event comes, as the router's list says.
    pub first_event: Option<Duration>,
    /// Tokens in 1,000 seconds, as the router's list says.
    pub throughput_milli: Option<u64>,
    /// Whether it is a server of the operator's own.
    pub own_server: bool,
    /// How often it is considered beside others of the same priority.
    pub weight: u32,
    /// Lower ones are tried first; models that only stand in are far behind.
    pub priority: u32,
    /// What the Hub says of it.
    pub state: MarketState,
    /// Whether the caller or the operator named it: then it is asked although the Hub thinks little of it.
    pub named: bool,
}

impl Candidate {
    /// A candidate of which nothing is known.
    pub fn new(lane: Lane) -> Self {
        Self {
            lane,
            price: None,
            context_length: None,
            abilities: Abilities::default(),
            refuses: &[],
            first_event: None,
            throughput_milli: None,
            own_server: false,
            weight: 1,
            priority: 0,
            state: MarketState::Live,
            named: false,
        }
    }
}

/// What tokens cost, in micro-dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Tokens of the call.
    pub input: u64,
    /// Tokens of the answer.
    pub output: u64,
}

/// What a candidate can do; none where nobody says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Call tools.
    pub tools: Option<bool>,
    /// Call several at once.
    pub parallel_tools: Option<bool>,
    /// Keep to a JSON schema.
    pub structured_output: Option<bool>,
    /// See pictures.
    pub vision: Option<bool>,
    /// Stream.
    pub streaming: Option<bool>,
}

/// What the Hub says of a backend with a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarketState {
    /// It serves.
    #[default]
    Live,
    /// It is not ready.
    Staging,
    /// Its checks fail.
    Error,
}

/// What a call needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Tools are offered to the model.
    pub tools: bool,
    /// Several may be called at once, and the call says so.
    pub parallel_tools: bool,
    /// The answer must keep to a JSON schema.
    pub structured_output: bool,
    /// There are pictures in it.
    pub vision: bool,
    /// A stream is wanted.
    pub stream: bool,
    /// About how many tokens it has.
    pub input_tokens: u64,
    /// How many tokens the answer may have, where the call says.
    pub max_output: Option<u64>,
    /// Members of the call that change the answer.
    pub parameters: Vec<Box<str>>,
}
