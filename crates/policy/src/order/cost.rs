//! What a call costs at a target, in time: for comparing, lower is better.

use super::{Candidate, Need};
use crate::health::{Settings, Sight, micros};

/// What stands in for what is not known: the best of what is known of the others, so that new ones get their chance.
pub(super) struct Costs {
    first: f64,
    per_token: f64,
    whole: Option<f64>,
    tokens: f64,
    stream: bool,
}

impl Costs {
    pub(super) fn new<'a>(
        candidates: &[Candidate],
        sights: impl Iterator<Item = (usize, &'a Sight)>,
        need: &Need,
        settings: &Settings,
    ) -> Self {
        let tokens = need.max_output.unwrap_or(u64::MAX).min(settings.typical_output.into()) as f64 * settings.speed;
        let mut costs =
            Self { first: f64::INFINITY, per_token: f64::INFINITY, whole: None, tokens, stream: need.stream };
        for (index, sight) in sights {
            let candidate = &candidates[index];
            costs.first = costs.first.min(first(candidate, sight).unwrap_or(f64::INFINITY));
            costs.per_token = costs.per_token.min(per_token(candidate, sight).unwrap_or(f64::INFINITY));
            let whole = sight.known.whole.unwrap_or(f64::INFINITY);
            costs.whole = Some(costs.whole.unwrap_or(f64::INFINITY).min(whole)).filter(|whole| whole.is_finite());
        }
        costs.first = if costs.first.is_finite() { costs.first } else { micros(settings.first_event) as f64 };
        costs.per_token = if costs.per_token.is_finite() { costs.per_token } else { micros(settings.per_token) as f64 };
        costs
    }

    /// The time that a caller probably waits there, in microseconds: to the first event, and a part of the rest.
    pub(super) fn time(&self, candidate: &Candidate, sight: &Sight) -> f64 {
        if let (false, Some(best)) = (self.stream, self.whole) {
            return sight.known.whole.unwrap_or(best);
        }
        let first = first(candidate, sight).unwrap_or(self.first);
        let per_token = per_token(candidate, sight).unwrap_or(self.per_token);
        first + self.tokens * per_token
    }

    /// Time, with failures, load, quota and a slow start in it.
    pub(super) fn balanced(&self, candidate: &Candidate, sight: &Sight, settings: &Settings) -> f64 {
        let (time, errors) = (self.time(candidate, sight), sight.known.errors);
        let load = 1.0 + f64::from(sight.in_flight) / settings.room;
        // A failure costs the time that it takes, and trouble besides.
        let wait = time + errors * (settings.error_weight * time + sight.known.lost);
        wait * load * sight.pressure / sight.known.ramp
    }

    /// Microseconds a token.
    pub(super) fn slowness(&self, candidate: &Candidate, sight: &Sight) -> f64 {
        per_token(candidate, sight).unwrap_or(f64::INFINITY)
    }
}

/// When the first event is expected: as seen, else as the router's list says.
pub(super) fn first(candidate: &Candidate, sight: &Sight) -> Option<f64> {
    sight.known.first.or_else(|| candidate.first_event.map(|time| micros(time) as f64))
}

fn per_token(candidate: &Candidate, sight: &Sight) -> Option<f64> {
    sight.known.per_token.or_else(|| candidate.throughput_milli.filter(|t| *t > 0).map(|t| 1e9 / t as f64))
}
