//! Candidates with every key that may be used, and with what is known of them: as `policy` chooses among them.

use std::{ops::Deref, sync::Arc};

use catalog::{Market, MarketModel, Offer};
use policy::{
    credentials::{Chosen, Presented, Target as For, Way},
    health::Lane,
    order::{self, Abilities, Need},
};
use providers::Codec;
use types::{BackendName, Fault, Kind, Operation, Result};

use crate::{
    Gateway,
    call::Call,
    few::Few,
    snapshot::{Ready, Target, routing},
    steps::{
        admit::Ticket,
        resolve::{Candidate, Candidates, Place},
    },
};

/// What the router is called among places that can be asked.
const ROUTER: &str = "router";

/// A candidate with one key.
pub(crate) struct Spot {
    pub(crate) candidate: Candidate,
    pub(crate) chosen: Chosen,
}

/// All spots, and the same as `policy` sees them: each has the same place in both lists.
pub(crate) struct Lanes {
    pub(crate) policy: Few<order::Candidate>,
    pub(crate) spots: Few<Spot>,
    /// Members of calls that anybody refuses.
    refused: Vec<&'static str>,
}

/// Lanes of one call, or those that calls of the same model share.
#[expect(clippy::large_enum_variant, reason = "a call that names its backend needs no allocation for its lanes")]
pub(crate) enum Held {
    /// Of one call.
    Own(Lanes),
    /// Shared.
    Shared(Arc<Lanes>),
}

impl Deref for Held {
    type Target = Lanes;

    fn deref(&self) -> &Lanes {
        match self {
            Self::Own(lanes) => lanes,
            Self::Shared(lanes) => lanes,
        }
    }
}

impl Spot {
    /// The only way to a candidate; none where there are several.
    ///
    /// # Errors
    /// `NoCredential` when no key may be used, `UnsupportedOperation` when the key leads nowhere.
    pub(super) fn only(ticket: &Ticket, candidate: &Candidate) -> Result<Option<Chosen>> {
        let keys = &ticket.snapshot.config.keys;
        if !keys.is_single(target(ticket, &candidate.place), presented(ticket)) {
            // Either several keys, or none: the faults of none are told by the choice.
            return keys.usable(target(ticket, &candidate.place), presented(ticket)).map(|_| None);
        }
        let chosen = keys.choose(target(ticket, &candidate.place), presented(ticket))?;
        ready(ticket, &candidate.place, &chosen)?;
        Ok(Some(chosen))
    }

    /// A candidate with each key that may be used and leads somewhere.
    ///
    /// # Errors
    /// As [`Spot::only`].
    pub(super) fn all(ticket: &Ticket, candidate: &Candidate) -> Result<Vec<Self>> {
        let mut keys = ticket.snapshot.config.keys.usable(target(ticket, &candidate.place), presented(ticket))?;
        if let Some(bound) = &ticket.bound {
            keys.retain(|chosen| bound.opens(&candidate.place, chosen));
            if keys.is_empty() {
                return Err(bound.fault(&candidate.place));
            }
        }
        let (mut spots, mut fault) = (Vec::with_capacity(keys.len()), None);
        for chosen in keys {
            match ready(ticket, &candidate.place, &chosen) {
                Ok(_) => spots.push(Self { candidate: candidate.clone(), chosen }),
                Err(why) => drop(fault.get_or_insert(why)),
            }
        }
        match fault {
            Some(fault) if spots.is_empty() => Err(fault),
            _ => Ok(spots),
        }
    }

    /// Where its calls go.
    ///
    /// # Errors
    /// `UnsupportedOperation` when the key leads nowhere.
    pub(super) fn ready<'t>(&self, ticket: &'t Ticket) -> Result<&'t Ready> {
        ready(ticket, &self.candidate.place, &self.chosen)
    }

    fn lane(&self) -> Lane {
        let place = match &self.candidate.place {
            Place::Backend { id, .. } => id.clone(),
            Place::Router => BackendName::new(ROUTER),
        };
        let (found, chosen) = (&self.candidate, &self.chosen);
        Lane {
            place,
            model: found.hub_id.clone().unwrap_or_else(|| found.model.clone()),
            key: chosen.name.clone(),
            account: match chosen.way {
                Way::Routed => chosen.bill_to.clone().or_else(|| chosen.name.clone()),
                Way::Direct => None,
            },
            whose: chosen.whose,
        }
    }
}

impl Lanes {
    /// One spot of which nothing needs to be known.
    pub(crate) fn bare(chosen: Chosen, candidate: Candidate) -> Self {
        let spot = Spot { candidate, chosen };
        let mut known = order::Candidate::new(spot.lane());
        known.named = true;
        Self { policy: Few::One(known), spots: Few::One(spot), refused: Vec::new() }
    }

    /// Every candidate with every key.
    ///
    /// # Errors
    /// The first candidate's fault when no key may be used for anybody.
    pub(crate) fn of(gateway: &Gateway, ticket: &Ticket, found: Candidates) -> Result<Held> {
        match found {
            Candidates::One(one) => Self::new(ticket, &[one], gateway.0.catalog.market().as_deref()).map(Held::Own),
            Candidates::List(list, None) => {
                Self::new(ticket, &list, gateway.0.catalog.market().as_deref()).map(Held::Own)
            }
            Candidates::List(list, Some(basis)) => {
                let lanes = Arc::new(Self::new(ticket, &list, basis.market.as_deref())?);
                ticket.snapshot.lanes.keep(ticket.asked.model(), ticket.operation, &basis, &lanes);
                Ok(Held::Shared(lanes))
            }
            Candidates::Known(lanes) => Ok(Held::Shared(lanes)),
        }
    }

    fn new(ticket: &Ticket, found: &[Candidate], market: Option<&Market>) -> Result<Self> {
        let (mut spots, mut fault) = (Vec::new(), None);
        for candidate in found {
            match Spot::all(ticket, candidate) {
                Ok(more) => spots.extend(more),
                Err(why) => drop(fault.get_or_insert(why)),
            }
        }
        let known: Vec<_> = spots.iter().map(|spot| known(ticket, spot, market)).collect();
        let mut refused: Vec<_> = known.iter().flat_map(|known| known.refuses).copied().collect();
        refused.sort_unstable();
        refused.dedup();
        match (Few::of(known), Few::of(spots)) {
            (Some(policy), Some(spots)) => Ok(Self { policy, spots, refused }),
            _ => Err(fault.unwrap_or_else(|| Fault::new(Kind::UnknownModel, "Nobody serves this model."))),
        }
    }
}

/// The choice that a call asks for, handed to `choose`.
pub(crate) fn with_ask<T>(ticket: &Ticket, lanes: &Lanes, call: &Call, choose: impl FnOnce(&order::Ask<'_>) -> T) -> T {
    with_need(ticket, lanes, call.need(&lanes.refused), choose)
}

/// The same for a need.
pub(crate) fn with_need<T>(
    ticket: &Ticket,
    lanes: &Lanes,
    mut need: Need,
    choose: impl FnOnce(&order::Ask<'_>) -> T,
) -> T {
    let (config, alias, detour) = (&ticket.snapshot.config.routing, ticket.alias(), ticket.detour.as_deref());
    if ticket.ask.lenient {
        // What somebody cannot take is left out for them.
        need.parameters.clear();
    }
    let max_price = detour.and_then(|detour| detour.max_price);
    if max_price.is_some() {
        // What fits is estimated from below, what it costs from above.
        need.input_tokens = need.input_tokens * 5 / 3;
    }
    let mapped: Vec<BackendName>;
    let preferred = if config.preferred.is_empty() && ticket.strategy() == order::Strategy::Preferred {
        // The Hub's mapping is in the order that its user prefers.
        mapped = lanes.policy.iter().map(|known| known.lane.place.clone()).collect();
        &mapped[..]
    } else {
        &config.preferred[..]
    };
    choose(&order::Ask {
        need: &need,
        strategy: ticket.strategy(),
        preferred,
        own_servers_first: alias.and_then(|alias| alias.own_servers_first).unwrap_or(config.own_servers_first),
        max_price,
        max_first_event: alias.and_then(|alias| alias.max_first_event),
        sticky: detour.and_then(|detour| detour.sticky),
        seed: fastrand::u64(..),
    })
}

/// What is known of a spot: by the Hub, by the router's list, by our own table of backends.
fn known(ticket: &Ticket, spot: &Spot, market: Option<&Market>) -> order::Candidate {
    let found = &spot.candidate;
    let mut known = order::Candidate::new(spot.lane());
    (known.weight, known.priority) = (found.weight, found.priority);
    (known.state, known.named) = (found.state, found.named);
    if let Ok(ready) = spot.ready(ticket)
        && let Codec::Chat(dialect) = &ready.endpoint.codec
    {
        known.refuses = dialect.refuse;
    }
    let Place::Backend { id, mapped } = &found.place else { return known };
    known.own_server = !matches!(ticket.snapshot.target(id), Some(Target::Backend(_)));
    let model = found.hub_id.as_deref().filter(|_| *mapped).and_then(|hub_id| market?.find(hub_id));
    if let Some(model) = model.filter(|_| ticket.operation == Operation::Chat) {
        tell(&mut known, model, model.offer(id.as_str()));
    }
    known
}

/// Adds what the router's list says.
fn tell(known: &mut order::Candidate, model: &MarketModel, offer: Option<&Offer>) {
    let vision = (!model.input.is_empty()).then(|| model.input.iter().any(|input| &**input == "image"));
    known.abilities.vision = vision;
    let Some(offer) = offer else { return };
    known.context_length = offer.context_length;
    known.price = match (offer.input_price, offer.output_price) {
        (Some(input), Some(output)) => Some(order::Price { input: input.micros(), output: output.micros() }),
        _ => None,
    };
    known.abilities =
        Abilities { tools: offer.tools, structured_output: offer.structured_output, vision, ..Abilities::default() };
    known.first_event = offer.first_token_us.map(std::time::Duration::from_micros);
    known.throughput_milli = offer.throughput_milli;
}

fn presented(ticket: &Ticket) -> Presented<'_> {
    Presented { token: ticket.caller.credential.as_ref(), bill_to: ticket.caller.bill_to.as_deref() }
}

fn target<'a>(ticket: &Ticket, place: &'a Place) -> For<'a> {
    match place {
        Place::Router => For::Router,
        Place::Backend { id, mapped } => match ticket.snapshot.target(id) {
            Some(Target::Backend(backend)) => For::Backend { id, routing: routing(backend), mapped: *mapped },
            _ => For::Server(id),
        },
    }
}

fn ready<'t>(ticket: &'t Ticket, place: &Place, chosen: &Chosen) -> Result<&'t Ready> {
    ticket.snapshot.ready(place, chosen.way, ticket.operation).ok_or_else(|| no_way(place, ticket.operation))
}

#[cold]
fn no_way(place: &Place, operation: Operation) -> Box<Fault> {
    match place {
        Place::Router => {
            Fault::new(Kind::NoCredential, "There is no way to the router with the keys that are configured.")
        }
        Place::Backend { id, .. } => providers::refusal::unsupported_by(id.as_str(), operation),
    }
}
