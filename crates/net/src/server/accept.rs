//! Accepts connections, up to the limit, until the drain starts.

use super::{Common, connection};
use crate::{Service, turn::in_turns};
use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::net::{TcpListener, TcpStream};

/// One worker: all workers accept from the same socket.
pub(super) async fn worker<S: Service>(
    socket: std::net::TcpListener,
    number: usize,
    common: Arc<Common<S>>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(socket)?;
    if number == 0
        && let Some(tls) = &common.tls
    {
        common.drain.background("certificate reload", tls.clone().reload());
    }
    {
        let mut draining = common.drain.draining();
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut draining => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((tcp, peer)) => admit(tcp, peer, &common),
                Err(error) => after_failure(&error).await,
            }
        }
    }
    drop(listener);
    common.drain.ended().await;
    Ok(())
}

fn admit<S: Service>(tcp: TcpStream, peer: SocketAddr, common: &Arc<Common<S>>) {
    prompt(&tcp);
    if common.open.fetch_add(1, Relaxed) >= common.limits.max_connections {
        common.open.fetch_sub(1, Relaxed);
        refuse(&tcp, common.tls.is_some());
        return;
    }
    let slot = Slot(Arc::clone(common));
    common.drain.spawn("connection", async move {
        in_turns(pin!(connection::serve(tcp, peer, &slot.0))).await;
    });
}

/// What is written goes out at once: a stream's last chunks would otherwise wait for the caller's word on the first.
fn prompt(tcp: &TcpStream) {
    tcp.set_nodelay(true).ok();
}

/// Says why, if that can be said without waiting. The socket is closed by whoever holds it.
fn refuse(tcp: &TcpStream, tls: bool) {
    const FULL: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n";
    if !tls {
        // The reactor does not know yet that a new socket can be written to.
        socket2::SockRef::from(tcp).send(FULL).ok();
    }
}

/// A connection that died in the queue is passed over; when files run out, waiting helps.
async fn after_failure(error: &io::Error) {
    use io::ErrorKind as K;
    if !matches!(error.kind(), K::ConnectionAborted | K::ConnectionReset | K::Interrupted) {
        tracing::warn!(%error, "cannot accept connections now");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One of the connections that may be open; free again when dropped.
struct Slot<S>(Arc<Common<S>>);

impl<S> Drop for Slot<S> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_callers_socket_sends_small_chunks_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (tcp, _) = listener.accept().await.unwrap();
        assert!(!tcp.nodelay().unwrap());
        prompt(&tcp);
        assert!(tcp.nodelay().unwrap());
    }
}
