//! Listens, and answers on one current-thread runtime per core.

mod accept;
mod answer;
mod connection;
mod gate;
mod h1;
mod tls;

pub(crate) use h1::Line;
pub use tls::TlsSettings;

use crate::{Drain, Service};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    sync::{Arc, atomic::AtomicUsize},
    thread,
    time::Duration,
};

/// Limits of a server. The defaults suit callers that are not known.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Threads, each with a runtime of its own; `None` is one per core that this process may use.
    pub workers: Option<NonZeroUsize>,
    /// Open connections; one more is answered 503 and closed.
    pub max_connections: usize,
    /// Headers of one request; more are answered 431.
    pub max_headers: usize,
    /// Bytes of one request's head; more are answered 431.
    pub max_head: usize,
    /// How long the head of a request (or the TLS handshake) may take to arrive.
    pub head_timeout: Duration,
    /// How long a connection may wait for its next request; it is closed between this time and twice this time.
    pub idle_timeout: Duration,
    /// How long a caller may take nothing of what is written for it.
    pub write_timeout: Duration,
    /// Bytes of an unread request body that are read and thrown away after an early answer, for at most five seconds, so
    /// that a caller who sends everything first gets to see it; then the connection is closed.
    pub max_unread: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub h2_streams: u32,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            workers: None,
            max_connections: 16_384,
            max_headers: 100,
            max_head: 64 * 1024,
            head_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(60),
            max_unread: 32 * 1024 * 1024,
            h2_streams: 100,
        }
    }
}

/// Why serving could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener or a worker could not be set up.
    #[error("the server could not be started: {0}")]
    Io(#[from] io::Error),
    /// The certificate or its key cannot be used; the text names the file.
    #[error("{0}")]
    Tls(String),
}

/// Where a server begins.
pub struct Server;

impl Server {
    /// Takes the port, or says that it is in use. Callers may connect from now on; they are answered once [`serve`] runs.
    ///
    /// # Errors
    /// Whatever the system says, e.g. [`io::ErrorKind::AddrInUse`].
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        use socket2::{Domain, Protocol, Socket, Type};
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A port whose last connections are still closing may be taken; one that is listened on may not.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(4_096)?;
        let socket = TcpListener::from(socket);
        Ok(Listener { address: socket.local_addr()?, socket })
    }
}

/// A port that is taken.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// The address, with the true port if 0 was asked for.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

/// A server that runs, on threads of its own.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    certificate: Option<Arc<tokio::sync::Notify>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Serving {
    /// Where it listens.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Looks now whether the files of the certificate have changed, and not only in a few seconds.
    pub fn look_at_certificate(&self) {
        if let Some(look) = &self.certificate {
            look.notify_one();
        }
    }

    /// How many workers serve.
    pub fn workers(&self) -> usize {
        self.threads.len()
    }

    /// Waits for the workers, which end with the drain ([`Drain::finished`]). Blocks the thread.
    pub fn join(self) {
        for thread in self.threads {
            // A worker's panic was logged where it happened.
            drop(thread.join());
        }
    }
}

/// What all workers share.
pub(crate) struct Common<S> {
    service: S,
    limits: ServerLimits,
    tls: Option<tls::Acceptor>,
    drain: Drain,
    open: AtomicUsize,
}

/// Serves on threads of its own until `drain` has ended, and returns at once. When the drain starts, the port is given
/// up, idle connections are closed, and requests that run go on.
///
/// # Errors
/// [`ServeError`]; nothing runs then.
pub fn serve<S: Service>(
    listener: Listener,
    limits: ServerLimits,
    tls: Option<TlsSettings>,
    service: S,
    drain: &Drain,
) -> Result<Serving, ServeError> {
    let workers = limits.workers.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from);
    let tls = tls.map(tls::Acceptor::load).transpose()?;
    let certificate = tls.as_ref().map(tls::Acceptor::look);
    let common = Arc::new(Common { service, limits, tls, drain: drain.clone(), open: AtomicUsize::new(0) });
    let mut sockets = Vec::with_capacity(workers);
    for _ in 1..workers {
        sockets.push(listener.socket.try_clone()?);
    }
    sockets.push(listener.socket);
    let mut threads = Vec::with_capacity(workers);
    for (number, socket) in sockets.into_iter().enumerate() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let common = Arc::clone(&common);
        threads.push(thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            if let Err(error) = runtime.block_on(accept::worker(socket, number, common)) {
                tracing::error!(%error, worker = number, "a worker could not accept connections");
            }
            runtime.shutdown_background();
        })?);
    }
    Ok(Serving { address: listener.address, certificate, threads })
}
