//! Numbers that follow what was seen: times with their baseline, shares of failures, a quantile.
//!
//! Only additions, multiplications and divisions, which every machine computes alike: the simulation's table is the same
//! everywhere.

use std::time::Duration;

use super::{Settings, Tick, micros};

/// How much an observation weighs `age` microseconds after the one before it.
pub(crate) fn weight(age: u64, half_life: Duration) -> f64 {
    let (age, half) = (age as f64, micros(half_life).max(1) as f64);
    age / (age + half)
}

/// A peak-sensitive moving average in microseconds, with a slow one beside it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Track {
    fast: f64,
    base: f64,
    at: Tick,
    seen: u32,
}

impl Track {
    pub(crate) fn observe(&mut self, value: f64, now: Tick, settings: &Settings) {
        if self.seen == 0 {
            (self.fast, self.base) = (value, value);
        } else {
            let age = now.since(self.at);
            // While little is known, each observation counts like those before it together.
            let few = if self.seen < settings.warm_up { 1.0 / f64::from(self.seen + 1) } else { 0.0 };
            let fast = weight(age, settings.window).max(few);
            // What comes in less than half of the time is well again: once in a while it is asked, and that has to show.
            let step = match value {
                value if value > self.fast => fast.max(settings.rise),
                value if value * 2.0 < self.fast => fast.max(settings.fall),
                _ => fast,
            };
            self.fast += (value - self.fast) * step;
            self.base += (value - self.base) * weight(age, settings.baseline).max(few);
        }
        (self.at, self.seen) = (now, self.seen.saturating_add(1));
    }

    /// The value is at least this: somebody waited so long in vain.
    pub(crate) fn at_least(&mut self, value: f64, now: Tick, settings: &Settings) {
        if self.seen == 0 || value > self.fast {
            self.observe(value, now, settings);
        }
    }

    pub(crate) fn value(&self) -> Option<f64> {
        (self.seen > 0).then_some(self.fast)
    }

    /// How many times the value is above its baseline.
    pub(crate) fn rise(&self, settings: &Settings) -> f64 {
        if self.seen < settings.warm_up || self.base <= 0.0 { 1.0 } else { self.fast / self.base }
    }
}

/// Calls and failures, of which old ones count less.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Errors {
    calls: f64,
    failures: f64,
    at: Tick,
}

impl Errors {
    pub(crate) fn count(&mut self, failed: bool, now: Tick, window: Duration) {
        let keep = 1.0 - weight(now.since(self.at), window);
        self.calls = self.calls * keep + 1.0;
        self.failures = self.failures * keep + if failed { 1.0 } else { 0.0 };
        self.at = now;
    }

    /// Calls that still count.
    pub(crate) fn calls(&self, now: Tick, window: Duration) -> f64 {
        self.calls * (1.0 - weight(now.since(self.at), window))
    }

    /// The share of failures, carefully: few calls say little, and an old share fades.
    pub(crate) fn share(&self, now: Tick, window: Duration) -> f64 {
        let keep = 1.0 - weight(now.since(self.at), window);
        self.failures * keep / (self.calls * keep + 1.0)
    }
}

/// First events by their time, in steps of a quarter, of which old ones count less.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    steps: [u16; Self::STEPS],
    total: u32,
}

impl Default for Spread {
    fn default() -> Self {
        Self { steps: [0; Self::STEPS], total: 0 }
    }
}

impl Spread {
    /// From one millisecond upwards, each a quarter longer: the last is at about twenty minutes.
    const STEPS: usize = 64;
    const FIRST: f64 = 1000.0;
    /// When so many are counted, all are halved.
    const FULL: u32 = 1000;

    pub(crate) fn count(&mut self, value: f64) {
        let (mut step, mut bound) = (0, Self::FIRST);
        while step + 1 < Self::STEPS && value > bound {
            bound *= 1.25;
            step += 1;
        }
        self.steps[step] = self.steps[step].saturating_add(1);
        self.total += 1;
        if self.total >= Self::FULL {
            self.steps.iter_mut().for_each(|step| *step /= 2);
            self.total = self.steps.iter().map(|step| u32::from(*step)).sum();
        }
    }

    /// The bound below which `share` of all are; nothing where there are fewer than `enough`.
    pub(crate) fn quantile(&self, share: f64, enough: u32) -> Option<Duration> {
        if self.total < enough {
            return None;
        }
        let wanted = f64::from(self.total) * share;
        let (mut sum, mut bound) = (0.0, Self::FIRST);
        for step in &self.steps {
            sum += f64::from(*step);
            if sum >= wanted {
                break;
            }
            bound *= 1.25;
        }
        Some(Duration::from_micros(bound as u64))
    }
}
