//! A connection to a backend, in clear text or over TLS, and the read buffer that all connections of a thread share.

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// How much one read takes. One buffer per thread, so that a connection that waits holds none.
const SCRATCH: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// The bytes of a connection.
pub(super) enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection that speaks HTTP/1.1.
pub(super) struct Conn {
    pub(super) io: Io,
    /// Whether it has served a request before.
    pub(super) reused: bool,
}

impl Io {
    /// Reads once and shows what came; an empty slice is the end.
    pub(super) fn poll_read<T>(&mut self, cx: &mut Context<'_>, see: impl FnOnce(&[u8]) -> T) -> Poll<io::Result<T>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(match self {
                Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, &mut buffer),
                Self::Tls(tls) => Pin::new(tls).poll_read(cx, &mut buffer),
            })?;
            Poll::Ready(Ok(see(buffer.filled())))
        })
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match (self, slices) {
            (Self::Plain(tcp), [one]) => Pin::new(tcp).poll_write(cx, one),
            (Self::Plain(tcp), _) => Pin::new(tcp).poll_write_vectored(cx, slices),
            (Self::Tls(tls), _) => Pin::new(tls).poll_write_vectored(cx, slices),
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }
}

impl Conn {
    /// Whether an idle connection can serve again. The peer's goodbye, or bytes that nobody asked for, say no.
    pub(super) fn is_alive(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.io.poll_read(&mut cx, |_| ()).is_pending()
    }
}
