//! The client towards backends: pooled, in the caller's task, without any hidden retry.

mod dial;
mod h1;
mod h1_body;
mod h2;
mod head;
mod names;
mod pool;
mod tls;

pub(crate) use h1_body::H1Body;
pub(crate) use h2::{H2Lease, Segments};
pub(crate) use head::{decimal, is_hop_by_hop};
pub use names::Resolver;

use crate::{Drain, Fields, NetError, Origin, RecvBody, clock::Clock, io::Io};
use http::{HeaderMap, Method, StatusCode};
use rustls::crypto::CryptoProvider;
use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    task::{Context, Waker},
    time::{Duration, Instant},
};
use types::SendBody;

/// How to reach backends.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// How long resolving, connecting and the TLS handshake may take together, where an origin says nothing else.
    pub connect_timeout: Duration,
    /// How long a peer's machine may give no sign of life, or take nothing, while bytes for it wait; then the connection is over.
    pub silent: Duration,
    /// How long the addresses of a host that was reached serve on while its name cannot be resolved.
    pub keep_addresses: Duration,
    /// Who knows the addresses of names; `None` asks the system.
    pub resolver: Option<Resolver>,
    /// How long a connection may lie idle before it is closed.
    pub idle_timeout: Duration,
    /// How many idle connections are kept per thread. A crowd of callers needs as many connections at once as there are
    /// callers; those beyond the bound are closed and made again at each of their calls.
    pub max_idle: usize,
    /// How large the head of a reply may be, in bytes.
    pub max_head: usize,
    /// How many requests share one HTTP/2 connection at a time.
    pub h2_streams: usize,
    /// A PEM file with further authorities to trust, besides the system's.
    pub extra_ca: Option<PathBuf>,
    /// The crypto of TLS; `None` takes what the process has installed as its default.
    pub crypto: Option<Arc<CryptoProvider>>,
    /// Owns the tasks that serve the pools and HTTP/2 connections.
    pub drain: Drain,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            silent: Duration::from_secs(30),
            keep_addresses: Duration::from_secs(600),
            resolver: None,
            idle_timeout: Duration::from_secs(60),
            max_idle: 512,
            max_head: 64 * 1024,
            h2_streams: 100,
            extra_ca: None,
            crypto: None,
            drain: Drain::new(),
        }
    }
}

/// The client. Cloning is cheap and shares the pools.
#[derive(Clone)]
pub struct Upstream(Arc<Shared>);

pub(crate) struct Shared {
    settings: UpstreamSettings,
    pool: pool::Pool,
    tls: tls::Client,
    names: names::Names,
}

/// A request to send. What belongs to the connection (`host`, `content-length`, `transfer-encoding`, `connection`, …)
/// is written by the client and left out of `headers` if it is there.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Path and query, beginning with a slash.
    pub target: String,
    /// The headers.
    pub headers: Headers,
    /// The body, with its length announced.
    pub body: SendBody,
}

/// The headers of a request to send. Cloning shares them, and what is the same for many calls is written down once.
#[derive(Clone, Debug, Default)]
pub struct Headers(Arc<Written>);

#[derive(Debug, Default)]
struct Written {
    map: HeaderMap,
    /// As they stand in HTTP/1.1, without those that are the client's own.
    lines: OnceLock<Box<[u8]>>,
}

impl Headers {
    /// The headers as a map.
    pub fn map(&self) -> &HeaderMap {
        &self.0.map
    }

    fn lines(&self) -> &[u8] {
        self.0.lines.get_or_init(|| {
            let kept = self.0.map.iter().filter(|(name, _)| !head::is_ours(name));
            let parts = kept.flat_map(|(name, value)| [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
            parts.flatten().copied().collect()
        })
    }
}

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Self {
        Self(Arc::new(Written { map, lines: OnceLock::new() }))
    }
}

/// The reply: its head has arrived, its body is still to be read.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers, without those of the connection.
    pub headers: Fields,
    /// The body. Read to its end, the connection goes back to the pool, and at once if all of it came with the head; dropped before,
    /// it is closed.
    pub body: RecvBody,
    /// Whether it came over a connection that had served before.
    pub reused: bool,
}

impl Upstream {
    /// A client with empty pools. Certificates are loaded at the first TLS connection.
    pub fn new(settings: UpstreamSettings) -> Self {
        let pool = pool::Pool::new(settings.max_idle, settings.idle_timeout);
        Self(Arc::new(Shared { settings, pool, tls: tls::Client::new(), names: names::Names::default() }))
    }

    /// Sends `request` and waits for the head of the reply, both until `deadline`.
    ///
    /// # Errors
    /// [`NetError`], with what is known about whether the request was seen. It is never sent twice.
    pub async fn send(&self, origin: &Origin, request: Outgoing, deadline: Instant) -> Result<Reply, NetError> {
        head::check(&request)?;
        let way = match self.take(origin) {
            Some(way) => way,
            None => Box::pin(self.dial(origin, deadline)).await?,
        };
        match way {
            Way::H1(conn) => h1::exchange(self.clone(), origin, conn, request, deadline).await,
            Way::H2(lease) => Box::pin(h2::exchange(origin, lease, request, deadline)).await,
        }
    }

    fn take(&self, origin: &Origin) -> Option<Way> {
        self.0.pool.take(origin, self.0.settings.h2_streams)
    }

    /// Keeps a connection that is free again.
    fn put_back(&self, origin: &Origin, conn: Conn) {
        if !self.0.settings.drain.is_draining() {
            self.sweep_soon(self.0.pool.put(origin, conn));
        }
    }

    /// Starts a task that closes what lies idle too long in this shard, until nothing is left there.
    fn sweep_soon(&self, shard: Option<usize>) {
        let Some(shard) = shard else { return };
        let (shared, every) = (Arc::downgrade(&self.0), self.0.pool.sweep_every());
        self.0.settings.drain.background("pool sweep", async move {
            loop {
                tokio::time::sleep(every).await;
                match shared.upgrade() {
                    Some(shared) if shared.pool.sweep(shard) => {}
                    _ => return,
                }
            }
        });
    }
}

/// An open way to an origin.
enum Way {
    H1(Conn),
    H2(H2Lease),
}

/// A connection that speaks HTTP/1.1.
struct Conn {
    io: Io,
    /// Whether it has served a request before.
    reused: bool,
    /// Rings no later than the deadline of its exchange; kept with it, so that a call sets no timer of its own.
    clock: Clock,
}

impl Conn {
    fn new(io: Io) -> Self {
        Self { io, reused: false, clock: Clock::default() }
    }

    /// Whether an idle connection can serve again. The peer's goodbye, or bytes that nobody asked for, say no.
    fn is_alive(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.io.poll_read(&mut cx, |_| ()).is_pending()
    }
}
