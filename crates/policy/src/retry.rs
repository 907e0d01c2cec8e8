//! Whether and where a call is tried again, until its first byte has reached the caller.

mod budget;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use types::{Fault, Kind, Retry, Scope, Sent, config};

pub(crate) use budget::Budget;

use crate::{
    health::{Flight, Health, Lane, Reason},
    order::Candidate,
};

/// The code of a fault on a kept connection that turned out to be dead before any byte of a reply.
pub const STALE: &str = "stale_connection";

/// How often a call is tried, as `[routing.retries]` says. `Default` is what the configuration documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Attempts of one call, all together.
    pub attempts: u32,
    /// Further attempts for each call, on average.
    pub budget: f64,
    /// So many of these can be saved up.
    pub saved: f64,
    /// Further attempts a second that are always there.
    pub floor: f64,
    /// The first wait before another attempt at the same target.
    pub backoff: Duration,
    /// The longest one.
    pub backoff_max: Duration,
    /// How soon a kept connection must break to count as dead before the call was sent.
    pub stale: Duration,
    /// Attempts at a model that is still loading.
    pub loading: u32,
    /// The wait between them, where none is named.
    pub loading_first: Duration,
    /// The longest wait between them.
    pub loading_wait: Duration,
    /// The share of a call's time that one attempt may use while somebody else could serve, 0 to 1.
    pub share: f64,
    /// The share of first events after which one is late, 0 to 1.
    pub late: f64,
}

impl Settings {
    pub(crate) fn of(routing: &config::Routing) -> Self {
        let retries = &routing.retries;
        Self {
            late: f64::from(routing.late) / 100.0,
            attempts: retries.attempts,
            budget: f64::from(retries.budget) / 100.0,
            saved: f64::from(retries.saved),
            floor: f64::from(retries.floor),
            backoff: retries.backoff.get(),
            backoff_max: retries.backoff_max.get(),
            stale: retries.stale.get(),
            loading: retries.loading,
            loading_first: retries.loading_first.get(),
            loading_wait: retries.loading_wait.get(),
            share: f64::from(retries.share) / 100.0,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::of(&config::Routing::default())
    }
}

/// What follows a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the fault is the answer.
    Fail,
    /// After this wait, [`Tries::begin`] again: it is the same candidate once more, or one that was asked before.
    Again(Duration),
    /// Another candidate, at once: [`Tries::begin`] says which.
    Other,
    /// The model's name is looked up afresh; then [`Tries::replaced`].
    LookUp,
}

/// What a decision needs to know besides the fault.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Whether the call submits work that must not be done twice: a queue, a prediction.
    pub submits: bool,
    /// How long the call may still take.
    pub left: Duration,
    /// Now.
    pub now: Instant,
    /// A random number.
    pub seed: u64,
}

/// How a candidate stands in a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Open,
    /// Asked, or not to be asked.
    Done,
    /// Its target failed; that may have been chance.
    Failed,
}

/// One call's walk over its candidates.
#[derive(Debug)]
pub struct Tries {
    settings: Arc<Settings>,
    /// The candidates, and how each one stands.
    order: Vec<(usize, Mark)>,
    /// Who could serve, but was put aside when the choice was made.
    later: Vec<usize>,
    /// Everybody was asked, and those whose failure may have been chance are asked once more.
    second_round: bool,
    /// The candidate to ask once more.
    again: Option<usize>,
    refused: Vec<(usize, Reason)>,
    /// Whether there is nobody else than these, so that refused keys are tried.
    alone: bool,
    /// Whether the attempt under way tries somebody who failed: what then goes to who is well is not on the budget, for such
    /// tries are few, and are not the caller's own wish.
    trying: bool,
    sent: u32,
    loading: u32,
    looked_up: bool,
    fresh_connection: bool,
    same: u32,
}

impl Tries {
    /// A walk over these candidates, in this order.
    pub fn new(order: Vec<usize>, settings: Arc<Settings>) -> Self {
        Self {
            settings,
            order: open(order),
            later: Vec::new(),
            second_round: false,
            again: None,
            refused: Vec::new(),
            alone: false,
            trying: false,
            sent: 0,
            loading: 0,
            looked_up: false,
            fresh_connection: false,
            same: 0,
        }
    }

    /// A walk over the one candidate that there is. It allocates nothing.
    pub fn single(settings: Arc<Settings>) -> Self {
        Self { again: Some(0), alone: true, ..Self::new(Vec::new(), settings) }
    }

    /// Whether there is nobody else than these: [`crate::order::Order::alone`].
    #[must_use]
    pub fn alone(mut self, alone: bool) -> Self {
        self.alone = alone;
        self
    }

    /// Adds those who were put aside when the choice was made: they are asked if that is over before the call is.
    #[must_use]
    pub fn later(mut self, later: Vec<usize>) -> Self {
        self.later = later;
        self
    }

    /// Who is asked next, as far as is known now.
    pub fn first(&self) -> usize {
        self.again.or_else(|| self.order.first().map(|(index, _)| *index)).unwrap_or(0)
    }

    /// The candidate that was begun turned out to be unable to do the call, and nothing was sent: whether another one is left.
    /// It costs nothing of the budget.
    pub fn pass(&mut self) -> bool {
        self.sent = self.sent.saturating_sub(1);
        self.is_open()
    }

    /// Takes the order of new candidates; what was tried already still counts.
    pub fn replaced(&mut self, order: Vec<usize>) {
        self.order = open(order);
        self.later.clear();
        self.again = None;
        self.refused.clear();
    }

    /// When [`Tries::begin`] found nobody only because other calls are just trying everybody: whether to begin again a moment later.
    pub fn comes_again(&mut self) -> bool {
        if !self.refused.iter().any(|(_, reason)| *reason == Reason::Probing) {
            return false;
        }
        self.order.extend(open(std::mem::take(&mut self.later)));
        for (index, _) in self.refused.drain(..) {
            match self.order.iter_mut().find(|(at, _)| *at == index) {
                Some((_, mark)) => *mark = Mark::Open,
                None => self.again = Some(index),
            }
        }
        true
    }

    /// How many attempts were begun.
    pub const fn begun(&self) -> u32 {
        self.sent
    }

    /// The next attempt: the first candidate that may be asked now. None when nobody is left: [`Tries::nobody`].
    pub fn begin(&mut self, health: &Health, candidates: &[Candidate], now: Instant) -> Option<(usize, Flight)> {
        if let Some(index) = self.again.take()
            && let Some(flight) = self.ask(index, health, candidates, now)
        {
            return Some((index, flight));
        }
        // What was known when the choice was made may be old by now: a call that has failed goes to who is well before it tries
        // who is not.
        let well = if self.sent > 0 { self.well(Mark::Open, health, candidates, now) } else { None };
        well.into_iter().chain(0..self.order.len()).find_map(|at| {
            let (index, mark) = self.order.get_mut(at).filter(|(_, mark)| *mark == Mark::Open)?;
            *mark = Mark::Done;
            let index = *index;
            self.ask(index, health, candidates, now).map(|flight| (index, flight))
        })
    }

    /// The place of the first one with this mark who is well now.
    fn well(&self, mark: Mark, health: &Health, candidates: &[Candidate], now: Instant) -> Option<usize> {
        let is_well = |index: usize| candidates.get(index).is_some_and(|one| health.is_well(&one.lane, now));
        self.order.iter().position(|(index, own)| *own == mark && is_well(*index))
    }

    fn ask(&mut self, index: usize, health: &Health, candidates: &[Candidate], now: Instant) -> Option<Flight> {
        let lane = &candidates.get(index)?.lane;
        let begun = if self.alone { health.begin_alone(lane, now) } else { health.begin(lane, now) };
        match begun {
            Ok(flight) => {
                if self.sent == 0 {
                    health.count_call(&lane.model, &self.settings, now);
                }
                self.sent += 1;
                self.trying = flight.is_try();
                Some(flight)
            }
            Err(refused) => {
                self.refused.push((index, refused.reason));
                None
            }
        }
    }

    /// The fault when [`Tries::begin`] found nobody: everybody was put aside since the choice was made.
    pub fn nobody(&self, candidates: &[Candidate]) -> Box<Fault> {
        crate::order::nobody(&self.refused, candidates)
    }

    /// What follows `fault`, which the candidate `index` answered.
    pub fn after(
        &mut self,
        index: usize,
        fault: &Fault,
        facts: &Facts,
        health: &Health,
        candidates: &[Candidate],
    ) -> Next {
        let Some(lane) = candidates.get(index).map(|candidate| &candidate.lane) else { return Next::Fail };
        if fault.retry == Retry::Never || facts.left.is_zero() || self.sent >= self.settings.attempts.max(1) {
            return Next::Fail;
        }
        if facts.submits && may_be_done(fault) {
            return Next::Fail;
        }
        if fault.code.as_deref() == Some(STALE) && !self.fresh_connection {
            self.fresh_connection = true;
            return self.once_more(index, Duration::ZERO);
        }
        if fault.kind == Kind::UpstreamNotFound && !self.looked_up {
            self.looked_up = true;
            return Next::LookUp;
        }
        self.strike(lane, fault, candidates);
        let settings = self.settings.clone();
        let paid = |health: &Health| health.may_retry(&lane.model, &settings, facts.now);
        self.take_up(health, candidates, facts.now);
        let round = self.may_go_round(lane, candidates);
        let well = |mark| self.well(mark, health, candidates, facts.now).is_some();
        let (other, same) = (well(Mark::Open), round && well(Mark::Failed));
        if other || self.is_open() && !same {
            return if self.trying && other || paid(health) { Next::Other } else { Next::Fail };
        }
        if round {
            self.go_round();
            let wait = self.backoff(facts.seed);
            let paid = self.trying && same || paid(health);
            return if wait < facts.left && paid { Next::Again(wait) } else { Next::Fail };
        }
        match fault.kind {
            Kind::UpstreamLoading => self.wait_for_loading(index, fault, facts),
            Kind::UpstreamUnreachable => {
                let wait = self.backoff(facts.seed);
                if wait >= facts.left || !paid(health) {
                    return Next::Fail;
                }
                self.same += 1;
                self.once_more(index, wait)
            }
            _ => match fault.retry {
                Retry::After(wait) if wait < facts.left && paid(health) => self.once_more(index, wait),
                _ => Next::Fail,
            },
        }
    }

    /// When a second attempt may start beside the first: when its first event is late, and there is another target.
    pub fn hedge_after(&self, index: usize, health: &Health, candidates: &[Candidate]) -> Option<Duration> {
        let lane = &candidates.get(index)?.lane;
        self.other_target(lane, candidates)?;
        health.first_event_within(lane, self.settings.late)
    }

    /// The second attempt, at another target, if the budget has room for it.
    pub fn hedge(
        &mut self,
        index: usize,
        health: &Health,
        candidates: &[Candidate],
        now: Instant,
    ) -> Option<(usize, Flight)> {
        let lane = &candidates.get(index)?.lane;
        if self.sent >= self.settings.attempts {
            return None;
        }
        let at = self.other_target(lane, candidates)?;
        if !health.may_retry(&lane.model, &self.settings, now) {
            return None;
        }
        let (other, mark) = self.order.get_mut(at)?;
        *mark = Mark::Done;
        let other = *other;
        self.ask(other, health, candidates, now).map(|flight| (other, flight))
    }

    fn other_target(&self, lane: &Lane, candidates: &[Candidate]) -> Option<usize> {
        let other = |index: &usize| candidates.get(*index).is_some_and(|c| !c.lane.same_target(lane));
        self.order.iter().position(|(index, mark)| *mark == Mark::Open && other(index))
    }

    fn is_open(&self) -> bool {
        self.order.iter().any(|(_, mark)| *mark == Mark::Open)
    }

    /// Marks everybody of whom the fault speaks as well.
    fn strike(&mut self, lane: &Lane, fault: &Fault, candidates: &[Candidate]) {
        let by_chance = fault.scope == Scope::Target && may_be_chance(fault.kind);
        for (index, mark) in &mut self.order {
            let Some(other) = candidates.get(*index).map(|candidate| &candidate.lane) else { continue };
            let struck = match fault.scope {
                Scope::Call | Scope::KeyAndTarget => other == lane,
                Scope::Target => other.same_target(lane),
                Scope::Key => other.key == lane.key,
                Scope::KeyAndModel => other.key == lane.key && other.model == lane.model,
                Scope::BillingAccount if lane.account.is_some() => other.account == lane.account,
                Scope::BillingAccount => other.key == lane.key,
            };
            if struck {
                let chance = by_chance && (*mark == Mark::Open || other == lane);
                *mark = if chance { Mark::Failed } else { Mark::Done };
            }
        }
    }

    /// Adds those who were put aside when the choice was made and can be asked now.
    fn take_up(&mut self, health: &Health, candidates: &[Candidate], now: Instant) {
        let open = |index: &usize| candidates.get(*index).is_some_and(|one| health.may_ask(&one.lane, now));
        let (open, later) = std::mem::take(&mut self.later).into_iter().partition(open);
        self.later = later;
        self.order.extend::<Vec<_>>(self::open(open));
    }

    /// Whether those that failed by chance, as it may be, are asked once more: when the call is not bound to one target.
    fn may_go_round(&self, lane: &Lane, candidates: &[Candidate]) -> bool {
        !self.second_round
            && self.order.iter().any(|(_, mark)| *mark == Mark::Failed)
            && candidates.iter().any(|other| !other.lane.same_target(lane))
    }

    fn go_round(&mut self) {
        self.second_round = true;
        self.order.iter_mut().filter(|(_, mark)| *mark == Mark::Failed).for_each(|(_, mark)| *mark = Mark::Open);
    }

    fn once_more(&mut self, index: usize, wait: Duration) -> Next {
        self.again = Some(index);
        Next::Again(wait)
    }

    fn wait_for_loading(&mut self, index: usize, fault: &Fault, facts: &Facts) -> Next {
        let wait = fault.retry_after.unwrap_or(self.settings.loading_first).min(self.settings.loading_wait);
        if self.loading + 1 >= self.settings.loading || wait >= facts.left {
            return Next::Fail;
        }
        self.loading += 1;
        self.once_more(index, wait)
    }

    /// From half of the wait to all of it, so that calls that failed together do not come back together.
    fn backoff(&self, seed: u64) -> Duration {
        let whole = self.settings.backoff.saturating_mul(1 << self.same.min(16)).min(self.settings.backoff_max);
        let half = whole / 2;
        let part = u32::try_from(seed % 1024).unwrap_or(0);
        half + half * part / 1024
    }
}

fn open(order: Vec<usize>) -> Vec<(usize, Mark)> {
    order.into_iter().map(|index| (index, Mark::Open)).collect()
}

/// Whether the same may go well a moment later.
const fn may_be_chance(kind: Kind) -> bool {
    matches!(kind, Kind::UpstreamFailed | Kind::UpstreamUnreachable | Kind::UpstreamBadReply | Kind::UpstreamTruncated)
}

/// Whether work that was submitted may have been taken on although the call failed: then it is never submitted again.
fn may_be_done(fault: &Fault) -> bool {
    match fault.sent {
        Sent::No => false,
        Sent::Maybe => true,
        // A clear no: the key, the account, the rate, the name; or "not now".
        Sent::Yes => {
            !matches!(
                fault.kind,
                Kind::UpstreamUnauthenticated
                    | Kind::UpstreamPayment
                    | Kind::UpstreamForbidden
                    | Kind::UpstreamNotFound
                    | Kind::UpstreamRateLimited
                    | Kind::UpstreamLoading
            ) && fault.status != Some(503)
        }
    }
}
