//! The keepers in memory: for who wants nothing on disk, and the measure of what the ports mean.

use std::{
    collections::BTreeMap,
    future,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use types::ports::{
    Answer, PortError,
    jobs::{Job, JobId, JobResult, Owner, Progress},
    kept::{FileId, KeptFile},
    sessions::SessionId,
};

use crate::Limits;

mod jobs;
mod kept;
mod sessions;

/// Jobs, files and sessions in memory.
pub struct Memory {
    limits: Limits,
    jobs: Mutex<BTreeMap<JobId, Entry>>,
    files: Mutex<BTreeMap<FileId, (KeptFile, Bytes)>>,
    sessions: Mutex<BTreeMap<SessionId, sessions::Entry>>,
}

/// One job with what its owner does not see.
struct Entry {
    owner: Owner,
    job: Job,
    worker: Option<String>,
    due: types::ports::Moment,
    fence: i64,
    progress: Progress,
    request: Bytes,
    result: Option<JobResult>,
}

impl Memory {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        Self { limits, jobs: Mutex::default(), files: Mutex::default(), sessions: Mutex::default() }
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<JobId, Entry>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<FileId, (KeptFile, Bytes)>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<SessionId, sessions::Entry>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memory")
    }
}

/// An answer that is there already.
fn answer<'a, T: Send + 'a>(result: Result<T, PortError>) -> Answer<'a, T> {
    Box::pin(future::ready(result))
}
