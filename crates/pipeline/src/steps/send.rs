//! One request to a backend: sent, its head read, and a refusal turned into the fault that it is.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderName, StatusCode};
use net::{AnswerHeaders, Fields, NetError, NetErrorKind, Origin, Outgoing, RecvBody, Reply};
use policy::retry::STALE;
use types::{Fault, Kind, Result, Sent};

use super::quota;
use crate::{Gateway, trail::Trail};

/// An error's body is read up to here; the rest says nothing more.
const ERROR_BODY: usize = 64 * 1024;

/// Sends a request and reads the head of its answer.
///
/// # Errors
/// What went wrong on the way, or what the backend refused, in its own words.
pub(crate) async fn send(
    gateway: &Gateway,
    origin: &Origin,
    outgoing: Outgoing,
    until: Instant,
    trail: &mut Trail,
) -> Result<Reply> {
    trail.record.attempts += 1;
    let begun = net::now();
    let reply =
        gateway.0.upstream.send(origin, outgoing, until).await.map_err(|error| unsent(gateway, error, begun))?;
    trail.record.upstream_request_id = request_id(&reply.headers);
    trail.quota = quota::read(&reply.headers);
    if reply.status.is_success() { Ok(reply) } else { Err(Box::pin(refused(gateway, reply, until)).await) }
}

/// A call that is larger than its backend takes.
pub(crate) fn too_large(backend: &str, size: usize, limit: usize, offer: &str) -> Box<Fault> {
    let message = format!(
        "The call is {size} bytes as `{backend}` would get it; {limit} bytes are taken there at most. Send less, for example {offer}."
    );
    Fault::new(Kind::BodyTooLarge, message).backend(backend)
}

/// A refusal in the backend's own words.
async fn refused(gateway: &Gateway, reply: Reply, until: Instant) -> Box<Fault> {
    refusal(reply.status, &reply.headers, &error_body(gateway, reply.body, until).await)
}

/// The fault that an error's head and body are.
pub(crate) fn refusal(status: StatusCode, headers: &Fields, text: &Bytes) -> Box<Fault> {
    let header = |name: &str| -> Option<&str> { headers.get(name)?.to_str().ok() };
    wire::upstream_error::read(status.as_u16(), &header, text, now()).sent(Sent::Yes)
}

/// The start of an error's body, read until then at the latest; what cannot be read is left out.
pub(crate) async fn error_body(gateway: &Gateway, mut body: RecvBody, until: Instant) -> Bytes {
    let until = until.min(Instant::now() + gateway.snapshot().config.timeouts.refusal);
    let mut text = Vec::new();
    while text.len() < ERROR_BODY {
        match tokio::time::timeout_at(until.into(), body.chunk()).await {
            Ok(Some(Ok(chunk))) => text.extend_from_slice(&chunk[..chunk.len().min(ERROR_BODY - text.len())]),
            _ => break,
        }
    }
    text.into()
}

/// What went wrong before a call had the head of its answer, begun at `begun`, as a fault.
pub(crate) fn unsent(gateway: &Gateway, error: NetError, begun: Instant) -> Box<Fault> {
    // What dies late was not dead before: the backend may have worked on the call.
    let late = net::now().saturating_duration_since(begun) > gateway.snapshot().config.routing.retries.stale;
    read_fault(NetError { reused: error.reused && !late, ..error })
}

/// What went wrong on the wire, as a fault; a dead kept connection carries its code, so that one fresh try may follow.
pub(crate) fn read_fault(error: NetError) -> Box<Fault> {
    let stale = error.reused && matches!(error.kind, NetErrorKind::Closed | NetErrorKind::Write);
    let fault: Box<Fault> = error.into();
    if stale { fault.code(STALE) } else { fault }
}

/// Seconds since 1970, for an answer whose backend does not say when it was made.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The backend's id of a request, under the names in use.
pub(crate) fn request_id(headers: &Fields) -> Option<String> {
    const NAMES: [HeaderName; 4] = [
        HeaderName::from_static("x-request-id"),
        HeaderName::from_static("request-id"),
        HeaderName::from_static("x-amzn-requestid"),
        HeaderName::from_static("cf-ray"),
    ];
    let id = NAMES.iter().find_map(|name| headers.get(name))?.to_str().ok()?;
    // What `to_str` lets through is ASCII.
    Some(id[..id.len().min(128)].to_owned())
}

/// Headers of a backend that mean something to its caller; everything else stays inside.
pub(crate) fn shown_headers(headers: &Fields) -> AnswerHeaders {
    let mut shown = AnswerHeaders::new();
    for (name, value) in headers.iter() {
        // The first letter settles it for most.
        let shows = match name.first() {
            Some(b'x') => name.starts_with(b"x-ratelimit-") || name.starts_with(b"x-compute-"),
            Some(b'a') => name.starts_with(b"anthropic-ratelimit-"),
            Some(b'o') => name == b"openai-processing-ms",
            _ => false,
        };
        if shows && let Ok(name) = std::str::from_utf8(name) {
            shown.append(name, value.as_bytes());
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dead_kept_connection_may_be_followed_by_a_fresh_one() {
        let fault = |reused| read_fault(NetError { reused, ..NetError::new(NetErrorKind::Closed, "eof") });
        assert_eq!(fault(true).code.as_deref(), Some(STALE));
        assert_eq!(fault(false).code, None);
    }

    #[test]
    fn only_headers_that_mean_something_to_the_caller_are_shown() {
        let names = ["x-ratelimit-remaining", "set-cookie", "location", "authorization", "server", "x-compute-time"];
        let headers: Fields = names.map(|name| (name, "1")).into_iter().collect();
        let shown: Vec<_> = shown_headers(&headers).to_map().keys().map(|k| k.as_str().to_owned()).collect();
        assert_eq!(shown.len(), 2, "{shown:?}");
    }
}
