//! Makes the attempts: with which key, to which address, dressed how, in which dialect, until when. Pure.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::HeaderMap;
use net::Origin;
use policy::credentials::{Presented, Target as For, Way, Whose};
use providers::{
    Dress, Endpoint,
    exchange::{Lora, Model},
};
use types::{Fault, Kind, Operation, Result, Secret};
use wire::openai::chat;

use super::{
    admit::Ticket,
    dispatch::Mask,
    resolve::{Candidate, Candidates, Place},
};
use crate::snapshot::{Ready, Snapshot, Target, routing};

/// What will be tried, in order. Never empty: the attempt whose turn it is has been made, later ones are made when theirs
/// comes.
pub(crate) struct Plan {
    pub(crate) ticket: Ticket,
    pub(crate) attempt: Attempt,
    later: std::vec::IntoIter<Candidate>,
}

/// One attempt.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) origin: Origin,
    pub(crate) target: String,
    pub(crate) headers: Arc<HeaderMap>,
    /// The model's name for the backend.
    pub(crate) model: Arc<str>,
    /// The keys in use, which no text of the backend may show.
    pub(crate) mask: Mask,
    /// The most bytes of a body that the backend takes.
    pub(crate) body_limit: usize,
    /// The most bytes of a whole answer.
    pub(crate) answer_limit: usize,
    /// When the whole answer, or the first event of a stream, must be there.
    pub(crate) deadline: Instant,
    /// How long one request may take, where the deadline is further away.
    pub(crate) patience: Duration,
    /// Whose key it goes out with.
    pub(crate) whose: Whose,
    /// The longest silence in a stream.
    pub(crate) idle: Duration,
    /// When a stream must be over.
    pub(crate) stream_until: Instant,
    lenient: bool,
    key: Option<Secret>,
    bill_to: Option<Arc<str>>,
    hub_id: Option<Arc<str>>,
    lora: Option<Option<Arc<str>>>,
}

/// Plans the attempts for an admitted call.
///
/// # Errors
/// `NoCredential` when no key may be used; what is wrong with a name that must stand in a path.
pub(crate) fn plan(ticket: Ticket, found: Candidates) -> Result<Plan> {
    let attempt = Attempt::new(&ticket, found.first)?;
    Ok(Plan { attempt, ticket, later: found.others.into_iter() })
}

impl Plan {
    /// Goes on to the next attempt that can be made; `false` when there is none.
    pub(crate) fn advance(&mut self) -> bool {
        let ticket = &self.ticket;
        match self.later.find_map(|candidate| Attempt::new(ticket, candidate).ok()) {
            Some(attempt) => {
                self.attempt = attempt;
                true
            }
            None => false,
        }
    }
}

/// Hugging Face limits what it carries for some operations; pictures are not among them.
fn body_limit(snapshot: &Snapshot, ready: &Ready, way: Way, operation: Operation) -> usize {
    let limited =
        matches!(operation, Operation::Chat | Operation::Embeddings | Operation::Speech | Operation::Transcription);
    snapshot.config.body_limit(&ready.endpoint.backend, if limited { way } else { Way::Direct })
}

fn no_way(place: &Place, operation: Operation) -> Box<Fault> {
    match place {
        Place::Router => {
            Fault::new(Kind::NoCredential, "There is no way to the router with the keys that are configured.")
        }
        Place::Backend { id, .. } => providers::refusal::unsupported_by(id.as_str(), operation),
    }
}

impl Attempt {
    fn new(ticket: &Ticket, candidate: Candidate) -> Result<Self> {
        let snapshot = &ticket.snapshot;
        let token = ticket.caller.credential.as_ref();
        let presented = Presented { token, bill_to: ticket.caller.bill_to.as_deref() };
        let target = match &candidate.place {
            Place::Router => For::Router,
            Place::Backend { id, mapped } => match snapshot.target(id) {
                Some(Target::Backend(backend)) => For::Backend { id, routing: routing(backend), mapped: *mapped },
                _ => For::Server(id),
            },
        };
        let chosen = snapshot.config.keys.choose(target, presented)?;
        let ready = snapshot
            .ready(&candidate.place, chosen.way, ticket.operation)
            .ok_or_else(|| no_way(&candidate.place, ticket.operation))?;
        let secrets = chosen.secret.clone().into_iter().chain(token.cloned());
        let times = &ready.times;
        Ok(Self {
            snapshot: snapshot.clone(),
            target: ready.endpoint.target(&candidate.model)?,
            headers: ready.dressed(&chosen)?,
            model: candidate.model,
            mask: Mask::new(secrets),
            body_limit: body_limit(snapshot, ready, chosen.way, ticket.operation),
            answer_limit: snapshot.config.limits.answer,
            deadline: ticket
                .ask
                .job_until
                .unwrap_or_else(|| ticket.until(if ticket.stream { times.first_event } else { times.answer })),
            patience: times.answer,
            whose: chosen.whose,
            idle: times.between_events,
            stream_until: ticket.until(times.stream),
            origin: ready.origin.clone(),
            endpoint: ready.endpoint.clone(),
            lenient: ticket.ask.lenient,
            key: chosen.secret,
            bill_to: chosen.bill_to,
            hub_id: candidate.hub_id,
            lora: candidate.lora,
        })
    }

    /// What the caller asked of the translation.
    pub(crate) fn ask(&self) -> chat::Ask<'_> {
        chat::Ask { lenient: self.lenient, backend: self.endpoint.backend.as_str() }
    }

    /// The key, and who pays.
    pub(crate) fn dress(&self) -> Dress<'_> {
        Dress { key: self.key.as_ref(), bill_to: self.bill_to.as_deref() }
    }

    /// The model by its names.
    pub(crate) fn names(&self) -> Model<'_> {
        let lora = self.lora.as_ref().map(|weights| Lora { weights: weights.as_deref() });
        Model { id: &self.model, hub_id: self.hub_id.as_deref(), lora }
    }
}
