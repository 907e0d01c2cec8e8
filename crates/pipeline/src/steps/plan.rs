//! Puts everybody who can serve the call in order, and makes the attempts: with which key, to which address, dressed how,
//! in which dialect, until when. Pure.

mod attempt;
mod lanes;
mod remembered;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use policy::{
    health::{Flight, Health},
    order::{self, Order},
    retry::{Facts, Next, Tries},
};
use types::{Fault, Result};

pub(crate) use attempt::Attempt;
pub(crate) use lanes::{Held, Lanes, Spot, with_need};
pub(crate) use remembered::{Basis, Remembered};

use super::{
    admit::Ticket,
    dispatch::Made,
    resolve::{Candidate, Candidates, Place},
};
use crate::{Gateway, call::Call};

/// What will be tried, in order. Never empty; an attempt is made when its turn comes.
pub(crate) struct Plan {
    pub(crate) ticket: Ticket,
    lanes: Held,
    tries: Tries,
    /// Who comes last.
    last: usize,
    /// Who serves, where another one may go on with the stream.
    pub(crate) served: Option<Box<Made>>,
}

/// Plans the attempts for an admitted call.
///
/// # Errors
/// `NoCredential` when no key may be used; where nobody can serve the call, why each one was left out.
pub(crate) fn plan(gateway: &Gateway, ticket: Ticket, found: Candidates, call: &Call) -> Result<Plan> {
    let retries = ticket.snapshot.config.routing.retries.clone();
    let free = ticket.detour.is_none() && ticket.bound.is_none();
    let found = match found {
        // Named, alone, and with one key: there is nothing to choose.
        Candidates::One(one) if one.named && free => match Spot::only(&ticket, &one)? {
            Some(chosen) => {
                let lanes = Held::Own(Lanes::bare(chosen, one));
                return Ok(Plan { ticket, lanes, tries: Tries::single(retries), last: 0, served: None });
            }
            None => Candidates::One(one),
        },
        found => found,
    };
    let lanes = Lanes::of(gateway, &ticket, found)?;
    let order = ordered(gateway, &ticket, &lanes, call)?;
    let last = order.attempts.last().copied().unwrap_or(0);
    let tries = Tries::new(order.attempts, retries).later(order.later).alone(order.alone);
    Ok(Plan { ticket, lanes, tries, last, served: None })
}

/// Who is asked, the first one first.
///
/// # Errors
/// Why each one was left out, when nobody is left.
fn ordered(gateway: &Gateway, ticket: &Ticket, lanes: &Lanes, call: &Call) -> Result<Order> {
    let health = &gateway.0.health;
    let now = net::now();
    lanes::with_ask(ticket, lanes, call, |ask| {
        let order = order::choose(&lanes.policy, ask, health, now);
        order.usable(&lanes.policy)?;
        Ok(order)
    })
}

impl Plan {
    /// Whether the first attempt passes the call as it came.
    pub(crate) fn passes(&self, call: &Call) -> bool {
        let Call::Native(native) = call else { return false };
        self.first().is_ok_and(|attempt| attempt.endpoint.native(native.call.dialect()).is_some())
    }

    /// The next attempt that may be made now.
    pub(crate) fn begin(&mut self, health: &Health) -> Option<(usize, Flight)> {
        self.tries.begin(health, &self.lanes.policy, net::now())
    }

    /// Nobody may be asked only because other calls are trying everybody just now: whether to begin again a moment later.
    pub(crate) fn comes_again(&mut self) -> bool {
        self.tries.comes_again()
    }

    /// Makes the attempt at this place of the plan.
    ///
    /// # Errors
    /// What is wrong with a name that must stand in a path, or with a key.
    pub(crate) fn attempt(&self, turn: usize) -> Result<Attempt> {
        let more = turn != self.last && self.lanes.spots.len() > 1;
        Attempt::new(&self.ticket, &self.lanes.spots[turn], more)
    }

    /// The attempt that would be made first.
    ///
    /// # Errors
    /// As [`Plan::attempt`].
    pub(crate) fn first(&self) -> Result<Attempt> {
        self.attempt(self.tries.first())
    }

    /// When the whole answer, or the first event of a stream, must be there.
    pub(crate) fn until(&self) -> Instant {
        let spot = &self.lanes.spots[self.tries.first()];
        spot.ready(&self.ticket).map_or_else(|_| net::now(), |ready| attempt::until(&self.ticket, ready))
    }

    /// The fault when nobody may be asked now.
    pub(crate) fn nobody(&self) -> Box<Fault> {
        self.tries.nobody(&self.lanes.policy)
    }

    /// What follows the fault of an attempt.
    pub(crate) fn after(&mut self, turn: usize, fault: &Fault, submits: bool, until: Instant, health: &Health) -> Next {
        let now = net::now();
        let left = until.saturating_duration_since(now);
        let facts = Facts { submits, left, now, seed: fastrand::u64(..) };
        self.tries.after(turn, fault, &facts, health, &self.lanes.policy)
    }

    /// This one turned out to be unable: whether another one can still be asked. It costs no budget and blames nobody.
    pub(crate) fn pass(&mut self) -> bool {
        self.tries.pass()
    }

    /// When a second attempt may start beside this one, where that is wanted.
    pub(crate) fn hedge_after(&self, turn: usize, health: &Health) -> Option<Duration> {
        let own = self.ticket.alias().and_then(|alias| alias.hedging);
        if !own.unwrap_or(self.ticket.snapshot.config.routing.hedging) || !self.ticket.stream {
            return None;
        }
        self.tries.hedge_after(turn, health, &self.lanes.policy)
    }

    /// Whether another one goes on with the stream when it breaks, where that is possible.
    pub(crate) fn continues(&self) -> bool {
        let own = self.ticket.alias().and_then(|alias| alias.continuation);
        own.unwrap_or(self.ticket.snapshot.config.routing.continuation) && self.ticket.stream
    }

    /// What follows when the stream of an attempt broke, after its first event; nothing when there is no time left. Those
    /// who go on have as long for their first event as the first one had.
    pub(crate) fn broke_off(&mut self, turn: usize, fault: &Fault, until: Instant, health: &Health) -> Option<Next> {
        let now = net::now();
        let ask = &mut self.ticket.ask;
        let until = ask.timeout.map_or(until, |timeout| until.min(ask.received + timeout));
        let left = until.saturating_duration_since(now);
        (ask.received, ask.timeout) = (now, Some(left));
        (!left.is_zero()).then(|| self.after(turn, fault, false, until, health))
    }

    /// The second attempt, if there may be one.
    pub(crate) fn hedge(&mut self, turn: usize, health: &Health) -> Option<(usize, Flight)> {
        self.tries.hedge(turn, health, &self.lanes.policy, net::now())
    }

    /// Takes new candidates; what was tried still counts.
    ///
    /// # Errors
    /// As [`plan`].
    pub(crate) fn replace(&mut self, gateway: &Gateway, found: Candidates, call: &Call) -> Result<()> {
        let lanes = Lanes::of(gateway, &self.ticket, found)?;
        let order = ordered(gateway, &self.ticket, &lanes, call)?;
        self.last = order.attempts.last().copied().unwrap_or(0);
        self.tries.replaced(order.attempts);
        self.lanes = lanes;
        Ok(())
    }

    /// The model that the Hub knows at this place of the plan, or what was asked for.
    pub(crate) fn model(&self, turn: usize) -> Arc<str> {
        let spot = &self.lanes.spots[turn];
        spot.candidate.hub_id.clone().unwrap_or_else(|| self.ticket.asked.model().clone())
    }
}

/// A plan for one place and nobody else, for work that goes on where it was.
///
/// # Errors
/// As [`plan`].
pub(crate) fn attempts_at(ticket: &Ticket, place: Place, model: Arc<str>) -> Result<Vec<Attempt>> {
    let candidate = Candidate::named(place, model);
    let spots = Spot::all(ticket, &candidate)?;
    Ok(spots.iter().filter_map(|spot| Attempt::new(ticket, spot, false).ok()).collect())
}
