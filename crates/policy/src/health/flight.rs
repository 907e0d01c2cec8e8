//! One attempt under way: what it counts while it runs, and what its end says.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use types::{Fault, Kind};

use super::{
    Settings, Tick,
    gate::{Cause, Gate, Standing},
    micros,
    quota::{Mark, Quota},
    reason::Reason,
    table::Entry,
    target::doubled,
};

/// An attempt may not be made now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A good answer, to its end.
    Served {
        /// Its tokens, where the backend said.
        output_tokens: Option<u64>,
    },
    /// It failed, and that says something about a target, a key or an account.
    Failed(Failure),
    /// The caller's own fault, the gateway's, or chance: it says nothing about anybody who was asked.
    Caller,
    /// The caller left before the end.
    Left,
}

/// What a failure says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub kind: Kind,
    /// When to come again, on 429 and 503.
    pub retry_after: Option<Duration>,
}

impl Outcome {
    /// What a fault says about those who were asked.
    pub fn of(fault: &Fault) -> Self {
        match fault.kind {
            Kind::ClientGone => Self::Left,
            // A kept connection that had died says nothing of the backend.
            _ if fault.code.as_deref() == Some(crate::retry::STALE) => Self::Caller,
            Kind::UpstreamUnauthenticated
            | Kind::UpstreamPayment
            | Kind::UpstreamForbidden
            | Kind::UpstreamNotFound
            | Kind::UpstreamRateLimited
            | Kind::UpstreamLoading
            | Kind::UpstreamFailed
            | Kind::UpstreamUnreachable
            | Kind::UpstreamTimeout
            | Kind::UpstreamBadReply
            | Kind::UpstreamTruncated
            | Kind::UpstreamStalled => {
                let told = matches!(fault.status, None | Some(429 | 503));
                Self::Failed(Failure { kind: fault.kind, retry_after: fault.retry_after.filter(|_| told) })
            }
            _ => Self::Caller,
        }
    }
}

/// An attempt under way. Dropping it is the same as [`Outcome::Left`], at the time of the table's clock if it has one.
#[must_use = "an attempt that nobody ends counts as one that its caller left"]
#[derive(Debug)]
pub struct Flight(Option<Box<Running>>);

#[derive(Debug)]
struct Running {
    entry: Arc<Entry>,
    settings: Arc<Settings>,
    epoch: Instant,
    clock: Option<fn() -> Instant>,
    begun: Tick,
    first: Option<u64>,
    mark: Mark,
    /// It tries a target that failed; others are held off.
    tries_target: bool,
    /// It tries a gate that was shut.
    tries_gate: bool,
}

impl Flight {
    /// One that counts nowhere: with a caller's own key.
    pub(super) const fn untold() -> Self {
        Self(None)
    }

    pub(super) fn begin(
        entry: Arc<Entry>,
        settings: Arc<Settings>,
        (epoch, clock): (Instant, Option<fn() -> Instant>),
        now: Tick,
        alone: bool,
    ) -> Result<Self, Refused> {
        let refuse = |reason| Err(Refused { reason });
        let mut ajar = false;
        for gate in entry.gates() {
            match gate.standing(now) {
                Standing::Open => {}
                Standing::Ajar => ajar = true,
                Standing::Spare(_) if alone => ajar = true,
                Standing::Spare(reason) | Standing::Shut(reason) => return refuse(reason),
            }
        }
        let (mark, tries_target) = {
            let left = &mut entry.own().left;
            if let Some(reason) = left.spent(now) {
                return refuse(reason);
            }
            if ajar && !take_all(&entry, now, &settings) {
                return refuse(Reason::Probing);
            }
            match entry.target.begin(now, alone, &settings) {
                Ok(begun) => (left.spend(u64::from(settings.typical_output), now, &settings), begun.tries),
                Err(reason) => {
                    if ajar {
                        entry.gates().for_each(Gate::give_back);
                    }
                    return refuse(reason);
                }
            }
        };
        entry.in_flight.fetch_add(1, Ordering::Relaxed);
        entry.target.in_flight.fetch_add(1, Ordering::Relaxed);
        entry.used.store(now.0, Ordering::Relaxed);
        entry.target.asked.store(now.0, Ordering::Relaxed);
        let running =
            Running { entry, settings, epoch, clock, begun: now, first: None, mark, tries_target, tries_gate: ajar };
        Ok(Self(Some(Box::new(running))))
    }

    /// The first decoded event of a stream is there.
    pub fn first_event(&mut self, now: Instant) {
        if let Some(running) = &mut self.0 {
            running.first_event(now);
        }
    }

    /// What the head of the answer says about limits.
    pub fn quota(&mut self, quota: Quota, now: Instant) {
        if let Some(running) = &self.0 {
            let left = &mut running.entry.own().left;
            left.told(quota, running.mark, running.tick(now), &running.settings);
        }
    }

    /// Whether it tries somebody who failed or was put aside.
    pub(crate) fn is_try(&self) -> bool {
        self.0.as_ref().is_some_and(|running| running.tries_target || running.tries_gate)
    }

    /// Ends the attempt.
    pub fn end(mut self, outcome: Outcome, now: Instant) {
        if let Some(running) = self.0.take() {
            let tick = running.tick(now);
            running.end(outcome, tick);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            let now = running.clock.map_or(running.begun, |clock| running.tick(clock()));
            running.end(Outcome::Left, now);
        }
    }
}

/// Takes the tries of all gates that stand ajar, or none.
fn take_all(entry: &Entry, now: Tick, settings: &Settings) -> bool {
    let mut taken: Vec<&Gate> = Vec::new();
    for gate in entry.gates().filter(|gate| gate.standing(now) != Standing::Open) {
        if !matches!(gate.standing(now), Standing::Shut(_)) && gate.take(now, settings) {
            taken.push(gate);
        } else {
            taken.iter().for_each(|gate| gate.give_back());
            return false;
        }
    }
    true
}

impl Running {
    fn tick(&self, now: Instant) -> Tick {
        Tick(Tick::START + micros(now.saturating_duration_since(self.epoch)))
    }

    fn first_event(&mut self, now: Instant) {
        if self.first.is_some() {
            return;
        }
        let tick = self.tick(now);
        let took = tick.since(self.begun);
        self.first = Some(took);
        self.entry.target.heard(tick);
        self.entry.target.first_event(took, tick, &self.settings);
        self.entry.own().pace.first_event(took, tick, &self.settings);
        self.let_through(tick);
    }

    /// It was answered: what was tried with it is well.
    fn let_through(&mut self, now: Tick) {
        if std::mem::take(&mut self.tries_target) {
            self.entry.target.tried_well(now, &self.settings);
        }
        let tried = std::mem::take(&mut self.tries_gate);
        self.entry.gates().for_each(|gate| if tried { gate.tried_well(now) } else { gate.answered(now) });
    }

    fn end(mut self, outcome: Outcome, now: Tick) {
        self.entry.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.entry.target.in_flight.fetch_sub(1, Ordering::Relaxed);
        let took = now.since(self.begun);
        match outcome {
            _ if self.first.is_some() => {}
            Outcome::Left => self.entry.target.unheard(),
            _ => self.entry.target.heard(now),
        }
        match outcome {
            Outcome::Served { output_tokens } => {
                let first = self.first;
                self.let_through(now);
                self.entry.target.served(took, first, output_tokens, now, &self.settings);
                self.entry.own().pace.served(took, output_tokens, first.is_some(), now, &self.settings);
            }
            Outcome::Failed(failure) => self.failed(failure, now),
            Outcome::Caller => {}
            Outcome::Left if self.first.is_none() && took > 0 => {
                self.entry.target.waited(took, now, &self.settings);
                self.entry.own().pace.waited(took, now, &self.settings);
            }
            Outcome::Left => {}
        }
        if self.tries_target {
            self.entry.target.give_back();
        }
        if self.tries_gate {
            self.entry.gates().for_each(Gate::give_back);
        }
    }

    fn failed(&mut self, failure: Failure, now: Tick) {
        let (entry, settings) = (&self.entry, &*self.settings);
        let told = failure.retry_after.map(|wait| wait.min(settings.rate_limited_max));
        let shut = |gate: Option<&Arc<Gate>>, cause, wait| {
            // A server without a key has no gate for one; then the lane stands for it.
            gate.map_or(&entry.gate, |gate| gate).shut(cause, now, wait);
        };
        match failure.kind {
            Kind::UpstreamUnauthenticated => shut(entry.key.as_ref(), Cause::Unauthenticated, settings.unauthenticated),
            Kind::UpstreamForbidden => shut(entry.key_model.as_ref(), Cause::Forbidden, settings.forbidden),
            Kind::UpstreamPayment => {
                shut(entry.account.as_ref().or(entry.key.as_ref()), Cause::Payment, settings.payment);
            }
            Kind::UpstreamRateLimited => entry.gate.shut_for(Cause::RateLimited, told.is_some(), now, |times| {
                told.unwrap_or_else(|| doubled(settings.rate_limited, times, settings.rate_limited_max))
            }),
            Kind::UpstreamNotFound => entry.target.missing(now, settings.not_found),
            Kind::UpstreamLoading => entry.target.missing(now, told.unwrap_or(settings.rate_limited)),
            _ => {
                let tried = std::mem::take(&mut self.tries_target);
                entry.target.failed(tried, now.since(self.begun), now, settings);
                entry.own().pace.failed(now, settings);
                if let Some(wait) = told {
                    entry.target.gate.shut_as_told(Cause::Unavailable, now, wait);
                }
            }
        }
    }
}
