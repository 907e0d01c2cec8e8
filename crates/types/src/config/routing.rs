//! How calls are spread over those who can serve them: the routing's part of the document.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Period, Rule};

/// How calls are spread over those who can serve them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Routing {
    /// How to choose among those who can serve a call that names neither a backend nor a way of choosing.
    pub strategy: Strategy,
    /// Backends and servers in the order of preference, for the strategy `preferred` and the suffix `:preferred`.
    pub preferred: Vec<String>,
    /// Whether servers of your own come before everybody else.
    pub own_servers_first: bool,
    /// Whether a call that names a backend may go to another backend of the same model when that one fails.
    pub failover: bool,
    /// Whether a second attempt is started elsewhere when the first event is late; the slower one is cancelled.
    pub hedging: bool,
    /// Whether another backend goes on with a stream of text that breaks, where it can. Its words follow those of the first
    /// one: a reader cannot tell, and both are paid.
    pub continuation: bool,
    /// Late is later than the first events of so many of 100 calls.
    #[schemars(range(min = 50, max = 99))]
    pub late: u32,
    /// What is late is known from so many first events on.
    #[schemars(range(min = 1, max = 1000))]
    pub late_calls: u32,
    /// How long a stream may be without its first event at one target while another one could still serve it; then that one is tried.
    pub patience: Period,
    /// Rules that choose targets, for every call; the first that is true counts.
    pub rules: Vec<Rule>,
    /// When a target counts as slow, failing or well.
    pub health: Health,
    /// How long what failed is put aside.
    pub asides: Asides,
    /// How often a call is tried.
    pub retries: Retries,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            strategy: Strategy::Auto,
            preferred: Vec::new(),
            own_servers_first: false,
            failover: false,
            hedging: false,
            continuation: false,
            late: 95,
            late_calls: 20,
            patience: Period::seconds(30),
            rules: Vec::new(),
            health: Health::default(),
            asides: Asides::default(),
            retries: Retries::default(),
        }
    }
}

/// How to choose among those who can serve a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// By what each one did lately: errors, first event, speed, calls under way, quota.
    #[default]
    Auto,
    /// The most tokens a second first.
    Fastest,
    /// The lowest price first.
    Cheapest,
    /// In the order of `routing.preferred`.
    Preferred,
}

impl Strategy {
    /// The name as the configuration spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fastest => "fastest",
            Self::Cheapest => "cheapest",
            Self::Preferred => "preferred",
        }
    }
}

/// When a target (a backend with a model) counts as slow, failing or well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// How far back errors and times count: what is this old has lost half of its weight.
    pub window: Period,
    /// The same for the baseline with which a target's times are compared.
    pub baseline: Period,
    /// How far a time above the average moves it, at least, in hundredths: a rise shows at once, a fall with the window.
    #[schemars(range(min = 1, max = 100))]
    pub rise: u32,
    /// How far a time below half of the average moves it, at least, in hundredths: who is well again is seen in a few calls.
    #[schemars(range(min = 1, max = 100))]
    pub fall: u32,
    /// So many first times weigh alike, and before them nothing counts as slower than its baseline.
    #[schemars(range(min = 1, max = 1000))]
    pub warm_up: u32,
    /// So many times longer without a sign of life than usual while calls wait, and the silence counts as the target's time.
    #[schemars(range(min = 1, max = 1000))]
    pub silence: u32,
    /// So many failures in a row, and the target is not asked any more; 0 switches this and `failed_errors` off.
    #[schemars(range(min = 0, max = 1000))]
    pub failed_after: u32,
    /// So many failures of 100 calls in the window, and the target is not asked any more.
    #[schemars(range(min = 1, max = 100))]
    pub failed_errors: u32,
    /// So many failures of 100 calls in the window, and the target is degraded: others are better.
    #[schemars(range(min = 1, max = 100))]
    pub degraded_errors: u32,
    /// Shares of failures count from so many calls in the window.
    #[schemars(range(min = 1, max = 10_000))]
    pub min_calls: u32,
    /// So many times slower than its own baseline, and the target is degraded.
    #[schemars(range(min = 2, max = 100))]
    pub slow_factor: u32,
    /// How much a failure weighs beside the time that it takes: so many times the usual time of an answer.
    #[schemars(range(min = 1, max = 1000))]
    pub error_weight: u32,
    /// So many calls under way, and a target looks twice as slow.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub room: u32,
    /// How sharply better targets are preferred: the power of their costs' ratio.
    #[schemars(range(min = 1, max = 16))]
    pub sharpness: u32,
    /// A key is as good as a target's others until it takes so many hundredths of the fastest one's time, and `key_slack_time` more.
    #[schemars(range(min = 100, max = 10_000))]
    pub key_slack: u32,
    /// So much more: short times differ by chance.
    pub key_slack_time: Period,
    /// Below so many hundredths of what a key may do, it looks slower, up to `quota_pressure`.
    #[schemars(range(min = 0, max = 100))]
    pub quota_low: u32,
    /// So many times slower looks a key of which next to nothing is left.
    #[schemars(range(min = 1, max = 1000))]
    pub quota_pressure: u32,
    /// How long a failed target is left alone before one call may try it.
    pub open: Period,
    /// That time doubles with each try that fails, up to this; it is never less than twice what the try took.
    pub open_max: Period,
    /// Calls that have nobody else may try it so long after the last try, or as long as that took, up to `open`.
    pub reserve: Period,
    /// How long one such try may take before another call may try.
    pub probe: Period,
    /// So many good tries, and the target is well again. One call tries it at first, then two at once, then four.
    #[schemars(range(min = 1, max = 100))]
    pub probes: u32,
    /// How long a target that is well again takes to get its full share.
    pub slow_start: Period,
    /// The share that it gets at once, in hundredths.
    #[schemars(range(min = 1, max = 100))]
    pub slow_start_floor: u32,
    /// So many tries of what was put aside for no told time follow one another at once, for calls that have nobody else.
    #[schemars(range(min = 0, max = 1000))]
    pub spares: u32,
    /// The wait before the next such try; it doubles with each.
    pub spare_wait: Period,
    /// How long a call that has nobody else waits while another one tries whoever was put aside.
    pub probe_wait: Period,
    /// How often it looks.
    pub probe_look: Period,
    /// A target that nobody asked for this long gets a call, so that what is known of it stays true.
    pub explore_after: Period,
    /// At most so many of 1,000 calls go out for that reason.
    #[schemars(range(min = 0, max = 500))]
    pub exploration: u32,
    /// How much the time between tokens counts beside the time to the first event, in hundredths.
    #[schemars(range(min = 0, max = 1000))]
    pub speed: u32,
    /// Tokens of an answer, where times of different targets are compared and the call names no smaller limit.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub typical_output: u32,
    /// The time to a first event that is taken where nothing is known of any target.
    pub first_event: Period,
    /// The same for the time of a token.
    pub per_token: Period,
    /// How many targets and keys are remembered.
    #[schemars(range(min = 16, max = 1_000_000))]
    pub entries: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            window: Period::seconds(10),
            baseline: Period::seconds(600),
            rise: 25,
            fall: 50,
            warm_up: 8,
            silence: 3,
            failed_after: 5,
            failed_errors: 50,
            degraded_errors: 10,
            min_calls: 20,
            slow_factor: 3,
            error_weight: 3,
            room: 16,
            sharpness: 6,
            key_slack: 200,
            key_slack_time: Period::millis(100),
            quota_low: 10,
            quota_pressure: 10,
            open: Period::seconds(1),
            open_max: Period::seconds(5),
            reserve: Period::millis(50),
            probe: Period::seconds(10),
            probes: 3,
            slow_start: Period::seconds(10),
            slow_start_floor: 10,
            spares: 10,
            spare_wait: Period::seconds(1),
            probe_wait: Period::seconds(5),
            probe_look: Period::millis(20),
            explore_after: Period::seconds(5),
            exploration: 50,
            speed: 25,
            typical_output: 200,
            first_event: Period::millis(500),
            per_token: Period::millis(20),
            entries: 20_000,
        }
    }
}

/// How long what failed is put aside; then one call tries it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Asides {
    /// A key that was refused (401).
    pub unauthenticated: Period,
    /// A key for a model that it may not use (403).
    pub forbidden: Period,
    /// An account that must pay first (402): all its keys for routed calls, or one backend's own key.
    pub payment: Period,
    /// A key at a backend with a model after 429 without `Retry-After`; doubles up to `rate_limited_max`.
    pub rate_limited: Period,
    /// The longest `Retry-After` that is believed.
    pub rate_limited_max: Period,
    /// A key whose quota is used up, where nothing says when it comes back.
    pub quota: Period,
    /// A target that does not know the model (404), for which others are better.
    pub not_found: Period,
}

impl Default for Asides {
    fn default() -> Self {
        Self {
            unauthenticated: Period::seconds(600),
            forbidden: Period::seconds(600),
            payment: Period::seconds(300),
            rate_limited: Period::seconds(1),
            rate_limited_max: Period::seconds(300),
            quota: Period::seconds(60),
            not_found: Period::seconds(60),
        }
    }
}

/// How often a call is tried, before its first byte reaches the caller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retries {
    /// How often one call is sent at most, all attempts together.
    #[schemars(range(min = 1, max = 20))]
    pub attempts: u32,
    /// Further attempts in 100 calls of a model; beyond it calls fail with what the last attempt said.
    #[schemars(range(min = 0, max = 1000))]
    pub budget: u32,
    /// So many of these can be saved up.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub saved: u32,
    /// Further attempts a second that are always allowed.
    #[schemars(range(min = 0, max = 10_000))]
    pub floor: u32,
    /// The longest wait before the first further attempt at the same target; it doubles, and a random part of it is waited.
    pub backoff: Period,
    /// The longest such wait.
    pub backoff_max: Period,
    /// A kept connection that breaks so soon after a call went out on it was dead before: the call is sent once more on a new one.
    pub stale: Period,
    /// While somebody else could serve, one attempt may use so many hundredths of the time that a call has left.
    #[schemars(range(min = 1, max = 100))]
    pub share: u32,
    /// How often one call is sent to a model that is still loading.
    #[schemars(range(min = 1, max = 20))]
    pub loading: u32,
    /// The wait for a loading model between two of these, where the backend names none.
    pub loading_first: Period,
    /// The longest such wait.
    pub loading_wait: Period,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 4,
            budget: 20,
            saved: 100,
            floor: 10,
            backoff: Period::millis(100),
            backoff_max: Period::seconds(2),
            stale: Period::seconds(1),
            share: 50,
            loading: 3,
            loading_first: Period::seconds(1),
            loading_wait: Period::seconds(60),
        }
    }
}
