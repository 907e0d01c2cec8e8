//! What a name of the operator's own stands for: a route, or a policy over several.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Dollars, Period, Strategy};

/// What an alias stands for: a route, or a table that says more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Alias {
    /// A route: `huggingface/{backend}/{model}`.
    Route(String),
    /// Several routes, and how to choose among them.
    Policy(Box<AliasPolicy>),
}

/// Several routes behind one name, and how to choose among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasPolicy {
    /// The routes that may serve it: texts, or tables with a weight and a priority.
    pub targets: Vec<Target>,
    /// How to choose among them; left out, as under `routing`.
    #[serde(default)]
    pub strategy: Option<Strategy>,
    /// The most that one call may cost, in dollars, as if it used all the tokens that it may; dearer targets are left out.
    #[serde(default)]
    pub max_price: Option<Dollars>,
    /// Targets whose first event is expected later than this are left out.
    #[serde(default)]
    pub max_first_event: Option<Period>,
    /// Whether servers of your own come first; left out, as under `routing`.
    #[serde(default)]
    pub own_servers_first: Option<bool>,
    /// Routes to other models, tried in this order when no target serves.
    #[serde(default)]
    pub fallbacks: Vec<String>,
    /// Whether a target that names a backend may be served by another backend of the same model; left out, as under `routing`.
    #[serde(default)]
    pub failover: Option<bool>,
    /// Whether a late first event starts a second attempt elsewhere; left out, as under `routing`.
    #[serde(default)]
    pub hedging: Option<bool>,
    /// Whether another backend goes on with a stream of text that breaks; left out, as under `routing`.
    #[serde(default)]
    pub continuation: Option<bool>,
    /// A header of the call; calls with the same value go to the same target while it serves.
    #[serde(default)]
    pub sticky: Option<String>,
    /// Rules that choose other targets; the first that is true counts.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// A route with its weight and priority, or the route alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Target {
    /// A route: `huggingface/{backend}/{model}`.
    Route(String),
    /// A route with a weight and a priority.
    Weighed(WeighedTarget),
}

/// A route with a weight and a priority.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeighedTarget {
    /// The route: `huggingface/{backend}/{model}`.
    pub model: String,
    /// How often it is considered beside others of the same priority.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub weight: u32,
    /// Targets with a higher number are tried only when all with lower ones cannot serve.
    #[serde(default)]
    #[schemars(range(min = 0, max = 999))]
    pub priority: u32,
}

const fn one() -> u32 {
    1
}

/// A rule: an expression, and the targets that it chooses when it is true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// An expression in CEL that is true or false, such as `headers["x-tier"] == "gold" && percent < 5.0`.
    pub when: String,
    /// The routes that then may serve the call: texts, or tables with a weight and a priority.
    pub targets: Vec<Target>,
}
