//! The body of a reply over HTTP/1.1: length, chunked, or until the connection closes.

use super::{Conn, Upstream};
use crate::{NetError, NetErrorKind, Origin, RecvBody, chunked::BadChunk, framing::Framing, sending::Sending};
use bytes::{Bytes, BytesMut};
use std::{
    io,
    task::{Context, Poll, ready},
};
use types::Sent;

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

impl H1Body {
    /// The body of a reply. One that is complete already, as a short one is that came with its head, frees the connection at
    /// once.
    pub(super) fn receive(
        conn: Conn,
        framing: Framing,
        mut rest: Bytes,
        keep: bool,
        sending: Option<Box<Sending>>,
        upstream: Upstream,
        origin: &Origin,
    ) -> RecvBody {
        let sent = sending.is_none();
        let complete = framing.remaining().and_then(|n| usize::try_from(n).ok());
        if let Some(len) = complete.filter(|len| *len == 0 || sent && *len <= rest.len()) {
            // Bytes behind the end are bytes that nobody asked for.
            if keep && sent && rest.len() == len {
                upstream.put_back(origin, Conn { reused: true, ..conn });
            }
            rest.truncate(len);
            return RecvBody::whole(rest);
        }
        let origin = origin.clone();
        RecvBody::h1(Box::new(Self { conn: Some(conn), framing, rest, keep, sending, upstream, origin }))
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.conn.is_none()
    }

    /// Bytes still to come, if that is known.
    pub(crate) const fn remaining(&self) -> Option<u64> {
        self.framing.remaining()
    }

    /// Reads once, straight to the end of `whole`, and says how many bytes came; `None` where that cannot be done:
    /// the length is not known, or something was read already.
    pub(crate) fn poll_append(
        &mut self,
        cx: &mut Context<'_>,
        whole: &mut BytesMut,
    ) -> Option<Poll<Option<Result<usize, NetError>>>> {
        let left = usize::try_from(self.framing.remaining()?).ok()?;
        let conn = self.conn.as_mut().filter(|_| self.rest.is_empty() && self.sending.is_none())?;
        let started = whole.len();
        Some(match conn.io.poll_append(cx, whole, left) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(n)) if n > 0 => {
                let (surplus, n) = (n > left, n.min(left));
                whole.truncate(started + n);
                if self.framing.passed(n) {
                    self.finish(surplus);
                }
                Poll::Ready(Some(Ok(n)))
            }
            Poll::Ready(Ok(_)) => Poll::Ready(self.closed(None).map(|end| end.map(|_| 0))),
            Poll::Ready(Err(error)) => Poll::Ready(self.closed(Some(&error)).map(|end| end.map(|_| 0))),
        })
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
            let looked = if self.rest.is_empty() {
                let look =
                    |mut input: &[u8]| (!input.is_empty()).then(|| (framing.take(&mut input), !input.is_empty()));
                match ready!(conn.io.poll_read(cx, look)) {
                    Ok(Some(looked)) => looked,
                    Ok(None) => return Poll::Ready(self.closed(None)),
                    Err(error) => return Poll::Ready(self.closed(Some(&error))),
                }
            } else {
                let mut rest = std::mem::take(&mut self.rest);
                (framing.take_owned(&mut rest), !rest.is_empty())
            };
            // Bytes behind the end are bytes that nobody asked for.
            let (look, surplus) = match looked {
                (Ok(look), surplus) => (look, surplus),
                (Err(BadChunk(why)), _) => return Poll::Ready(Some(Err(bad(why)))),
            };
            if look.end {
                self.finish(surplus);
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
