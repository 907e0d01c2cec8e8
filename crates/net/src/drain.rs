//! Who owns the tasks, and how the process goes down: first nothing new, then a grace limit, then the end.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    Draining,
    Ended,
}

/// Owns every spawned task. Cloning shares it.
///
/// There are two kinds of tasks. *Work* ([`Drain::spawn`]) is waited for when the process goes down, until the grace
/// limit. *Background* ([`Drain::background`]) serves the work and ends after it, without being waited for.
#[derive(Clone, Debug)]
pub struct Drain(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    phase: watch::Sender<Phase>,
    // A lock per spawned task, not per request: connections live long.
    work: Mutex<BTreeMap<&'static str, usize>>,
    count: watch::Sender<usize>,
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
        Self(Arc::new(Shared {
            phase: watch::Sender::new(Phase::Running),
            work: Mutex::new(BTreeMap::new()),
            count: watch::Sender::new(0),
        }))
    }

    /// Spawns work on the current runtime. It runs to its end, or is dropped at the grace limit.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let ticket = self.ticket(name);
        self.run(ticket, task);
    }

    /// Spawns a task that serves others on the current runtime: nobody waits for it; it is dropped when the drain ended.
    pub fn background(&self, _name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.run((), task);
    }

    /// Counts as work, under `name`, until dropped: for work that is not a task of its own.
    pub fn ticket(&self, name: &'static str) -> Ticket {
        *self.0.work.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
        self.0.count.send_modify(|n| *n += 1);
        Ticket { drain: self.clone(), name }
    }

    fn run(&self, held: impl Send + 'static, task: impl Future<Output = ()> + Send + 'static) {
        let phase = self.0.phase.subscribe();
        let task = async move {
            let _held = held;
            let task = pin!(task);
            tokio::select! {
                biased;
                () = task => {}
                () = reached(phase, Phase::Ended) => {}
            }
        };
        #[expect(clippy::disallowed_methods, reason = "this is the one place where tasks are spawned")]
        drop(tokio::spawn(task));
    }

    /// Begins to go down: nothing new is accepted from now on.
    pub fn start(&self) {
        self.0.phase.send_if_modified(|phase| {
            let begin = *phase == Phase::Running;
            if begin {
                *phase = Phase::Draining;
            }
            begin
        });
    }

    /// Whether the process is going down.
    pub fn is_draining(&self) -> bool {
        *self.0.phase.borrow() > Phase::Running
    }

    /// Comes back when the process begins to go down.
    pub async fn draining(&self) {
        reached(self.0.phase.subscribe(), Phase::Draining).await;
    }

    /// Comes back when the drain has ended: all work is done, or the grace limit has passed.
    pub async fn ended(&self) {
        reached(self.0.phase.subscribe(), Phase::Ended).await;
    }

    /// How much work is going on: connections and tasks.
    pub fn running(&self) -> usize {
        *self.0.count.borrow()
    }

    /// Starts, waits for all work up to `grace`, drops what is left, and says which of the two happened.
    pub async fn finished(&self, grace: Duration) -> Drained {
        self.start();
        let mut count = self.0.count.subscribe();
        let idle = count.wait_for(|n| *n == 0);
        let clean = tokio::time::timeout(grace, idle).await.is_ok();
        let left: Vec<_> = {
            let work = self.0.work.lock().unwrap_or_else(PoisonError::into_inner);
            work.iter().filter(|(_, n)| **n > 0).map(|(name, n)| (*name, *n)).collect()
        };
        self.0.phase.send_replace(Phase::Ended);
        if clean { Drained::Clean } else { Drained::Aborted(left) }
    }
}

async fn reached(mut phase: watch::Receiver<Phase>, at_least: Phase) {
    // An error means that the drain itself is gone: whoever waits is dropped with its runtime.
    if phase.wait_for(|now| *now >= at_least).await.is_err() {
        std::future::pending::<()>().await;
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
        {
            let mut work = self.drain.0.work.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(n) = work.get_mut(self.name) {
                *n = n.saturating_sub(1);
            }
        }
        self.drain.0.count.send_modify(|n| *n = n.saturating_sub(1));
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
