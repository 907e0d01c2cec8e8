//! One thing that is fetched now and then: served while it is fresh, served stale while one fetch renews it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;

use crate::flight::{Flights, Landing, Seat};

/// The outcome of a fetch: the thing, or why there is none.
pub(crate) type Fetched<T> = Result<Arc<T>, Arc<str>>;

/// A kept thing.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    value: ArcSwapOption<Stamped<T>>,
    failed: ArcSwapOption<Instant>,
    flights: Flights<(), Fetched<T>>,
    pause: Duration,
}

#[derive(Debug)]
struct Stamped<T> {
    thing: Arc<T>,
    fresh_until: Instant,
}

impl<T> Kept<T> {
    pub(crate) fn new(pause: Duration) -> Self {
        Self { value: ArcSwapOption::empty(), failed: ArcSwapOption::empty(), flights: Flights::new(1), pause }
    }

    /// What is kept, however old, and whether it is fresh.
    pub(crate) fn peek(&self, now: Instant) -> Option<(Arc<T>, bool)> {
        self.value.load().as_ref().map(|kept| (Arc::clone(&kept.thing), now < kept.fresh_until))
    }

    /// Keeps a thing.
    pub(crate) fn put(&self, thing: Arc<T>, fresh_until: Instant) {
        self.failed.store(None);
        self.value.store(Some(Arc::new(Stamped { thing, fresh_until })));
    }

    /// Keeps a thing unless there is one.
    pub(crate) fn restore(&self, thing: Arc<T>, fresh_until: Instant) {
        if self.value.load().is_none() {
            self.put(thing, fresh_until);
        }
    }

    /// A fetch failed: no other one is begun for a pause.
    pub(crate) fn fail(&self, now: Instant) {
        self.failed.store(Some(Arc::new(now)));
    }

    /// Whether a fetch failed a moment ago.
    pub(crate) fn is_paused(&self, now: Instant) -> bool {
        self.failed.load().as_ref().is_some_and(|at| now.saturating_duration_since(**at) < self.pause)
    }

    /// What is kept stays, but is fresh no longer.
    pub(crate) fn expire(&self, now: Instant) {
        self.failed.store(None);
        if let Some(kept) = self.value.load_full() {
            self.value.store(Some(Arc::new(Stamped { thing: Arc::clone(&kept.thing), fresh_until: now })));
        }
    }

    /// Joins the fetch in the air, or starts one.
    pub(crate) fn join(&self, start: impl FnOnce(Landing<(), Fetched<T>>)) -> Option<Seat<Fetched<T>>> {
        self.flights.join(&(), start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_thing_ages_and_a_failure_takes_nothing_away() {
        let t = Instant::now();
        let later = t + Duration::from_secs(10);
        let kept = Kept::new(Duration::from_secs(5));
        assert!(kept.peek(t).is_none());
        kept.put(Arc::new(1), later);
        assert_eq!(kept.peek(t), Some((Arc::new(1), true)));
        assert_eq!(kept.peek(later), Some((Arc::new(1), false)));
        kept.fail(later);
        assert_eq!(kept.peek(later), Some((Arc::new(1), false)));
        assert!(kept.is_paused(later + Duration::from_secs(4)) && !kept.is_paused(later + Duration::from_secs(5)));
        kept.restore(Arc::new(2), later);
        assert_eq!(kept.peek(t), Some((Arc::new(1), true)));
        kept.expire(t);
        assert_eq!(kept.peek(t), Some((Arc::new(1), false)));
    }
}
