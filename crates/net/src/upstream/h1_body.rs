//! The body of a reply over HTTP/1.1: length, chunked, or until the connection closes.

use super::{Upstream, h1::Sending, io::Conn};
use crate::{
    NetError, NetErrorKind, Origin,
    chunked::{BadChunk, ChunkDecoder, Step},
};
use bytes::Bytes;
use std::{
    io,
    task::{Context, Poll, ready},
};
use types::Sent;

/// How the end of a body is known.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks.
    Chunked(ChunkDecoder),
    /// The peer closes the connection.
    UntilClose,
}

/// A body that is being received. Dropping it closes the connection.
pub(crate) struct H1Body {
    /// Gone once the body is over.
    conn: Option<Conn>,
    framing: Framing,
    /// Read together with the head, not looked at yet.
    rest: Bytes,
    keep: bool,
    /// The request, if the reply came before all of it was sent.
    sending: Option<Box<Sending>>,
    upstream: Upstream,
    origin: Origin,
}

/// What a look at some input gave.
struct Look {
    data: Bytes,
    /// The body is complete.
    end: bool,
    /// Bytes came behind the end: nobody asked for them.
    surplus: bool,
}

impl H1Body {
    /// The body of a reply; `None` if it has none, and then the connection is free at once.
    pub(super) fn new(
        conn: Conn,
        framing: Framing,
        rest: Bytes,
        keep: bool,
        sending: Option<Box<Sending>>,
        upstream: Upstream,
        origin: Origin,
    ) -> Option<Box<Self>> {
        let empty = matches!(framing, Framing::Length(0));
        let surplus = empty && !rest.is_empty();
        let mut body = Self { conn: Some(conn), framing, rest, keep, sending, upstream, origin };
        if empty {
            body.finish(surplus);
            return None;
        }
        Some(Box::new(body))
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.conn.is_none()
    }

    /// Bytes still to come, if that is known.
    pub(crate) const fn remaining(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(n) => Some(n),
            Framing::Chunked(_) | Framing::UntilClose => None,
        }
    }

    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, NetError>>> {
        let next = ready!(self.poll_next(cx));
        if !matches!(next, Some(Ok(_))) {
            self.conn = None;
        }
        Poll::Ready(next)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, NetError>>> {
        loop {
            let Some(conn) = &mut self.conn else { return Poll::Ready(None) };
            if let Some(sending) = &mut self.sending
                && let Poll::Ready(sent) = sending.poll(&mut conn.io, cx)
            {
                self.keep &= sent.is_ok();
                self.sending = None;
            }
            let framing = &mut self.framing;
            let look = if self.rest.is_empty() {
                match ready!(conn.io.poll_read(cx, |input| (!input.is_empty()).then(|| look(framing, input)))) {
                    Ok(Some(look)) => look,
                    Ok(None) => return Poll::Ready(self.closed(None)),
                    Err(error) => return Poll::Ready(self.closed(Some(&error))),
                }
            } else {
                let rest = std::mem::take(&mut self.rest);
                look(framing, &rest)
            };
            let look = match look {
                Ok(look) => look,
                Err(BadChunk(why)) => return Poll::Ready(Some(Err(bad(why)))),
            };
            if look.end {
                self.finish(look.surplus);
            }
            if !look.data.is_empty() {
                return Poll::Ready(Some(Ok(look.data)));
            }
        }
    }

    /// The peer closed, or the connection broke.
    fn closed(&mut self, error: Option<&io::Error>) -> Option<Result<Bytes, NetError>> {
        self.conn = None;
        let detail = match (error, &self.framing) {
            (None, Framing::UntilClose) => return None,
            (None, _) => "the connection was closed inside the body".to_owned(),
            (Some(error), _) => format!("the connection broke inside the body: {error}"),
        };
        Some(Err(NetError::new(NetErrorKind::Truncated, detail).sent(Sent::Yes)))
    }

    /// The body is complete: the connection serves again if nothing speaks against it.
    fn finish(&mut self, surplus: bool) {
        if let Some(conn) = self.conn.take()
            && self.keep
            && self.sending.is_none()
            && !surplus
        {
            self.upstream.put_back(&self.origin, Conn { reused: true, ..conn });
        }
    }
}

fn bad(why: &'static str) -> NetError {
    NetError::new(NetErrorKind::BadBody, why).sent(Sent::Yes)
}

/// Takes the payload out of what was read. It is copied once, to its exact size: what is held of a stream is then never
/// more than its own bytes.
fn look(framing: &mut Framing, input: &[u8]) -> Result<Look, BadChunk> {
    match framing {
        Framing::UntilClose => Ok(Look { data: Bytes::copy_from_slice(input), end: false, surplus: false }),
        Framing::Length(left) => {
            let n = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
            *left -= n as u64;
            let end = *left == 0;
            Ok(Look { data: Bytes::copy_from_slice(&input[..n]), end, surplus: n < input.len() })
        }
        Framing::Chunked(decoder) => look_chunked(decoder, input),
    }
}

/// The payloads of all chunks in one read become one piece: fewer writes, same moment.
fn look_chunked(decoder: &mut ChunkDecoder, mut input: &[u8]) -> Result<Look, BadChunk> {
    let mut first: &[u8] = &[];
    let mut joined = Vec::new();
    loop {
        match decoder.next(&mut input)? {
            Step::Data(data) if first.is_empty() => first = data,
            Step::Data(data) => {
                if joined.is_empty() {
                    joined.reserve_exact(first.len() + data.len() + input.len());
                    joined.extend_from_slice(first);
                }
                joined.extend_from_slice(data);
            }
            step => {
                let data = if joined.is_empty() { Bytes::copy_from_slice(first) } else { joined.into() };
                return Ok(Look { data, end: step == Step::End, surplus: !input.is_empty() });
            }
        }
    }
}
