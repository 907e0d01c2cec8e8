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
    /// The power of the costs' ratio by which the better of two is preferred.
    pub sharpness: u32,
    /// The share of a quota below which it is scarce, 0 to 1.
    pub quota_low: f64,
    /// How long a failed target is left alone at first.
    pub open: Duration,
    /// And at most.
    pub open_max: Duration,
    /// How long a try may hold others off.
    pub probe: Duration,
    /// Good tries in a row until a target is well.
    pub probes: u32,
    /// How long its share grows then.
    pub slow_start: Duration,
    /// How old what is known of a target may get.
    pub explore_after: Duration,
    /// The share of calls that may go out to learn, 0 to 1.
    pub exploration: f64,
    /// How much the time between tokens counts beside the first event's, 0 to 1 and more.
    pub speed: f64,
    /// Tokens of an answer for comparing.
    pub typical_output: u32,
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
    /// After 404.
    pub not_found: Duration,
}

impl Settings {
    /// The checked document's numbers.
    pub(crate) fn of(health: &config::Health, asides: &config::Asides) -> Self {
        Self {
            window: health.window.get(),
            baseline: health.baseline.get(),
            rise: f64::from(health.rise) / 100.0,
            silence: f64::from(health.silence),
            failed_after: health.failed_after,
            failed_errors: f64::from(health.failed_errors) / 100.0,
            degraded_errors: f64::from(health.degraded_errors) / 100.0,
            min_calls: f64::from(health.min_calls),
            slow_factor: f64::from(health.slow_factor),
            error_weight: f64::from(health.error_weight),
            room: f64::from(health.room),
            sharpness: health.sharpness,
            quota_low: f64::from(health.quota_low) / 100.0,
            open: health.open.get(),
            open_max: health.open_max.get(),
            probe: health.probe.get(),
            probes: health.probes,
            slow_start: health.slow_start.get(),
            explore_after: health.explore_after.get(),
            exploration: f64::from(health.exploration) / 1000.0,
            speed: f64::from(health.speed) / 100.0,
            typical_output: health.typical_output,
            entries: health.entries as usize,
            unauthenticated: asides.unauthenticated.get(),
            forbidden: asides.forbidden.get(),
            payment: asides.payment.get(),
            rate_limited: asides.rate_limited.get(),
            rate_limited_max: asides.rate_limited_max.get(),
            not_found: asides.not_found.get(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::of(&config::Health::default(), &config::Asides::default())
    }
}
