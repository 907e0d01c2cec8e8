//! Tries the attempts of a plan until one answers: sends, reads the head, and holds it back until the first decoded
//! event, so that until then nothing has been promised to the caller.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use net::{NetError, NetErrorKind, Outgoing, RecvBody};
use types::{Fault, Kind, Result, Secret, Sent};
use wire::openai;

use super::{
    plan::{Attempt, Plan, plan as plan_for},
    pump::Live,
    resolve::resolve_afresh,
};
use crate::{Gateway, trail::Trail};

/// How often one call is sent to a model that is still loading.
const LOADING_TRIES: u32 = 3;
/// The longest wait for a loading model between two tries.
const LOADING_WAIT: Duration = Duration::from_secs(60);
/// An error's body is read up to here; the rest says nothing more.
const ERROR_BODY: usize = 64 * 1024;
/// How long an error's body may take.
const ERROR_TIME: Duration = Duration::from_secs(10);

/// What a backend answered.
pub(crate) struct Reply {
    /// Headers of the backend that a caller may read.
    pub(crate) headers: HeaderMap,
    /// The answer.
    pub(crate) content: Content,
    /// Members that were taken out of the call for this backend.
    pub(crate) dropped: Vec<String>,
}

/// A whole answer, or a stream whose first event is there.
pub(crate) enum Content {
    /// All of it.
    Whole(openai::chat::Answer),
    /// A running stream.
    Stream(Box<Live>),
}

/// What must not be read in a backend's words: the keys that were used.
#[derive(Clone, Default)]
pub(crate) struct Mask(Vec<Secret>);

impl Mask {
    /// Masks these secrets.
    pub(crate) fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        Self(secrets.into_iter().collect())
    }

    /// `fault` without the secrets.
    pub(crate) fn apply(&self, mut fault: Box<Fault>) -> Box<Fault> {
        for secret in &self.0 {
            fault.message = secret.mask_in(&fault.message);
            let texts = [&mut fault.detail, &mut fault.param, &mut fault.code, &mut fault.upstream_request_id];
            for text in texts.into_iter().flatten() {
                *text = secret.mask_in(text);
            }
        }
        fault
    }
}

/// Sends the call along the plan until a backend answers.
///
/// # Errors
/// The last attempt's fault, in the backend's own words without any key in them.
pub(crate) async fn dispatch(
    gateway: &Gateway,
    mut plan: Plan,
    call: &openai::chat::Call,
    trail: &mut Trail,
) -> Result<Reply> {
    let mut tries = Tries::default();
    loop {
        trail.record.backend = Some(plan.attempt.endpoint.backend.clone());
        trail.record.upstream_model = Some(plan.attempt.model.clone());
        let fault = match attempt(gateway, &plan.attempt, call, trail).await {
            Ok(reply) => return Ok(reply),
            Err(fault) => plan.attempt.mask.apply(fault),
        };
        match tries.after(&fault, plan.attempt.deadline.saturating_duration_since(Instant::now())) {
            Next::Fail => return Err(fault),
            Next::Again(wait) => tokio::time::sleep(wait).await,
            Next::LookUp => match resolve_afresh(gateway, &plan.ticket).await {
                Ok(found) => plan = plan_for(plan.ticket, found)?,
                Err(_) => return Err(fault),
            },
        }
    }
}

/// What was tried already. Fail-over to other backends and keys will find its place here.
#[derive(Default)]
struct Tries {
    loading: u32,
    looked_up: bool,
    fresh_connection: bool,
}

/// What follows a fault.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Fail,
    Again(Duration),
    LookUp,
}

impl Tries {
    /// What follows `fault` when `left` is left of the deadline.
    fn after(&mut self, fault: &Fault, left: Duration) -> Next {
        match fault.kind {
            Kind::UpstreamUnreachable if fault.code.as_deref() == Some(STALE) && !self.fresh_connection => {
                self.fresh_connection = true;
                Next::Again(Duration::ZERO)
            }
            Kind::UpstreamLoading if self.loading + 1 < LOADING_TRIES => {
                let wait = fault.retry_after.unwrap_or(Duration::from_secs(1)).min(LOADING_WAIT);
                if wait >= left {
                    return Next::Fail;
                }
                self.loading += 1;
                Next::Again(wait)
            }
            Kind::UpstreamNotFound if !self.looked_up => {
                self.looked_up = true;
                Next::LookUp
            }
            _ => Next::Fail,
        }
    }
}

/// How soon a kept connection must break to count as dead before the call was sent.
const STALE_WITHIN: Duration = Duration::from_secs(1);
/// The code of a fault on a kept connection that turned out to be dead before any byte of a reply.
const STALE: &str = "stale_connection";

/// One attempt: sends, and reads until there is an answer or the first event of one.
async fn attempt(gateway: &Gateway, attempt: &Attempt, call: &openai::chat::Call, trail: &mut Trail) -> Result<Reply> {
    let backend = attempt.endpoint.backend.as_str();
    let ask = openai::chat::Ask { lenient: attempt.lenient, backend };
    let encoded = openai::chat::encode(call, &attempt.endpoint.dialect, &attempt.model, ask)
        .map_err(|fault| fault.backend(backend))?;
    if encoded.body.len() > attempt.body_limit {
        return Err(too_large(backend, encoded.body.len(), attempt.body_limit));
    }
    trail.record.attempts += 1;
    let outgoing = Outgoing {
        method: Method::POST,
        target: attempt.target.clone(),
        headers: attempt.headers.clone(),
        body: encoded.body,
    };
    let begun = Instant::now();
    let reply = gateway.0.upstream.send(&attempt.origin, outgoing, attempt.deadline).await.map_err(|error| {
        // What dies late was not dead before: the backend may have worked on the call.
        let late = begun.elapsed() > STALE_WITHIN;
        read_fault(NetError { reused: error.reused && !late, ..error }).backend(backend)
    })?;
    trail.record.upstream_request_id = openai_request_id(&reply.headers);
    if !reply.status.is_success() {
        return Err(refused(reply.status, &reply.headers, reply.body).await.backend(backend));
    }
    let headers = shown_headers(&reply.headers);
    let content = if call.stream() {
        first_event(attempt, call, &reply.headers, reply.body, trail).await.map(|live| Content::Stream(Box::new(live)))
    } else {
        whole(gateway, attempt, reply.body, trail).await.map(Content::Whole)
    };
    let content = content.map_err(|mut fault| {
        fault.upstream_request_id =
            fault.upstream_request_id.take().or_else(|| trail.record.upstream_request_id.clone());
        fault.backend(backend)
    })?;
    let dropped = encoded.dropped.into_iter().map(|dropped| dropped.member.into_owned()).collect();
    Ok(Reply { headers, content, dropped })
}

fn too_large(backend: &str, size: usize, limit: usize) -> Box<Fault> {
    let message = format!(
        "The call is {size} bytes as `{backend}` would get it; {limit} bytes are taken there at most. Send less, for example smaller images or a shorter history."
    );
    Fault::new(Kind::BodyTooLarge, message).backend(backend)
}

/// Reads a whole answer under the gateway's limits.
async fn whole(
    gateway: &Gateway,
    attempt: &Attempt,
    body: RecvBody,
    trail: &mut Trail,
) -> Result<openai::chat::Answer> {
    let held = body
        .collect(attempt.answer_limit, attempt.deadline, &gateway.0.budget)
        .await
        .map_err(crate::doors::answer_fault)?;
    trail.record.first_event = Some(Instant::now());
    let id = answer_id(trail);
    let context = openai::chat::AnswerContext { id: &id, model: &attempt.model, created: now() };
    let answer = openai::chat::answer(&held.bytes, &context)?;
    trail.record.usage = answer.usage;
    trail.record.finish = answer.finish;
    Ok(answer)
}

/// Reads a stream up to its first event.
async fn first_event(
    attempt: &Attempt,
    call: &openai::chat::Call,
    headers: &HeaderMap,
    mut body: RecvBody,
    trail: &mut Trail,
) -> Result<Live> {
    if !is_event_stream(headers) {
        return Err(no_stream(headers, body).await);
    }
    let mut decoder = openai::chat::Stream::new(openai::chat::StreamContext {
        show_usage: call.wants_stream_usage(),
        id: answer_id(trail),
        model: attempt.model.as_ref().to_owned(),
        created: now(),
        ..openai::chat::StreamContext::default()
    });
    let mut ready = VecDeque::new();
    let mut ended = false;
    while !decoder.seen_first_event() && !ended {
        match tokio::time::timeout_at(attempt.deadline.into(), body.chunk()).await {
            Err(_) => {
                return Err(
                    Fault::new(Kind::UpstreamTimeout, "The backend sent no first event in time.").sent(Sent::Yes)
                );
            }
            Ok(Some(Ok(chunk))) => decoder.push(chunk, &mut |bytes: Bytes| ready.push_back(bytes))?,
            Ok(Some(Err(error))) => return Err(read_fault(error)),
            Ok(None) => {
                decoder.end(&mut |bytes: Bytes| ready.push_back(bytes))?;
                ended = true;
            }
        }
    }
    trail.record.first_event = Some(Instant::now());
    Ok(Live {
        body,
        decoder,
        ready,
        ended,
        idle: attempt.idle,
        until: attempt.stream_until,
        mask: attempt.mask.clone(),
    })
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"))
}

/// A stream was asked for and something else came with a good status: an error that says so, or a mistake.
async fn no_stream(headers: &HeaderMap, body: RecvBody) -> Box<Fault> {
    let text = error_body(body).await;
    match openai::chat::answer(&text, &openai::chat::AnswerContext { id: "", model: "", created: 0 }) {
        Err(fault) if fault.kind != Kind::UpstreamBadReply => fault,
        _ => {
            let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("nothing");
            let kind: String = kind.chars().take(80).collect();
            Fault::new(Kind::UpstreamBadReply, format!("A stream was asked for; the backend answered with `{kind}`."))
                .sent(Sent::Yes)
        }
    }
}

/// A refusal in the backend's own words.
async fn refused(status: StatusCode, headers: &HeaderMap, body: RecvBody) -> Box<Fault> {
    let text = error_body(body).await;
    let header = |name: &str| -> Option<&str> { headers.get(name)?.to_str().ok() };
    wire::upstream_error::read(status.as_u16(), &header, &text, now()).sent(Sent::Yes)
}

/// The start of an error's body; what cannot be read is left out.
async fn error_body(mut body: RecvBody) -> Bytes {
    let until = Instant::now() + ERROR_TIME;
    let mut text = Vec::new();
    while text.len() < ERROR_BODY {
        match tokio::time::timeout_at(until.into(), body.chunk()).await {
            Ok(Some(Ok(chunk))) => text.extend_from_slice(&chunk[..chunk.len().min(ERROR_BODY - text.len())]),
            _ => break,
        }
    }
    text.into()
}

/// What went wrong on the wire, as a fault; a dead kept connection carries its code, so that one fresh try may follow.
pub(crate) fn read_fault(error: NetError) -> Box<Fault> {
    let stale = error.reused && matches!(error.kind, NetErrorKind::Closed | NetErrorKind::Write);
    let fault: Box<Fault> = error.into();
    if stale { fault.code(STALE) } else { fault }
}

/// An id for an answer to which the backend gave none.
fn answer_id(trail: &Trail) -> String {
    format!("chatcmpl-{}", trail.request_id.trim_start_matches("req_"))
}

/// Seconds since 1970, for an answer whose backend does not say when it was made.
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The backend's id of a request, under the names in use.
fn openai_request_id(headers: &HeaderMap) -> Option<String> {
    ["x-request-id", "request-id", "x-amzn-requestid", "cf-ray"]
        .iter()
        .find_map(|name| headers.get(*name))
        .and_then(|value| value.to_str().ok())
        .map(|id| id.chars().take(128).collect())
}

/// Headers of a backend that mean something to its caller; everything else stays inside.
fn shown_headers(headers: &HeaderMap) -> HeaderMap {
    let mut shown = HeaderMap::new();
    for (name, value) in headers {
        let text = name.as_str();
        if text.starts_with("x-ratelimit-") || text.starts_with("x-compute-") || text == "openai-processing-ms" {
            shown.append(name.clone(), HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone()));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: Duration = Duration::from_secs(600);

    #[test]
    fn a_loading_model_is_tried_three_times_and_never_beyond_the_deadline() {
        let loading = Fault::new(Kind::UpstreamLoading, "loading").retry_after(Duration::from_secs(200));
        let mut tries = Tries::default();
        assert_eq!(tries.after(&loading, LEFT), Next::Again(LOADING_WAIT));
        assert_eq!(tries.after(&loading, LEFT), Next::Again(LOADING_WAIT));
        assert_eq!(tries.after(&loading, LEFT), Next::Fail);
        assert_eq!(Tries::default().after(&loading, Duration::from_secs(30)), Next::Fail);
    }

    #[test]
    fn a_missing_model_is_looked_up_afresh_once() {
        let missing = Fault::new(Kind::UpstreamNotFound, "no such model");
        let mut tries = Tries::default();
        assert_eq!(tries.after(&missing, LEFT), Next::LookUp);
        assert_eq!(tries.after(&missing, LEFT), Next::Fail);
    }

    #[test]
    fn only_a_dead_kept_connection_is_followed_by_a_fresh_one_and_only_once() {
        let mut tries = Tries::default();
        let dead = read_fault(NetError { reused: true, ..NetError::new(NetErrorKind::Closed, "eof") });
        assert_eq!(tries.after(&dead, LEFT), Next::Again(Duration::ZERO));
        assert_eq!(tries.after(&dead, LEFT), Next::Fail);
        let refused = read_fault(NetError::new(NetErrorKind::Closed, "eof"));
        assert_eq!(Tries::default().after(&refused, LEFT), Next::Fail);
    }

    #[test]
    fn keys_are_masked_in_every_text_of_a_fault() {
        let mask = Mask::new([Secret::new("hf_abcdefghijklmnop")]);
        let fault = Fault::new(Kind::UpstreamUnauthenticated, "bad key hf_abcdefghijklmnop")
            .detail("key ...klmnop")
            .code("hf_abcdefghijklmnop");
        let text = format!("{:?}", mask.apply(fault));
        assert!(!text.contains("mnop"), "{text}");
    }

    #[test]
    fn only_headers_that_mean_something_to_the_caller_are_shown() {
        let mut headers = HeaderMap::new();
        for name in ["x-ratelimit-remaining", "set-cookie", "location", "authorization", "server", "x-compute-time"] {
            headers.insert(name, HeaderValue::from_static("1"));
        }
        let shown: Vec<_> = shown_headers(&headers).keys().map(|k| k.as_str().to_owned()).collect();
        assert_eq!(shown.len(), 2, "{shown:?}");
    }
}
