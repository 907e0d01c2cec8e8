//! One HTTP/1.1 connection of a caller: reads a request, lets the service answer it, writes the answer, and again.
//!
//! All of it is polled by one task. A connection that waits holds no buffer, and neither does a stream between two chunks.

mod answer;
mod head;
mod line;

pub(crate) use line::Line;

use super::Common;
use crate::{Body, RecvBody, Request, Response, Service, io::Io, sending::Sending};
use answer::{Facts, Flow};
use bytes::Bytes;
use head::{Head, Refused};
use http::{Method, Version};
use line::Next;
use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// Who is connected.
#[derive(Clone, Copy)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) tls: bool,
}

/// How a request ended, for its connection.
enum End {
    /// The next one may follow.
    Keep,
    /// The answer was the last; whether the caller may still be sending.
    Close { more_may_come: bool },
    /// The caller is gone, or must see that something broke.
    Broken,
}

/// Serves a connection to its end.
pub(super) async fn serve<S: Service>(io: Io, peer: Peer, common: &Arc<Common<S>>) {
    let line = Line::new(io, &common.limits);
    let mut draining = common.drain.draining();
    loop {
        let next = poll_fn(|cx| {
            let mut inner = line.lock();
            match inner.poll_next(cx, &common.limits) {
                // Who waits for its next request when the drain starts waits for nothing.
                Poll::Pending if !inner.is_in_head() => Pin::new(&mut draining).poll(cx).map(|()| Next::Over),
                polled => polled,
            }
        })
        .await;
        let end = match next {
            Next::Over => return,
            Next::Refused(refused) => refuse(&line, &refused, common).await,
            Next::Request(head, body) => answer(&line, head, body, peer, common).await,
        };
        match end {
            End::Keep => {}
            End::Broken => return,
            End::Close { more_may_come } => return poll_fn(|cx| line.lock().poll_close(cx, more_may_come)).await,
        }
    }
}

/// What is answered without asking the service; the connection ends with it.
async fn refuse<S: Service>(line: &Line, refused: &Refused, common: &Arc<Common<S>>) -> End {
    let body = format!(
        r#"{{"error":{{"message":"Malformed HTTP request: {}.","type":"invalid_request_error","param":null,"code":"bad_http"}}}}"#,
        refused.why
    );
    let response = Response::whole(refused.status, "application/json", body);
    let facts = Facts { version: Version::HTTP_11, head_only: false, close: true };
    match write(line, response, facts, common).await {
        true => End::Close { more_may_come: true },
        false => End::Broken,
    }
}

/// Answers one request.
async fn answer<S: Service>(
    line: &Line,
    head: Box<Head>,
    body: Option<Bytes>,
    peer: Peer,
    common: &Arc<Common<S>>,
) -> End {
    let (keep, version, head_only) = (head.keep, head.version, head.method == Method::HEAD);
    let body = match body {
        Some(body) => RecvBody::whole(body),
        None if line.lock().is_unread() => RecvBody::line(line.clone()),
        None => RecvBody::empty(),
    };
    let Some(response) = ask(line, request(*head, body, peer), common).await else { return End::Broken };
    // An answer before the end of the request ends the connection, and says so: what came of it cannot be told from
    // the next request, and a caller who is not told sends that into the closing.
    let unread = line.lock().is_unread();
    let last = response.headers.closes();
    // A caller of HTTP/1.0 knows the end of a stream by the end of the connection.
    let endless = version == Version::HTTP_10 && matches!(response.body, Body::Stream(_));
    let close = !keep || unread || last || endless || common.drain.is_draining();
    match write(line, response, Facts { version, head_only, close }, common).await {
        false => End::Broken,
        true if close => End::Close { more_may_come: unread || last },
        true => End::Keep,
    }
}

fn request(head: Head, body: RecvBody, peer: Peer) -> Request {
    Request {
        method: head.method,
        uri: head.uri,
        version: head.version,
        headers: head.headers,
        peer: peer.address,
        tls: peer.tls,
        received: crate::now(),
        body,
    }
}

/// The service's work on a request, in a box: the connection would keep the room of it as long as it lives, and a stream is
/// held long. The box is there before the work is, which then begins in it; made first, it would be moved, kilobytes for
/// each call.
#[inline(never)]
fn boxed<S: Service>(service: &S, request: Request) -> Pin<Box<impl Future<Output = Response>>> {
    let room = Box::new_uninit();
    Box::into_pin(Box::write(room, service.call(request)))
}

/// The service's answer; `None` if the caller left before. Whatever the service does, the worker goes on.
async fn ask<S: Service>(line: &Line, request: Request, common: &Arc<Common<S>>) -> Option<Response> {
    let mut call = boxed(&common.service, request);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
        Ok(Poll::Ready(response)) => Poll::Ready(Some(response)),
        Ok(Poll::Pending) => line.lock().poll_gone(cx).map(|()| None),
        // The panic hook has logged it.
        Err(_) => Poll::Ready(Some(super::answer::panicked())),
    })
    .await
}

/// Writes an answer; false if that could not be done to a good end.
async fn write<S: Service>(line: &Line, response: Response, facts: Facts, common: &Arc<Common<S>>) -> bool {
    let limits = &common.limits;
    match response.body {
        Body::Whole(body) => {
            let head = answer::whole(response.status, &response.headers, &body, facts);
            drop(response.headers);
            let bodyless = facts.head_only || answer::is_bodyless(response.status);
            let mut sending = Sending::new(head, if bodyless { types::SendBody::empty() } else { body });
            poll_fn(|cx| line.lock().poll_send(cx, &mut sending, limits)).await.is_ok()
        }
        Body::Stream(stream) => {
            let head = answer::streamed(response.status, &response.headers, facts);
            drop(response.headers);
            if facts.head_only {
                let mut sending = Sending::new(head, types::SendBody::empty());
                return poll_fn(|cx| line.lock().poll_send(cx, &mut sending, limits)).await.is_ok();
            }
            let mut flow = Flow::new(stream, head, facts.version);
            poll_fn(|cx: &mut Context<'_>| flow.poll(cx, line, limits)).await
        }
    }
}
