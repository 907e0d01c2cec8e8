//! Stands between the socket and HTTP/2, and keeps the time.

use super::ServerLimits;
use crate::clock::Clock;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the gate and the service of one connection know together.
#[derive(Default)]
pub(super) struct Talk {
    /// Requests that are being answered.
    flights: AtomicUsize,
}

impl Talk {
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
    idle: Duration,
    write: Duration,
    reading: Clock,
    writing: Clock,
}

impl<I> Gate<I> {
    pub(super) fn new(io: I, talk: Arc<Talk>, limits: &ServerLimits) -> Self {
        let (reading, writing) = (Clock::default(), Clock::default());
        Self { io, talk, idle: limits.idle_timeout, write: limits.write_timeout, reading, writing }
    }

    /// Whether waiting for bytes has taken too long.
    fn waited_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        if self.talk.is_busy() {
            // The deadlines of a request that is being answered are its service's. The clock only sees to it that
            // somebody looks again: hyper does not read once more when the answer is out.
            self.reading.look_again(self.idle, cx);
            return false;
        }
        self.reading.runs_out(1, self.idle, cx)
    }

    fn progress<T>(&mut self, polled: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.writing.stop();
        } else if self.writing.runs_out(1, self.write, cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Gate<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match Pin::new(&mut this.io).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                this.reading.stop();
                Poll::Ready(Ok(()))
            }
            Poll::Pending if this.waited_too_long(cx) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            other => other,
        }
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

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_shutdown(cx);
        self.progress(polled, cx)
    }
}
