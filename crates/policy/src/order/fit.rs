//! Whether a candidate can serve a call at all, what it would cost, and how far in front it stands.

use std::time::Duration;

use super::{Ask, Candidate, MarketState, Need, Strategy, is_weak};
use crate::health::{Reason, Sight, State};

/// Why the candidate cannot serve the call, whoever is well.
pub(super) fn unfit(candidate: &Candidate, ask: &Ask<'_>) -> Option<Reason> {
    let (need, can) = (ask.need, &candidate.abilities);
    match candidate.state {
        MarketState::Staging if !candidate.named => return Some(Reason::Staging),
        MarketState::Error if !candidate.named => return Some(Reason::MarketError),
        _ => {}
    }
    for (needed, able, reason) in [
        (need.tools, can.tools, Reason::NoTools),
        (need.parallel_tools, can.parallel_tools, Reason::NoParallelTools),
        (need.structured_output, can.structured_output, Reason::NoStructuredOutput),
        (need.vision, can.vision, Reason::NoVision),
        (need.stream, can.streaming, Reason::NoStreaming),
    ] {
        if needed && able == Some(false) {
            return Some(reason);
        }
    }
    if let Some(limit) = candidate.context_length {
        let needed = need.input_tokens.saturating_add(need.max_output.unwrap_or(1));
        if needed > limit {
            return Some(Reason::Context { needed, limit });
        }
    }
    let refused = need.parameters.iter().find(|name| candidate.refuses.iter().any(|refused| **refused == ***name));
    if let Some(name) = refused {
        return Some(Reason::Parameter { name: name.to_string() });
    }
    ask.max_price.and_then(|limit| too_dear(candidate, need, limit))
}

/// Why the call may not go there for its price.
fn too_dear(candidate: &Candidate, need: &Need, limit: u64) -> Option<Reason> {
    if candidate.price.is_none() {
        return if candidate.own_server { None } else { Some(Reason::PriceUnknown) };
    }
    match worst_price(candidate, need) {
        None => Some(Reason::WorstCaseUnknown),
        Some(worst) if worst > limit => Some(Reason::TooDear { worst, limit }),
        Some(_) => None,
    }
}

/// What the call may cost at most, in micro-dollars, rounded up; none where price or limits are not known.
pub(super) fn worst_price(candidate: &Candidate, need: &Need) -> Option<u64> {
    let price = candidate.price?;
    let room = candidate.context_length.map(|context| context.saturating_sub(need.input_tokens));
    // Without any price for the answer its length does not matter.
    let output = if price.output == 0 { 0 } else { need.max_output.or(room)? };
    let millionths =
        u128::from(need.input_tokens) * u128::from(price.input) + u128::from(output) * u128::from(price.output);
    u64::try_from(millionths.div_ceil(1_000_000)).ok()
}

/// What the call will probably cost, for comparing; endless where nobody says.
pub(super) fn price(candidate: &Candidate, need: &Need, typical_output: u32) -> f64 {
    match candidate.price {
        None if candidate.own_server => 0.0,
        None => f64::INFINITY,
        Some(price) => {
            let output = need.max_output.unwrap_or_else(|| typical_output.into());
            // A call of unknown length still has one.
            need.input_tokens.max(1) as f64 * price.input as f64 + output as f64 * price.output as f64
        }
    }
}

/// Why it is too slow for the call.
pub(super) fn too_slow(candidate: &Candidate, sight: &Sight, ask: &Ask<'_>) -> Option<Reason> {
    let limit = ask.max_first_event?;
    let seen = sight.known.first.map(|micros| Duration::from_micros(micros as u64));
    let expected = seen.or(candidate.first_event)?;
    (expected > limit).then_some(Reason::TooSlow { expected, limit })
}

/// How many bits of a rank the order of preference has.
const PLACE_BITS: u32 = 12;

/// Lower ranks are asked first; among equals the strategy's cost decides.
pub(super) fn rank(candidate: &Candidate, sight: &Sight, ask: &Ask<'_>) -> u64 {
    let (need, can) = (ask.need, &candidate.abilities);
    let unsure = (need.tools && can.tools.is_none())
        || (need.structured_output && can.structured_output.is_none())
        || (need.vision && can.vision.is_none());
    let place = match ask.strategy {
        Strategy::Preferred => {
            let place = ask.preferred.iter().position(|place| *place == candidate.lane.place);
            place.unwrap_or(ask.preferred.len()).min((1 << PLACE_BITS) - 1)
        }
        _ => 0,
    };
    // Where a strategy orders strictly, who is weak comes last; the balance has it in the cost.
    let weak = is_weak(candidate, sight) && (ask.strategy != Strategy::Auto || sight.state == State::Failed);
    let flags = [
        ask.own_servers_first && !candidate.own_server,
        sight.known.missing,
        candidate.state != MarketState::Live,
        unsure,
        weak,
    ];
    let first = u64::from(sight.reserve) << 32 | u64::from(candidate.priority);
    flags.iter().fold(first, |rank, flag| rank << 1 | u64::from(*flag)) << PLACE_BITS | place as u64
}
