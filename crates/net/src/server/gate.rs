//! Stands between the socket and the HTTP implementation: sees every byte of a request first, and keeps the time.
//!
//! hyper reads some shapes of requests that a proxy in front could read differently (bare line feeds, a length
//! together with chunks, …). The gate follows the framing by stricter rules; what breaks them is answered 400, and the
//! connection ends. It changes no byte.

mod scan;

use super::ServerLimits;
use scan::Scan;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// After an early answer, how long the rest of the request is read and thrown away.
const LINGER: Duration = Duration::from_secs(5);

/// What the gate and the service of one connection know together.
#[derive(Default)]
pub(super) struct Talk {
    /// Requests that are being answered.
    flights: AtomicUsize,
    /// What was wrong with what came in.
    fault: OnceLock<&'static str>,
}

impl Talk {
    /// What was wrong with what came in, if anything.
    pub(super) fn fault(&self) -> Option<&'static str> {
        self.fault.get().copied()
    }

    /// A request begins to be answered.
    pub(super) fn begin(self: &Arc<Self>) -> Flight {
        self.flights.fetch_add(1, Relaxed);
        Flight(Arc::clone(self))
    }

    fn is_busy(&self) -> bool {
        self.flights.load(Relaxed) > 0
    }
}

/// A request in flight, until dropped.
pub(super) struct Flight(Arc<Talk>);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.flights.fetch_sub(1, Relaxed);
    }
}

/// The connection as the HTTP implementation sees it.
pub(super) struct Gate<I> {
    io: I,
    talk: Arc<Talk>,
    /// `None`: HTTP/2, which frames for itself.
    scan: Option<Scan>,
    times: Times,
    reading: Clock,
    writing: Clock,
    /// Bytes that may still be thrown away at the end.
    unread: usize,
    shut: bool,
}

#[derive(Clone, Copy)]
struct Times {
    head: Duration,
    idle: Duration,
    write: Duration,
}

impl<I> Gate<I> {
    /// A gate that follows HTTP/1.
    pub(super) fn new(io: I, talk: Arc<Talk>, limits: &ServerLimits) -> Self {
        Self { scan: Some(Scan::new()), ..Self::blind(io, talk, limits) }
    }

    /// A gate that only keeps the time.
    pub(super) fn blind(io: I, talk: Arc<Talk>, limits: &ServerLimits) -> Self {
        let times = Times { head: limits.head_timeout, idle: limits.idle_timeout, write: limits.write_timeout };
        let (reading, writing) = (Clock::default(), Clock::default());
        Self { io, talk, scan: None, times, reading, writing, unread: limits.max_unread, shut: false }
    }

    /// Whether waiting for bytes has taken too long.
    fn waited_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        if self.talk.is_busy() {
            // The deadlines of a request that is being answered are its service's. The clock only sees to it that
            // somebody looks again: hyper does not read once more when the answer is out.
            self.reading.look_again(self.times.idle, cx);
            return false;
        }
        let in_head = self.scan.as_ref().is_some_and(Scan::is_in_head);
        let limit = if in_head { self.times.head } else { self.times.idle };
        self.reading.runs_out(u8::from(in_head) + 1, limit, cx)
    }

    fn progress<T>(&mut self, polled: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.writing.stop();
        } else if self.writing.runs_out(1, self.times.write, cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Gate<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        match Pin::new(&mut this.io).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {}
            Poll::Pending if this.waited_too_long(cx) => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            other => return other,
        }
        let Some(scan) = &mut this.scan else { return Poll::Ready(Ok(())) };
        if let Err(why) = scan.see(&buf.filled()[before..]) {
            // A head that is at fault is answered 400 by the service; a body that is at fault cannot go on.
            this.talk.fault.set(why).ok();
            if this.talk.is_busy() {
                buf.set_filled(before);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
            }
        }
        if !scan.is_in_head() {
            // A head that drips in has one limit from its first byte; anything else begins to wait anew.
            this.reading.stop();
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gate<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.progress(polled, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.progress(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.progress(polled, cx)
    }

    /// Says goodbye, and then takes what the caller may still be sending: a socket closed with unread bytes would be
    /// reset, and the caller might lose the answer.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.shut {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            this.shut = true;
            this.writing.stop();
        }
        if this.scan.as_ref().is_none_or(Scan::is_between) && this.talk.fault().is_none() {
            return Poll::Ready(Ok(()));
        }
        let mut bin = [0; 16_384];
        loop {
            let mut buf = ReadBuf::new(&mut bin);
            match Pin::new(&mut this.io).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() && this.unread > buf.filled().len() => {
                    this.unread -= buf.filled().len();
                }
                Poll::Pending if !this.writing.runs_out(2, LINGER, cx) => return Poll::Pending,
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// A limit on waiting. The timer is made at the first wait and then left running: most waits end before it matters, and
/// moving a timer costs more than looking at the time when it rings.
#[derive(Default)]
struct Clock {
    timer: Option<Pin<Box<Sleep>>>,
    /// What is waited for, and since when; 0 is nothing.
    what: u8,
    since: Option<Instant>,
}

impl Clock {
    /// Waiting is over.
    const fn stop(&mut self) {
        self.what = 0;
    }

    /// Waits for nothing that has a limit, but rings after `at_latest`.
    fn look_again(&mut self, at_latest: Duration, cx: &mut Context<'_>) {
        self.what = 0;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(at_latest)));
        while timer.as_mut().poll(cx).is_ready() {
            timer.as_mut().reset(Instant::now() + at_latest);
        }
    }

    /// Waits (on) for `what`; true once that has taken `limit`.
    fn runs_out(&mut self, what: u8, limit: Duration, cx: &mut Context<'_>) -> bool {
        let since = match self.since {
            Some(since) if self.what == what => since,
            _ => *self.since.insert(Instant::now()),
        };
        self.what = what;
        let end = since + limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        if timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= end {
                return true;
            }
            timer.as_mut().reset(end);
        }
        false
    }
}
