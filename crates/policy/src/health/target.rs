//! One target: a backend with a model. Its times, its failures, and whether it may be asked.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    Settings, Tick,
    gate::Gate,
    micros,
    reason::Reason,
    track::{Errors, Spread, Track},
};

/// How a target does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should.
    #[default]
    Healthy,
    /// It serves, but fails more often than it should, or is much slower than it used to be.
    Degraded,
    /// It failed, and is tried with single calls or has its share growing again.
    Recovering,
    /// It is not asked.
    Failed,
}

impl State {
    /// The name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Recovering => "recovering",
            Self::Failed => "failed",
        }
    }
}

/// Whether calls go to it.
#[derive(Clone, Copy, Debug, Default)]
enum Circuit {
    #[default]
    Closed,
    /// Others are asked until then; so many tries have failed before. Who has nobody else may try sooner; `fast` when the last failure came quickly.
    Open { until: Tick, soonest: Tick, tries: u32, fast: bool },
    /// Few calls at once try it: one, then two, then four. Who has nobody else may have begun it before its time, `until`.
    HalfOpen { good: u32, trying: u32, tried_until: Tick, soonest: Tick, until: Tick, tries: u32 },
}

/// A target.
#[derive(Debug, Default)]
pub(crate) struct Target {
    pub(crate) in_flight: AtomicU32,
    /// When it was asked last.
    pub(crate) asked: AtomicU64,
    /// Shut by 503 with `Retry-After`.
    pub(crate) gate: Gate,
    stats: Mutex<Stats>,
}

#[derive(Debug, Default)]
pub(crate) struct Stats {
    first: Track,
    whole: Track,
    per_token: Track,
    /// How long failures took.
    lost: Track,
    spread: Spread,
    errors: Errors,
    in_a_row: u32,
    circuit: Circuit,
    /// How long tries by calls that have nobody else are apart.
    pause: Duration,
    /// When it became well again.
    well_since: Option<Tick>,
    /// It does not know the model or is loading it: others are better until then.
    missing_until: Tick,
    /// Calls that wait for their first event, and since when nothing was heard while they did.
    waiting: u32,
    quiet_since: Tick,
    served: u64,
    failed: u64,
}

/// What is known of a target at one moment, copied out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    pub(crate) state: State,
    pub(crate) first: Option<f64>,
    pub(crate) whole: Option<f64>,
    pub(crate) per_token: Option<f64>,
    pub(crate) errors: f64,
    /// How long a failure takes, in microseconds.
    pub(crate) lost: f64,
    /// The share it may have while it starts slowly, 0 to 1.
    pub(crate) ramp: f64,
    pub(crate) missing: bool,
    pub(crate) served: u64,
    pub(crate) failed: u64,
}

/// A call that was begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    /// It tries a target that failed.
    pub(crate) tries: bool,
}

/// Whether a target may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Free,
    /// As a try.
    Try,
    /// As a try, by who has nobody else.
    Reserve,
    No(Reason),
}

impl Target {
    pub(crate) fn known(&self, now: Tick, settings: &Settings) -> Known {
        self.lock().known(now, settings)
    }

    /// Whether it may be asked now; `alone` by a call for which there is no other target.
    pub(crate) fn entry(&self, now: Tick, alone: bool, settings: &Settings) -> Entry {
        self.lock().entry(now, alone, settings)
    }

    /// Begins a call, as a try where the target failed; or says why not.
    pub(crate) fn begin(&self, now: Tick, alone: bool, settings: &Settings) -> Result<Begun, Reason> {
        let mut stats = self.lock();
        let begun = match stats.entry(now, alone, settings) {
            Entry::No(reason) => return Err(reason),
            Entry::Free => Begun { tries: false },
            Entry::Try | Entry::Reserve => {
                let (good, trying, until, tries) = match stats.circuit {
                    Circuit::HalfOpen { good, trying, tried_until, until, tries, .. } if now < tried_until => {
                        (good, trying, until, tries)
                    }
                    Circuit::HalfOpen { good, until, tries, .. } => (good, 0, until, tries),
                    Circuit::Open { until, tries, .. } => (0, 0, until, tries),
                    Circuit::Closed => (0, 0, now, 0),
                };
                let (tried_until, soonest) = (now.after(settings.probe), now.after(stats.pause.max(settings.reserve)));
                stats.circuit = Circuit::HalfOpen { good, trying: trying + 1, tried_until, soonest, until, tries };
                Begun { tries: true }
            }
        };
        if stats.waiting == 0 {
            stats.quiet_since = now;
        }
        stats.waiting += 1;
        Ok(begun)
    }

    /// A call has got its first event, or will not get one any more.
    pub(crate) fn heard(&self, now: Tick) {
        let mut stats = self.lock();
        stats.waiting = stats.waiting.saturating_sub(1);
        stats.quiet_since = stats.quiet_since.max(now);
    }

    /// A caller who waited has left: that is no sign of life.
    pub(crate) fn unheard(&self) {
        let mut stats = self.lock();
        stats.waiting = stats.waiting.saturating_sub(1);
    }

    /// The try came to nothing: another call may try.
    pub(crate) fn give_back(&self) {
        let mut stats = self.lock();
        if let Circuit::HalfOpen { trying, .. } = &mut stats.circuit {
            *trying = trying.saturating_sub(1);
        }
    }

    pub(crate) fn first_event(&self, took: u64, now: Tick, settings: &Settings) {
        let mut stats = self.lock();
        stats.first.observe(took as f64, now, settings);
        stats.spread.count(took as f64);
    }

    /// Somebody waited so long for a first event and left.
    pub(crate) fn waited(&self, took: u64, now: Tick, settings: &Settings) {
        self.lock().first.at_least(took as f64, now, settings);
    }

    /// A good answer. `first` is when its first event came, for a stream; both in microseconds.
    pub(crate) fn served(&self, took: u64, first: Option<u64>, tokens: Option<u64>, now: Tick, settings: &Settings) {
        let mut stats = self.lock();
        let mut per_token = |micros: f64, tokens: u64| {
            if tokens > 0 {
                stats.per_token.observe(micros / tokens as f64, now, settings);
            }
        };
        match (first, tokens) {
            (Some(first), Some(tokens)) => per_token(took.saturating_sub(first) as f64, tokens),
            (None, Some(tokens)) => per_token(took as f64, tokens),
            _ => {}
        }
        if first.is_none() {
            stats.whole.observe(took as f64, now, settings);
        }
        stats.errors.count(false, now, settings.window);
        stats.in_a_row = 0;
        stats.served += 1;
    }

    /// A try went well: that says more than those that still wait.
    pub(crate) fn tried_well(&self, now: Tick, settings: &Settings) {
        let mut stats = self.lock();
        if let Circuit::HalfOpen { good, tried_until, until, tries, .. } = stats.circuit {
            stats.pause = Duration::ZERO;
            if good + 1 >= settings.probes {
                stats.circuit = Circuit::Closed;
                stats.well_since = Some(now);
                stats.errors = Errors::default();
                stats.in_a_row = 0;
            } else {
                stats.circuit =
                    Circuit::HalfOpen { good: good + 1, trying: 0, tried_until, soonest: now, until, tries };
            }
        }
    }

    /// A failure of the target's own, after so many microseconds.
    pub(crate) fn failed(&self, tried: bool, took: u64, now: Tick, settings: &Settings) {
        let mut stats = self.lock();
        stats.errors.count(true, now, settings.window);
        stats.lost.observe(took as f64, now, settings);
        stats.in_a_row = stats.in_a_row.saturating_add(1);
        stats.failed += 1;
        match stats.circuit {
            // A try before its time delays the one that is due by nothing.
            Circuit::HalfOpen { until, tries, .. } if tried && now < until => {
                stats.circuit = stats.opened(now, until, tries + 1, took, settings);
            }
            Circuit::HalfOpen { tries, .. } if tried => stats.open(now, tries + 1, took, settings),
            Circuit::Closed if stats.is_failing(now, settings) => stats.open(now, 0, took, settings),
            _ => {}
        }
    }

    /// It does not know the model, or is loading it.
    pub(crate) fn missing(&self, now: Tick, wait: Duration) {
        self.lock().missing_until = now.after(wait);
    }

    /// The time in which this share of first events came.
    pub(crate) fn first_event_within(&self, share: f64, settings: &Settings) -> Option<Duration> {
        self.lock().spread.quantile(share, settings.late_calls)
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn asked(&self) -> Tick {
        Tick(self.asked.load(Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stats {
    fn known(&self, now: Tick, settings: &Settings) -> Known {
        let errors = self.errors.share(now, settings.window);
        let ramp = self.ramp(now, settings);
        let state = match self.circuit {
            Circuit::Open { until, .. } if now < until => State::Failed,
            Circuit::Open { .. } | Circuit::HalfOpen { .. } => State::Recovering,
            Circuit::Closed if ramp < 1.0 => State::Recovering,
            Circuit::Closed if self.is_degraded(errors, now, settings) => State::Degraded,
            Circuit::Closed => State::Healthy,
        };
        Known {
            state,
            first: self.first.value().map(|first| self.quiet(now, settings).unwrap_or(first)),
            whole: self.whole.value().map(|whole| self.quiet(now, settings).unwrap_or(whole)),
            per_token: self.per_token.value(),
            errors,
            lost: self.lost.value().unwrap_or(0.0),
            ramp,
            missing: now < self.missing_until,
            served: self.served,
            failed: self.failed,
        }
    }

    fn entry(&self, now: Tick, alone: bool, settings: &Settings) -> Entry {
        match self.circuit {
            Circuit::Closed => Entry::Free,
            Circuit::Open { tries, fast: true, .. } if alone && tries < settings.spares => Entry::Reserve,
            Circuit::Open { soonest, until, .. } if now < soonest => {
                Entry::No(Reason::Failed { wait: now.until(until.min(soonest)) })
            }
            Circuit::Open { until, .. } if now < until => Entry::Reserve,
            Circuit::HalfOpen { good, trying, tried_until, soonest, .. }
                if now < tried_until && trying >> good.min(8) > 0 =>
            {
                if now < soonest {
                    Entry::No(Reason::Probing)
                } else {
                    Entry::Reserve
                }
            }
            _ => Entry::Try,
        }
    }

    /// How long nothing was heard of it while calls wait, where that is longer than usual, in microseconds.
    fn quiet(&self, now: Tick, settings: &Settings) -> Option<f64> {
        if self.waiting == 0 {
            return None;
        }
        let usual = self.first.value().unwrap_or(0.0).max(self.whole.value().unwrap_or(0.0));
        let quiet = now.since(self.quiet_since) as f64;
        (usual > 0.0 && quiet > settings.silence * usual).then_some(quiet)
    }

    fn ramp(&self, now: Tick, settings: &Settings) -> f64 {
        let Some(since) = self.well_since else { return 1.0 };
        let whole = micros(settings.slow_start).max(1) as f64;
        (now.since(since) as f64 / whole).clamp(settings.slow_start_floor, 1.0)
    }

    fn is_degraded(&self, errors: f64, now: Tick, settings: &Settings) -> bool {
        let enough = self.errors.calls(now, settings.window) >= settings.min_calls;
        let slow = self.first.rise(settings).max(self.whole.rise(settings)) >= settings.slow_factor;
        (enough && errors >= settings.degraded_errors) || slow
    }

    fn is_failing(&self, now: Tick, settings: &Settings) -> bool {
        if settings.failed_after == 0 {
            return false;
        }
        let enough = self.errors.calls(now, settings.window) >= settings.min_calls;
        self.in_a_row >= settings.failed_after
            || (enough && self.errors.share(now, settings.window) >= settings.failed_errors)
    }

    fn open(&mut self, now: Tick, tries: u32, took: u64, settings: &Settings) {
        // Who fails fast may be tried often; a try that hung for long is not repeated soon.
        let wait = doubled(settings.open, tries, settings.open_max).max(Duration::from_micros(took) * 2);
        self.circuit = self.opened(now, now.after(wait), tries, took, settings);
        self.well_since = None;
    }

    /// Who has nobody else may try again as soon as a try may last, which is told by the last one.
    fn opened(&mut self, now: Tick, until: Tick, tries: u32, took: u64, settings: &Settings) -> Circuit {
        let took = Duration::from_micros(took);
        self.pause = took.min(settings.open);
        Circuit::Open { until, soonest: now.after(self.pause.max(settings.reserve)), tries, fast: took < settings.open }
    }
}

/// `first`, doubled so many times, at most `longest`.
pub(crate) fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1_u32 << times.min(20)).min(longest)
}
