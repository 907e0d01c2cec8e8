//! Responses that are kept, as their owners see them: accepted into the background, looked at, told again, cancelled,
//! deleted. A response of somebody else does not exist.

use bytes::Bytes;
use http::{StatusCode, header::CONTENT_TYPE};
use net::{AnswerHeaders, Request};
use policy::credentials::Whose;
use serde_json::{Value, json};
use types::{
    Fault, Kind, Result, SendBody,
    ports::{
        PortError,
        jobs::{NewJob, Owner},
        sessions::{Ending, Session, SessionId},
    },
};
use wire::openai::responses;

use super::{
    jobs::{call_off, private},
    pages::{bad, parameters},
};
use crate::{
    Gateway,
    doors::{Answer, Ask, Flow, body_fault, foreign::asked, name_dropped},
    sessions::{Background, Follow, as_it_stands, job_of},
    steps::{authenticate::authenticate, plan::Plan, recall, send},
    workers::write_call,
};

const JSON: &str = "application/json";

/// Accepts a planned call as a response in the background: keeps it, and gives its work to a job.
///
/// # Errors
/// `BadRequest` when it would go out with the caller's own token; why it cannot be kept.
pub(crate) async fn accept(
    gateway: &Gateway,
    plan: &Plan,
    background: Background,
    dropped: &[String],
) -> Result<Answer> {
    let Background { stored, keeping, stream } = background;
    let (attempt, ticket) = (&plan.first()?, &plan.ticket);
    if attempt.whose == Whose::Caller {
        let text = "This call goes out with your own Hugging Face token, and no token is ever written down, so it cannot be done in the background. Send it without `background`.";
        return Err(Fault::new(Kind::BadRequest, text).param("background"));
    }
    let now = crate::clock();
    keeping.begin().await?;
    responses::announce(&keeping.waiting, &mut |event| keeping.seat.board.tell(event));
    let new = NewJob {
        id: job_of(&keeping.seat.id),
        owner: keeping.owner.clone(),
        operation: ticket.operation,
        model: ticket.name.as_ref().to_owned(),
        route: attempt.endpoint.backend.as_str().to_owned(),
        expires: now.after(ticket.snapshot.config.jobs.keep),
        request: write_call(&stored, &ticket.ask),
    };
    if let Err(error) = gateway.0.desk.jobs.create(new, now).await {
        keeping.forget().await;
        return Err(error.into());
    }
    gateway.0.desk.ring();
    let mut headers = private();
    name_dropped(&mut headers, dropped);
    Ok(if stream {
        Answer::events(headers, Flow::Followed(Follow::new(keeping.seat, 0)))
    } else {
        Answer::dressed(headers, JSON, keeping.waiting.to_string().into())
    })
}

/// `GET /v1/responses/{id}`: how it stands, or its stream.
///
/// # Errors
/// `NotFound` when the caller has no such response; `BadRequest` when it cannot be streamed.
pub(crate) async fn one(gateway: &Gateway, request: &Request, id: &str) -> Result<Answer> {
    let (owner, id, kept) = find(gateway, request, id).await?;
    if request.method == http::Method::DELETE {
        return delete(gateway, &owner, &id, &kept).await;
    }
    match wanted_stream(request.uri.query().unwrap_or_default())? {
        None => Ok(shown(&as_it_stands(gateway, &owner, &id, kept).await?)),
        Some(after) => told_again(gateway, &owner, &id, kept, after).await,
    }
}

/// Whether the stream is wanted, and from which event on.
fn wanted_stream(query: &str) -> Result<Option<Option<u64>>> {
    let (mut stream, mut after) = (false, None);
    for (name, value) in parameters(query)? {
        match (name, value.as_str()) {
            ("stream", "true") => stream = true,
            ("stream", "false") => stream = false,
            ("stream", _) => return Err(bad(name, "`stream` must be `true` or `false`.".to_owned())),
            ("starting_after", number) => {
                let text = "`starting_after` must be the `sequence_number` of an event.";
                after = Some(number.parse().map_err(|_| bad(name, text.to_owned()))?);
            }
            _ => {}
        }
    }
    if after.is_some() && !stream {
        return Err(bad("starting_after", "`starting_after` is for `stream=true`.".to_owned()));
    }
    Ok(stream.then_some(after))
}

/// The stream of a response, from the event behind `after`: as it was told, as it is being told, or as it would be.
async fn told_again(
    gateway: &Gateway,
    owner: &Owner,
    id: &SessionId,
    kept: Session,
    after: Option<u64>,
) -> Result<Answer> {
    let next = after.map_or(0, |after| usize::try_from(after).unwrap_or(usize::MAX).saturating_add(1));
    let ended = kept.ended;
    if ended && let Some(told) = gateway.0.archive.sessions.told(owner, id, crate::clock()).await? {
        return Ok(events(behind(&told, next)));
    }
    let response = as_it_stands(gateway, owner, id, kept).await?;
    if ended || !matches!(response["status"].as_str(), Some("queued" | "in_progress")) {
        let mut body = SendBody::empty();
        responses::replay(&response, after, &mut |event| body.push(event));
        return Ok(events(body));
    }
    if response["background"] != true {
        let text = "This response is being answered to who asked for it; it can be streamed again when it has ended.";
        return Err(bad("stream", text.to_owned()));
    }
    Ok(Answer::events(private(), Flow::Followed(Follow::new(gateway.0.archive.seat(id), next))))
}

/// A stream that was kept, without its first events.
fn behind(told: &Bytes, next: usize) -> SendBody {
    let ends = ends_of(told);
    let from = next.checked_sub(1).map_or(0, |last| ends.get(last).copied().unwrap_or(told.len()));
    told.slice(from..).into()
}

/// Where each event ends: JSON on one line holds no empty one.
fn ends_of(told: &[u8]) -> Vec<usize> {
    let pairs = told.windows(2).enumerate().filter(|(_, pair)| *pair == b"\n\n");
    pairs.map(|(at, _)| at + 2).collect()
}

/// `DELETE /v1/responses/{id}`: away with it, and with the work on it.
async fn delete(gateway: &Gateway, owner: &Owner, id: &SessionId, kept: &Session) -> Result<Answer> {
    if !kept.ended
        && let Some(job) = job_of(id)
    {
        call_off(gateway, owner, &job).await?;
    }
    if !gateway.0.archive.sessions.delete(owner, id, crate::clock()).await? {
        return Err(missing());
    }
    Ok(shown(&json!({"id": id.as_str(), "object": "response", "deleted": true})))
}

/// `POST /v1/responses/{id}/cancel`: ends the work on a response in the background.
///
/// # Errors
/// `NotFound` when the caller has no such response; `BadRequest` when it is not in the background.
pub(crate) async fn cancel(gateway: &Gateway, request: &Request, id: &str) -> Result<Answer> {
    let (owner, id, kept) = find(gateway, request, id).await?;
    let response: Value = serde_json::from_slice(&kept.body).unwrap_or_default();
    if response["background"] != true {
        let text = "Only a response that was asked for with `background: true` can be cancelled.";
        return Err(Fault::new(Kind::BadRequest, text));
    }
    if let Some(job) = job_of(&id).filter(|_| !kept.ended) {
        call_off(gateway, &owner, &job).await?;
    }
    let kept = gateway.0.archive.sessions.get(&owner, &id, crate::clock()).await?.ok_or_else(missing)?;
    Ok(shown(&as_it_stands(gateway, &owner, &id, kept).await?))
}

/// Notes on a response that the work on it was called off, and tells who follows it.
///
/// # Errors
/// When the keeper fails.
pub(super) async fn called_off(gateway: &Gateway, owner: &Owner, id: &SessionId) -> Result<()> {
    let (sessions, now) = (&gateway.0.archive.sessions, crate::clock());
    let Some(kept) = sessions.get(owner, id, now).await?.filter(|kept| !kept.ended) else { return Ok(()) };
    let response = responses::cancelled(serde_json::from_slice(&kept.body).unwrap_or_default());
    let seat = gateway.0.archive.seat(id);
    let ending = Ending { body: response.to_string().into(), items: Vec::new(), told: None };
    match sessions.end(id, ending, now).await {
        // Its answer was there first.
        Err(PortError::Stale) => return Ok(()),
        ended => ended?,
    }
    let number = seat.board.len();
    seat.board.tell(responses::called_off_event(number));
    seat.board.end();
    Ok(())
}

/// `POST /v1/responses/input_tokens`: how many tokens a call is likely to have. Nothing is sent to a backend.
///
/// # Errors
/// What is wrong with the call.
pub(crate) async fn input_tokens(gateway: &Gateway, request: Request) -> Result<Answer> {
    let snapshot = gateway.snapshot();
    let owner = gateway.0.desk.owner(&authenticate(&request.headers)?);
    let lenient = Ask::of(&request)?.lenient;
    let until = request.received + snapshot.config.timeouts.body;
    let held = request.body.collect(snapshot.config.limits.body, until, &gateway.0.budget).await.map_err(body_fault)?;
    // Here the model may be left out: no one is asked.
    let call = responses::Request::read(&held.bytes, Some("any"), &asked(lenient), &snapshot.json_limits)?;
    let call = recall::with_past(gateway, &owner, call).await?;
    let sealer = gateway.0.sealer.clone();
    let told = responses::Told { id: "resp_".to_owned(), created_at: 0, now: send::now, sealer };
    let tokens = call.heard(&told)?.tokens();
    Ok(shown(&json!({"object": "response.input_tokens", "input_tokens": tokens})))
}

/// The response of this id, if it is the caller's.
pub(super) async fn find(gateway: &Gateway, request: &Request, id: &str) -> Result<(Owner, SessionId, Session)> {
    let owner = gateway.0.desk.owner(&authenticate(&request.headers)?);
    let id = SessionId::parse_response(id).ok_or_else(missing)?;
    let kept = gateway.0.archive.sessions.get(&owner, &id, crate::clock()).await?.ok_or_else(missing)?;
    Ok((owner, id, kept))
}

pub(super) fn missing() -> Box<Fault> {
    Fault::new(Kind::NotFound, "There is no such response, or not any more.")
}

/// What only its owner may see, as an answer.
pub(super) fn shown(value: &Value) -> Answer {
    Answer::dressed(private(), JSON, value.to_string().into())
}

/// A stream that is there already.
fn events(body: SendBody) -> Answer {
    let mut headers: AnswerHeaders = private();
    headers.insert(CONTENT_TYPE, crate::doors::EVENTS);
    Answer::Whole { status: StatusCode::OK, headers, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_was_kept_goes_on_behind_any_event() {
        let told = Bytes::from_static(b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n");
        let text = |next| String::from_utf8(behind(&told, next).to_bytes().to_vec()).unwrap();
        assert_eq!(text(0), "event: a\ndata: 1\n\nevent: b\ndata: 2\n\n");
        assert_eq!(text(1), "event: b\ndata: 2\n\n");
        assert_eq!((text(2), text(3)), (String::new(), String::new()));
    }

    #[test]
    fn where_a_stream_begins_is_read_and_what_is_no_number_is_refused() {
        assert_eq!(wanted_stream("").unwrap(), None);
        assert_eq!(wanted_stream("stream=true").unwrap(), Some(None));
        assert_eq!(wanted_stream("stream=true&starting_after=7&include[]=x").unwrap(), Some(Some(7)));
        for (query, param) in [
            ("stream=1", "stream"),
            ("stream=true&starting_after=x", "starting_after"),
            ("starting_after=1", "starting_after"),
        ] {
            assert_eq!(wanted_stream(query).unwrap_err().param.as_deref(), Some(param), "{query}");
        }
    }
}
