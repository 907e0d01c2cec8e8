//! Addresses of names: asked for at every new connection, and remembered for the time in which nobody can be asked.

use super::UpstreamSettings;
use std::{
    collections::HashMap,
    fmt,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Names that are remembered; there are as many as backends.
const MOST: usize = 1_000;
/// How long the answer is waited for where an older one can stand in.
const PATIENCE: Duration = Duration::from_millis(500);

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;
type Asks = dyn Fn(&str, u16) -> Found + Send + Sync;

/// Who knows the addresses of names: the system, if nobody else is named.
#[derive(Clone)]
pub struct Resolver(Arc<Asks>);

impl Resolver {
    /// Asks this for the addresses of a name with a port.
    pub fn new<F>(ask: impl Fn(&str, u16) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |name, port| Box::pin(ask(name, port))))
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// Names of hosts that were reached, with their addresses.
#[derive(Default)]
pub(super) struct Names(Mutex<HashMap<Box<str>, Known>>);

struct Known {
    addresses: Vec<IpAddr>,
    /// When they were told last.
    told: Instant,
}

impl Names {
    /// The addresses of a name, and whether they were told just now. Where nobody knows them, those at which it was reached
    /// before serve for a time; they are checked like new ones.
    pub(super) async fn look_up(
        &self,
        name: &str,
        port: u16,
        settings: &UpstreamSettings,
    ) -> io::Result<(Vec<SocketAddr>, bool)> {
        let known = self.known(name, settings.keep_addresses);
        let asked = ask(name, port, settings.resolver.as_ref());
        let found = match &known {
            None => asked.await,
            Some(_) => {
                let asked = tokio::time::timeout(PATIENCE, asked).await;
                asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            }
        };
        let why = match found {
            Ok(found) if !found.is_empty() => return Ok((found, true)),
            Ok(_) => io::Error::other("it has no address"),
            Err(error) => error,
        };
        let Some(known) = known else { return Err(why) };
        tracing::warn!(name, %why, "a name cannot be resolved; the addresses that it had serve on");
        Ok((known.into_iter().map(|ip| SocketAddr::new(ip, port)).collect(), false))
    }

    /// Somebody at one of these addresses, told just now, was reached under this name.
    pub(super) fn reached(&self, name: &str, addresses: &[SocketAddr]) {
        let mut known = self.lock();
        if known.len() < MOST || known.contains_key(name) {
            let addresses = addresses.iter().map(SocketAddr::ip).collect();
            known.insert(name.into(), Known { addresses, told: Instant::now() });
        }
    }

    fn known(&self, name: &str, keep: Duration) -> Option<Vec<IpAddr>> {
        let known = self.lock();
        known.get(name).filter(|known| known.told.elapsed() <= keep).map(|known| known.addresses.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(name: &str, port: u16, resolver: Option<&Resolver>) -> io::Result<Vec<SocketAddr>> {
    match resolver {
        Some(Resolver(ask)) => ask(name, port).await,
        None => Ok(tokio::net::lookup_host((name, port)).await?.collect()),
    }
}
