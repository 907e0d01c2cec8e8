//! Makes the attempt: with which key, to which address, dressed how, in which dialect, until when. Pure.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::HeaderMap;
use net::Origin;
use policy::credentials::{Presented, Target as For, Way};
use providers::{Dress, Endpoint};
use types::{Fault, Kind, Result};

use super::{
    admit::Ticket,
    dispatch::Mask,
    resolve::{Candidates, Place},
};
use crate::snapshot::{Ready, Target};

/// What will be tried, in order; one attempt today.
pub(crate) struct Plan {
    pub(crate) ticket: Ticket,
    pub(crate) attempt: Attempt,
}

/// One attempt.
pub(crate) struct Attempt {
    pub(crate) endpoint: Endpoint,
    pub(crate) origin: Origin,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    /// The model's name for the backend.
    pub(crate) model: Arc<str>,
    /// The keys in use, which no text of the backend may show.
    pub(crate) mask: Mask,
    /// Take out what the backend cannot do instead of refusing it.
    pub(crate) lenient: bool,
    /// The most bytes of a body that the backend takes.
    pub(crate) body_limit: usize,
    /// The most bytes of a whole answer.
    pub(crate) answer_limit: usize,
    /// When the whole answer, or the first event of a stream, must be there.
    pub(crate) deadline: Instant,
    /// The longest silence in a stream.
    pub(crate) idle: Duration,
    /// When a stream must be over.
    pub(crate) stream_until: Instant,
}

/// Plans the attempts for an admitted call.
///
/// # Errors
/// `NoCredential` when no key may be used; what is wrong with a name that must stand in a path.
pub(crate) fn plan(ticket: Ticket, found: Candidates) -> Result<Plan> {
    let snapshot = &ticket.snapshot;
    let presented = Presented { token: ticket.caller.credential.as_ref(), bill_to: ticket.caller.bill_to.as_deref() };
    let target = match &found.place {
        Place::Router => For::Router,
        Place::Backend { id, mapped } => match snapshot.target(id) {
            Some(Target::Backend(backend)) => {
                For::Backend { id, routing: crate::snapshot::routing(backend), mapped: *mapped }
            }
            _ => For::Server(id),
        },
    };
    let chosen = snapshot.config.keys.choose(target, presented)?;
    let ready = snapshot.ready(&found.place, chosen.way).ok_or_else(|| unreachable_place(&found.place))?;
    let dress = Dress { key: chosen.secret.as_ref(), bill_to: chosen.bill_to.as_deref() };
    let headers = ready.endpoint.headers(dress)?;
    let secrets = chosen.secret.clone().into_iter().chain(ticket.caller.credential.clone());
    let id = &ready.endpoint.backend;
    let times = snapshot.config.times(id);
    let attempt = Attempt {
        target: ready.endpoint.target(&found.model)?,
        headers,
        model: found.model,
        mask: Mask::new(secrets),
        lenient: ticket.ask.lenient,
        body_limit: body_limit(snapshot, ready, chosen.way),
        answer_limit: snapshot.config.limits.answer,
        deadline: ticket.until(if ticket.stream { times.first_event } else { times.answer }),
        idle: times.between_events,
        stream_until: ticket.until(times.stream),
        origin: ready.origin.clone(),
        endpoint: ready.endpoint.clone(),
    };
    Ok(Plan { attempt, ticket })
}

fn body_limit(snapshot: &crate::Snapshot, ready: &Ready, way: Way) -> usize {
    snapshot.config.body_limit(&ready.endpoint.backend, way)
}

fn unreachable_place(place: &Place) -> Box<Fault> {
    let name = match place {
        Place::Router => "the router",
        Place::Backend { id, .. } => id.as_str(),
    };
    Fault::new(Kind::NoCredential, format!("There is no way to `{name}` with the keys that are configured."))
}
