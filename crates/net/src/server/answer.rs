//! Between hyper, which speaks HTTP/2, and a [`Service`]: catches panics, writes bodies.

use super::gate::{Flight, Talk};
use crate::{Abort, Body, Fields, RecvBody, Request, Response, Service, StreamBody, upstream::Segments};
use bytes::Bytes;
use http::StatusCode;
use http_body::{Frame, SizeHint};
use hyper::{body::Incoming, service::HttpService};
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};
use types::SendBody;

/// Makes of `service` what hyper calls.
pub(super) fn service<S: Service>(
    service: S,
    talk: Arc<Talk>,
    peer: SocketAddr,
) -> impl HttpService<Incoming, ResBody = Outflow, Error = Infallible, Future: Send> + Send {
    hyper::service::service_fn(move |request: http::Request<Incoming>| {
        let flight = talk.begin();
        let service = service.clone();
        Box::pin(async move { Ok(write(caught(&service, read(request, peer)).await, flight)) })
    })
}

fn read(request: http::Request<Incoming>, peer: SocketAddr) -> Request {
    let (head, body) = request.into_parts();
    Request {
        method: head.method,
        uri: head.uri,
        version: head.version,
        headers: Fields::from(&head.headers),
        peer,
        tls: true,
        received: Instant::now(),
        body: RecvBody::incoming(body),
    }
}

/// Whatever the service does, the worker goes on and the caller gets an answer.
async fn caught<S: Service>(service: &S, request: Request) -> Response {
    let mut call = pin!(service.call(request));
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
        Ok(polled) => polled,
        // The panic hook has logged it.
        Err(_) => Poll::Ready(panicked()),
    })
    .await
}

/// What a caller gets when the service panics.
pub(super) fn panicked() -> Response {
    Response::whole(
        StatusCode::INTERNAL_SERVER_ERROR,
        "application/json",
        Bytes::from_static(
            br#"{"error":{"message":"Something went wrong inside the gateway.","type":"server_error","param":null,"code":"internal_error"}}"#,
        ),
    )
}

fn write(response: Response, flight: Flight) -> http::Response<Outflow> {
    let kind = match response.body {
        Body::Whole(body) => Kind::Whole(Segments::new(body)),
        Body::Stream(stream) => Kind::Stream(stream),
    };
    let mut out = http::Response::new(Outflow { kind, _flight: flight });
    *out.status_mut() = response.status;
    *out.headers_mut() = response.headers.to_map();
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
