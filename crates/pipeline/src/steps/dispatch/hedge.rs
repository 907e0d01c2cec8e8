//! A second attempt beside the first, when that one's first event is later than usual: the faster one serves, the other is
//! cancelled by closing its connection.

use std::time::{Duration, Instant};

use policy::health::{Flight, Outcome};
use types::{Fault, Result};

use super::{Ended, Made, Reply, note, once};
use crate::{
    Gateway,
    call::Call,
    steps::plan::{Attempt, Plan},
    trail::Trail,
};

/// An attempt that may be overtaken.
pub(super) struct Runner {
    pub(super) turn: usize,
    pub(super) flight: Flight,
    pub(super) attempt: Attempt,
    pub(super) began: Instant,
}

impl Runner {
    fn ended(self, reply: Result<Reply>) -> Ended {
        let Self { turn, flight, attempt, began } = self;
        Ended { turn, flight, attempt, began, reply }
    }

    /// It failed while the other one runs.
    fn failed(self, gateway: &Gateway, plan: &Plan, fault: &Fault, trail: &mut Trail) {
        let Self { turn, flight, attempt, began } = self;
        flight.end(Outcome::of(fault), Instant::now());
        note(gateway, plan, &Made { turn, attempt, began }, fault, trail);
    }
}

/// Runs an attempt, and beside it another one once its first event is `late`.
pub(super) async fn race(
    gateway: &Gateway,
    plan: &mut Plan,
    first: Runner,
    late: Duration,
    call: &Call,
    trail: &mut Trail,
) -> Ended {
    let mut beside = Trail::silent(gateway.0.metrics.clone());
    beside.request_id.clone_from(&trail.request_id);
    let mut running = Box::pin(once(gateway, &first.attempt, call, trail));
    let early = tokio::select! {
        biased;
        reply = &mut running => Some(reply),
        () = tokio::time::sleep(late) => None,
    };
    let second = match &early {
        Some(_) => None,
        None => plan.hedge(first.turn, &gateway.0.health),
    };
    let second = second.and_then(|(turn, flight)| {
        let attempt = plan.attempt(turn).ok()?;
        Some(Runner { turn, flight, attempt, began: Instant::now() })
    });
    let Some(second) = second else {
        let reply = match early {
            Some(reply) => reply,
            None => running.as_mut().await,
        };
        drop(running);
        return first.ended(reply);
    };
    let mut chasing = Box::pin(once(gateway, &second.attempt, call, &mut beside));
    let (by_first, reply) = tokio::select! {
        reply = &mut running => (true, reply),
        reply = &mut chasing => (false, reply),
    };
    // Of two that run, the one that is dropped here is cancelled; its flight says nothing about it.
    match (by_first, reply) {
        (true, Ok(reply)) => {
            drop((running, chasing));
            trail.record.attempts += beside.record.attempts;
            gateway.0.metrics.hedge_ends("first");
            first.ended(Ok(reply))
        }
        (false, Ok(reply)) => {
            drop((running, chasing));
            trail.take_over(beside);
            gateway.0.metrics.hedge_ends("second");
            second.ended(Ok(reply))
        }
        (true, Err(fault)) => {
            drop(running);
            first.failed(gateway, plan, &fault, trail);
            let reply = chasing.as_mut().await;
            drop(chasing);
            trail.take_over(beside);
            gateway.0.metrics.hedge_ends("second");
            second.ended(reply)
        }
        (false, Err(fault)) => {
            drop(chasing);
            let reply = running.as_mut().await;
            drop(running);
            second.failed(gateway, plan, &fault, trail);
            trail.record.attempts += beside.record.attempts;
            gateway.0.metrics.hedge_ends("first");
            first.ended(reply)
        }
    }
}
