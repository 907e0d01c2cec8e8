//! Responses and conversations that a vendor keeps: what is asked about one goes to the vendor with the key with which it was
//! made, and what comes back is the vendor's own.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use net::Request;
use policy::{Presented, credentials::Whose};
use providers::TABLE;
use types::{Asked, BackendName, Operation, Result, SendBody, ports::sessions::SessionId};
use wire::native::{self, Dialect};

use super::{conversations, pages::parameters, responses};
use crate::{
    Gateway, Snapshot,
    doors::{Answer, Ask, Flow, body_fault, dress},
    elsewhere::{self, Bound, Found},
    router::Route,
    steps::{
        admit::Ticket,
        authenticate::{Caller, authenticate},
        dispatch::{self, Content},
        plan::{Attempt, attempts_at},
        pump::Decoder,
        resolve::Place,
    },
    trail::Trail,
    vendors,
};

const JSON: &str = "application/json";

/// Whether a path speaks of something that is not kept here, by the form of its id.
pub(crate) fn is_meant(route: Route, rest: &str) -> bool {
    match route {
        Route::Response | Route::ResponseCancel | Route::InputItems => SessionId::parse_response(rest).is_none(),
        Route::Conversation | Route::ConversationItems | Route::ConversationItem => {
            SessionId::parse_conversation(rest.split('/').next().unwrap_or_default()).is_none()
        }
        _ => false,
    }
}

/// Asks the vendor that keeps it.
///
/// # Errors
/// `NotFound` for what no vendor keeps for this caller; what the vendor refuses, in its own words without any key in them.
pub(crate) async fn ask(
    gateway: &Gateway,
    request: Request,
    route: Route,
    rest: &str,
    trail: &mut Trail,
) -> Result<Answer> {
    let is_response = matches!(route, Route::Response | Route::ResponseCancel | Route::InputItems);
    let missing = if is_response { responses::missing } else { conversations::missing };
    let (snapshot, caller, wishes) = (gateway.snapshot(), authenticate(&request.headers)?, Ask::of(&request)?);
    let mut ids = rest.split('/').filter(|part| *part != "items");
    let (id, item) = (ids.next().unwrap_or_default(), ids.next());
    if !elsewhere::is_sound(id) || item.is_some_and(|item| !elsewhere::is_sound(item)) {
        return Err(missing());
    }
    let owner = gateway.0.desk.owner(&caller);
    // Nothing else is noted: conversations begin at the vendor, with its caller's own key.
    let found = if is_response { elsewhere::find(gateway, &owner, id, "response_id").await? } else { Found::Nothing };
    let (vendor, bound) = match found {
        Found::Way(bound) => (bound.vendor.clone(), Some(bound)),
        Found::Others => return Err(missing()),
        Found::Nothing => (own_vendor(&snapshot, &caller).ok_or_else(missing)?, None),
    };
    let query = request.uri.query().unwrap_or_default().to_owned();
    let wants_stream = parameters(&query)?.iter().any(|(name, value)| *name == "stream" && value == "true");
    let method = if request.method == Method::HEAD { Method::GET } else { request.method.clone() };
    let attempt = {
        let way = Way { snapshot: &snapshot, vendor, bound, stream: wants_stream };
        way.attempt(caller, wishes, &request)?
    };
    let Some(target) = attempt.endpoint.native(Dialect::Responses).map(|base| place(&base, route, rest)) else {
        return Err(missing());
    };
    let target = if query.is_empty() { target } else { format!("{target}?{query}") };
    let body = match method {
        Method::POST => {
            let until = request.received + snapshot.config.timeouts.body;
            let held = request.body.collect(snapshot.config.limits.body, until, &gateway.0.budget).await;
            held.map_err(body_fault)?.bytes
        }
        _ => Bytes::new(),
    };
    let reply = dispatch::asked(gateway, &attempt, (method.clone(), target), body.into(), trail).await?;
    let headers = dress(reply.headers, &[], trail);
    match reply.content {
        Content::Stream(mut live) => {
            if let Decoder::Native(stream) = &mut live.decoder
                && !elsewhere::counts(gateway, id).await
            {
                stream.told_again();
            }
            Ok(Answer::events(headers, Flow::Events(live)))
        }
        Content::Native(body) => {
            if method == Method::DELETE && route == Route::Response {
                elsewhere::forget(gateway, id).await;
            } else if matches!(route, Route::Response | Route::ResponseCancel) {
                count(gateway, id, &body, trail).await;
            }
            Ok(Answer::dressed(headers, JSON, body))
        }
        _ => Err(missing()),
    }
}

/// Counts what a response of the background used, at the first look that finds it done.
async fn count(gateway: &Gateway, id: &str, body: &SendBody, trail: &mut Trail) {
    let Ok(said) = native::answer(Dialect::Responses, &body.to_bytes()) else { return };
    if said.usage.is_some() && elsewhere::counts(gateway, id).await {
        (trail.record.usage, trail.record.finish) = (said.usage, said.finish);
    }
}

/// The vendor whose key the caller has brought, if it may be used.
fn own_vendor(snapshot: &Snapshot, caller: &Caller) -> Option<BackendName> {
    let presented = Presented { token: caller.credential.as_ref(), bill_to: None };
    TABLE.iter().find_map(|backend| {
        let vendor = backend.vendor?;
        vendor.natives.iter().find(|(dialect, _)| *dialect == Dialect::Responses)?;
        let id = BackendName::new(backend.id);
        let target =
            policy::credentials::Target::Backend { id: &id, routing: crate::snapshot::routing(backend), mapped: false };
        let chosen = snapshot.config.keys.choose(target, presented).ok()?;
        (snapshot.config.enabled(&id) && chosen.whose == Whose::Caller).then_some(id)
    })
}

/// The path at the vendor.
fn place(responses: &str, route: Route, rest: &str) -> String {
    let conversations = || responses.strip_suffix("responses").unwrap_or(responses);
    match route {
        Route::ResponseCancel => format!("{responses}/{rest}/cancel"),
        Route::InputItems => format!("{responses}/{rest}/input_items"),
        Route::Conversation | Route::ConversationItem => format!("{}conversations/{rest}", conversations()),
        Route::ConversationItems => format!("{}conversations/{rest}/items", conversations()),
        _ => format!("{responses}/{rest}"),
    }
}

/// Where a question goes.
struct Way<'a> {
    snapshot: &'a Arc<Snapshot>,
    vendor: BackendName,
    bound: Option<Bound>,
    stream: bool,
}

impl Way<'_> {
    fn attempt(self, caller: Caller, ask: Ask, request: &Request) -> Result<Attempt> {
        let Self { snapshot, vendor, bound, stream } = self;
        let nothing: Arc<str> = "".into();
        let readable = vendors::readable(&request.headers);
        let carried = providers::find(vendor.as_str()).and_then(|backend| backend.vendor);
        let ticket = Ticket {
            snapshot: snapshot.clone(),
            caller: Arc::new(caller),
            ask,
            name: nothing.clone(),
            asked: Asked::Pinned { backend: vendor.clone(), model: nothing.clone() },
            operation: Operation::Chat,
            stream,
            carried: carried.map(|vendor| vendors::carried(vendor, &readable)),
            detour: None,
            bound: bound.map(Arc::new),
        };
        let attempts = attempts_at(&ticket, Place::Backend { id: vendor, mapped: false }, nothing)?;
        attempts.into_iter().next().ok_or_else(responses::missing)
    }
}
