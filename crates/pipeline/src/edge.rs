//! Everything that is HTTP and nothing else: the request's id, who may call a keyless loopback listener, which bodies
//! are taken, a panic's end, and the moment at which an answer becomes bytes.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
};

use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HOST, ORIGIN, RETRY_AFTER},
};
use net::{Body, Request, Response};
use types::{Fault, Kind, Result, SendBody};

use crate::{
    Gateway, asks,
    doors::{self, Answer},
    router::{Found, Route},
    steps::pump::Pump,
    trail::Trail,
};

/// The header that carries our id of the request, in every answer.
const REQUEST_ID: &str = "x-request-id";

/// Answers one request. Whatever happens inside, the caller gets an answer and the trail is settled once.
pub(crate) async fn serve(gateway: &Gateway, request: Request) -> Response {
    let mut trail = Trail::new(gateway.metrics(), request.received);
    let head_only = request.method == Method::HEAD;
    let outcome = contain(route(gateway, request, &mut trail)).await;
    let answer = outcome.and_then(|answered| answered);
    let mut response = match answer {
        Ok(Answer::Whole { status, headers, body }) => finish(status, headers, body, trail),
        Ok(Answer::Stream { headers, live }) => {
            trail.record.status = 200;
            let id = trail.request_id.clone();
            stamp(Response { status: StatusCode::OK, headers, body: Body::Stream(Box::new(Pump::new(live, trail))) }, &id)
        }
        Err(fault) => {
            trail.fault(&fault);
            let (status, headers, body) = refuse(&fault, &trail.request_id);
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
    let (route, rest) = match gateway.routes().find(&request.method, &path) {
        Found::Route(route, rest) => (route, rest),
        Found::WrongMethod(allowed) => {
            return Err(Fault::new(Kind::MethodNotAllowed, format!("This path takes {allowed} only."))
                .detail(allowed.as_str()));
        }
        Found::Nothing(nearest) => return Err(no_such_path(nearest)),
    };
    trail.route = Some(route);
    if gateway.snapshot().keyless_loopback {
        refuse_web_pages(&request)?;
    }
    match route {
        Route::OpenAiChat => {
            check_json_body(&request.headers)?;
            gateway.accepts_work()?;
            doors::openai_chat(gateway, request, trail).await
        }
        Route::Models => asks::models::list(gateway, &request, trail).await,
        Route::Model => asks::models::one(gateway, &request, rest, trail).await,
        Route::Health => Ok(asks::health::alive()),
        Route::Ready => asks::health::ready(gateway),
        Route::Metrics => Ok(asks::health::metrics(gateway)),
        Route::Welcome => Ok(asks::health::welcome()),
    }
}

fn no_such_path(nearest: Option<&'static str>) -> Box<Fault> {
    let hint = nearest.map_or_else(
        || "`POST /v1/chat/completions` and `GET /v1/models` are here".to_owned(),
        |path| format!("did you mean `{path}`? The base URL for SDKs ends in `/v1`"),
    );
    Fault::new(Kind::NotFound, format!("There is nothing at this path: {hint}."))
}

/// A keyless loopback listener serves programs of this machine, not web pages: a page in a browser can reach it by
/// name (DNS rebinding) or by a cross-site request.
fn refuse_web_pages(request: &Request) -> Result<()> {
    let host = match request.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers.get(HOST).and_then(|value| value.to_str().ok()),
    };
    if let Some(host) = host
        && !is_loopback_name(host)
    {
        return Err(Fault::new(
            Kind::Forbidden,
            "This gateway listens on loopback without keys and answers only to a loopback host name, e.g. `localhost` or `127.0.0.1`.",
        ));
    }
    if let Some(origin) = request.headers.get(ORIGIN) {
        let scheme = if request.tls { "https://" } else { "http://" };
        let own = origin.to_str().ok().and_then(|origin| origin.strip_prefix(scheme)) == host && host.is_some();
        if !own {
            return Err(Fault::new(
                Kind::Forbidden,
                "This gateway listens without keys and takes no requests from web pages of another origin.",
            ));
        }
    }
    Ok(())
}

/// Whether a `Host` value names this machine's loopback, with or without port.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => return rest.split_once(']').is_some_and(|(ip, port)| ip == "::1" && is_port(port)),
        None => host,
    };
    let (name, port) = name.find(':').map_or((name, ""), |colon| name.split_at(colon));
    let name = name.strip_suffix('.').unwrap_or(name);
    let named = name.eq_ignore_ascii_case("localhost")
        || name.len() > 10 && name[name.len() - 10..].eq_ignore_ascii_case(".localhost");
    is_port(port) && (named || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback()))
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok())
}

/// A JSON body says so, and comes as it is: what is compressed cannot be limited before it is unpacked.
fn check_json_body(headers: &HeaderMap) -> Result<()> {
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Fault::new(Kind::UnsupportedMediaType, "Compressed request bodies are not taken: send the JSON as it is."));
    }
    let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let essence = kind.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let json = essence.eq_ignore_ascii_case(b"application/json")
        || essence.len() > 5 && essence[essence.len() - 5..].eq_ignore_ascii_case(b"+json");
    if json {
        return Ok(());
    }
    Err(Fault::new(Kind::UnsupportedMediaType, "The body must be JSON: send the header `content-type: application/json`."))
}

/// Runs a request to its end; a panic becomes a fault of this request only.
async fn contain<F: Future>(work: F) -> Result<F::Output> {
    let mut work = pin!(work);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => std::task::Poll::Ready(Err(Fault::new(
            Kind::Internal,
            "The gateway made a mistake with this request. Its log has more under the request id.",
        )
        .detail("a panic was contained"))),
    })
    .await
}

/// A fault as OpenAI's clients read it, with the headers that belong to it.
pub(crate) fn refuse(fault: &Fault, request_id: &str) -> (StatusCode, HeaderMap, SendBody) {
    let status = StatusCode::from_u16(wire::openai::fault::status(fault)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(wait) = fault.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)));
    }
    if fault.kind == Kind::MethodNotAllowed
        && let Some(allowed) = fault.detail.as_deref().and_then(|allowed| HeaderValue::from_str(allowed).ok())
    {
        headers.insert(ALLOW, allowed);
    }
    doors::name_backend(&mut headers, fault.backend.as_deref(), fault.upstream_request_id.as_deref());
    (status, headers, wire::openai::fault::body(fault, request_id).into())
}

fn finish(status: StatusCode, headers: HeaderMap, body: SendBody, mut trail: Trail) -> Response {
    trail.record.status = status.as_u16();
    let response = stamp(Response { status, headers, body: Body::Whole(body) }, &trail.request_id);
    trail.settle();
    response
}

fn stamp(mut response: Response, request_id: &str) -> Response {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers.insert(REQUEST_ID, id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_count_as_loopback() {
        for host in ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1", "127.9.9.9:80", "[::1]", "[::1]:8080", "a.localhost", "localhost."] {
            assert!(is_loopback_name(host), "{host}");
        }
        for host in ["", "example.com", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1", "[::2]", "[::1]x", "localhost:x",
            "localhost@evil", "evillocalhost", "0.0.0.0", "2130706433"]
        {
            assert!(!is_loopback_name(host), "{host}");
        }
    }

    #[test]
    fn a_body_must_say_that_it_is_json_and_come_unpacked() {
        let check = |pairs: &[(http::HeaderName, &'static str)]| {
            let headers = pairs.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v))).collect();
            check_json_body(&headers)
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
