//! The bytes under hyper: a socket that can be told to reset instead of close, or to send other bytes than hyper's.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What a fault may do to the connection that its request came on.
#[derive(Debug, Default)]
pub(crate) struct Control {
    reset: AtomicBool,
    raw: Mutex<Option<Vec<u8>>>,
}

impl Control {
    /// When the connection ends, it ends with a TCP reset.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    /// From now on hyper's bytes are swallowed and these are sent once instead.
    pub(crate) fn replace(&self, bytes: Vec<u8>) {
        *self.raw.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }
}

/// The socket of one connection.
#[derive(Debug)]
pub(crate) struct Conn {
    stream: TcpStream,
    control: Arc<Control>,
}

impl Conn {
    pub(crate) fn new(stream: TcpStream) -> (Self, Arc<Control>) {
        let control = Arc::new(Control::default());
        (Self { stream, control: Arc::clone(&control) }, control)
    }

    /// Sends what stands in for hyper's bytes; ready with `true` when hyper's bytes are to be swallowed.
    fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut raw = self.control.raw.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bytes) = raw.as_mut() else { return Poll::Ready(Ok(false)) };
        while !bytes.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
            bytes.drain(..written);
        }
        Poll::Ready(Ok(true))
    }
}

impl AsyncRead for Conn {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Conn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if ready!(self.poll_raw(cx))? {
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.control.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        if self.control.reset.load(Ordering::Relaxed) {
            // If it cannot be set, the connection closes in the ordinary way; a test of the reset then fails.
            let _set = self.stream.set_zero_linger();
        }
    }
}
