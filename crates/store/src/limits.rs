//! The bounds of a store, and the checks that both implementations share.

use types::ports::{
    PortError,
    jobs::{JobResult, NewJob, Outcome, Progress},
    kept::NewFile,
    sessions::Item,
};

/// How much is kept at most. What would pass a bound is refused; nothing that was accepted is pushed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Jobs of all owners, ended ones included.
    pub jobs: u64,
    /// Jobs of one owner that have not ended.
    pub open_jobs_per_owner: u64,
    /// Bytes of one job's request.
    pub request_bytes: u64,
    /// Bytes of the requests of all open jobs.
    pub open_request_bytes: u64,
    /// Bytes of one job's serialised exchange.
    pub exchange_bytes: u64,
    /// Bytes of a result that stands with its job; larger ones are kept as files.
    pub result_bytes: u64,
    /// Bytes of one kept file.
    pub file_bytes: u64,
    /// Bytes of all kept files.
    pub files_bytes: u64,
    /// How many files.
    pub files: u64,
    /// How many sessions of all owners.
    pub sessions: u64,
    /// Bytes of all sessions.
    pub sessions_bytes: u64,
    /// Bytes of one session, and of what was said in it and before it.
    pub session_bytes: u64,
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

impl Limits {
    /// For a folder on disk.
    pub const DISK: Self = Self {
        jobs: 10_000,
        open_jobs_per_owner: 256,
        request_bytes: 64 * MIB,
        open_request_bytes: 1024 * MIB,
        exchange_bytes: 256 * KIB,
        result_bytes: 256 * KIB,
        file_bytes: 128 * MIB,
        files_bytes: 2048 * MIB,
        files: 10_000,
        sessions: 1_000_000,
        sessions_bytes: 1024 * MIB,
        session_bytes: 64 * MIB,
    };

    /// For memory.
    pub const MEMORY: Self = Self {
        jobs: 1_000,
        open_request_bytes: 128 * MIB,
        file_bytes: 64 * MIB,
        files_bytes: 256 * MIB,
        files: 1_000,
        sessions: 50_000,
        sessions_bytes: 64 * MIB,
        session_bytes: 16 * MIB,
        ..Self::DISK
    };

    /// The same with at most so many bytes of kept files.
    pub fn with_files(self, bytes: u64) -> Self {
        Self { files_bytes: bytes, file_bytes: self.file_bytes.min(bytes), ..self }
    }

    /// The same with at most so many bytes of sessions.
    pub fn with_sessions(self, bytes: u64) -> Self {
        Self { sessions_bytes: bytes, session_bytes: self.session_bytes.min(bytes), ..self }
    }

    pub(crate) fn check_request(&self, new: &NewJob) -> Result<(), PortError> {
        within("request", new.request.len(), self.request_bytes)
    }

    pub(crate) fn check_progress(&self, progress: &Progress) -> Result<(), PortError> {
        within("exchange", progress.exchange.len(), self.exchange_bytes)
    }

    pub(crate) fn check_outcome(&self, outcome: &Outcome) -> Result<(), PortError> {
        match outcome {
            Outcome::Succeeded(JobResult::Inline { body, .. }) => within("result", body.len(), self.result_bytes),
            Outcome::Succeeded(JobResult::File(_)) | Outcome::Failed(_) => Ok(()),
        }
    }

    pub(crate) fn check_file(&self, file: &NewFile) -> Result<(), PortError> {
        within("file", file.body.len(), self.file_bytes)
    }

    /// Whether one session may be so large.
    pub(crate) fn check_session(&self, bytes: u64) -> Result<(), PortError> {
        sized("response", bytes, self.session_bytes)
    }

    /// Whether so much may be read at once.
    pub(crate) fn check_history(&self, bytes: u64) -> Result<(), PortError> {
        sized("history", bytes, self.session_bytes)
    }

    /// Whether so many more sessions and bytes fit beside what is there.
    pub(crate) fn check_room_for_session(&self, there: SessionsThere, more: SessionsThere) -> Result<(), PortError> {
        if there.sessions.saturating_add(more.sessions) > self.sessions {
            return Err(PortError::Full("too many responses and conversations are kept"));
        }
        if there.bytes.saturating_add(more.bytes) > self.sessions_bytes {
            return Err(PortError::Full("the kept responses and conversations are too large together"));
        }
        Ok(())
    }

    /// Whether one more job fits beside what is there.
    pub(crate) fn check_room_for_job(&self, there: &JobsThere, request: usize) -> Result<(), PortError> {
        if there.jobs >= self.jobs {
            return Err(PortError::Full("too many jobs are kept"));
        }
        if there.open_of_owner >= self.open_jobs_per_owner {
            return Err(PortError::Full("too many of your jobs have not ended"));
        }
        if there.open_request_bytes.saturating_add(request as u64) > self.open_request_bytes {
            return Err(PortError::Full("the open jobs are too large together"));
        }
        Ok(())
    }

    /// Whether one more file fits beside what is there.
    pub(crate) fn check_room_for_file(&self, files: u64, bytes: u64, size: usize) -> Result<(), PortError> {
        if files >= self.files {
            return Err(PortError::Full("too many files are kept"));
        }
        if bytes.saturating_add(size as u64) > self.files_bytes {
            return Err(PortError::Full("the kept files are too large together"));
        }
        Ok(())
    }
}

/// What stands there already when a job is created.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JobsThere {
    pub(crate) jobs: u64,
    pub(crate) open_of_owner: u64,
    pub(crate) open_request_bytes: u64,
}

/// Sessions that are there, or are to come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SessionsThere {
    pub(crate) sessions: u64,
    pub(crate) bytes: u64,
}

/// What items take.
pub(crate) fn weight(items: &[Item]) -> u64 {
    items.iter().map(|item| (item.id.len() + item.body.len()) as u64).sum()
}

/// How many jobs one page of a list has at most.
pub(crate) const PAGE: u32 = 1_000;

/// How many bytes one read of a file gives at most.
pub(crate) const READ: usize = 1024 * 1024;

fn within(what: &'static str, size: usize, limit: u64) -> Result<(), PortError> {
    sized(what, size as u64, limit)
}

fn sized(what: &'static str, size: u64, limit: u64) -> Result<(), PortError> {
    if size > limit { Err(PortError::TooLarge { what, size, limit }) } else { Ok(()) }
}
