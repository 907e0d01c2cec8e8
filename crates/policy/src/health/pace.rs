//! How one key does at a target: its own times and failures, beside those of the target.

use super::{
    Settings, Tick,
    track::{Errors, Track},
};

/// What was seen of a lane.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    first: Track,
    whole: Track,
    errors: Errors,
}

/// The same, copied out at one moment; times in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Paced {
    pub(crate) first: Option<f64>,
    pub(crate) whole: Option<f64>,
    pub(crate) errors: f64,
}

impl Pace {
    pub(crate) fn first_event(&mut self, took: u64, now: Tick, settings: &Settings) {
        self.first.observe(took as f64, now, settings);
    }

    /// Somebody waited so long for a first event and left.
    pub(crate) fn waited(&mut self, took: u64, now: Tick, settings: &Settings) {
        self.first.at_least(took as f64, now, settings);
    }

    /// A good answer; `streamed` where its first event was told before. Long answers take longer, which says little of a key.
    pub(crate) fn served(&mut self, took: u64, tokens: Option<u64>, streamed: bool, now: Tick, settings: &Settings) {
        if !streamed {
            let usual = f64::from(settings.typical_output);
            self.whole.observe(took as f64 * usual / (tokens.unwrap_or(0) as f64 + usual), now, settings);
        }
        self.errors.count(false, now, settings.window);
    }

    pub(crate) fn failed(&mut self, now: Tick, settings: &Settings) {
        self.errors.count(true, now, settings.window);
    }

    pub(crate) fn seen(&self, now: Tick, settings: &Settings) -> Paced {
        let errors = self.errors.share(now, settings.window);
        Paced { first: self.first.value(), whole: self.whole.value(), errors }
    }
}
