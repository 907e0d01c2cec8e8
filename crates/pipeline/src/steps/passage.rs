//! The transparent proxy under `/{backend}/…`: Hugging Face's own clients, pointed here instead of at the router. What
//! they send goes on as it is, with the gateway's key; what comes back is passed on as it is, and counted.

use std::{
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
};
use net::{Abort, Fields, Origin, Outgoing, Permit, RecvBody, Request, StreamBody};
use policy::credentials::{Presented, Target as For, Way};
use providers::{Backend, Scheme};
use types::{BackendName, Fault, Kind, Result, Secret};
use wire::openai::chat;

use super::{authenticate::authenticate, dispatch::Mask, pump::Patience, send};
use crate::{
    Gateway,
    doors::{Answer, Ask, Flow, body_fault, dress},
    snapshot::routing,
    trail::Trail,
};

/// Headers of a caller that a backend may read.
const FORWARDED: [HeaderName; 3] = [CONTENT_TYPE, ACCEPT, HeaderName::from_static("prefer")];

/// Passes a request on to a backend under its own path.
///
/// # Errors
/// What is wrong with the path or the body, or with the way to the backend. What the backend refuses is passed on.
pub(crate) async fn pass(
    gateway: &Gateway,
    request: Request,
    backend: &'static Backend,
    rest: &str,
    trail: &mut Trail,
) -> Result<Answer> {
    let (snapshot, caller, ask) = (gateway.snapshot(), authenticate(&request.headers)?, Ask::of(&request)?);
    let id = BackendName::new(backend.id);
    trail.record.backend = Some(id.clone());
    let presented = Presented { token: caller.credential.as_ref(), bill_to: caller.bill_to.as_deref() };
    let target = For::Backend { id: &id, routing: routing(backend), mapped: true };
    let chosen = snapshot.config.keys.choose(target, presented)?;
    let (base, permit) = match (chosen.way, snapshot.config.direct_base(&id)) {
        (Way::Routed, _) => (format!("{}/{}", snapshot.config.router.as_str(), backend.id), Permit::Declared),
        (Way::Direct, Some(own)) => (own.as_str().to_owned(), Permit::Declared),
        (Way::Direct, None) => (backend.direct.unwrap_or_default().to_owned(), Permit::Public),
    };
    let bad_base = |_| Fault::new(Kind::Internal, "The backend's address cannot be used.");
    let (origin, path) = Origin::parse(&base, permit).map_err(bad_base)?;
    let target = format!("{path}{}{}", sound(rest)?, request.uri.query().map(|q| format!("?{q}")).unwrap_or_default());
    let headers = headers(&request.headers, backend, chosen.secret.as_ref(), chosen.bill_to.as_deref())?;
    let method = request.method.clone();
    let times = *snapshot.config.times(&id);
    let until = request.received + times.body;
    let held = request.body.collect(snapshot.config.body_limit(&id, chosen.way), until, &gateway.0.budget).await;
    let held = held.map_err(body_fault)?;
    let deadline = ask.received + ask.timeout.map_or(times.first_event, |asked| asked.min(times.first_event));
    let outgoing = Outgoing { method, target, headers: headers.into(), body: held.bytes.into() };
    trail.record.attempts += 1;
    let mask = Mask::new(chosen.secret.into_iter().chain(caller.credential));
    let reply = gateway.0.upstream.send(&origin, outgoing, deadline).await;
    let reply = reply.map_err(|error| mask.apply(send::read_fault(error).backend(backend.id)))?;
    trail.record.upstream_request_id = send::request_id(&reply.headers);
    let mut headers = dress(send::shown_headers(&reply.headers), &[], trail);
    for name in [CONTENT_TYPE, RETRY_AFTER] {
        if let Some(value) = reply.headers.get(&name).and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok()) {
            headers.insert(name, value);
        }
    }
    if reply.status.is_client_error() || reply.status.is_server_error() {
        // In the backend's own words: its clients read them.
        let body = send::error_body(reply.body).await;
        let fault = send::refusal(reply.status, &reply.headers, &body).backend(backend.id);
        trail.fault(&mask.apply(fault));
        return Ok(Answer::Whole { status: reply.status, headers, body: mask.bytes(body).into() });
    }
    let events = reply.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let observer = events.then(|| chat::Stream::new(chat::StreamContext::default()));
    let (idle, until) = (times.between_events, ask.received + times.stream);
    Ok(Answer::Stream {
        headers,
        flow: Flow::Passed(Box::new(Passed { status: reply.status, body: reply.body, observer, idle, until })),
    })
}

/// A path that cannot leave its backend's place.
fn sound(rest: &str) -> Result<&str> {
    let lower = rest.to_ascii_lowercase();
    let odd = rest.contains(['\\', '#']) || ["%2e", "%2f", "%5c", "//"].iter().any(|odd| lower.contains(odd));
    if odd || rest.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(Fault::new(Kind::BadRequest, "The path has segments that no backend's path has."));
    }
    Ok(rest)
}

fn headers(caller: &Fields, backend: &Backend, key: Option<&Secret>, payer: Option<&str>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for name in &FORWARDED {
        if let Some(value) = caller.get(name).and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok()) {
            headers.insert(name.clone(), value);
        }
    }
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("ironbow/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in backend.headers {
        headers.insert(*name, HeaderValue::from_static(value));
    }
    let unfit = |_| Fault::new(Kind::NoCredential, "The key has characters that a header cannot carry.");
    if let Some(key) = key {
        let scheme = if key.expose().starts_with("hf_") { Scheme::Bearer } else { backend.scheme };
        let (name, value) = scheme.header(key.expose());
        let mut value = HeaderValue::try_from(value).map_err(unfit)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    if let Some(payer) = payer.and_then(|payer| HeaderValue::from_str(payer).ok()) {
        headers.insert("x-hf-bill-to", payer);
    }
    Ok(headers)
}

/// An answer that is passed on as it comes.
pub(crate) struct Passed {
    status: StatusCode,
    body: RecvBody,
    /// Reads along, to learn what was used.
    observer: Option<chat::Stream>,
    idle: Duration,
    until: Instant,
}

impl Passed {
    /// The backend's status.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }
}

/// A passed answer on its way to the caller.
pub(crate) struct PassedPump {
    passed: Passed,
    patience: Patience,
    trail: Option<Trail>,
}

impl PassedPump {
    /// Takes an answer over, with the trail that it settles at its end.
    pub(crate) fn new(passed: Passed, trail: Trail, leaving: net::Leaving) -> Self {
        let patience = Patience::new(passed.idle, passed.until, leaving);
        Self { passed, patience, trail: Some(trail) }
    }

    fn settle(&mut self, fault: Option<Box<Fault>>) {
        let Some(mut trail) = self.trail.take() else { return };
        if let Some(seen) = &self.passed.observer {
            trail.record.usage = seen.usage();
            trail.record.finish = seen.finish();
        }
        if let Some(fault) = fault {
            trail.fault(&fault);
        }
        trail.settle();
    }
}

impl StreamBody for PassedPump {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Abort>>> {
        let Poll::Ready(read) = self.passed.body.poll_chunk(cx) else {
            let fault = std::task::ready!(self.patience.poll(cx));
            self.settle(Some(fault));
            return Poll::Ready(Some(Err(Abort)));
        };
        match read {
            Some(Ok(chunk)) => {
                self.patience.progress();
                let failed = |seen: &mut chat::Stream| seen.push(chunk.clone(), &mut |_| {}).is_err();
                if self.passed.observer.as_mut().is_some_and(failed) {
                    self.passed.observer = None;
                }
                Poll::Ready(Some(Ok(chunk)))
            }
            Some(Err(error)) => {
                self.settle(Some(send::read_fault(error)));
                Poll::Ready(Some(Err(Abort)))
            }
            None => {
                self.settle(None);
                Poll::Ready(None)
            }
        }
    }
}

/// Which backend a path names, if no door does: its first segment, and the rest.
pub(crate) fn named(method: &Method, path: &str) -> Option<(&'static Backend, usize)> {
    let (first, _) = path.strip_prefix('/')?.split_once('/')?;
    // A vendor's name is a door's too, and the door wins.
    let found = providers::find(first).filter(|backend| backend.vendor.is_none());
    let backend = found.filter(|_| matches!(*method, Method::GET | Method::POST | Method::PUT))?;
    Some((backend, first.len() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_its_backend() {
        for bad in ["/../x", "/a/..", "/a//b", "/%2e%2e/x", "/a%2Fb", "/a\\b", "/./a"] {
            assert_eq!(sound(bad).unwrap_err().kind, Kind::BadRequest, "{bad}");
        }
        assert_eq!(sound("/v1/chat/completions").unwrap(), "/v1/chat/completions");
    }

    #[test]
    fn only_a_backend_and_something_behind_it_is_passed_on() {
        assert_eq!(
            named(&Method::POST, "/together/v1/chat/completions").map(|(b, at)| (b.id, at)),
            Some(("together", 9))
        );
        assert!(named(&Method::POST, "/together").is_none() && named(&Method::POST, "/nobody/x").is_none());
        assert!(named(&Method::DELETE, "/together/x").is_none());
        assert!(named(&Method::POST, "/openai/v1/x").is_none() && named(&Method::GET, "/anthropic/v1/x").is_none());
    }
}
