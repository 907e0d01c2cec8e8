//! The constants of the table, as `[routing.health]` and `[routing.asides]` set them.

use std::time::Duration;

use types::config;

/// Every constant of the health table. `Default` is what the configuration documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Half-life of errors and times.
    pub window: Duration,
    /// Half-life of the baseline.
    pub baseline: Duration,
    /// The least weight of a time above the average, 0 to 1.
    pub rise: f64,
    /// The least weight of a time below half of the average, 0 to 1.
    pub fall: f64,
    /// Times that weigh alike at first.
    pub warm_up: u32,
    /// Times from which a high share of them is known.
    pub late_calls: u32,
    /// How many times longer than usual a silence must be to count.
    pub silence: f64,
    /// Failures in a row that make a target fail; 0: never.
    pub failed_after: u32,
    /// Share of failures that makes a target fail, 0 to 1.
    pub failed_errors: f64,
    /// Share of failures that makes a target degraded, 0 to 1.
    pub degraded_errors: f64,
    /// Calls in the window from which shares count.
    pub min_calls: f64,
    /// How many times slower than its baseline a target is degraded.
    pub slow_factor: f64,
    /// How much failures weigh in a target's cost.
    pub error_weight: f64,
    /// Calls under way that double a target's cost.
    pub room: f64,
    /// The power of the costs' ratio by which better ones are preferred.
    pub sharpness: u32,
    /// How many times the fastest key's time a key may take and is as good as that one.
    pub key_slack: f64,
    /// And so much more.
    pub key_slack_time: Duration,
    /// The share of a quota below which it is scarce, 0 to 1.
    pub quota_low: f64,
    /// How many times slower a key looks of which next to nothing is left.
    pub quota_pressure: f64,
    /// How long a failed target is left alone at first.
    pub open: Duration,
    /// And at most.
    pub open_max: Duration,
    /// How far apart tries are at least by calls that have nobody else.
    pub reserve: Duration,
    /// How long a try may hold others off.
    pub probe: Duration,
    /// Good tries in a row until a target is well.
    pub probes: u32,
    /// How long its share grows then.
    pub slow_start: Duration,
    /// The share that it gets at once, 0 to 1.
    pub slow_start_floor: f64,
    /// Tries that follow one another at once, of what was put aside for no told time.
    pub spares: u32,
    /// The wait before the next one; doubled each time.
    pub spare_wait: Duration,
    /// How old what is known of a target may get.
    pub explore_after: Duration,
    /// The share of calls that may go out to learn, 0 to 1.
    pub exploration: f64,
    /// How much the time between tokens counts beside the first event's, 0 to 1 and more.
    pub speed: f64,
    /// Tokens of an answer for comparing.
    pub typical_output: u32,
    /// What is taken of a target of which nothing is known, when nothing is known of any: to its first event.
    pub first_event: Duration,
    /// And for a token.
    pub per_token: Duration,
    /// Lanes remembered.
    pub entries: usize,
    /// After 401.
    pub unauthenticated: Duration,
    /// After 403.
    pub forbidden: Duration,
    /// After 402.
    pub payment: Duration,
    /// After 429 without `Retry-After`, the first time.
    pub rate_limited: Duration,
    /// The longest time that is believed.
    pub rate_limited_max: Duration,
    /// With a quota that is used up and does not say when it comes back.
    pub quota: Duration,
    /// After 404.
    pub not_found: Duration,
}

impl Settings {
    /// The checked document's numbers.
    pub(crate) fn of(routing: &config::Routing) -> Self {
        let (health, asides) = (&routing.health, &routing.asides);
        Self {
            window: health.window.get(),
            baseline: health.baseline.get(),
            rise: f64::from(health.rise) / 100.0,
            fall: f64::from(health.fall) / 100.0,
            warm_up: health.warm_up,
            late_calls: routing.late_calls,
            silence: f64::from(health.silence),
            failed_after: health.failed_after,
            failed_errors: f64::from(health.failed_errors) / 100.0,
            degraded_errors: f64::from(health.degraded_errors) / 100.0,
            min_calls: f64::from(health.min_calls),
            slow_factor: f64::from(health.slow_factor),
            error_weight: f64::from(health.error_weight),
            room: f64::from(health.room),
            sharpness: health.sharpness,
            key_slack: f64::from(health.key_slack) / 100.0,
            key_slack_time: health.key_slack_time.get(),
            quota_low: f64::from(health.quota_low) / 100.0,
            quota_pressure: f64::from(health.quota_pressure),
            open: health.open.get(),
            open_max: health.open_max.get(),
            reserve: health.reserve.get(),
            probe: health.probe.get(),
            probes: health.probes,
            slow_start: health.slow_start.get(),
            slow_start_floor: f64::from(health.slow_start_floor) / 100.0,
            spares: health.spares,
            spare_wait: health.spare_wait.get(),
            explore_after: health.explore_after.get(),
            exploration: f64::from(health.exploration) / 1000.0,
            speed: f64::from(health.speed) / 100.0,
            typical_output: health.typical_output,
            first_event: health.first_event.get(),
            per_token: health.per_token.get(),
            entries: health.entries as usize,
            unauthenticated: asides.unauthenticated.get(),
            forbidden: asides.forbidden.get(),
            payment: asides.payment.get(),
            rate_limited: asides.rate_limited.get(),
            rate_limited_max: asides.rate_limited_max.get(),
            quota: asides.quota.get(),
            not_found: asides.not_found.get(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::of(&config::Routing::default())
    }
}
