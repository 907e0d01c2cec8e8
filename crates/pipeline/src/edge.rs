//! Everything that is HTTP and nothing else: the request's id, who may call a keyless loopback listener, which bodies
//! are taken, a panic's end, and the moment at which an answer becomes bytes.

use std::{
    borrow::Cow,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
};

use http::{
    Method, StatusCode,
    header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER},
};
use net::{AnswerHeaders, Body, Fields, Request, Response, Value};
use types::{Fault, Kind, Result, SendBody};

use crate::{
    Gateway, asks,
    doors::{self, Answer, Door, Flow},
    router::{Found, Route, dialect_at},
    sessions::KeepPump,
    steps::{
        passage::{self, PassedPump},
        pump::{Pump, SoundPump},
    },
    trail::Trail,
    walk,
};

/// The header that carries our id of the request, in every answer.
const REQUEST_ID: &str = "x-request-id";

/// Where Anthropic's SDKs look for it.
const ANTHROPIC_REQUEST_ID: &str = "request-id";

/// Answers one request. Whatever happens inside, the caller gets an answer and the trail is settled once.
pub(crate) async fn serve(gateway: &Gateway, request: Request) -> Response {
    let mut trail = Trail::new(gateway.0.metrics.clone(), request.received);
    let head_only = request.method == Method::HEAD;
    let outcome = contain(pin!(route(gateway, request, &mut trail))).await;
    let answer = outcome.and_then(|answered| answered);
    let mut response = match answer {
        Ok(Answer::Whole { status, headers, body }) => finish(status, headers, body, trail),
        Ok(Answer::Stream { headers, flow }) => {
            let status = if let Flow::Passed(passed) = &flow { passed.status() } else { StatusCode::OK };
            trail.record.status = status.as_u16();
            let (id, door) = (trail.request_id.clone(), trail.route.and_then(Route::door));
            let leaving = gateway.0.drain.leaving();
            let body: Box<dyn net::StreamBody> = match flow {
                Flow::Events(live) => Box::new(Pump::new(live, trail, leaving)),
                Flow::Kept(live, keeping) => Box::new(KeepPump::new(Pump::new(live, trail, leaving), keeping)),
                Flow::Followed(follow) => Box::new(follow.pump(trail, leaving)),
                Flow::Sound(sound, events) => Box::new(SoundPump::new(*sound, events, trail, leaving)),
                Flow::Passed(passed) => Box::new(PassedPump::new(*passed, trail, leaving)),
                Flow::File(parts, first) => Box::new(asks::files::FilePump::new(parts, first, trail)),
                Flow::Models(sheet, first) => Box::new(asks::models::SheetPump::new(*sheet, first, trail)),
            };
            stamp(Response { status, headers, body: Body::Stream(body) }, &id, door)
        }
        Err(fault) => {
            trail.fault(&fault);
            let (status, mut headers, body) = refuse(trail.route.and_then(Route::door), &fault, &trail.request_id);
            doors::name_attempts(&mut headers, &trail.tried, 0);
            finish(status, headers, body, trail)
        }
    };
    if head_only {
        response.body = Body::Whole(SendBody::empty());
    }
    response
}

/// Finds the route, checks what concerns HTTP only, and sends the request on its way.
async fn route(gateway: &Gateway, request: Request, trail: &mut Trail) -> Result<Answer> {
    let path = request.uri.path().to_owned();
    let (route, rest) = match gateway.0.routes.find(&request.method, &path) {
        Found::Route(route, rest) => (route, rest),
        Found::WrongMethod(allowed) => {
            trail.route = Some(Route::Nowhere(dialect_at(&path)));
            return Err(Fault::new(Kind::MethodNotAllowed, format!("This path takes {allowed} only.")).detail(allowed));
        }
        Found::Nothing(nearest) => {
            trail.route = Some(Route::Nowhere(dialect_at(&path)));
            passage::named(&request.method, &path).map(|_| (Route::Passage, "")).ok_or_else(|| no_such_path(nearest))?
        }
    };
    trail.route = Some(route);
    gateway.0.snapshot.load().gate.check(&request)?;
    match route {
        Route::Call(door) => {
            check_body(&request.headers, door)?;
            gateway.accepts_work()?;
            if matches!(door, Door::Converse | Door::ConverseStream) {
                let said = request.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
                wire::bedrock::refuse_signature(said)?;
            }
            if door == Door::Gemini && rest.ends_with(":countTokens") {
                return asks::tokens::gemini(gateway, request).await;
            }
            walk(gateway, request, door, &deployment(door, rest)?, trail).await
        }
        Route::CountTokens => {
            check_body(&request.headers, Door::Messages)?;
            asks::tokens::anthropic(gateway, request, trail).await
        }
        Route::Passage => {
            check_encoding(&request.headers)?;
            gateway.accepts_work()?;
            match passage::named(&request.method, &path) {
                Some((backend, at)) => Box::pin(passage::pass(gateway, request, backend, &path[at..], trail)).await,
                None => Err(no_such_path(None)),
            }
        }
        Route::Variations => Err(Fault::new(
            Kind::UnsupportedOperation,
            "Image variations are not supported by any backend. Edits are: `POST /v1/images/edits`.",
        )),
        Route::File => Box::pin(asks::files::get(gateway, rest)).await,
        Route::Jobs => Box::pin(asks::jobs::list(gateway, &request)).await,
        Route::Job if request.method == Method::DELETE => Box::pin(asks::jobs::cancel(gateway, &request, rest)).await,
        Route::Job => Box::pin(asks::jobs::one(gateway, &request, rest)).await,
        Route::JobResult => Box::pin(asks::jobs::result(gateway, &request, rest)).await,
        Route::JobCancel => Box::pin(asks::jobs::cancel(gateway, &request, rest)).await,
        Route::InputTokens => {
            check_body(&request.headers, Door::Responses)?;
            Box::pin(asks::responses::input_tokens(gateway, request)).await
        }
        route if asks::elsewhere::is_meant(route, rest) => {
            Box::pin(asks::elsewhere::ask(gateway, request, route, rest, trail)).await
        }
        Route::Response => Box::pin(asks::responses::one(gateway, &request, rest)).await,
        Route::ResponseCancel => Box::pin(asks::responses::cancel(gateway, &request, rest)).await,
        Route::InputItems => Box::pin(asks::items::of_input(gateway, &request, rest)).await,
        Route::Conversations | Route::Conversation | Route::ConversationItems | Route::ConversationItem => {
            Box::pin(asks::conversations::answer(gateway, request, route, rest)).await
        }
        Route::Models(shape) => Box::pin(asks::models::list(gateway, &request, shape)).await,
        Route::Model(shape) => Box::pin(asks::models::one(gateway, &request, rest, shape)).await,
        Route::Explain => Box::pin(asks::route::explain(gateway, &request)).await,
        Route::Health => Ok(asks::health::alive()),
        Route::Ready => asks::health::ready(gateway),
        Route::Metrics => Ok(asks::health::metrics(gateway)),
        Route::Welcome => Ok(asks::health::welcome()),
        Route::Nowhere(_) | Route::Background => Err(no_such_path(None)),
    }
}

/// The model that the path names. SDKs write the slashes in it as `%2F`; three doors take their paths apart themselves.
fn deployment(door: Door, rest: &str) -> Result<Cow<'_, str>> {
    if !rest.contains('%') || matches!(door, Door::Gemini | Door::Converse | Door::ConverseStream) {
        return Ok(Cow::Borrowed(rest));
    }
    let unread = || Fault::new(Kind::BadRequest, "The deployment's name in the path is not percent-encoded UTF-8.");
    Ok(Cow::Owned(asks::models::decoded(rest).ok_or_else(unread)?))
}

fn no_such_path(nearest: Option<&'static str>) -> Box<Fault> {
    let hint = nearest.map_or_else(
        || "the base URL is `/v1` for OpenAI's SDKs, `/anthropic` for Anthropic's, `/genai` for Google's".to_owned(),
        |path| format!("did you mean `{path}`? The base URL for SDKs ends in `/v1`"),
    );
    Fault::new(Kind::NotFound, format!("There is nothing at this path: {hint}."))
}

/// A body comes as it is: what is compressed cannot be limited before it is unpacked.
fn check_encoding(headers: &Fields) -> Result<()> {
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        let text = "Compressed request bodies are not taken: send the body as it is.";
        return Err(Fault::new(Kind::UnsupportedMediaType, text));
    }
    Ok(())
}

/// A body says what it is.
fn check_body(headers: &Fields, door: Door) -> Result<()> {
    check_encoding(headers)?;
    let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], Value::as_bytes);
    if kind == b"application/json" && door.takes_json() {
        return Ok(());
    }
    let essence = kind.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let json = essence.eq_ignore_ascii_case(b"application/json")
        || essence.len() > 5 && essence[essence.len() - 5..].eq_ignore_ascii_case(b"+json");
    let form = essence.eq_ignore_ascii_case(b"multipart/form-data");
    if json && door.takes_json() || form && door.takes_forms() {
        return Ok(());
    }
    let text = match (door.takes_json(), door.takes_forms()) {
        (true, true) => {
            "The body must be a form or JSON: send `content-type: multipart/form-data` or `application/json`."
        }
        (false, _) => "The body must be a form with the file in it: send `content-type: multipart/form-data`.",
        (true, false) => "The body must be JSON: send the header `content-type: application/json`.",
    };
    Err(Fault::new(Kind::UnsupportedMediaType, text))
}

/// Runs a request to its end; a panic becomes a fault of this request only.
///
/// It takes the work pinned already: by value it would have room for it twice.
pub(crate) async fn contain<F: Future + Unpin>(mut work: F) -> Result<F::Output> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut work).poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => std::task::Poll::Ready(Err(Fault::new(
            Kind::Internal,
            "The gateway made a mistake with this request. Its log has more under the request id.",
        )
        .detail("a panic was contained"))),
    })
    .await
}

/// A fault as the door's clients read it, with the headers that belong to it.
pub(crate) fn refuse(door: Option<Door>, fault: &Fault, request_id: &str) -> (StatusCode, AnswerHeaders, SendBody) {
    let (status, kind, body) = doors::foreign::fault(door, fault, request_id);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut headers = AnswerHeaders::new();
    headers.insert(CONTENT_TYPE, kind);
    if matches!(door, Some(Door::Converse | Door::ConverseStream)) {
        headers.insert("x-amzn-errortype", wire::bedrock::error_type(fault));
    }
    if let Some(wait) = fault.retry_after {
        headers.insert(RETRY_AFTER, (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).to_string());
    }
    if fault.kind == Kind::MethodNotAllowed
        && let Some(allowed) = fault.detail.as_deref()
    {
        headers.insert(ALLOW, allowed);
    }
    doors::name_backend(&mut headers, fault.backend.as_deref(), fault.upstream_request_id.as_deref());
    (status, headers, body.into())
}

fn finish(status: StatusCode, headers: AnswerHeaders, body: SendBody, mut trail: Trail) -> Response {
    trail.record.status = status.as_u16();
    let door = trail.route.and_then(Route::door);
    let response = stamp(Response { status, headers, body: Body::Whole(body) }, &trail.request_id, door);
    trail.settle();
    response
}

fn stamp(mut response: Response, request_id: &str, door: Option<Door>) -> Response {
    if door == Some(Door::Messages) {
        response.headers.insert(ANTHROPIC_REQUEST_ID, request_id);
    }
    response.headers.insert(REQUEST_ID, request_id);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    #[test]
    fn a_body_must_say_that_it_is_json_and_come_unpacked() {
        let check = |pairs: &[(HeaderName, &'static str)]| {
            let headers = pairs.iter().map(|(n, v)| (n.as_str(), *v)).collect();
            check_body(&headers, Door::Chat)
        };
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json"] {
            assert!(check(&[(CONTENT_TYPE, good)]).is_ok(), "{good}");
        }
        for bad in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json", ""] {
            assert_eq!(check(&[(CONTENT_TYPE, bad)]).unwrap_err().kind, Kind::UnsupportedMediaType, "{bad}");
        }
        assert!(check(&[]).is_err());
        assert!(check(&[(CONTENT_TYPE, "application/json"), (CONTENT_ENCODING, "gzip")]).is_err());
        assert!(check(&[(CONTENT_TYPE, "application/json"), (CONTENT_ENCODING, "identity")]).is_ok());
    }
}
