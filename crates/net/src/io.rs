//! A connection's bytes, in clear text or over TLS, and the read buffer that all connections of a thread share.

use bytes::{BufMut, BytesMut};
use std::{
    cell::RefCell,
    future::Future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsStream;

/// How much one read takes. One buffer per thread, so that a connection that waits holds none.
const SCRATCH: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// The bytes of a connection, of either side.
pub(crate) enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    /// Reads once and shows what came; an empty slice is the end. `see` must not read again.
    pub(crate) fn poll_read<T>(&mut self, cx: &mut Context<'_>, see: impl FnOnce(&[u8]) -> T) -> Poll<io::Result<T>> {
        self.poll_some(cx, SCRATCH, see)
    }

    /// The same, at most `most` bytes.
    pub(crate) fn poll_some<T>(
        &mut self,
        cx: &mut Context<'_>,
        most: usize,
        see: impl FnOnce(&[u8]) -> T,
    ) -> Poll<io::Result<T>> {
        BUFFER.with_borrow_mut(|buffer| {
            let most = most.min(buffer.len());
            let mut buffer = ReadBuf::new(&mut buffer[..most]);
            ready!(match self {
                Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, &mut buffer),
                Self::Tls(tls) => Pin::new(tls).poll_read(cx, &mut buffer),
            })?;
            Poll::Ready(Ok(see(buffer.filled())))
        })
    }

    /// Reads once to the end of `into` what is left of a body, and says how many bytes came; 0 is the end.
    ///
    /// There may be one byte more than were `left`. It is asked for so that a read never fills its room by the end of the
    /// body alone: a socket that filled it is asked again for nothing, by the next who waits for it.
    pub(crate) fn poll_append(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        left: usize,
    ) -> Poll<io::Result<usize>> {
        let mut into = into.limit(left.saturating_add(1));
        match self {
            Self::Plain(tcp) => pin!(tcp.read_buf(&mut into)).poll(cx),
            Self::Tls(tls) => pin!(tls.read_buf(&mut into)).poll(cx),
        }
    }

    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match (self, slices) {
            (Self::Plain(tcp), [one]) => Pin::new(tcp).poll_write(cx, one),
            (Self::Plain(tcp), _) => Pin::new(tcp).poll_write_vectored(cx, slices),
            (Self::Tls(tls), _) => Pin::new(tls).poll_write_vectored(cx, slices),
        }
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
