//! Many calls: a number of callers who ask again as soon as they have their answer, or calls that come at a rate whatever
//! becomes of those before (an open loop: a server that stands still cannot hide it).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use net::Drain;
use tokio::sync::Semaphore;

use super::{
    ask::Target,
    figures::{Figures, Memory, Tally},
};
use crate::cli;

/// How often the memory of a process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Drives the load that the arguments ask for, and counts.
pub(super) async fn drive(
    target: &Arc<Target>,
    arguments: &cli::Bench,
    drain: &Drain,
    memory: Option<Memory>,
) -> Figures {
    let memory = memory.map(|memory| Arc::new(Mutex::new(memory)));
    if let Some(memory) = &memory {
        let memory = memory.clone();
        drain.background("memory", async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                memory.lock().unwrap_or_else(PoisonError::into_inner).look();
            }
        });
    }
    let shared = Arc::new(Shared { tally: Mutex::default(), target: target.clone() });
    let begun = Instant::now();
    let until = begun + Duration::from_secs_f64(arguments.duration);
    let late = match arguments.rate {
        Some(rate) => open(&shared, arguments, rate, until, drain).await,
        None => {
            closed(&shared, arguments, until, drain).await;
            0
        }
    };
    let took = begun.elapsed();
    let tally = std::mem::take(&mut *shared.tally.lock().unwrap_or_else(PoisonError::into_inner));
    let memory = memory.map(|memory| memory.lock().unwrap_or_else(PoisonError::into_inner).clone());
    Figures::of(tally, took, late, memory, target.address.clone())
}

struct Shared {
    tally: Mutex<Tally>,
    target: Arc<Target>,
}

impl Shared {
    /// One call; its latency counts from when it was due.
    async fn call(&self, due: Instant) {
        let late = due.elapsed();
        let call = self.target.ask().await;
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).add(&call, late);
    }
}

/// Callers who ask again and again.
async fn closed(shared: &Arc<Shared>, arguments: &cli::Bench, until: Instant, drain: &Drain) {
    let left =
        Arc::new(Semaphore::new(arguments.requests.unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS)));
    let done = Arc::new(Semaphore::new(0));
    for _ in 0..arguments.connections {
        let (shared, left, done) = (shared.clone(), left.clone(), done.clone());
        drain.spawn("caller", async move {
            while Instant::now() < until
                && let Ok(one) = left.try_acquire()
            {
                one.forget();
                shared.call(Instant::now()).await;
            }
            done.add_permits(1);
        });
    }
    all(&done, arguments.connections).await;
}

/// Calls that come at random at a rate. Gives how many found no free connection when they were due.
async fn open(shared: &Arc<Shared>, arguments: &cli::Bench, rate: f64, until: Instant, drain: &Drain) -> u64 {
    let (room, done) = (Arc::new(Semaphore::new(arguments.connections)), Arc::new(Semaphore::new(0)));
    let (mut due, mut made, mut late) = (Instant::now(), 0, 0);
    // The same arrivals in every run, so that two runs can be compared.
    let mut random = fastrand::Rng::with_seed(7);
    let most = arguments.requests.unwrap_or(usize::MAX);
    while due < until && made < most {
        tokio::time::sleep_until(due.into()).await;
        late += u64::from(room.available_permits() == 0);
        made += 1;
        let (shared, room, done) = (shared.clone(), room.clone(), done.clone());
        drain.spawn("call", async move {
            // Never closed; and a call that waits here waits for its own time-out at most, as those before it do.
            if let Ok(_place) = room.acquire().await {
                shared.call(due).await;
            }
            done.add_permits(1);
        });
        due += Duration::from_secs_f64(-(1.0 - random.f64()).ln() / rate);
    }
    all(&done, made).await;
    late
}

/// Waits until so many have said that they are done; each of them has a deadline of its own.
async fn all(done: &Semaphore, many: usize) {
    for _ in 0..many {
        if let Ok(one) = done.acquire().await {
            one.forget();
        }
    }
}
