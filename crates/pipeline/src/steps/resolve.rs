//! Where the asked model can be had, and under which name. The only step that may wait for the catalogue.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use catalog::{Found, Lookup, ModelEntry, Serving};
use types::{Asked, BackendName, Fault, Kind, Operation, Result, RoutePolicy};

use super::admit::Ticket;
use crate::{Gateway, snapshot::Target};

/// A look-up that takes longer than this is worth less than an answer without it.
const LOOK_UP_TIME: Duration = Duration::from_secs(15);

/// Who can serve the call, in the order in which they were found. Never empty.
pub(crate) struct Candidates {
    /// The first.
    pub(crate) first: Candidate,
    /// The others. Of a call that names its backend there are none, and an empty list costs nothing.
    pub(crate) others: Vec<Candidate>,
}

impl From<Candidate> for Candidates {
    fn from(first: Candidate) -> Self {
        Self { first, others: Vec::new() }
    }
}

/// One who can serve the call.
#[derive(Clone)]
pub(crate) struct Candidate {
    /// Where.
    pub(crate) place: Place,
    /// The model's name there.
    pub(crate) model: Arc<str>,
    /// The model's id on the Hub, where the Hub knows it.
    pub(crate) hub_id: Option<Arc<str>>,
    /// The weights of an adapter, where the model is one; the file's name may be unknown.
    pub(crate) lora: Option<Option<Arc<str>>>,
}

impl Candidate {
    pub(crate) fn named(place: Place, model: impl Into<Arc<str>>) -> Self {
        Self { place, model: model.into(), hub_id: None, lora: None }
    }

    fn mapped(entry: &ModelEntry, id: BackendName, serving: &Serving) -> Self {
        Self {
            place: Place::Backend { id, mapped: true },
            model: serving.provider_id.clone(),
            hub_id: Some(entry.hub_id.clone()),
            lora: serving.adapter.as_ref().filter(|a| &*a.kind == "lora").map(|a| a.weights_path.clone()),
        }
    }
}

/// Where a candidate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At a backend or declared server.
    Backend {
        /// Its id.
        id: BackendName,
        /// Whether the Hub's live mapping of this model names it.
        mapped: bool,
    },
    /// Behind the router's own surface, which chooses the backend and maps the name.
    Router,
}

/// Finds who can serve the call.
///
/// # Errors
/// `UnknownModel` naming who serves the model, `UnsupportedOperation`, or `CatalogUnavailable`.
pub(crate) async fn resolve(gateway: &Gateway, ticket: &Ticket) -> Result<Candidates> {
    match &ticket.asked {
        Asked::Auto { model, policy } => auto(gateway, ticket, model, *policy).await,
        Asked::Pinned { backend, model } => pinned(gateway, ticket, backend, model).await,
    }
}

/// The same once more, with what is remembered of the model dropped: a backend said that it does not know the name.
pub(crate) async fn resolve_afresh(gateway: &Gateway, ticket: &Ticket) -> Result<Candidates> {
    if !gateway.0.catalog.forget(ticket.asked.model()) {
        return Err(Fault::new(Kind::UnknownModel, "The name was asked for a moment ago."));
    }
    resolve(gateway, ticket).await
}

async fn pinned(gateway: &Gateway, ticket: &Ticket, id: &BackendName, model: &Arc<str>) -> Result<Candidates> {
    let as_named = || Candidate::named(Place::Backend { id: id.clone(), mapped: false }, model.clone()).into();
    let Some(Target::Backend(backend)) = ticket.snapshot.target(id) else { return Ok(as_named()) };
    if !backend.can(ticket.operation) {
        return Err(providers::refusal::unsupported(backend, ticket.operation));
    }
    if !backend.is_mapped() || !is_hub_id(model) {
        return Ok(as_named());
    }
    match look_up(gateway, ticket, model).await {
        Ok(Lookup::Unknown) => Ok(as_named()),
        Ok(Lookup::Known(entry)) => match entry.serving(id.as_str(), ticket.operation) {
            Found::Served(serving) => Ok(Candidate::mapped(&entry, id.clone(), serving).into()),
            Found::OtherTask(serving) => Err(other_task(&entry, id, &serving.task, ticket)),
            Found::Absent if ticket.snapshot.may_go_direct(id) => Ok(as_named()),
            Found::Absent => Err(absent(&entry, id, ticket)),
        },
        // The Hub is down and nothing is remembered: for chat the router maps the name itself.
        Err(fault)
            if fault.kind == Kind::CatalogUnavailable
                && ticket.operation == Operation::Chat
                && ticket.snapshot.is_routed(id) =>
        {
            Ok(Candidate::named(Place::Router, format!("{model}:{id}")).into())
        }
        Err(fault) => Err(fault),
    }
}

/// The router chooses among backends for chat; for everything else the first of the mapping does that can.
async fn auto(gateway: &Gateway, ticket: &Ticket, model: &Arc<str>, policy: RoutePolicy) -> Result<Candidates> {
    let chats = ticket.operation == Operation::Chat;
    let by_router = || Candidate::named(Place::Router, format!("{model}{}", policy.suffix())).into();
    match look_up(gateway, ticket, model).await {
        Ok(Lookup::Unknown) => Err(unknown(ticket, model)),
        Ok(Lookup::Known(entry)) if chats && entry.servings_of(Operation::Chat).next().is_some() => Ok(by_router()),
        Ok(Lookup::Known(entry)) => {
            let able = |serving: &&Serving| ticket.snapshot.can(&BackendName::new(&serving.backend), ticket.operation);
            let found = entry.servings_of(ticket.operation).find(able);
            let mapped = |serving: &Serving| Candidate::mapped(&entry, BackendName::new(&serving.backend), serving);
            found.map(|serving| mapped(serving).into()).ok_or_else(|| nobody(&entry, ticket))
        }
        // What the Hub cannot say now, the router will.
        Err(fault) if chats && fault.kind == Kind::CatalogUnavailable => Ok(by_router()),
        Err(fault) => Err(fault),
    }
}

async fn look_up(gateway: &Gateway, ticket: &Ticket, model: &str) -> Result<Lookup> {
    let until = ticket.until(LOOK_UP_TIME).max(Instant::now() + Duration::from_millis(1));
    gateway.0.catalog.model(model, ticket.own_token(), until).await
}

/// Whether the Hub can know it: `org/name`.
fn is_hub_id(model: &str) -> bool {
    matches!(model.split_once('/'), Some((org, name)) if !org.is_empty() && !name.is_empty() && !name.contains('/'))
        && !model.contains(':')
}

fn other_task(entry: &ModelEntry, id: &BackendName, task: &str, ticket: &Ticket) -> Box<Fault> {
    let wanted = ticket.operation.name();
    let others = others(entry, ticket);
    let text = format!("`{id}` serves `{}` for the task `{task}`, not for {wanted}. {others}", entry.hub_id);
    Fault::new(Kind::UnsupportedOperation, text).param("model").backend(id.as_str())
}

fn absent(entry: &ModelEntry, id: &BackendName, ticket: &Ticket) -> Box<Fault> {
    let text = format!("`{id}` does not serve `{}`. {}{}", entry.hub_id, others(entry, ticket), perhaps(ticket));
    Fault::new(Kind::UnknownModel, text).param("model").backend(id.as_str())
}

fn nobody(entry: &ModelEntry, ticket: &Ticket) -> Box<Fault> {
    let text = format!("No backend serves `{}` for {} at the moment.", entry.hub_id, ticket.operation.name());
    Fault::new(Kind::UnknownModel, text).param("model")
}

fn unknown(ticket: &Ticket, model: &str) -> Box<Fault> {
    let text = format!(
        "The Hub knows no model `{model}` (or it is private and the token cannot see it). To use a backend's own name for a model, name the backend: `huggingface/<backend>/{model}`.{}",
        perhaps(ticket)
    );
    Fault::new(Kind::UnknownModel, text).param("model")
}

/// What else the name may have meant, as a sentence.
fn perhaps(ticket: &Ticket) -> String {
    policy::name::other_meaning(&ticket.name, &ticket.snapshot.config.names)
        .map(|other| format!(" Perhaps something else was meant: {other}."))
        .unwrap_or_default()
}

/// Who serves the model for this operation, as a sentence.
fn others(entry: &ModelEntry, ticket: &Ticket) -> String {
    let names: Vec<_> = entry.servings_of(ticket.operation).map(|serving| format!("`{}`", serving.backend)).collect();
    let wanted = ticket.operation.name();
    match names.len() {
        0 => format!("No backend serves it for {wanted}."),
        _ => format!("For {wanted} it is served by {}.", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_org_and_name_are_asked_for_at_the_hub() {
        assert!(is_hub_id("meta-llama/Llama-3.1-8B-Instruct"));
        for own in ["llama-3.3-70b", "accounts/fireworks/models/x", "a/b:5599ed30", "/x", "x/"] {
            assert!(!is_hub_id(own), "{own}");
        }
    }
}
