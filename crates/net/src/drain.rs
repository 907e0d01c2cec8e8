//! Who owns the tasks, and how the process goes down: first nothing new, then a grace limit, then last words,
//! then the end.

use std::{
    collections::{BTreeMap, HashMap},
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::sync::Notify;

/// Phases, in their order; 0 is running.
const DRAINING: u8 = 1;
const LEAVING: u8 = 2;
const ENDED: u8 = 3;

/// After the grace limit, what still runs has this long for its last words.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Owns every spawned task. Cloning shares it.
///
/// There are two kinds of tasks. *Work* ([`Drain::spawn`]) is waited for when the process goes down, until the grace
/// limit. *Background* ([`Drain::background`]) serves the work and ends after it, without being waited for.
#[derive(Clone, Debug)]
pub struct Drain(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    phase: AtomicU8,
    /// Who is to be woken at which phase. A lock per task and at the end, not per request.
    waiting: Mutex<Waiting>,
    work: Mutex<BTreeMap<&'static str, usize>>,
    idle: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    wakers: HashMap<u64, (u8, Waker)>,
}

/// How a drain ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every task came to its own end within the grace limit.
    Clean,
    /// These tasks (name and how many) were still running at the grace limit and were dropped.
    Aborted(Vec<(&'static str, usize)>),
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl Drain {
    /// A drain that has not begun.
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// Spawns work on the current runtime. It runs to its end, or is dropped at the grace limit.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let ticket = self.ticket(name);
        self.run(ticket, Box::pin(task));
    }

    /// Spawns a task that serves others on the current runtime: nobody waits for it; it is dropped when the drain ended.
    pub fn background(&self, _name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.run((), Box::pin(task));
    }

    /// Counts as work, under `name`, until dropped: for work that is not a task of its own.
    pub fn ticket(&self, name: &'static str) -> Ticket {
        *lock(&self.0.work).entry(name).or_default() += 1;
        Ticket { drain: self.clone(), name }
    }

    fn run(&self, held: impl Send + 'static, mut task: Pin<Box<impl Future<Output = ()> + Send + 'static>>) {
        let mut ended = self.until(ENDED);
        let task = async move {
            poll_fn(|cx| match task.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => Pin::new(&mut ended).poll(cx),
            })
            .await;
            drop(task);
            drop(held);
        };
        #[expect(clippy::disallowed_methods, reason = "this is the one place where tasks are spawned")]
        drop(tokio::spawn(task));
    }

    /// Begins to go down: nothing new is accepted from now on.
    pub fn start(&self) {
        self.pass_to(DRAINING);
    }

    /// Whether the process is going down.
    pub fn is_draining(&self) -> bool {
        self.0.phase.load(SeqCst) >= DRAINING
    }

    /// Comes back when the process begins to go down.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + Unpin + use<> {
        self.until(DRAINING)
    }

    /// Comes back when the grace limit has passed: what still runs says so to its caller and ends.
    pub fn leaving(&self) -> Leaving {
        Leaving(self.until(LEAVING))
    }

    /// Comes back when the drain has ended: all work is done, or the grace limit has passed.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + Unpin + use<> {
        self.until(ENDED)
    }

    /// How much work is going on: connections and tasks.
    pub fn running(&self) -> usize {
        lock(&self.0.work).values().sum()
    }

    /// Starts, waits for all work up to `grace`, lets what is left end by itself for a moment, drops the rest, and says
    /// whether all of it was done in time.
    pub async fn finished(&self, grace: Duration) -> Drained {
        self.start();
        let clean = tokio::time::timeout(grace, self.idle()).await.is_ok();
        let left = lock(&self.0.work).iter().filter(|(_, n)| **n > 0).map(|(name, n)| (*name, *n)).collect();
        if !clean {
            self.pass_to(LEAVING);
            // Whether they all used their chance changes nothing: they are named above.
            let _in_time = tokio::time::timeout(LAST_WORDS, self.idle()).await;
        }
        self.pass_to(ENDED);
        if clean { Drained::Clean } else { Drained::Aborted(left) }
    }

    /// Comes back when no work is going on.
    async fn idle(&self) {
        loop {
            let notified = self.0.idle.notified();
            if self.running() == 0 {
                return;
            }
            notified.await;
        }
    }

    fn until(&self, phase: u8) -> Until {
        Until { shared: Arc::clone(&self.0), phase, entry: None }
    }

    fn pass_to(&self, phase: u8) {
        let mut woken = Vec::new();
        {
            let mut waiting = lock(&self.0.waiting);
            self.0.phase.fetch_max(phase, SeqCst);
            waiting.wakers.retain(|_, (wanted, waker)| {
                let stays = *wanted > phase;
                if !stays {
                    woken.push(waker.clone());
                }
                stays
            });
        }
        woken.into_iter().for_each(Waker::wake);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a phase. It is polled at every wake of every connection, so it takes the lock only once per task.
#[derive(Debug)]
struct Until {
    shared: Arc<Shared>,
    phase: u8,
    entry: Option<(u64, Waker)>,
}

/// Ready when the grace limit of a [`Drain`] has passed.
#[derive(Debug)]
pub struct Leaving(Until);

impl Future for Leaving {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.shared.phase.load(SeqCst) >= this.phase {
            return Poll::Ready(());
        }
        if this.entry.as_ref().is_some_and(|(_, waker)| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        let mut waiting = lock(&this.shared.waiting);
        // The phase changes under this lock only: it cannot be missed between the look and the entry.
        if this.shared.phase.load(SeqCst) >= this.phase {
            return Poll::Ready(());
        }
        let id = this.entry.take().map_or(waiting.next, |(id, _)| id);
        waiting.next = waiting.next.max(id + 1);
        waiting.wakers.insert(id, (this.phase, cx.waker().clone()));
        this.entry = Some((id, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        if let Some((id, _)) = self.entry.take() {
            lock(&self.shared.waiting).wakers.remove(&id);
        }
    }
}

/// A piece of work that a [`Drain`] waits for; done when dropped.
#[derive(Debug)]
pub struct Ticket {
    drain: Drain,
    name: &'static str,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut work = lock(&self.drain.0.work);
        if let Some(n) = work.get_mut(self.name) {
            *n = n.saturating_sub(1);
        }
        if work.values().all(|n| *n == 0) {
            self.drain.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn work_is_waited_for() {
        let drain = Drain::new();
        let (go, wait) = oneshot::channel::<()>();
        drain.spawn("work", async {
            wait.await.ok();
        });
        assert_eq!(drain.running(), 1);
        drain.start();
        drain.draining().await;
        assert!(drain.is_draining());
        go.send(()).unwrap();
        assert_eq!(drain.finished(LONG).await, Drained::Clean);
        drain.ended().await;
    }

    #[tokio::test]
    async fn what_is_left_at_the_grace_limit_is_dropped_and_named() {
        let drain = Drain::new();
        let (held, dropped) = oneshot::channel::<()>();
        drain.spawn("stuck", async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        assert_eq!(drain.finished(Duration::ZERO).await, Drained::Aborted(vec![("stuck", 1)]));
        assert!(dropped.await.is_err(), "the task was dropped");
    }

    #[tokio::test]
    async fn what_is_left_at_the_grace_limit_is_told_and_may_end_by_itself() {
        let drain = Drain::new();
        let (said, last_words) = oneshot::channel::<()>();
        let leaving = drain.leaving();
        drain.spawn("stream", async move {
            leaving.await;
            said.send(()).unwrap();
        });
        assert_eq!(drain.finished(Duration::ZERO).await, Drained::Aborted(vec![("stream", 1)]));
        assert_eq!(last_words.await, Ok(()));
    }

    #[tokio::test]
    async fn background_tasks_are_not_waited_for_but_end() {
        let drain = Drain::new();
        let (held, dropped) = oneshot::channel::<()>();
        drain.background("server", async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        assert_eq!(drain.finished(LONG).await, Drained::Clean);
        assert!(dropped.await.is_err());
    }

    #[tokio::test]
    async fn a_panic_in_a_task_still_counts_as_its_end() {
        let drain = Drain::new();
        drain.spawn("bad", async { panic!("on purpose") });
        assert_eq!(drain.finished(LONG).await, Drained::Clean);
    }
}
