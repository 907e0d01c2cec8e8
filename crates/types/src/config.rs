//! The configuration document: everything an operator may set, in one place.
//!
//! A TOML file, environment variables and command-line flags all become this one document; `policy::compile` checks it
//! and makes it ready for use. The doc comments here are the descriptions of the JSON schema that editors show, and the
//! `Default` implementations are the defaults that the documentation promises.

mod alias;
mod backends;
mod huggingface;
mod limits;
mod listener;
mod place;
mod providers;
mod routing;
mod values;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use alias::{Alias, AliasPolicy, Rule, Target, WeighedTarget};
pub use backends::{Backend, BackendTimeouts, Dialect, Server};
pub use huggingface::{CallerKeys, HuggingFace, Key};
pub use limits::{Limits, Timeouts};
pub use listener::{Listener, Tls};
pub use place::{Assets, Catalog, Data, Jobs, Log, LogFormat, LogLevel, Responses};
pub use providers::{Provider, ProviderKey};
pub use routing::{Asides, Health, Retries, Routing, Strategy};
pub use values::{BadValue, Dollars, Period, SecretRef, Size};

/// The configuration of an Ironbow gateway. Everything has a default; an empty document is a good one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Ironbow configuration")]
pub struct Document {
    /// Where the gateway listens, and for whom.
    pub listener: Listener,
    /// How much of everything is accepted.
    pub limits: Limits,
    /// How long everything may take.
    pub timeouts: Timeouts,
    /// Hugging Face: addresses, keys, billing.
    pub huggingface: HuggingFace,
    /// Vendors whose own API callers may use: the key is the vendor's id, openai or anthropic.
    pub providers: BTreeMap<String, Provider>,
    /// What differs for single backends; the key is the backend's id or one of its aliases.
    pub backends: BTreeMap<String, Backend>,
    /// Model servers of your own, asked for as `huggingface/{name}/{model}`.
    pub servers: BTreeMap<String, Server>,
    /// Names of models that clients may use as they are, each with the route that it stands for, or a table with several.
    pub aliases: BTreeMap<String, Alias>,
    /// How calls are spread over those who can serve them.
    pub routing: Routing,
    /// What is written to the log.
    pub log: Log,
    /// What is kept on disk.
    pub data: Data,
    /// How long knowledge about models is kept.
    pub catalog: Catalog,
    /// Results that backends put at an address of their own.
    pub assets: Assets,
    /// Calls that callers do not wait for.
    pub jobs: Jobs,
    /// Responses and conversations that are kept between calls.
    pub responses: Responses,
}
