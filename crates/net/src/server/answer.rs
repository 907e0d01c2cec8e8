//! Between hyper and a [`Service`]: refuses what is not one unambiguous request, catches panics, writes bodies.

use super::gate::{Flight, Talk};
use crate::{Abort, Body, RecvBody, Request, Response, Service, StreamBody, upstream::Segments};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version, header};
use http_body::{Frame, SizeHint};
use hyper::{body::Incoming, service::HttpService};
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Instant,
};
use types::SendBody;

/// Makes of `service` what hyper calls.
pub(super) fn service<S: Service>(
    service: S,
    talk: Arc<Talk>,
    peer: SocketAddr,
    tls: bool,
) -> impl HttpService<Incoming, ResBody = Outflow, Error = Infallible, Future: Send> + Send {
    // One request at a time over HTTP/1, so that one flag for the connection is enough.
    let unread = Arc::new(AtomicBool::new(false));
    hyper::service::service_fn(move |request: http::Request<Incoming>| {
        let flight = talk.begin();
        let unread = Arc::clone(&unread);
        let closes = request.version() < Version::HTTP_2;
        let refused = refusal(&request, &talk);
        let service = service.clone();
        // In a box: hyper keeps the room of this future as long as the connection lives, and a stream is held long.
        Box::pin(async move {
            let response = match refused {
                Some(response) => response,
                None => caught(&service, read(request, peer, tls, &unread)).await,
            };
            let mut answer = write(response, flight);
            // An answer before the end of the request ends the connection: a caller who is not told sends the next into it.
            if closes && unread.swap(false, Relaxed) {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer)
        })
    })
}

fn read(request: http::Request<Incoming>, peer: SocketAddr, tls: bool, unread: &Arc<AtomicBool>) -> Request {
    let (head, body) = request.into_parts();
    Request {
        method: head.method,
        uri: head.uri,
        version: head.version,
        headers: head.headers,
        peer,
        tls,
        received: Instant::now(),
        body: RecvBody::caller(body, unread),
    }
}

/// Whatever the service does, the worker goes on and the caller gets an answer.
async fn caught<S: Service>(service: &S, request: Request) -> Response {
    let mut call = pin!(service.call(request));
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
        Ok(polled) => polled,
        // The panic hook has logged it.
        Err(_) => Poll::Ready(Response::whole(
            StatusCode::INTERNAL_SERVER_ERROR,
            "application/json",
            Bytes::from_static(
                br#"{"error":{"message":"Something went wrong inside the gateway.","type":"server_error","param":null,"code":"internal_error"}}"#,
            ),
        )),
    })
    .await
}

/// What is answered without asking the service: 400 and the end of the connection.
fn refusal(request: &http::Request<Incoming>, talk: &Talk) -> Option<Response> {
    let why = talk.fault().or_else(|| {
        if request.version() == Version::HTTP_2 {
            None
        } else {
            head_fault(request.method(), request.uri(), request.version(), request.headers())
        }
    })?;
    let body = format!(
        r#"{{"error":{{"message":"Malformed HTTP request: {why}.","type":"invalid_request_error","param":null,"code":"bad_http"}}}}"#
    );
    let mut response = Response::whole(StatusCode::BAD_REQUEST, "application/json", body);
    response.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}

/// What hyper lets through and RFC 9112 forbids, or what two readers could take for two different hosts.
fn head_fault(method: &Method, uri: &Uri, version: Version, headers: &HeaderMap) -> Option<&'static str> {
    if *method == Method::CONNECT {
        return Some("CONNECT is not served here");
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Some("more than one host header"),
        (None, None) => (version == Version::HTTP_11).then_some("no host header"),
        (Some(host), None) => {
            let differs = uri.authority().is_some_and(|a| !a.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()));
            differs.then_some("the target and the host header name two hosts")
        }
    }
}

fn write(response: Response, flight: Flight) -> http::Response<Outflow> {
    let kind = match response.body {
        Body::Whole(body) => Kind::Whole(Segments::new(body)),
        Body::Stream(stream) => Kind::Stream(stream),
    };
    let mut out = http::Response::new(Outflow { kind, _flight: flight });
    *out.status_mut() = response.status;
    *out.headers_mut() = response.headers;
    let headers = out.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    if headers.get(header::CONNECTION).is_some_and(|value| value != "close") {
        headers.remove(header::CONNECTION);
    }
    out
}

/// A response body on its way out. While it lives, the request is in flight.
pub(super) struct Outflow {
    kind: Kind,
    _flight: Flight,
}

enum Kind {
    Whole(Segments),
    Stream(Box<dyn StreamBody>),
    Over,
}

impl http_body::Body for Outflow {
    type Data = Bytes;
    type Error = Abort;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Abort>>> {
        let next = match &mut self.kind {
            Kind::Over => return Poll::Ready(None),
            Kind::Whole(body) => body.pop().map(|piece| piece.map_err(|_| Abort)),
            Kind::Stream(stream) => ready!(poll_stream(stream, cx)),
        };
        if !matches!(next, Some(Ok(_))) {
            self.kind = Kind::Over;
        }
        Poll::Ready(next.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Over => true,
            Kind::Whole(body) => body.left() == 0,
            Kind::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Over => SizeHint::with_exact(0),
            Kind::Whole(body) => SizeHint::with_exact(body.left()),
            Kind::Stream(_) => SizeHint::new(),
        }
    }
}

/// The next chunk that has bytes; a panic gives the stream up.
fn poll_stream(stream: &mut Box<dyn StreamBody>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Abort>>> {
    loop {
        let polled = catch_unwind(AssertUnwindSafe(|| stream.poll_chunk(cx))).unwrap_or(Poll::Ready(Some(Err(Abort))));
        match ready!(polled) {
            Some(Ok(chunk)) if chunk.is_empty() => {}
            next => return Poll::Ready(next),
        }
    }
}

impl From<SendBody> for Kind {
    fn from(body: SendBody) -> Self {
        Self::Whole(Segments::new(body))
    }
}
