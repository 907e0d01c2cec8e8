//! One connection: TLS if there is any, then HTTP/1.1 or HTTP/2, until it closes or the drain says so.

use super::{
    Common, answer,
    gate::{Gate, Talk},
    h1::{self, Peer},
};
use crate::{Drain, Service, io::Io};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// The most that one stream of HTTP/2 buffers of what it writes.
const MAX_BUFFER: usize = 64 * 1024;

/// Serves `tcp` to its end.
pub(super) async fn serve<S: Service>(tcp: TcpStream, peer: SocketAddr, common: &Arc<Common<S>>) {
    let Some(tls) = &common.tls else {
        return h1::serve(Io::Plain(tcp), Peer { address: peer, tls: false }, common).await;
    };
    let shaken = tokio::time::timeout(common.limits.head_timeout, Box::pin(tls.accept(tcp))).await;
    match shaken {
        Ok(Ok(io)) if io.get_ref().1.alpn_protocol() == Some(b"h2") => Box::pin(http_2(io, peer, common)).await,
        Ok(Ok(io)) => {
            let io = Io::Tls(Box::new(io.into()));
            Box::pin(h1::serve(io, Peer { address: peer, tls: true }, common)).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

async fn http_2<S: Service>(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: SocketAddr,
    common: &Arc<Common<S>>,
) {
    let limits = &common.limits;
    let talk = Arc::new(Talk::default());
    let io = TokioIo::new(Gate::new(io, Arc::clone(&talk), limits));
    let mut http = http2::Builder::new(Spawner(common.drain.clone()));
    http.timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_frame_size(16 * 1024)
        .max_send_buf_size(MAX_BUFFER)
        .max_header_list_size(u32::try_from(limits.max_head).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(200)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(15));
    let service = answer::service(common.service.clone(), talk, peer);
    let mut connection = pin!(http.serve_connection(io, service));
    let ended = until_closed(connection.as_mut(), http2::Connection::graceful_shutdown, &common.drain).await;
    if let Err(error) = ended {
        tracing::trace!(%error, "an HTTP/2 connection broke off");
    }
}

/// Polls a connection to its end; when the drain starts, it takes no further request.
async fn until_closed<C, E>(mut connection: Pin<&mut C>, close: fn(Pin<&mut C>), drain: &Drain) -> Result<(), E>
where
    C: Future<Output = Result<(), E>>,
{
    let mut draining = Some(drain.draining());
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            if draining.as_mut().is_none_or(|until| Pin::new(until).poll(cx).is_pending()) {
                return Poll::Pending;
            }
            draining = None;
            close(connection.as_mut());
        }
    })
    .await
}

/// The streams of an HTTP/2 connection are tasks; they are work.
#[derive(Clone)]
struct Spawner(Drain);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, task: F) {
        self.0.spawn("http/2 stream", task);
    }
}
