//! What a call of the Responses API refers to: fetched before the call is read, so that whatever judges it sees the whole
//! history. Other doors refer to nothing.

use std::sync::Arc;

use serde_json::Value;
use types::{
    Fault, Kind, Result,
    ports::{
        PortError,
        jobs::Owner,
        sessions::{Item, SessionId},
    },
};
use wire::{json::Limits, openai::responses::Request};

use super::authenticate::Caller;
use crate::{
    Gateway,
    doors::{Door, Said, foreign::asked},
    elsewhere::{self, Binding, Found},
};

/// A call with everything that it refers to.
pub(crate) struct Recalled {
    pub(crate) request: Request,
    pub(crate) owner: Owner,
}

/// Which way leads to what a call continues that a vendor keeps; none where it continues nothing of that kind, or where nothing is
/// known of it: then it is the vendor's to judge.
///
/// # Errors
/// `NotFound` when somebody else asked for it; `Overloaded` when the keeper fails.
pub(crate) async fn bind(gateway: &Gateway, caller: &Caller, door: Door, said: &Said<'_>) -> Result<Binding> {
    let Some((param, id)) = said.continues().filter(|_| door == Door::Responses) else { return Ok(None) };
    if SessionId::parse_response(id).is_some() {
        return Ok(None);
    }
    // In a box: hardly any call comes here.
    match Box::pin(elsewhere::find(gateway, &gateway.0.desk.owner(caller), id, param)).await? {
        Found::Nothing => Ok(None),
        Found::Others => Err(missing(param, id)),
        Found::Way(bound) => Ok(Some(Arc::new(bound))),
    }
}

/// Recalls what a call refers to; one wait for the keeper, and none where it refers to nothing.
///
/// # Errors
/// `NotFound` for what is not kept, or not for this caller; `Overloaded` when the keeper fails.
pub(crate) async fn recall(
    gateway: &Gateway,
    caller: &Caller,
    door: Door,
    said: &Said<'_>,
    limits: &Limits,
) -> Result<Option<Box<Recalled>>> {
    if door != Door::Responses {
        return Ok(None);
    }
    let request = Request::read(&said.bytes(), said.named(), &asked(said.lenient), limits)?;
    let owner = gateway.0.desk.owner(caller);
    Ok(Some(Box::new(Recalled { request: Box::pin(with_past(gateway, &owner, request)).await?, owner })))
}

/// The call with its past.
///
/// # Errors
/// As [`recall`].
pub(crate) async fn with_past(gateway: &Gateway, owner: &Owner, mut request: Request) -> Result<Request> {
    let (sessions, now) = (&gateway.0.archive.sessions, crate::clock());
    let past = match (request.previous(), request.conversation()) {
        (Some(id), _) => Some(("previous_response_id", id.to_owned(), SessionId::parse_response(id))),
        (None, Some(id)) => Some(("conversation", id.to_owned(), SessionId::parse_conversation(id))),
        (None, None) => None,
    };
    if let Some((param, name, id)) = past {
        let id = id.ok_or_else(|| missing(param, &name))?;
        let history = sessions.history(owner, &id, now).await.map_err(|error| of_keeper(error, param))?;
        let history = history.ok_or_else(|| missing(param, &name))?;
        if !history.ended {
            let text = format!("`{param}` names a response that is still being answered: wait until it has ended.");
            return Err(Fault::new(Kind::BadRequest, text).param(param));
        }
        request.compose(history.items.iter().map(value).collect());
    }
    let ids: Vec<String> = request.references().into_iter().map(str::to_owned).collect();
    if !ids.is_empty() {
        let found = sessions.items(owner, &ids, now).await.map_err(|error| of_keeper(error, "input"))?;
        request.resolve(|id| found.iter().find(|item| item.id == id).map(value));
    }
    Ok(request)
}

/// An item as it was kept.
pub(crate) fn value(item: &Item) -> Value {
    serde_json::from_slice(&item.body).unwrap_or_default()
}

fn of_keeper(error: PortError, param: &str) -> Box<Fault> {
    match error {
        PortError::TooLarge { size, limit, .. } => {
            let text = format!(
                "What `{param}` refers to has {size} bytes; at most {limit} are played back. Begin anew, or send the items that are needed."
            );
            Fault::new(Kind::ContextLength, text).param(param)
        }
        error => Box::<Fault>::from(error).param(param),
    }
}

fn missing(param: &str, id: &str) -> Box<Fault> {
    let id: String = id.chars().take(64).filter(|c| c.is_ascii_graphic() && *c != '`').collect();
    let (what, code) = match param {
        "conversation" => ("conversation", "conversation_not_found"),
        _ => ("response", "previous_response_not_found"),
    };
    let text = format!("`{param}` names the {what} `{id}`, which is not kept here, or not any more, or not for you.");
    Fault::new(Kind::NotFound, text).param(param).code(code)
}
