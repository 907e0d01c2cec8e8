//! Which of a target's keys a call goes out with: equal keys share the calls from the first one on, a slow, failing, busy or
//! nearly used-up one gets few.

use std::cmp::Ordering;

use super::{Able, Ask, Candidate, dice, dice::Dice};
use crate::health::{Settings, Tick, micros};

/// Chooses among the target's keys that stand as well as its best one, and says whether that is done to learn how the key
/// does; none where there is nothing to choose.
pub(super) fn choose(
    group: &[&Able],
    target: usize,
    candidates: &[Candidate],
    ask: &Ask<'_>,
    dice: &mut Dice,
    now: Tick,
    settings: &Settings,
) -> Option<(usize, bool)> {
    let best = group.iter().find(|one| one.target == target)?;
    let equal = |one: &&Able| one.target == target && one.routed == best.routed && !one.sight.tries;
    let keys = || group.iter().copied().filter(equal);
    let count = keys().count();
    if best.sight.tries || count < 2 {
        return None;
    }
    if let Some(sticky) = ask.sticky {
        return keys()
            .max_by_key(|one| dice::key_place(sticky, &candidates[one.index].lane))
            .map(|one| (one.index, false));
    }
    if dice.unit() < settings.exploration {
        let stale = micros(settings.explore_after);
        let old = keys().filter(|one| one.sight.lane_in_flight == 0 && one.sight.used != Tick::default());
        if let Some(one) = old.min_by_key(|one| one.sight.used).filter(|one| now.since(one.sight.used) > stale) {
            return Some((one.index, true));
        }
    }
    let fastest = keys().filter_map(|one| time(one, ask)).fold(f64::INFINITY, f64::min);
    let at = |dice: &mut Dice, end: usize| ((dice.unit() * end as f64) as usize).min(end - 1);
    let a = at(dice, count);
    let b = at(dice, count - 1);
    let (one, other) = (keys().nth(a)?, keys().nth(if b < a { b } else { b + 1 })?);
    let costs = [one, other].map(|key| cost(key, ask, fastest, settings));
    // Of two equal ones the one that rested longer: so none of many meets its limit much before the others.
    let first = match costs[0].total_cmp(&costs[1]) {
        Ordering::Equal => one.sight.used <= other.sight.used,
        _ => dice.prefers(costs[0], costs[1], settings.sharpness),
    };
    Some((if first { one.index } else { other.index }, false))
}

/// What a call costs with this key beside the target's other ones; lower is better, 1 for one that is idle and well.
fn cost(one: &Able, ask: &Ask<'_>, fastest: f64, settings: &Settings) -> f64 {
    let sight = &one.sight;
    // Times differ by chance, short ones by more of themselves; only what is clearly slower counts as slower.
    let equal = fastest * settings.key_slack + micros(settings.key_slack_time) as f64;
    let slowness = time(one, ask).map_or(1.0, |time| (time / equal).max(1.0));
    let failures = 1.0 + settings.error_weight * sight.paced.errors;
    f64::from(sight.lane_in_flight + 1) * sight.pressure * slowness * failures
}

fn time(one: &Able, ask: &Ask<'_>) -> Option<f64> {
    let paced = &one.sight.paced;
    if ask.need.stream { paced.first } else { paced.whole.or(paced.first) }
}
