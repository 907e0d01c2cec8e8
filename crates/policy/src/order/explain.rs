//! A choice in full, for people who ask why.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Ask, Candidate, cost::Costs, fit};
use crate::health::{Health, Reason, Sight, State};

/// One candidate as a choice sees it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its place among the candidates.
    pub index: usize,
    /// The backend or server.
    pub place: String,
    /// The model.
    pub model: String,
    /// The name of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How its target does.
    pub state: State,
    /// When its first event is expected, in milliseconds.
    pub first_event_ms: Option<u64>,
    /// What a call like this costs in time there, with failures, load and quota in it, in milliseconds: lower is better.
    pub score_ms: u64,
    /// The share of calls that failed lately, in thousandths.
    pub failures_per_thousand: u32,
    /// Calls under way at the target.
    pub in_flight: u32,
    /// What the call may cost at most, in micro-dollars.
    pub worst_price_micros: Option<u64>,
    /// Why it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Reason>,
}

/// What a choice among these candidates would see, in their order.
pub fn explain(candidates: &[Candidate], ask: &Ask<'_>, health: &Health, now: Instant) -> Vec<Row> {
    let (tick, table) = (health.tick(now), health.read());
    let sights: Vec<Sight> = candidates.iter().map(|candidate| table.sight(&candidate.lane, tick)).collect();
    let costs = Costs::new(candidates, sights.iter().enumerate(), ask.need, table.settings());
    let row = |(index, (candidate, sight)): (usize, (&Candidate, &Sight))| Row {
        index,
        place: candidate.lane.place.to_string(),
        model: candidate.lane.model.to_string(),
        key: candidate.lane.key.as_deref().map(str::to_owned),
        state: sight.state,
        first_event_ms: super::cost::first(candidate, sight).map(millis),
        score_ms: millis(costs.balanced(candidate, sight, table.settings())),
        failures_per_thousand: (sight.known.errors * 1000.0) as u32,
        in_flight: sight.in_flight,
        worst_price_micros: fit::worst_price(candidate, ask.need),
        excluded: fit::unfit(candidate, ask)
            .or_else(|| sight.shut.clone())
            .or_else(|| fit::too_slow(candidate, sight, ask)),
    };
    candidates.iter().zip(&sights).enumerate().map(row).collect()
}

fn millis(micros: f64) -> u64 {
    u64::try_from(Duration::from_micros(micros as u64).as_millis()).unwrap_or(u64::MAX)
}
