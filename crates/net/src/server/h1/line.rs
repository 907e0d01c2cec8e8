//! What a connection and the body of its request share: the socket, and what was read from it and not used yet.
//!
//! Both are polled by the connection's task, so the lock is never waited for.

use super::head::{self, Head, Refused};
use crate::{
    NetError, NetErrorKind, chunked::BadChunk, clock::Clock, framing::Framing, io::Io, sending::Sending,
    server::ServerLimits,
};
use bytes::{Bytes, BytesMut};
use std::{
    io::{self, IoSlice},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};
use types::Sent;

/// After an early answer, how long the rest of the request is read and thrown away.
const LINGER: Duration = Duration::from_secs(5);
/// While a request is answered, at most about so much is read of what the caller sends behind it.
const READ_AHEAD: usize = 64 * 1024;
/// So much is read of a request before its head is known. The rest of a large body is then read to where it stays.
const FIRST: usize = 16 * 1024;
/// For a body that has begun to come, at most so much room is made before anybody has said that it is wanted.
const ROOM: usize = 1024 * 1024;
/// What tells a caller who waits that the body is wanted.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What is waited for, for the clocks.
const NEXT: u8 = 1;
const HEAD: u8 = 2;
const WRITE: u8 = 3;
const REST: u8 = 4;

/// A connection's line, shared with the body of its request.
#[derive(Clone)]
pub(crate) struct Line(Arc<Mutex<Inner>>);

pub(super) struct Inner {
    io: Io,
    /// Read, and not used yet.
    ahead: Bytes,
    /// A part of a head.
    part: Vec<u8>,
    /// The frame of the body that is still being read.
    body: Option<Framing>,
    /// What of [`CONTINUE`] is still owed.
    interim: &'static [u8],
    clock: Clock,
    /// Bytes that may still be thrown away at the end.
    unread: usize,
    shut: bool,
}

/// A step of reading a body, `None` at its end, and whether nothing follows.
pub(crate) type Step<T> = (Option<Result<T, NetError>>, bool);

/// What comes next on a connection.
pub(super) enum Next {
    /// A request; its body, as far as it is known.
    Request(Box<Head>, Option<Bytes>),
    Refused(Refused),
    /// The caller has left, or was idle for too long.
    Over,
}

impl Line {
    pub(super) fn new(io: Io, limits: &ServerLimits) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            io,
            ahead: Bytes::new(),
            part: Vec::new(),
            body: None,
            interim: &[],
            clock: Clock::default(),
            unread: limits.max_unread,
            shut: false,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece of the request's body, and whether it is the last.
    pub(crate) fn poll_body(&self, cx: &mut Context<'_>) -> Poll<Step<Bytes>> {
        let mut inner = self.lock();
        let next = ready!(inner.poll_body(cx));
        Poll::Ready((next, inner.body.is_none()))
    }

    /// Reads once, straight to the end of `whole`; `None` where that cannot be done. See `H1Body::poll_append`.
    pub(crate) fn poll_append(&self, cx: &mut Context<'_>, whole: &mut BytesMut) -> Option<Poll<Step<usize>>> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let left = usize::try_from(inner.body.as_ref()?.remaining()?).ok()?;
        if !inner.ahead.is_empty() || !inner.interim.is_empty() {
            return None;
        }
        let started = whole.len();
        Some(inner.io.poll_append(cx, whole, left).map(|read| match read {
            Ok(0) => (Some(Err(cut_short(None))), false),
            Ok(n) => {
                let n = n.min(left);
                if let Some(next @ [_, ..]) = whole.get(started + n..) {
                    // What is behind the body is the next request's.
                    inner.ahead = Bytes::copy_from_slice(next);
                    whole.truncate(started + n);
                }
                if inner.body.as_mut().is_some_and(|body| body.passed(n)) {
                    inner.body = None;
                }
                (Some(Ok(n)), inner.body.is_none())
            }
            Err(error) => (Some(Err(cut_short(Some(&error)))), false),
        }))
    }

    /// Bytes of the body still to come, if that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        self.lock().body.as_ref().map_or(Some(0), Framing::remaining)
    }
}

impl Inner {
    /// Whether the body of the request has not been read to its end.
    pub(super) const fn is_unread(&self) -> bool {
        self.body.is_some()
    }

    /// Whether part of a request has come.
    pub(super) const fn is_in_head(&self) -> bool {
        !self.part.is_empty()
    }

    /// The next request.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>, limits: &ServerLimits) -> Poll<Next> {
        if !self.ahead.is_empty() {
            let ahead = std::mem::take(&mut self.ahead);
            if let Some(next) = self.gather(&ahead, limits) {
                return Poll::Ready(next);
            }
        }
        loop {
            // The buffer belongs to the thread: what is found in it is taken out before anything else happens.
            let found = {
                let Self { io, part, .. } = self;
                match io.poll_some(cx, FIRST, |input| (!input.is_empty()).then(|| gather(part, input, limits))) {
                    Poll::Ready(Ok(Some(found))) => found,
                    Poll::Ready(_) => return Poll::Ready(Next::Over),
                    Poll::Pending => {
                        let (what, limit) =
                            if self.is_in_head() { (HEAD, limits.head_timeout) } else { (NEXT, limits.idle_timeout) };
                        let over = self.clock.runs_out(what, limit, cx);
                        return if over { Poll::Ready(Next::Over) } else { Poll::Pending };
                    }
                }
            };
            if let Some(next) = self.begin(found) {
                self.clock.stop();
                return Poll::Ready(next);
            }
        }
    }

    fn gather(&mut self, input: &[u8], limits: &ServerLimits) -> Option<Next> {
        let found = gather(&mut self.part, input, limits);
        self.begin(found)
    }

    /// Makes the line ready for the body of what was found.
    fn begin(&mut self, found: Result<Option<Found>, Refused>) -> Option<Next> {
        match found {
            Err(refused) => Some(Next::Refused(refused)),
            Ok(None) => None,
            Ok(Some(Found { mut head, body, rest })) => {
                self.ahead = rest;
                self.body = head.framing.take();
                self.interim = if head.expects && self.ahead.is_empty() { CONTINUE } else { &[] };
                Some(Next::Request(head, body))
            }
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, NetError>>> {
        loop {
            let Some(body) = &mut self.body else { return Poll::Ready(None) };
            let look = if self.ahead.is_empty() {
                while !self.interim.is_empty() {
                    match ready!(self.io.poll_write(cx, &[IoSlice::new(self.interim)])) {
                        Ok(n) if n > 0 => self.interim = &self.interim[n..],
                        _ => return Poll::Ready(Some(Err(cut_short(None)))),
                    }
                }
                ready!(self.io.poll_flush(cx)).ok();
                let ahead = &mut self.ahead;
                let read = self.io.poll_read(cx, |mut input| {
                    (!input.is_empty()).then(|| {
                        let look = body.take(&mut input);
                        *ahead = Bytes::copy_from_slice(input);
                        look
                    })
                });
                match ready!(read) {
                    Ok(Some(look)) => look,
                    Ok(None) => return Poll::Ready(Some(Err(cut_short(None)))),
                    Err(error) => return Poll::Ready(Some(Err(cut_short(Some(&error))))),
                }
            } else {
                body.take_owned(&mut self.ahead)
            };
            let look = match look {
                Ok(look) => look,
                Err(BadChunk(why)) => {
                    return Poll::Ready(Some(Err(NetError::new(NetErrorKind::BadBody, why).sent(Sent::Yes))));
                }
            };
            if look.end {
                self.body = None;
            }
            if !look.data.is_empty() {
                return Poll::Ready(Some(Ok(look.data)));
            }
        }
    }

    /// Ready when the caller has left. What it sends meanwhile is kept for later, up to a limit.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The service is reading: it learns by itself.
        if self.body.is_some() {
            return Poll::Pending;
        }
        while self.ahead.len() < READ_AHEAD {
            let Self { io, ahead, .. } = self;
            match ready!(io.poll_read(cx, |input| {
                if !input.is_empty() {
                    *ahead = [ahead, input].concat().into();
                }
                input.len()
            })) {
                Ok(n) if n > 0 => {}
                _ => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Sends a whole answer.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        sending: &mut Sending,
        limits: &ServerLimits,
    ) -> Poll<io::Result<()>> {
        let polled = sending.poll(&mut self.io, cx);
        self.in_time(polled, cx, limits)
    }

    /// Writes what it can of `bytes`.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        limits: &ServerLimits,
    ) -> Poll<io::Result<usize>> {
        let polled = self.io.poll_write(cx, &[IoSlice::new(bytes)]);
        self.in_time(polled, cx, limits)
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>, limits: &ServerLimits) -> Poll<io::Result<()>> {
        let polled = self.io.poll_flush(cx);
        self.in_time(polled, cx, limits)
    }

    fn in_time<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
        limits: &ServerLimits,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.clock.stop();
        } else if self.clock.runs_out(WRITE, limits.write_timeout, cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }

    /// Says goodbye, and then takes what the caller may still be sending: a socket closed with unread bytes would be
    /// reset, and the caller might lose the answer.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>, more_may_come: bool) -> Poll<()> {
        if !self.shut {
            let polled = self.io.poll_shutdown(cx);
            if polled.is_pending() && !self.clock.runs_out(WRITE, LINGER, cx) {
                return Poll::Pending;
            }
            self.shut = true;
            self.clock.stop();
        }
        if !more_may_come {
            return Poll::Ready(());
        }
        loop {
            match self.io.poll_read(cx, <[u8]>::len) {
                Poll::Ready(Ok(n)) if n > 0 && self.unread > n => self.unread -= n,
                Poll::Pending if !self.clock.runs_out(REST, LINGER, cx) => return Poll::Pending,
                _ => return Poll::Ready(()),
            }
        }
    }
}

/// A request at the start of some input.
struct Found {
    head: Box<Head>,
    /// Its whole body, where all of it was there.
    body: Option<Bytes>,
    /// What is behind the head, and behind the body if that is whole.
    rest: Bytes,
}

/// Looks for a head in what was read before (`part`) and `input`. What is not complete is kept in `part`.
fn gather(part: &mut Vec<u8>, mut input: &[u8], limits: &ServerLimits) -> Result<Option<Found>, Refused> {
    if part.is_empty() {
        // Empty lines before a request are passed over, as RFC 9112 asks.
        while let Some(rest) = input.strip_prefix(b"\r\n") {
            input = rest;
        }
        let found = if input.is_empty() { None } else { find(input, limits)? };
        if found.is_none() {
            part.extend_from_slice(input);
        }
        return Ok(found);
    }
    part.extend_from_slice(input);
    // A head ends with a line: without a new line there is nothing new to find.
    if memchr::memchr(b'\n', input).is_none() && part.len() <= limits.max_head {
        return Ok(None);
    }
    let whole = std::mem::take(part);
    let found = find(&whole, limits)?;
    if found.is_none() {
        *part = whole;
    }
    Ok(found)
}

fn find(input: &[u8], limits: &ServerLimits) -> Result<Option<Found>, Refused> {
    let Some(mut head) = head::read(input, limits)? else { return Ok(None) };
    let behind = &input[head.len..];
    let whole = match head.framing {
        Some(Framing::Length(length)) => usize::try_from(length).ok().filter(|length| *length <= behind.len()),
        _ => None,
    };
    let (body, rest) = match (whole, &head.framing) {
        (Some(length), _) => {
            head.framing = None;
            (Some(Bytes::copy_from_slice(&behind[..length])), Bytes::copy_from_slice(&behind[length..]))
        }
        (None, Some(Framing::Length(length))) => {
            // With room for the rest, so that it can be read to where it stays.
            let room = usize::try_from(*length).unwrap_or(usize::MAX).min(ROOM) + 1;
            let mut begun = Vec::with_capacity(room.max(behind.len()));
            begun.extend_from_slice(behind);
            (None, begun.into())
        }
        (None, _) => (None, Bytes::copy_from_slice(behind)),
    };
    Ok(Some(Found { head: Box::new(head), body, rest }))
}

fn cut_short(error: Option<&io::Error>) -> NetError {
    let detail = match error {
        None => "the connection was closed inside the body".to_owned(),
        Some(error) => format!("the connection broke inside the body: {error}"),
    };
    NetError::new(NetErrorKind::Truncated, detail).sent(Sent::Yes)
}
