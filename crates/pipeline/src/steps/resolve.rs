//! Where the asked model can be had, and under which name. The only step that may wait for the catalogue.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use catalog::{Found, Lookup, ModelEntry};
use types::{Asked, BackendName, Fault, Kind, Operation, Result, RoutePolicy};

use super::admit::Ticket;
use crate::{Gateway, snapshot::Target};

/// A look-up that takes longer than this is worth less than an answer without it.
const LOOK_UP_TIME: Duration = Duration::from_secs(15);

/// Who can serve the call. One today; the routing of later rounds makes it several.
pub(crate) struct Candidates {
    /// Where.
    pub(crate) place: Place,
    /// The model's name there.
    pub(crate) model: Arc<str>,
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
    let as_named = |mapped| Candidates { place: Place::Backend { id: id.clone(), mapped }, model: model.clone() };
    let Some(Target::Backend(backend)) = ticket.snapshot.target(id) else { return Ok(as_named(false)) };
    if !backend.can(Operation::Chat) {
        return Err(providers::refusal::unsupported(backend, Operation::Chat));
    }
    if !backend.is_mapped() || !is_hub_id(model) {
        return Ok(as_named(false));
    }
    match look_up(gateway, ticket, model).await {
        Ok(Lookup::Unknown) => Ok(as_named(false)),
        Ok(Lookup::Known(entry)) => match entry.serving(id.as_str(), Operation::Chat) {
            Found::Served(serving) => Ok(Candidates {
                place: Place::Backend { id: id.clone(), mapped: true },
                model: serving.provider_id.clone(),
            }),
            Found::OtherTask(serving) => Err(other_task(&entry, id, &serving.task)),
            Found::Absent if ticket.snapshot.may_go_direct(id) => Ok(as_named(false)),
            Found::Absent => Err(absent(&entry, id, ticket)),
        },
        // The Hub is down and nothing is remembered: the router maps the name itself.
        Err(fault) if fault.kind == Kind::CatalogUnavailable && ticket.snapshot.is_routed(id) => {
            Ok(Candidates { place: Place::Router, model: format!("{model}:{id}").into() })
        }
        Err(fault) => Err(fault),
    }
}

async fn auto(gateway: &Gateway, ticket: &Ticket, model: &Arc<str>, policy: RoutePolicy) -> Result<Candidates> {
    let candidates = || Candidates { place: Place::Router, model: format!("{model}{}", policy.suffix()).into() };
    match look_up(gateway, ticket, model).await {
        Ok(Lookup::Unknown) => Err(unknown(ticket, model)),
        Ok(Lookup::Known(entry)) if entry.servings_of(Operation::Chat).next().is_none() => Err(nobody(&entry)),
        Ok(Lookup::Known(_)) => Ok(candidates()),
        // What the Hub cannot say now, the router will.
        Err(fault) if fault.kind == Kind::CatalogUnavailable => Ok(candidates()),
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

fn other_task(entry: &ModelEntry, id: &BackendName, task: &str) -> Box<Fault> {
    let text = format!("`{id}` serves `{}` for the task `{task}`, not for chat. {}", entry.hub_id, others(entry));
    Fault::new(Kind::UnsupportedOperation, text).param("model").backend(id.as_str())
}

fn absent(entry: &ModelEntry, id: &BackendName, ticket: &Ticket) -> Box<Fault> {
    let mut text = format!("`{id}` does not serve `{}`. {}", entry.hub_id, others(entry));
    if let Some(other) = policy::name::other_meaning(&ticket.name, &ticket.snapshot.config.names) {
        text.push_str(&format!(" Perhaps something else was meant: {other}."));
    }
    Fault::new(Kind::UnknownModel, text).param("model").backend(id.as_str())
}

fn nobody(entry: &ModelEntry) -> Box<Fault> {
    let text = format!("No backend serves `{}` for chat at the moment.", entry.hub_id);
    Fault::new(Kind::UnknownModel, text).param("model")
}

fn unknown(ticket: &Ticket, model: &str) -> Box<Fault> {
    let mut text = format!(
        "The Hub knows no model `{model}` (or it is private and the token cannot see it). To use a backend's own name for a model, name the backend: `huggingface/<backend>/{model}`."
    );
    if let Some(other) = policy::name::other_meaning(&ticket.name, &ticket.snapshot.config.names) {
        text.push_str(&format!(" Perhaps something else was meant: {other}."));
    }
    Fault::new(Kind::UnknownModel, text).param("model")
}

/// Who serves the model for chat, as a sentence.
fn others(entry: &ModelEntry) -> String {
    let names: Vec<_> = entry.servings_of(Operation::Chat).map(|serving| format!("`{}`", serving.backend)).collect();
    match names.len() {
        0 => "No backend serves it for chat.".to_owned(),
        _ => format!("For chat it is served by {}.", names.join(", ")),
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
