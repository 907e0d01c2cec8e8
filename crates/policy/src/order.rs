//! Who serves a call, in which order: pure, from candidates as data, what the call needs, and how everybody does.
//!
//! First what a call needs removes candidates, before anything is spent; then priorities, then the strategy. The better ones
//! far more often (by cost, softly), single calls to learn, and a fixed place for calls that belong together.

mod candidate;
mod cost;
mod dice;
mod explain;
mod fault;
mod fit;
mod key;

use std::time::{Duration, Instant};

use types::{BackendName, RoutePolicy, config};

use crate::{
    credentials::Whose,
    health::{Health, Reason, Settings, Sight, State, Tick},
};

pub use candidate::{Abilities, Candidate, MarketState, Need, Price};
use cost::Costs;
use dice::Dice;
pub(crate) use dice::percent;
pub use dice::sticky;
pub use explain::{Row, explain};
pub(crate) use fault::nobody;

/// How to choose among those who can serve a call.
pub use config::Strategy;

/// How the router's suffix reads as a strategy; none for no suffix.
pub const fn strategy(policy: RoutePolicy) -> Option<Strategy> {
    match policy {
        RoutePolicy::Default => None,
        RoutePolicy::Fastest => Some(Strategy::Fastest),
        RoutePolicy::Cheapest => Some(Strategy::Cheapest),
        RoutePolicy::Preferred => Some(Strategy::Preferred),
    }
}

/// What is asked of a choice.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// What the call needs.
    pub need: &'a Need,
    /// How to choose.
    pub strategy: Strategy,
    /// Backends and servers in the order of preference.
    pub preferred: &'a [BackendName],
    /// Whether servers of the operator's own come first.
    pub own_servers_first: bool,
    /// The most that the call may cost, in micro-dollars.
    pub max_price: Option<u64>,
    /// The latest first event.
    pub max_first_event: Option<Duration>,
    /// Calls with the same number go to the same target: [`sticky`] makes one of a text.
    pub sticky: Option<u64>,
    /// A random number.
    pub seed: u64,
}

impl<'a> Ask<'a> {
    /// An ask without wishes.
    pub const fn new(need: &'a Need, seed: u64) -> Self {
        Self {
            need,
            strategy: Strategy::Auto,
            preferred: &[],
            own_servers_first: false,
            max_price: None,
            max_first_event: None,
            sticky: None,
            seed,
        }
    }
}

/// A choice: indexes of candidates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Who is asked, the first one first; nobody twice, nobody who cannot.
    pub attempts: Vec<usize>,
    /// Who could serve, but is put aside now.
    pub later: Vec<usize>,
    /// Who is left out, and why.
    pub excluded: Vec<(usize, Reason)>,
    /// Whether the first attempt is made to learn how its target does.
    pub explores: bool,
    /// Whether everybody who can serve was refused or is just being tried: the attempts ask them, because there is nobody else.
    pub alone: bool,
}

/// A candidate that may serve.
struct Able {
    index: usize,
    /// Candidates of the same target have the same number.
    target: usize,
    rank: u64,
    cost: f64,
    weight: f64,
    /// Through the router: a backend's own key comes before that.
    routed: bool,
    sight: Sight,
}

/// Puts the candidates in order.
pub fn choose(candidates: &[Candidate], ask: &Ask<'_>, health: &Health, now: Instant) -> Order {
    let tick = health.tick(now);
    let table = health.read();
    let settings = table.settings();
    let mut order = Order::default();
    let one_target = candidates.windows(2).all(|two| two[0].lane.same_target(&two[1].lane));
    let mut able: Vec<Able> = Vec::with_capacity(candidates.len());
    // Whose key was refused or who is just being tried, the preferred ones first: for a call that has nobody else.
    let mut spare: Vec<(u64, usize)> = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        if let Some(reason) = fit::unfit(candidate, ask) {
            order.excluded.push((index, reason));
            continue;
        }
        let mut sight = table.sight(&candidate.lane, tick);
        if sight.shut.is_some() {
            order.later.push(index);
        }
        let lane = &candidate.lane;
        let failed = sight.spare_target;
        let perhaps = failed && one_target || sight.spare && !failed || sight.shut == Some(Reason::Probing);
        if perhaps && !spare.iter().any(|(_, other)| candidates[*other].lane.same_lane(lane)) {
            spare.push((fit::rank(candidate, &sight, ask), index));
        }
        let reason = sight.shut.take().or_else(|| fit::too_slow(candidate, &sight, ask));
        if let Some(reason) = reason {
            order.excluded.push((index, reason));
            continue;
        }
        let (target, twin) = kin(&able, candidates, index);
        let rank = fit::rank(candidate, &sight, ask);
        let (weight, routed) = (f64::from(candidate.weight.max(1)), candidate.lane.account.is_some());
        let one = Able { index, target, rank, cost: 0.0, weight, routed, sight };
        match twin.and_then(|at| able.get_mut(at)) {
            None => able.push(one),
            Some(twin) if rank < twin.rank => {
                order.excluded.push((std::mem::replace(twin, one).index, Reason::Repeated));
            }
            Some(_) => order.excluded.push((index, Reason::Repeated)),
        }
    }
    if able.is_empty() {
        return alone(order, spare);
    }
    let costs = Costs::new(candidates, able.iter().map(|one| (one.index, &one.sight)), ask.need, settings);
    for one in &mut able {
        one.cost = match ask.strategy {
            Strategy::Auto => costs.balanced(&candidates[one.index], &one.sight, settings),
            Strategy::Fastest => costs.slowness(&candidates[one.index], &one.sight),
            Strategy::Cheapest => fit::price(&candidates[one.index], ask.need, settings.typical_output),
            Strategy::Preferred => costs.balanced(&candidates[one.index], &one.sight, settings),
        };
    }
    let mut dice = Dice::new(ask.seed);
    let stale = settings.explore_after;
    // What stands in order are references: an `Able` is large, and would be moved again and again.
    let mut able: Vec<&Able> = able.iter().collect();
    able.sort_by(|a, b| a.rank.cmp(&b.rank).then(a.cost.total_cmp(&b.cost)).then(lanes(a, b)));
    let best = able.first().map_or(0, |one| one.rank);
    let group = able.partition_point(|one| one.rank == best);
    let first = first(
        &able[..group],
        candidates,
        ask,
        &mut dice,
        |one| {
            let old = tick.since(one.sight.asked) > crate::health::micros(stale);
            old && one.sight.asked != Tick::default() && one.sight.known.ramp >= 1.0
        },
        settings,
    );
    let key = match first.lane {
        None => key::choose(&able[..group], first.target, candidates, ask, &mut dice, tick, settings),
        Some(index) => Some((index, false)),
    };
    order.explores = first.explores || key.is_some_and(|(_, explores)| explores);
    let front = match key {
        Some((index, _)) => able.iter().position(|one| one.index == index),
        None => able.iter().position(|one| one.target == first.target),
    };
    let together = ask.sticky.is_some() || ask.strategy != Strategy::Auto;
    order.attempts = arrange(&mut able, front.unwrap_or(0), together);
    order
}

/// The order of a call that has nobody but those whose keys were refused.
#[cold]
fn alone(mut order: Order, mut spare: Vec<(u64, usize)>) -> Order {
    spare.sort_unstable();
    order.alone = !spare.is_empty();
    order.attempts = spare.into_iter().map(|(_, index)| index).collect();
    order.later.retain(|index| !order.attempts.contains(index));
    order.excluded.retain(|(index, _)| !order.attempts.contains(index));
    order
}

/// The number of a candidate's target, and which of those before it is the same lane.
fn kin(able: &[Able], candidates: &[Candidate], index: usize) -> (usize, Option<usize>) {
    let lane = &candidates[index].lane;
    let lane_of = |one: &Able| &candidates[one.index].lane;
    // Lanes of one target mostly stand together: it is compared once for all of them.
    let mut other = None;
    let known = able.iter().find(|one| other.replace(one.target) != Some(one.target) && lane_of(one).same_target(lane));
    let Some(target) = known.map(|one| one.target) else { return (index, None) };
    let twin = able.iter().position(|one| one.target == target && lane_of(one).same_key(lane));
    (target, twin)
}

/// Among lanes of one target: the one that tries, then a backend's own key, then the one with the least under way for what
/// its key may do, then the one that was used longest ago.
fn lanes(a: &Able, b: &Able) -> std::cmp::Ordering {
    let load = |one: &Able| f64::from(one.sight.lane_in_flight + 1) * one.sight.pressure;
    let kind = b.sight.tries.cmp(&a.sight.tries).then(a.routed.cmp(&b.routed));
    kind.then(load(a).total_cmp(&load(b))).then(a.sight.used.cmp(&b.sight.used))
}

/// Whom a call goes to first.
struct First {
    target: usize,
    lane: Option<usize>,
    explores: bool,
}

fn first(
    group: &[&Able],
    candidates: &[Candidate],
    ask: &Ask<'_>,
    dice: &mut Dice,
    stale: impl Fn(&Able) -> bool,
    settings: &Settings,
) -> First {
    let to = |target, explores| First { target, lane: None, explores };
    // Somebody who was put aside may be tried again: this call does it, and goes on elsewhere if it fails.
    if let Some(one) = group.iter().find(|one| one.sight.tries && !one.sight.reserve) {
        return First { target: one.target, lane: Some(one.index), explores: true };
    }
    let targets = targets(group);
    if let Some(sticky) = ask.sticky {
        let place = |one: &&Able| dice::place(sticky, &candidates[one.index].lane, one.weight);
        if let Some(one) = targets.iter().copied().max_by(|a, b| place(a).total_cmp(&place(b))) {
            return to(one.target, false);
        }
    }
    if targets.len() > 1 && dice.unit() < settings.exploration {
        // The one that was asked longest ago, if nobody is asking it now.
        let old = targets.iter().filter(|one| stale(one) && one.sight.in_flight == 0);
        if let Some(one) = old.min_by_key(|one| one.sight.asked) {
            return to(one.target, true);
        }
    }
    match ask.strategy {
        Strategy::Auto => to(draw(&targets, dice, settings.sharpness), false),
        _ => to(group.first().map_or(0, |one| one.target), false),
    }
}

/// One lane of each target.
fn targets<'a>(group: &[&'a Able]) -> Vec<&'a Able> {
    let mut targets: Vec<&Able> = Vec::with_capacity(group.len());
    for &one in group {
        if !targets.iter().any(|other| other.target == one.target) {
            targets.push(one);
        }
    }
    targets
}

/// Drawn by weight and by how cheap each one is beside the cheapest: the nearer their costs, the more evenly.
fn draw(targets: &[&Able], dice: &mut Dice, sharpness: u32) -> usize {
    // What costs next to nothing costs something: nobody is divided by zero.
    let cost = |one: &Able| one.cost.max(1.0);
    let least = targets.iter().map(|one| cost(one)).fold(f64::INFINITY, f64::min);
    let part = |one: &Able| one.weight * dice::power(least / cost(one), sharpness);
    let mut point = dice.unit() * targets.iter().map(|one| part(one)).sum::<f64>();
    let drawn = targets.iter().find(|one| {
        point -= part(one);
        point < 0.0
    });
    drawn.or(targets.last()).map_or(0, |one| one.target)
}

/// The first one, then everybody else as they stand: where calls stay together all keys of one target; else a key of each
/// target in turn, because a target that limits one key has often limited the others, too.
fn arrange(able: &mut [&Able], front: usize, together: bool) -> Vec<usize> {
    able[..=front].rotate_right(1);
    let mut turns: Vec<((u64, usize), usize)> = Vec::with_capacity(able.len());
    for (at, one) in able.iter().enumerate() {
        let mut earlier = able[..at].iter().enumerate().filter(|(_, other)| other.target == one.target);
        turns.push(if together {
            ((0, earlier.next().map_or(at, |(first, _)| first)), one.index)
        } else {
            ((one.rank, earlier.count()), one.index)
        });
    }
    turns.sort_by_key(|(turn, _)| *turn);
    turns.into_iter().map(|(_, index)| index).collect()
}

/// Whether what is known of the candidate's health keeps it behind others.
fn is_weak(candidate: &Candidate, sight: &Sight) -> bool {
    sight.state == State::Degraded || (candidate.lane.whose == Whose::Caller && sight.state == State::Failed)
}
