//! One look-up at a time: whoever asks while one is in the air waits for that one.
//!
//! The look-up runs as a task of the drain, so a caller who leaves cancels it for nobody else.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

type InTheAir<K, O> = Mutex<HashMap<K, watch::Receiver<Option<O>>>>;

/// The look-ups in the air, by what they look for.
#[derive(Debug)]
pub(crate) struct Flights<K, O> {
    air: Arc<InTheAir<K, O>>,
    most: usize,
}

/// A seat in a flight: gives its outcome when it lands.
#[derive(Debug)]
pub(crate) struct Seat<O>(watch::Receiver<Option<O>>);

/// What the task of a look-up holds. Dropped without landing (a panic, the end of the process), everyone waiting learns
/// that there is no outcome.
#[derive(Debug)]
pub(crate) struct Landing<K: Eq + Hash, O> {
    key: K,
    air: Arc<InTheAir<K, O>>,
    outcome: watch::Sender<Option<O>>,
}

impl<K: Eq + Hash + Clone, O: Clone> Flights<K, O> {
    pub(crate) fn new(most: usize) -> Self {
        Self { air: Arc::default(), most }
    }

    /// Joins the flight for `key`, or starts one. `None` when too many are in the air already.
    pub(crate) fn join(&self, key: &K, start: impl FnOnce(Landing<K, O>)) -> Option<Seat<O>> {
        let (landing, seat) = {
            let mut air = self.air.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(seat) = air.get(key) {
                return Some(Seat(seat.clone()));
            }
            if air.len() >= self.most {
                return None;
            }
            let (outcome, seat) = watch::channel(None);
            air.insert(key.clone(), seat.clone());
            (Landing { key: key.clone(), air: Arc::clone(&self.air), outcome }, seat)
        };
        start(landing);
        Some(Seat(seat))
    }
}

impl<O: Clone> Seat<O> {
    /// The outcome; `None` when there is none by the deadline, or never will be.
    pub(crate) async fn outcome(mut self, deadline: Instant) -> Option<O> {
        let landed = tokio::time::timeout_at(deadline.into(), self.0.wait_for(Option::is_some)).await;
        landed.ok()?.ok()?.clone()
    }
}

impl<K: Eq + Hash, O> Landing<K, O> {
    /// Tells everyone who waits.
    pub(crate) fn land(self, outcome: O) {
        self.leave();
        self.outcome.send_replace(Some(outcome));
    }

    fn leave(&self) {
        self.air.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl<K: Eq + Hash, O> Drop for Landing<K, O> {
    fn drop(&mut self) {
        if self.outcome.borrow().is_none() {
            self.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[tokio::test]
    async fn everyone_who_asks_meanwhile_gets_the_same_outcome() {
        let flights = Flights::<u8, u8>::new(4);
        let mut landing = None;
        let first = flights.join(&1, |l| landing = Some(l)).unwrap();
        let second = flights.join(&1, |_| panic!("one flight only")).unwrap();
        landing.unwrap().land(7);
        assert_eq!((first.outcome(soon()).await, second.outcome(soon()).await), (Some(7), Some(7)));
        let mut again = false;
        flights.join(&1, |_| again = true).unwrap();
        assert!(again, "a landed flight is over");
    }

    #[tokio::test]
    async fn a_look_up_that_dies_leaves_nobody_waiting_and_nothing_behind() {
        let flights = Flights::<u8, u8>::new(4);
        let seat = flights.join(&1, drop).unwrap();
        assert_eq!(seat.outcome(soon()).await, None);
        assert!(flights.air.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn nobody_waits_past_the_own_deadline() {
        let flights = Flights::<u8, u8>::new(4);
        let mut landing = None;
        let seat = flights.join(&1, |l| landing = Some(l)).unwrap();
        assert_eq!(seat.outcome(Instant::now()).await, None);
        drop(landing);
    }

    #[test]
    fn more_flights_than_allowed_are_refused() {
        let flights = Flights::<u8, u8>::new(1);
        let mut landing = None;
        flights.join(&1, |l| landing = Some(l)).unwrap();
        assert!(flights.join(&2, |_| panic!("full")).is_none());
        drop(landing);
        assert!(flights.join(&2, drop).is_some());
    }
}
