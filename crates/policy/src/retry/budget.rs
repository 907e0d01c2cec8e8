//! How many further attempts a model's calls may make: a share of the calls, and a few a second in any case.

use std::sync::{Mutex, PoisonError};

use super::Settings;
use crate::health::Tick;

#[derive(Debug, Default)]
pub(crate) struct Budget(Mutex<Purse>);

#[derive(Debug, Default)]
struct Purse {
    saved: f64,
    floor: f64,
    at: Tick,
}

impl Budget {
    /// Counts a call.
    pub(crate) fn count(&self, settings: &Settings, now: Tick) {
        let mut purse = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        purse.refill(settings, now);
        purse.saved = (purse.saved + settings.budget).min(settings.saved);
    }

    /// Takes one attempt, if there is one.
    pub(crate) fn take(&self, settings: &Settings, now: Tick) -> bool {
        let mut purse = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        purse.refill(settings, now);
        let purse = &mut *purse;
        let from = if purse.saved >= 1.0 { &mut purse.saved } else { &mut purse.floor };
        let enough = *from >= 1.0;
        if enough {
            *from -= 1.0;
        }
        enough
    }
}

impl Purse {
    fn refill(&mut self, settings: &Settings, now: Tick) {
        // A new purse was last filled long ago: it is full.
        let seconds = now.since(self.at) as f64 / 1e6;
        self.floor = (self.floor + seconds * settings.floor).min(settings.floor);
        self.at = self.at.max(now);
    }
}
