//! The transparent proxy under `/{backend}/…`: Hugging Face's own clients, pointed here instead of at the router. What
//! they send goes on as it is, with one of the gateway's keys, chosen as for every other call; what comes back is passed on
//! as it is, and counted.

mod keys;
mod pump;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
};
use net::{AnswerHeaders, Fields, Headers, Outgoing, Reply, Request};
use policy::{
    credentials::Presented,
    health::{Flight, Outcome},
    retry::{Facts, Next},
};
use providers::{Backend, Scheme};
use types::{BackendName, Fault, Kind, Result, Secret, Sent};
use wire::openai::chat;

use super::{authenticate::authenticate, dispatch::Mask, send};
use crate::{
    Gateway,
    doors::{Answer, Ask, Flow, body_fault, dress},
    metrics::SERVED,
    trail::Trail,
    tried::Tried,
};
pub(crate) use keys::Owners;
use keys::{Lane, Lanes};
pub(crate) use pump::{Passed, PassedPump};

/// Headers of a caller that a backend may read.
const FORWARDED: [HeaderName; 3] = [CONTENT_TYPE, ACCEPT, HeaderName::from_static("prefer")];

/// What is passed on, the same at every attempt.
struct Passing<'a> {
    backend: &'static Backend,
    method: Method,
    /// Path and query behind the backend's base.
    rest: String,
    headers: &'a Fields,
    body: Bytes,
    /// The model as the body names it, and as the table of health calls it.
    model: std::sync::Arc<str>,
    known_as: std::sync::Arc<str>,
    mask: Mask,
    until: Instant,
    /// How long a call waits for another one's try, and how often it looks.
    probe: (Duration, Duration),
    /// How often it may be sent.
    attempts: u32,
}

/// A refusal in the backend's own words.
struct Refused {
    status: StatusCode,
    headers: Fields,
    body: Bytes,
}

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
    let usable = keys::usable(&snapshot, &id, backend, presented)?;
    let limit = usable.iter().map(|chosen| snapshot.config.body_limit(&id, chosen.way)).max().unwrap_or_default();
    let rest = format!("{}{}", sound(rest)?, request.uri.query().map(|q| format!("?{q}")).unwrap_or_default());
    let times = *snapshot.config.times(&id);
    let held =
        request.body.collect(limit, request.received + times.body, &gateway.0.budget).await.map_err(body_fault)?;
    let routing = &snapshot.config.routing;
    let model = keys::model(&held.bytes, &snapshot.json_limits);
    let passing = Passing {
        backend,
        known_as: gateway.0.catalog.meant(backend.id, &model).unwrap_or_else(|| model.clone()),
        probe: (routing.probe_wait, routing.probe_look),
        attempts: routing.retries.attempts,
        model,
        method: request.method.clone(),
        mask: Mask::new(usable.iter().filter_map(|chosen| chosen.secret.clone()).chain(caller.credential.clone())),
        rest,
        headers: &request.headers,
        body: held.bytes,
        until: ask.received + ask.timeout.map_or(times.first_event, |asked| asked.min(times.first_event)),
    };
    let lanes = Lanes::of(gateway, &snapshot, &id, usable, &passing)?;
    let reply = match walk(gateway, &passing, lanes, trail).await? {
        Ok(reply) => reply,
        Err(refused) => {
            let mut headers = dress(send::shown_headers(&refused.headers), &[], trail);
            carry(&refused.headers, &mut headers);
            return Ok(Answer::Whole { status: refused.status, headers, body: refused.body.into() });
        }
    };
    gateway.0.metrics.attempt_ends(backend.id, SERVED);
    if !trail.tried.is_empty() {
        gateway.0.metrics.failed_over();
    }
    let mut headers = dress(send::shown_headers(&reply.headers), &[], trail);
    carry(&reply.headers, &mut headers);
    let events = reply.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    trail.record.stream = events;
    let observer = events.then(|| chat::Stream::new(chat::StreamContext::default()));
    let (idle, until) = (times.between_events, ask.received + times.stream);
    Ok(Answer::Stream {
        headers,
        flow: Flow::Passed(Box::new(Passed { status: reply.status, body: reply.body, observer, idle, until })),
    })
}

/// Headers of an answer that its reader needs.
fn carry(from: &Fields, to: &mut AnswerHeaders) {
    for name in [CONTENT_TYPE, RETRY_AFTER] {
        if let Some(value) = from.get(&name) {
            to.insert(name, value.as_bytes());
        }
    }
}

/// Tries one key after the other until one is answered. A call that may have been worked on is never sent again.
///
/// # Errors
/// That no key may be used now, or that the backend cannot be reached.
async fn walk(
    gateway: &Gateway,
    passing: &Passing<'_>,
    mut lanes: Lanes,
    trail: &mut Trail,
) -> Result<Result<Reply, Refused>> {
    let health = &gateway.0.health;
    let mut last = None;
    let mut waited = Duration::ZERO;
    let nobody = loop {
        let Some((turn, flight)) = lanes.tries.begin(health, &lanes.known, net::now()) else {
            let (most, look) = passing.probe;
            if waited < most && net::now() + look < passing.until && lanes.tries.comes_again() {
                waited += look;
                tokio::time::sleep(look).await;
                continue;
            }
            break lanes.tries.nobody(&lanes.known);
        };
        let (lane, began) = (&lanes.known[turn].lane, net::now());
        let failed = match attempt(gateway, passing, &lanes.lanes[turn], flight, trail).await {
            Ok(reply) => {
                if passing.refers() {
                    gateway.0.owners.note(&passing.rest, lane.key.as_ref());
                }
                return Ok(Ok(reply));
            }
            Err(failed) => failed,
        };
        let Failed { flight, fault, refused } = failed;
        let fault = passing.mask.apply(fault.backend(passing.backend.id));
        // What was not found with one key may belong to another, and what one way cannot carry another may: that speaks
        // against nobody.
        let elsewhere = match fault.kind {
            Kind::UpstreamNotFound | Kind::UpstreamForbidden => passing.refers(),
            kind => kind == Kind::BodyTooLarge && refused.is_none(),
        };
        flight.end(if elsewhere { Outcome::Caller } else { Outcome::of(&fault) }, net::now());
        if elsewhere {
            last = Some(Last { fault, refused, noted: false });
            if lanes.tries.begun() < passing.attempts {
                continue;
            }
            break lanes.tries.nobody(&lanes.known);
        }
        let left = passing.until.saturating_duration_since(net::now());
        let facts = Facts { submits: !passing.may_be_repeated(), left, now: net::now(), seed: fastrand::u64(..) };
        let next = lanes.tries.after(turn, &fault, &facts, health, &lanes.known);
        let noted = note(gateway, passing, &lanes.known[turn].lane, &fault, began, trail);
        let failed = Last { fault, refused, noted };
        match next {
            Next::Other => {}
            // Who refused said when to come again: its client reads that itself.
            Next::Again(wait) if failed.refused.is_none() => tokio::time::sleep(wait).await,
            _ => return failed.answer(trail),
        }
        last = Some(failed);
    };
    last.map_or(Err(nobody), |failed| failed.answer(trail))
}

/// The attempt that failed last.
struct Last {
    fault: Box<Fault>,
    refused: Option<Refused>,
    /// Whether it stands among those that failed.
    noted: bool,
}

impl Last {
    /// What the caller gets of it: the backend's own words, where there are any.
    fn answer(self, trail: &mut Trail) -> Result<Result<Reply, Refused>> {
        let Some(refused) = self.refused else { return Err(self.fault) };
        trail.fault(&self.fault);
        if self.noted {
            // It is the answer now, not one of those before it.
            trail.tried.pop();
        }
        Ok(Err(refused))
    }
}

/// What came of an attempt that was not answered well.
struct Failed {
    flight: Flight,
    fault: Box<Fault>,
    refused: Option<Refused>,
}

/// One attempt with one key; its flight goes with the trail where it is answered, and comes back where it is not.
async fn attempt(
    gateway: &Gateway,
    passing: &Passing<'_>,
    lane: &Lane,
    mut flight: Flight,
    trail: &mut Trail,
) -> Result<Reply, Failed> {
    let headers = match headers(passing.headers, passing.backend, lane) {
        Ok(headers) => Headers::from(headers),
        Err(fault) => return Err(Failed { flight, fault, refused: None }),
    };
    if passing.body.len() > lane.body_limit {
        let fault = send::too_large(passing.backend.id, passing.body.len(), lane.body_limit, "a smaller file");
        return Err(Failed { flight, fault, refused: None });
    }
    let (method, target) = (passing.method.clone(), format!("{}{}", lane.path, passing.rest));
    let outgoing = Outgoing { method, target, headers, body: passing.body.clone().into() };
    trail.record.attempts += 1;
    let begun = net::now();
    let reply = match gateway.0.upstream.send(&lane.origin, outgoing, passing.until).await {
        Ok(reply) => reply,
        Err(error) => return Err(Failed { flight, fault: send::unsent(gateway, error, begun), refused: None }),
    };
    trail.record.upstream_request_id = send::request_id(&reply.headers);
    if let Some(quota) = super::quota::read(&reply.headers) {
        flight.quota(quota, net::now());
    }
    if reply.status.is_client_error() || reply.status.is_server_error() {
        let body = send::error_body(gateway, reply.body, passing.until).await;
        let fault = send::refusal(reply.status, &reply.headers, &body);
        // In the backend's own words: its clients read them.
        let body = passing.mask.bytes(body);
        let refused = Some(Refused { status: reply.status, headers: reply.headers, body });
        return Err(Failed { flight, fault, refused });
    }
    if reply.headers.get(CONTENT_ENCODING).is_some_and(|packed| !packed.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let fault = Fault::new(Kind::UpstreamBadReply, "The backend compressed its answer, which nobody asked for.");
        return Err(Failed { flight, fault: fault.sent(Sent::Yes), refused: None });
    }
    trail.flight = Some(flight);
    Ok(reply)
}

impl Passing<'_> {
    /// Whether it refers to something that an earlier call has made: a job, a prediction.
    fn refers(&self) -> bool {
        self.method != Method::POST
    }

    /// Whether doing it twice does no harm but cost: what is read, and what is answered at once and kept nowhere.
    fn may_be_repeated(&self) -> bool {
        let path = self.rest.split('?').next().unwrap_or_default();
        self.refers() || ["/chat/completions", "/completions", "/embeddings"].iter().any(|end| path.ends_with(end))
    }
}

/// Remembers an attempt that failed, where it says something about somebody else than the caller; whether it did.
fn note(
    gateway: &Gateway,
    passing: &Passing<'_>,
    lane: &policy::health::Lane,
    fault: &Fault,
    began: Instant,
    trail: &mut Trail,
) -> bool {
    if fault.kind.origin() != types::Origin::Upstream {
        return false;
    }
    let at = net::now();
    let tried = Tried {
        backend: lane.place.clone(),
        key: lane.key.clone(),
        model: passing.model.clone(),
        kind: fault.kind,
        status: fault.status,
        at,
        took: at.saturating_duration_since(began),
    };
    gateway.0.recent.note(&passing.known_as, tried.clone());
    trail.tried(tried);
    true
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

fn headers(caller: &Fields, backend: &Backend, lane: &Lane) -> Result<HeaderMap> {
    let (key, payer): (Option<&Secret>, _) = (lane.secret.as_ref(), lane.bill_to.as_deref());
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
