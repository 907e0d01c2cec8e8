//! Idle connections, last in first out, in one shard per thread, so that a connection stays on the runtime that polls
//! it and threads do not wait for each other.

use super::{Conn, Way, h2::H2Conn};
use crate::Origin;
use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// More threads than this share shards.
const SHARDS: usize = 64;
/// While more than so many connections of a shard lie idle, a new one takes the place of one of them: files that may be open
/// are counted for those who call at the same time, not for what they leave behind at one origin after the other.
const SPARE: usize = 512;

pub(super) struct Pool {
    shards: Box<[Mutex<Shard>]>,
    max_idle: usize,
    idle_timeout: Duration,
}

#[derive(Default)]
struct Shard {
    origins: HashMap<Origin, Ways, BuildHasherDefault<Ready>>,
    /// How many connections lie idle, to all origins together.
    idle: usize,
    sweeping: bool,
}

impl Shard {
    fn add(&mut self, origin: &Origin, add: impl FnOnce(&mut Ways)) {
        match self.origins.get_mut(origin) {
            Some(ways) => add(ways),
            None => add(self.origins.entry(origin.clone()).or_default()),
        }
    }

    /// Closes the connection that has lain idle longest.
    fn close_oldest(&mut self) {
        let fronts = self.origins.values_mut().filter(|ways| !ways.h1.is_empty());
        let oldest = fronts.min_by_key(|ways| ways.h1.front().map(|idle| idle.since));
        if oldest.and_then(|ways| ways.h1.pop_front()).is_some() {
            self.idle -= 1;
        }
    }
}

/// What is open to one origin.
#[derive(Default)]
struct Ways {
    h1: VecDeque<Idle>,
    h2: Vec<H2Conn>,
    tls: Arc<TlsMemory>,
}

struct Idle {
    conn: Conn,
    since: Instant,
}

/// What is known of an origin behind TLS.
#[derive(Default)]
pub(super) struct TlsMemory {
    /// Held while a connection is made that may turn out to speak HTTP/2 and then serves everybody.
    pub(super) dialing: tokio::sync::Mutex<()>,
    /// The origin chose HTTP/1.1: everybody needs a connection of their own.
    pub(super) speaks_h1: std::sync::atomic::AtomicBool,
}

impl Pool {
    pub(super) fn new(max_idle: usize, idle_timeout: Duration) -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), max_idle, idle_timeout }
    }

    /// A way to `origin` that is open already.
    pub(super) fn take(&self, origin: &Origin, h2_streams: usize) -> Option<Way> {
        let mut shard = self.lock(shard_number());
        let Shard { origins, idle: count, .. } = &mut *shard;
        let ways = origins.get_mut(origin)?;
        if let Some(lease) = ways.h2.iter_mut().find_map(|conn| conn.lease(h2_streams)) {
            return Some(Way::H2(lease));
        }
        while let Some(mut idle) = ways.h1.pop_back() {
            *count -= 1;
            if crate::now().saturating_duration_since(idle.since) > self.idle_timeout {
                // Whatever lies deeper is older.
                *count -= ways.h1.len();
                ways.h1.clear();
                return None;
            }
            if idle.conn.is_alive() {
                return Some(Way::H1(idle.conn));
            }
        }
        None
    }

    /// Keeps a connection. Says which shard needs a sweeper now, if one does.
    pub(super) fn put(&self, origin: &Origin, conn: Conn) -> Option<usize> {
        self.change(|shard| {
            if shard.idle >= self.max_idle {
                shard.close_oldest();
            }
            shard.idle += 1;
            shard.add(origin, |ways| ways.h1.push_back(Idle { conn, since: crate::now() }));
        })
    }

    /// Shares an HTTP/2 connection. Says which shard needs a sweeper now, if one does.
    pub(super) fn share(&self, origin: &Origin, conn: H2Conn) -> Option<usize> {
        self.change(|shard| shard.add(origin, |ways| ways.h2.push(conn)))
    }

    /// A new connection is about to be made.
    pub(super) fn make_room(&self) {
        let mut shard = self.lock(shard_number());
        if shard.idle > SPARE {
            shard.close_oldest();
        }
    }

    /// What is known of `origin` behind TLS.
    pub(super) fn tls_memory(&self, origin: &Origin) -> Arc<TlsMemory> {
        Arc::clone(&self.lock(shard_number()).origins.entry(origin.clone()).or_default().tls)
    }

    fn change(&self, change: impl FnOnce(&mut Shard)) -> Option<usize> {
        let number = shard_number();
        let mut shard = self.lock(number);
        change(&mut shard);
        (!std::mem::replace(&mut shard.sweeping, true)).then_some(number)
    }

    /// Closes what is dead or has lain idle too long; false if nothing is left that would need another sweep.
    pub(super) fn sweep(&self, number: usize) -> bool {
        let mut shard = self.lock(number);
        for ways in shard.origins.values_mut() {
            ways.h1.retain_mut(|idle| idle.since.elapsed() <= self.idle_timeout && idle.conn.is_alive());
            ways.h1.shrink_to(ways.h1.len() * 2);
            ways.h2.retain(|conn| !conn.is_over(self.idle_timeout));
        }
        shard.idle = shard.origins.values().map(|ways| ways.h1.len()).sum();
        // A shared memory of an origin is in use while somebody dials.
        shard.origins.retain(|_, ways| !ways.h1.is_empty() || !ways.h2.is_empty() || Arc::strong_count(&ways.tls) > 1);
        shard.sweeping = !shard.origins.is_empty();
        shard.sweeping
    }

    /// How often to sweep.
    pub(super) fn sweep_every(&self) -> Duration {
        (self.idle_timeout / 2).clamp(Duration::from_millis(10), Duration::from_secs(15))
    }

    fn lock(&self, number: usize) -> MutexGuard<'_, Shard> {
        self.shards[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shard_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Relaxed) % SHARDS;
    }
    MINE.with(|mine| *mine)
}

/// Passes on the hash that an origin carries.
#[derive(Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
