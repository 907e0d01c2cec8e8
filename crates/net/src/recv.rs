//! A body that arrives: from a caller or from a backend, over HTTP/1 or HTTP/2, behind one face.

use crate::{
    ByteBudget, BytePermit, NetError, NetErrorKind,
    server::Line,
    upstream::{H1Body, H2Lease},
};
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use hyper::body::Incoming;
use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};
use types::Sent;

/// A body that is being received. Dropping it before its end gives the message up at once: the connection to an
/// HTTP/1 backend is closed, an HTTP/2 stream is reset.
pub struct RecvBody(Source);

enum Source {
    /// Nothing more to come.
    Done,
    /// Known already: for tests and for bodies made here.
    Ready(VecDeque<Result<Bytes, NetError>>),
    /// All of it, there already.
    Whole(Bytes),
    /// A caller's body over HTTP/1: what is to come on its connection.
    Line(Line),
    /// A caller's body over HTTP/2.
    Incoming(Incoming),
    /// A backend's body over HTTP/1.
    H1(Box<H1Body>),
    /// A backend's body over HTTP/2.
    H2 { body: Incoming, _lease: H2Lease },
}

/// A whole body, with the part of the budget that it uses.
#[derive(Debug)]
pub struct Held {
    /// The body.
    pub bytes: Bytes,
    /// Given back when dropped: keep it as long as the bytes.
    pub permit: BytePermit,
}

/// Why a body could not be held.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// It is longer than the limit; `announced` is its length if it was announced.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit that was passed.
        limit: usize,
        /// What `content-length` said.
        announced: Option<u64>,
    },
    /// All bytes of the gateway's budget are in use.
    #[error("no room for another body now")]
    OverBudget,
    /// It was not complete at the deadline.
    #[error("the body did not arrive in time")]
    Timeout,
    /// It broke off or is not valid HTTP.
    #[error(transparent)]
    Broken(#[from] NetError),
}

impl RecvBody {
    /// A body without bytes.
    pub const fn empty() -> Self {
        Self(Source::Done)
    }

    /// A body that has arrived already.
    pub fn whole(bytes: Bytes) -> Self {
        Self(if bytes.is_empty() { Source::Done } else { Source::Whole(bytes) })
    }

    /// A body of these pieces, all there already: for tests.
    pub fn script(pieces: impl IntoIterator<Item = Result<Bytes, NetError>>) -> Self {
        Self(Source::Ready(pieces.into_iter().collect()))
    }

    /// A caller's body over HTTP/2.
    pub(crate) fn incoming(body: Incoming) -> Self {
        Self(if body.is_end_stream() { Source::Done } else { Source::Incoming(body) })
    }

    /// A caller's body over HTTP/1, to be read from its connection.
    pub(crate) const fn line(line: Line) -> Self {
        Self(Source::Line(line))
    }

    pub(crate) fn h1(body: Box<H1Body>) -> Self {
        Self(Source::H1(body))
    }

    pub(crate) fn h2(body: Incoming, lease: H2Lease) -> Self {
        Self(if body.is_end_stream() { Source::Done } else { Source::H2 { body, _lease: lease } })
    }

    /// The next piece; `None` at the good end. Pieces are never empty. After an error or the end, the answer is `None`.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, NetError>>> {
        let (next, over) = match &mut self.0 {
            Source::Done => return Poll::Ready(None),
            Source::Whole(bytes) => (Some(Ok(std::mem::take(bytes))), true),
            Source::Ready(pieces) => (pieces.pop_front(), false),
            Source::Line(line) => ready!(line.poll_body(cx)),
            Source::H1(body) => {
                let next = ready!(body.poll_chunk(cx));
                (next, body.is_done())
            }
            Source::Incoming(body) | Source::H2 { body, .. } => {
                let next = ready!(poll_incoming(body, cx));
                (next, body.is_end_stream())
            }
        };
        if over || !matches!(next, Some(Ok(_))) {
            self.0 = Source::Done;
        }
        Poll::Ready(next)
    }

    /// The next piece; see [`Self::poll_chunk`]. The caller sets the deadline.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, NetError>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Whether the end is known to be reached.
    pub const fn is_done(&self) -> bool {
        matches!(self.0, Source::Done)
    }

    /// How many bytes are still to come, if that is known.
    pub fn size_hint(&self) -> Option<u64> {
        match &self.0 {
            Source::Done => Some(0),
            Source::Ready(pieces) => {
                pieces.iter().map(|piece| piece.as_ref().ok().map(|bytes| bytes.len() as u64)).sum()
            }
            Source::Whole(bytes) => Some(bytes.len() as u64),
            Source::Line(line) => line.remaining(),
            Source::Incoming(body) | Source::H2 { body, .. } => body.size_hint().exact(),
            Source::H1(body) => body.remaining(),
        }
    }

    /// The whole body. A body that came in one piece is not copied; one of known length is allocated once.
    ///
    /// # Errors
    /// [`CollectError`], each at the earliest moment at which it is known.
    pub async fn collect(mut self, limit: usize, deadline: Instant, budget: &ByteBudget) -> Result<Held, CollectError> {
        let announced = self.size_hint();
        if announced.is_some_and(|n| n > limit as u64) {
            return Err(CollectError::TooLarge { limit, announced });
        }
        let mut permit = budget.take(0).ok_or(CollectError::OverBudget)?;
        if let Source::Whole(bytes) = self.0 {
            return if permit.grow(bytes.len()) { Ok(Held { bytes, permit }) } else { Err(CollectError::OverBudget) };
        }
        let gather = self.gather(limit, announced, &mut permit);
        match tokio::time::timeout_at(deadline.into(), gather).await {
            Ok(bytes) => Ok(Held { bytes: bytes?, permit }),
            Err(_) => Err(CollectError::Timeout),
        }
    }

    async fn gather(
        &mut self,
        limit: usize,
        announced: Option<u64>,
        permit: &mut BytePermit,
    ) -> Result<Bytes, CollectError> {
        let mut take = |n: usize| {
            if permit.bytes() + n > limit {
                return Err(CollectError::TooLarge { limit, announced });
            }
            if permit.grow(n) { Ok(()) } else { Err(CollectError::OverBudget) }
        };
        let shared = matches!(self.0, Source::Incoming(_) | Source::H2 { .. });
        let Some(first) = self.chunk().await else { return Ok(Bytes::new()) };
        let first = first?;
        take(first.len())?;
        if self.is_done() {
            return Ok(if shared { compact(first) } else { first });
        }
        // The announced length is a promise, not a fact: memory follows what arrives.
        let room = announced.map_or(first.len() * 2, |n| (n as usize).clamp(first.len(), limit.max(first.len())) + 1);
        let mut whole = match first.try_into_mut() {
            Ok(mut whole) => {
                whole.reserve(room.saturating_sub(whole.len()));
                whole
            }
            Err(first) => {
                let mut whole = BytesMut::with_capacity(room);
                whole.extend_from_slice(&first);
                whole
            }
        };
        while let Some(n) = poll_fn(|cx| self.poll_append(cx, &mut whole)).await {
            take(n?)?;
        }
        Ok(whole.freeze())
    }

    /// Appends the next piece to `whole`, and says how long it is; without a copy where the length is known.
    fn poll_append(&mut self, cx: &mut Context<'_>, whole: &mut BytesMut) -> Poll<Option<Result<usize, NetError>>> {
        let direct = match &mut self.0 {
            Source::Line(line) => line.poll_append(cx, whole),
            Source::H1(body) => body.poll_append(cx, whole).map(|read| read.map(|next| (next, body.is_done()))),
            _ => None,
        };
        let Some(direct) = direct else {
            return self.poll_chunk(cx).map(|next| {
                next.map(|piece| {
                    let piece = piece?;
                    whole.extend_from_slice(&piece);
                    Ok(piece.len())
                })
            });
        };
        let (next, over) = ready!(direct);
        if over || !matches!(next, Some(Ok(_))) {
            self.0 = Source::Done;
        }
        Poll::Ready(next)
    }
}

/// A small piece of HTTP/2 is a view into a connection's read buffer; a copy lets the buffer go while the body is held.
fn compact(piece: Bytes) -> Bytes {
    if piece.len() <= 4_096 { Bytes::copy_from_slice(&piece) } else { piece }
}

fn poll_incoming(body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, NetError>>> {
    loop {
        return Poll::Ready(match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            None => None,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if !data.is_empty() => Some(Ok(data)),
                // Trailers and empty frames carry nothing that we forward.
                _ => continue,
            },
            Some(Err(error)) => Some(Err(broken(&error))),
        });
    }
}

fn broken(error: &hyper::Error) -> NetError {
    let io = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let bad =
        io.is_some_and(|io| matches!(io.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput));
    let kind = if bad { NetErrorKind::BadBody } else { NetErrorKind::Truncated };
    let detail = io.map_or_else(|| error.to_string(), |io| format!("{error}: {io}"));
    NetError::new(kind, detail).sent(Sent::Yes)
}

impl fmt::Debug for RecvBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecvBody({:?} bytes to come)", self.size_hint())
    }
}
