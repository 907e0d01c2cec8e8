//! One attempt: everything that is needed to send the call to one place with one key.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName};
use net::{Headers, Origin};
use policy::credentials::{Way, Whose};
use providers::{
    Dress, Endpoint, Flow,
    exchange::{Lora, Model},
};
use types::{Operation, Result, Secret};
use wire::openai::chat;

use super::Spot;
use crate::{
    snapshot::{Ready, Snapshot},
    steps::{admit::Ticket, dispatch::Mask},
};

/// One attempt.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) origin: Origin,
    pub(crate) target: String,
    pub(crate) headers: Headers,
    /// The model's name for the backend.
    pub(crate) model: Arc<str>,
    /// The keys in use, which no text of the backend may show.
    pub(crate) mask: Mask,
    /// The most bytes of a body that the backend takes.
    pub(crate) body_limit: usize,
    /// The most bytes of a whole answer.
    pub(crate) answer_limit: usize,
    /// When the whole answer, or the first event of a stream, must be there for this attempt to count.
    pub(crate) deadline: Instant,
    /// The same for the call: another attempt may follow until then.
    pub(crate) until: Instant,
    /// How long one request may take, where the deadline is further away.
    pub(crate) patience: Duration,
    /// Whose key it goes out with.
    pub(crate) whose: Whose,
    /// The operator's name of that key.
    pub(crate) key_name: Option<Arc<str>>,
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

impl Attempt {
    /// The attempt at this spot; `more`: somebody else can still be asked after it.
    ///
    /// # Errors
    /// What is wrong with a name that must stand in a path, or with a key.
    pub(super) fn new(ticket: &Ticket, spot: &Spot, more: bool) -> Result<Self> {
        let (snapshot, chosen, found) = (&ticket.snapshot, &spot.chosen, &spot.candidate);
        let ready = spot.ready(ticket)?;
        let secrets = chosen.secret.clone().into_iter().chain(ticket.caller.credential.clone());
        let times = &ready.times;
        let until = until(ticket, ready);
        // Work that was submitted is not given up for another place.
        let cut = more && !ready.endpoint.flow().is_some_and(Flow::is_kept_upstream);
        Ok(Self {
            snapshot: snapshot.clone(),
            target: ready.endpoint.target(&found.model)?,
            headers: carrying(ready.dressed(chosen)?, &ready.endpoint, ticket.carried.as_deref()),
            model: found.model.clone(),
            mask: Mask::new(secrets),
            body_limit: body_limit(snapshot, ready, chosen.way, ticket.operation),
            answer_limit: snapshot.config.limits.answer,
            deadline: if cut { sooner(ticket, until) } else { until },
            until,
            patience: times.answer,
            whose: chosen.whose,
            key_name: chosen.name.clone(),
            idle: times.between_events,
            stream_until: ticket.until(times.stream),
            origin: ready.origin.clone(),
            endpoint: ready.endpoint.clone(),
            lenient: ticket.ask.lenient,
            key: chosen.secret.clone(),
            bill_to: chosen.bill_to.clone(),
            hub_id: found.hub_id.clone(),
            lora: found.lora.clone(),
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

/// When the whole answer, or the first event of a stream, must be there.
pub(super) fn until(ticket: &Ticket, ready: &Ready) -> Instant {
    let limit = if ticket.stream { ready.times.first_event } else { ready.times.answer };
    ticket.ask.job_until.unwrap_or_else(|| ticket.until(limit))
}

/// While somebody else can still be asked, nobody may use up all the time: a share of what is left, and a stream no longer
/// than the patience that the configuration has for its first event.
fn sooner(ticket: &Ticket, until: Instant) -> Instant {
    let (now, routing) = (net::now(), &ticket.snapshot.config.routing);
    let share = until.saturating_duration_since(now).mul_f64(routing.retries.share);
    now + if ticket.stream { share.min(routing.patience) } else { share }
}

/// The headers with those of the caller that the vendor reads.
fn carrying(own: Headers, endpoint: &Endpoint, carried: Option<&HeaderMap>) -> Headers {
    let Some(carried) = carried.filter(|carried| !carried.is_empty()) else { return own };
    let mut headers = own.map().clone();
    for name in endpoint.carried() {
        let mut values = carried.get_all(*name).iter();
        if let Some(first) = values.next() {
            let name = HeaderName::from_static(name);
            headers.insert(name.clone(), first.clone());
            for value in values {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    headers.into()
}

/// Hugging Face limits what it carries for some operations; pictures are not among them.
fn body_limit(snapshot: &Snapshot, ready: &Ready, way: Way, operation: Operation) -> usize {
    let limited =
        matches!(operation, Operation::Chat | Operation::Embeddings | Operation::Speech | Operation::Transcription);
    snapshot.config.body_limit(&ready.endpoint.backend, if limited { way } else { Way::Direct })
}
