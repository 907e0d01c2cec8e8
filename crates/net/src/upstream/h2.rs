//! Backends that choose HTTP/2: hyper's client, one connection shared by many requests.

use super::{Outgoing, Reply, head};
use crate::{Drain, Fields, NetError, NetErrorKind, Origin, RecvBody};
use bytes::Bytes;
use http::{HeaderValue, Request, Uri, Version, header};
use http_body::{Frame, SizeHint};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::io::{AsyncRead, AsyncWrite};
use types::{SendBody, Sent, body::Pieces};

/// A connection in the pool.
pub(super) struct H2Conn {
    sender: http2::SendRequest<Segments>,
    load: Arc<Load>,
}

struct Load {
    active: AtomicUsize,
    served: AtomicUsize,
    last: Mutex<Instant>,
}

/// One request's share of a connection; given back on drop.
pub(crate) struct H2Lease {
    sender: http2::SendRequest<Segments>,
    load: Arc<Load>,
}

impl H2Conn {
    /// Speaks HTTP/2 over `io`; `drain` owns the task that drives the connection.
    pub(super) async fn open(
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        max_head: usize,
        drain: &Drain,
    ) -> Result<Self, NetError> {
        let (sender, driver) = http2::Builder::new(Spawner(drain.clone()))
            .timer(TokioTimer::new())
            .initial_stream_window_size(64 * 1024)
            .initial_connection_window_size(1024 * 1024)
            .max_frame_size(16 * 1024)
            .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
            .max_send_buf_size(64 * 1024)
            .max_concurrent_reset_streams(50)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .handshake(TokioIo::new(io))
            .await
            .map_err(|error| NetError::new(NetErrorKind::Closed, format!("HTTP/2 handshake: {error}")))?;
        drain.background("http/2 to a backend", async {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "an HTTP/2 connection to a backend ended");
            }
        });
        let load = Load { active: AtomicUsize::new(0), served: AtomicUsize::new(0), last: Mutex::new(Instant::now()) };
        Ok(Self { sender, load: Arc::new(load) })
    }

    /// A share, if the connection stands and serves fewer than `most` requests.
    pub(super) fn lease(&mut self, most: usize) -> Option<H2Lease> {
        if !self.sender.is_ready() || self.load.active.load(Relaxed) >= most {
            return None;
        }
        self.load.active.fetch_add(1, Relaxed);
        Some(H2Lease { sender: self.sender.clone(), load: Arc::clone(&self.load) })
    }

    /// Whether it is closed, or has served nobody for `idle`.
    pub(super) fn is_over(&self, idle: Duration) -> bool {
        let last = *self.load.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.sender.is_closed() || (self.load.active.load(Relaxed) == 0 && last.elapsed() > idle)
    }
}

impl Drop for H2Lease {
    fn drop(&mut self) {
        *self.load.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.load.active.fetch_sub(1, Relaxed);
    }
}

/// Sends `request` and waits for the head of the reply.
pub(super) async fn exchange(
    origin: &Origin,
    mut lease: H2Lease,
    request: Outgoing,
    deadline: Instant,
) -> Result<Reply, NetError> {
    let request = to_http2(origin, request)?;
    let reused = lease.load.served.fetch_add(1, Relaxed) > 0;
    let reply = lease.sender.try_send_request(request);
    let reply = match tokio::time::timeout_at(deadline.into(), reply).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(mut failed)) => {
            let unsent = failed.take_message().is_some();
            let sent = if unsent { Sent::No } else { Sent::Maybe };
            let error = NetError::new(NetErrorKind::Closed, format!("HTTP/2: {}", chain(failed.error())));
            return Err(NetError { reused, ..error.sent(sent) });
        }
        Err(_) => {
            return Err(NetError::new(NetErrorKind::Timeout, "no reply before the deadline").sent(Sent::Maybe));
        }
    };
    let (head, body) = reply.into_parts();
    let mut headers = Fields::from(&head.headers);
    headers.retain(|name| !head::is_hop_by_hop(name));
    Ok(Reply { status: head.status, headers, body: RecvBody::h2(body, lease), reused })
}

fn to_http2(origin: &Origin, outgoing: Outgoing) -> Result<Request<Segments>, NetError> {
    let bad = |why: String| NetError::new(NetErrorKind::BadRequest, why);
    let uri = Uri::builder()
        .scheme(origin.scheme().as_str())
        .authority(origin.authority())
        .path_and_query(outgoing.target)
        .build()
        .map_err(|error| bad(error.to_string()))?;
    let announces = head::announces_length(&outgoing.method, &outgoing.body);
    let length = outgoing.body.len();
    let mut request = Request::new(Segments::new(outgoing.body));
    *request.method_mut() = outgoing.method;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    *headers = outgoing.headers.map().clone();
    let own: Vec<_> = headers.keys().filter(|name| head::is_ours(name)).cloned().collect();
    for name in own {
        headers.remove(name);
    }
    if announces {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(request)
}

fn chain(error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// A body to send, piece by piece.
pub(crate) struct Segments {
    pieces: Pieces,
    left: u64,
}

impl Segments {
    pub(crate) fn new(body: SendBody) -> Self {
        Self { left: body.len() as u64, pieces: body.into_pieces() }
    }

    pub(crate) fn pop(&mut self) -> Option<io::Result<Bytes>> {
        let piece = self.pieces.next()?;
        if let Ok(piece) = &piece {
            self.left -= piece.len() as u64;
        }
        Some(piece)
    }

    pub(crate) const fn left(&self) -> u64 {
        self.left
    }
}

impl http_body::Body for Segments {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(self.pop().map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// hyper's helper tasks belong to the drain too.
#[derive(Clone)]
struct Spawner(Drain);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, task: F) {
        self.0.background("http/2 to a backend", task);
    }
}
