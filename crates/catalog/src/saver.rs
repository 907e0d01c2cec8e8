//! Keeps what changed, a while after it changed or when the process goes down; reads it back at the start.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use net::Drain;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::watch;

use crate::{disk::Disk, settings::Settings};

pub(crate) struct Saver {
    disk: Option<Disk>,
    drain: Drain,
    after: Duration,
    /// The states that will be kept in a moment.
    due: Mutex<HashSet<&'static str>>,
    /// Asked on every look-up; the channel wakes those who wait.
    is_restoring: AtomicBool,
    restored: watch::Sender<()>,
}

impl Saver {
    pub(crate) fn new(settings: &Settings, addresses: &[&str], drain: Drain) -> Self {
        let disk = settings.cache_dir.clone().map(|dir| Disk::new(dir, addresses, settings.token.get().as_ref()));
        Self {
            disk,
            drain,
            after: settings.save_after,
            due: Mutex::default(),
            is_restoring: AtomicBool::new(false),
            restored: watch::Sender::new(()),
        }
    }

    /// Keeps what `state` gives, a while from now; changes until then are kept with it.
    pub(crate) fn changed<T, F>(self: &Arc<Self>, name: &'static str, state: F)
    where
        T: Serialize,
        F: FnOnce() -> T + Send + 'static,
    {
        let Some(disk) = self.disk.clone() else { return };
        if !self.due.lock().unwrap_or_else(PoisonError::into_inner).insert(name) {
            return;
        }
        let saver = Arc::clone(self);
        // Work of the drain, which waits for it: what was learnt last is kept too.
        self.drain.spawn("catalog save", async move {
            let _ = tokio::time::timeout(saver.after, saver.drain.draining()).await;
            saver.due.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
            let written = tokio::task::spawn_blocking(move || disk.save(name, &state())).await;
            if let Ok(Err(error)) = written {
                tracing::warn!(state = name, %error, "the catalogue could not be kept on disk");
            }
        });
    }

    /// What is kept under `name`, with the time it was taken.
    pub(crate) async fn load<T: DeserializeOwned + Send + 'static>(&self, name: &'static str) -> Option<(T, u64)> {
        let disk = self.disk.clone()?;
        tokio::task::spawn_blocking(move || disk.load(name)).await.ok()?
    }

    /// Reads a state back behind the scenes; see [`Self::restored`].
    pub(crate) fn restore<T, F>(self: &Arc<Self>, name: &'static str, take: F)
    where
        T: DeserializeOwned + Send + 'static,
        F: FnOnce(T) + Send + 'static,
    {
        if self.disk.is_none() {
            return;
        }
        self.is_restoring.store(true, Ordering::Release);
        let saver = Arc::clone(self);
        self.drain.background("catalog restore", async move {
            if let Some((state, _)) = saver.load(name).await {
                take(state);
            }
            saver.is_restoring.store(false, Ordering::Release);
            saver.restored.send_replace(());
        });
    }

    /// Comes back when nothing is being read back, or at the deadline.
    pub(crate) async fn restored(&self, deadline: Instant) {
        if !self.is_restoring.load(Ordering::Acquire) {
            return;
        }
        let mut restored = self.restored.subscribe();
        let done = restored.wait_for(|()| !self.is_restoring.load(Ordering::Acquire));
        let _ = tokio::time::timeout_at(deadline.into(), done).await;
    }
}
