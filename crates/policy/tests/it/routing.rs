//! The health table, the order and the further attempts, one behaviour at a time.

mod health;
mod keys;
mod order;
mod properties;
mod retries;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use policy::{
    credentials::Whose,
    health::{Health, Lane, Outcome, Reason, Settings, State},
    order::{Ask, Candidate, Need, choose},
    retry::{Facts, Tries},
};
use types::{BackendName, Fault, Kind, Sent};

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A table, its clock, and short words for what happens.
pub(super) struct Scene {
    pub(super) health: Health,
    pub(super) now: Instant,
}

impl Scene {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { health: Health::new(Settings::default(), now), now }
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    pub(super) fn serve(&mut self, lane: &Lane, first: Duration) {
        let mut flight = self.health.begin(lane, self.now).expect("it may be asked");
        self.now += first;
        flight.first_event(self.now);
        flight.end(Outcome::Served { output_tokens: Some(10) }, self.now);
    }

    pub(super) fn fail(&mut self, lane: &Lane, fault: &Fault) {
        let flight = self.health.begin(lane, self.now).expect("it may be asked");
        flight.end(Outcome::of(fault), self.now);
    }

    pub(super) fn refusal(&self, lane: &Lane) -> Option<Reason> {
        self.health.begin(lane, self.now).err().map(|refused| refused.reason)
    }

    /// A call that has nobody but these and is answered with this fault; none when nobody may be asked.
    pub(super) fn alone(&self, candidates: &[Candidate], fault: &Fault) -> Option<usize> {
        let mut tries = walk(self, candidates, &Need::default());
        let (index, flight) = tries.begin(&self.health, candidates, self.now)?;
        flight.end(Outcome::of(fault), self.now);
        Some(index)
    }

    pub(super) fn state(&self, lane: &Lane) -> State {
        self.health.state(lane, self.now)
    }

    pub(super) fn first(&self, candidates: &[Candidate], ask: &Ask<'_>) -> usize {
        choose(candidates, ask, &self.health, self.now).attempts[0]
    }
}

pub(super) fn lane(place: &str, key: &str) -> Lane {
    Lane {
        place: BackendName::new(place),
        model: "org/model".into(),
        key: Some(key.into()),
        account: Some(format!("account of {key}").into()),
        whose: Whose::Operator,
    }
}

pub(super) fn at(place: &str) -> Candidate {
    Candidate::new(lane(place, "main"))
}

pub(super) fn fault(kind: Kind) -> Box<Fault> {
    Fault::new(kind, "x").sent(Sent::Yes)
}

pub(super) fn refused(status: u16, kind: Kind, retry_after: Option<Duration>) -> Box<Fault> {
    let mut fault = fault(kind);
    (fault.status, fault.retry_after) = (Some(status), retry_after);
    fault
}

pub(super) fn walk(scene: &Scene, candidates: &[Candidate], need: &Need) -> Tries {
    let order = choose(candidates, &Ask::new(need, 1), &scene.health, scene.now);
    Tries::new(order.attempts, Arc::default()).later(order.later).alone(order.alone)
}

pub(super) fn facts(scene: &Scene) -> Facts {
    Facts { submits: false, left: Duration::from_secs(60), now: scene.now, seed: 5 }
}
