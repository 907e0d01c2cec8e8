//! Where the asked model can be had, and under which name. The only step that may wait for the catalogue.

use std::{sync::Arc, time::Duration};

use catalog::{Found, Lookup, ModelEntry, Serving, State};
use policy::{order::MarketState, rules::AliasTarget};
use types::{Asked, BackendName, Fault, Kind, Operation, Result, RoutePolicy};

use super::{
    admit::{Detour, Ticket},
    plan::{Basis, Lanes},
};
use crate::{Gateway, snapshot::Target, vendors};

/// A look-up that takes longer than this is worth less than an answer without it.
const LOOK_UP_TIME: Duration = Duration::from_secs(15);

/// Who can serve the call, in the order in which they were found. Never empty.
pub(crate) enum Candidates {
    /// One, for a call that names its backend.
    One(Candidate),
    /// Any number, with what they were found in where that is all that decides who they are.
    List(Vec<Candidate>, Option<Basis>),
    /// As an earlier call of the same model had them, with their keys.
    Known(Arc<Lanes>),
}

impl From<Candidate> for Candidates {
    fn from(one: Candidate) -> Self {
        Self::One(one)
    }
}

impl Candidates {
    /// The list, if there is anybody on it.
    fn of(mut list: Vec<Candidate>) -> Option<Self> {
        if list.len() == 1 { list.pop().map(Self::One) } else { Self::based(list, None) }
    }

    /// The list with what it was found in, if there is anybody on it.
    fn based(list: Vec<Candidate>, basis: Option<Basis>) -> Option<Self> {
        (!list.is_empty()).then_some(Self::List(list, basis))
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Candidate> {
        let (list, spots) = match self {
            Self::One(one) => (std::slice::from_ref(one), &[][..]),
            Self::List(list, _) => (&list[..], &[][..]),
            Self::Known(lanes) => (&[][..], &lanes.spots[..]),
        };
        list.iter().chain(spots.iter().map(|spot| &spot.candidate))
    }

    /// All of them.
    fn into_list(self) -> Vec<Candidate> {
        match self {
            Self::One(one) => vec![one],
            Self::List(list, _) => list,
            Self::Known(_) => self.iter().cloned().collect(),
        }
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
    /// What the Hub says of it.
    pub(crate) state: MarketState,
    /// Whether the caller or the operator named the place.
    pub(crate) named: bool,
    /// How often it is considered beside others.
    pub(crate) weight: u32,
    /// Lower ones come first.
    pub(crate) priority: u32,
}

impl Candidate {
    pub(crate) fn named(place: Place, model: impl Into<Arc<str>>) -> Self {
        let (model, state) = (model.into(), MarketState::Live);
        Self { place, model, hub_id: None, lora: None, state, named: true, weight: 1, priority: 0 }
    }

    fn mapped(entry: &ModelEntry, id: BackendName, serving: &Serving) -> Self {
        Self {
            hub_id: Some(entry.hub_id.clone()),
            lora: serving.adapter.as_ref().filter(|a| &*a.kind == "lora").map(|a| a.weights_path.clone()),
            state: match serving.state {
                State::Live | State::Unknown => MarketState::Live,
                State::Staging => MarketState::Staging,
                State::Error => MarketState::Error,
            },
            ..Self::named(Place::Backend { id, mapped: true }, serving.provider_id.clone())
        }
    }

    fn unnamed(self) -> Self {
        Self { named: false, ..self }
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

/// How far behind the first model each one stands that may serve in its place.
const STAND_IN: u32 = 1000;
/// How far behind its named backend others stand.
const ELSEWHERE: u32 = 100;
/// How far behind everybody the router's own choice stands.
const LAST_RESORT: u32 = 500;

/// Finds who can serve the call.
///
/// # Errors
/// `UnknownModel` naming who serves the model, `UnsupportedOperation`, or `CatalogUnavailable`.
pub(crate) async fn resolve(gateway: &Gateway, ticket: &Ticket) -> Result<Candidates> {
    match &ticket.detour {
        None => one(gateway, ticket, &ticket.asked).await,
        Some(detour) => Box::pin(all(gateway, ticket, detour)).await,
    }
}

/// The same once more, with what is remembered of the model dropped: a backend said that it does not know the name.
pub(crate) async fn resolve_afresh(gateway: &Gateway, ticket: &Ticket, model: &str) -> Result<Candidates> {
    if let Asked::Pinned { backend, .. } = &ticket.asked
        && let Some(Target::Backend(backend)) = ticket.snapshot.target(backend)
        && !backend.is_mapped()
    {
        return Err(Fault::new(Kind::UnknownModel, "The Hub maps no names for this backend."));
    }
    if !gateway.0.catalog.forget(model) {
        return Err(Fault::new(Kind::UnknownModel, "The name was asked for a moment ago."));
    }
    resolve(gateway, ticket).await
}

/// Everybody for every model that may serve: the targets of the alias or rule, then those that stand in.
async fn all(gateway: &Gateway, ticket: &Ticket, detour: &Detour) -> Result<Candidates> {
    let own = AliasTarget { asked: ticket.asked.clone(), weight: 1, priority: 0 };
    let targets = if detour.targets.is_empty() { std::slice::from_ref(&own) } else { &detour.targets };
    let (mut list, mut first_fault) = (Vec::new(), None);
    let targets = targets.iter().map(|target| (&target.asked, target.weight, target.priority));
    let behind = |at: usize| STAND_IN * (1 + u32::try_from(at).unwrap_or(u32::MAX / STAND_IN - 1));
    let stand_ins = detour.stand_ins.iter().enumerate().map(|(at, asked)| (asked, 1, behind(at)));
    for (asked, weight, priority) in targets.chain(stand_ins) {
        match one(gateway, ticket, asked).await {
            Ok(found) => list.extend(found.into_list().into_iter().map(|candidate| Candidate {
                weight: candidate.weight.saturating_mul(weight.max(1)),
                priority: candidate.priority.saturating_add(priority),
                ..candidate
            })),
            Err(fault) => drop(first_fault.get_or_insert(fault)),
        }
    }
    let nobody = || first_fault.unwrap_or_else(|| unknown(ticket, ticket.asked.model()));
    Candidates::of(list).ok_or_else(nobody)
}

/// Everybody for one name.
async fn one(gateway: &Gateway, ticket: &Ticket, asked: &Asked) -> Result<Candidates> {
    let (id, model) = match asked {
        Asked::Auto { model, policy } => return auto(gateway, ticket, model, *policy).await,
        Asked::Pinned { backend, model } => (backend, model),
    };
    let named = pinned(gateway, ticket, id, model).await;
    if !ticket.may_move() {
        return named.map(Candidates::from);
    }
    Box::pin(elsewhere(gateway, ticket, named, model)).await
}

/// The backend that was named, and behind it the others of the same model.
async fn elsewhere(
    gateway: &Gateway,
    ticket: &Ticket,
    named: Result<Candidate>,
    model: &Arc<str>,
) -> Result<Candidates> {
    let hub_id = named.as_ref().ok().and_then(|named| named.hub_id.clone()).unwrap_or_else(|| model.clone());
    let others =
        if is_hub_id(&hub_id) { auto(gateway, ticket, &hub_id, RoutePolicy::Default).await.ok() } else { None };
    let others = others.map(Candidates::into_list).unwrap_or_default().into_iter();
    let (first, fault) = match named {
        Ok(first) => (Some(first), None),
        Err(fault) => (None, Some(fault)),
    };
    let place = first.as_ref().map(|first| first.place.clone());
    let is_same = |other: &Candidate| match (&other.place, &place) {
        (Place::Backend { id, .. }, Some(Place::Backend { id: first, .. })) => id == first,
        (other, first) => Some(other) == first.as_ref(),
    };
    let others = others.filter(|other| !is_same(other));
    let behind = others.map(|other| Candidate { priority: other.priority + ELSEWHERE, ..other });
    let list: Vec<_> = first.into_iter().chain(behind).collect();
    Candidates::of(list).ok_or_else(|| fault.unwrap_or_else(|| unknown(ticket, model)))
}

async fn pinned(gateway: &Gateway, ticket: &Ticket, id: &BackendName, model: &Arc<str>) -> Result<Candidate> {
    let as_named = || Candidate::named(Place::Backend { id: id.clone(), mapped: false }, model.clone());
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
            Found::Served(serving) => Ok(Candidate::mapped(&entry, id.clone(), serving)),
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
            Ok(Candidate::named(Place::Router, format!("{model}:{id}")))
        }
        Err(fault) => Err(fault),
    }
}

/// Servers of the operator's own that have the model, and every backend that the Hub's mapping names. What the Hub cannot
/// say now, the router's own choice stands in for.
async fn auto(gateway: &Gateway, ticket: &Ticket, model: &Arc<str>, policy: RoutePolicy) -> Result<Candidates> {
    let chats = ticket.operation == Operation::Chat;
    let by_router = || Candidate {
        priority: LAST_RESORT,
        ..Candidate::named(Place::Router, format!("{model}{}", policy.suffix())).unnamed()
    };
    // Before the servers are looked at: what changes meanwhile is then seen by the next call.
    let servers = gateway.0.servers.version();
    let mut list = own_servers(gateway, ticket, model);
    let fault = match look_up(gateway, ticket, model).await {
        Ok(Lookup::Known(entry)) => {
            let basis =
                ticket.is_plain().then(|| Basis { entry: entry.clone(), market: gateway.0.catalog.market(), servers });
            let known = basis.as_ref().and_then(|basis| ticket.snapshot.lanes.find(model, ticket.operation, basis));
            if let Some(lanes) = known {
                return Ok(Candidates::Known(lanes));
            }
            if list.is_empty() && entry.hub_id != *model {
                list = own_servers(gateway, ticket, &entry.hub_id);
            }
            let servings = entry.servings_of(ticket.operation).map(|serving| &*serving.backend);
            add_backends(&mut list, servings, &entry, ticket);
            // Backends that are not known here, the router may know.
            if list.is_empty() && chats && entry.servings_of(Operation::Chat).next().is_some() {
                list.push(by_router());
            }
            let basis = basis.filter(|_| list.iter().all(|candidate| is_for_all(candidate, ticket)));
            return Candidates::based(list, basis).ok_or_else(|| nobody(&entry, ticket));
        }
        Ok(Lookup::Unknown) => {
            list.extend(vendor(ticket, model));
            unknown(ticket, model)
        }
        Err(fault) => {
            if chats && fault.kind == Kind::CatalogUnavailable {
                list.push(by_router());
            }
            fault
        }
    };
    Candidates::of(list).ok_or(fault)
}

/// Whether all callers without a token of their own reach it in the same way.
fn is_for_all(candidate: &Candidate, ticket: &Ticket) -> bool {
    match &candidate.place {
        // The router's name for the model holds what this call said of the choice.
        Place::Router => false,
        Place::Backend { id, .. } => !ticket.snapshot.config.keys.takes_callers(id),
    }
}

/// Every backend once, with the serving that its operation usually has.
fn add_backends<'a>(
    list: &mut Vec<Candidate>,
    backends: impl Iterator<Item = &'a str>,
    entry: &ModelEntry,
    ticket: &Ticket,
) {
    let mut seen: Vec<&str> = Vec::new();
    for backend in backends {
        let id = BackendName::new(backend);
        if seen.contains(&backend) || !ticket.snapshot.can(&id, ticket.operation) {
            continue;
        }
        seen.push(backend);
        if let Found::Served(serving) = entry.serving(backend, ticket.operation) {
            list.push(Candidate::mapped(entry, id, serving).unnamed());
        }
    }
}

/// The operator's own servers that have a model of this name.
fn own_servers(gateway: &Gateway, ticket: &Ticket, model: &Arc<str>) -> Vec<Candidate> {
    let servers = ticket.snapshot.config.servers.iter();
    let can = servers.filter(|server| providers::dialects::declared(server.dialect, ticket.operation).is_some());
    let has = can.filter(|server| gateway.0.servers.has(server, model));
    has.map(|server| Candidate {
        hub_id: Some(model.clone()),
        state: if gateway.0.servers.is_down(&server.name) { MarketState::Error } else { MarketState::Live },
        ..Candidate::named(Place::Backend { id: server.name.clone(), mapped: false }, model.clone()).unnamed()
    })
    .collect()
}

/// The vendor of this organisation's name, for a model that the Hub does not know.
fn vendor(ticket: &Ticket, model: &str) -> Option<Candidate> {
    let meant = vendors::of_organisation(&ticket.snapshot, &ticket.caller, model)?;
    Some(Candidate::named(Place::Backend { id: meant.id, mapped: false }, meant.model))
}

async fn look_up(gateway: &Gateway, ticket: &Ticket, model: &str) -> Result<Lookup> {
    let until = ticket.until(LOOK_UP_TIME).max(net::now() + Duration::from_millis(1));
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
