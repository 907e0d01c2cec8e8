//! Jobs: calls whose caller does not wait. One is created, leased by a worker, saved between its steps, ended once, and forgotten.
//!
//! A lease carries a fencing token: every new lease of a job, its cancellation and its end make older ones stale, so of two workers
//! that both believe to hold a job only one can write.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Answer, Moment, id, kept::FileId};
use crate::{Kind, Operation};

id! {
    /// The id of a job. Who has it must still be its owner.
    JobId, "job_"
}

/// Whose a job is: a keyed hash of the caller's credential, never the credential. Made by the pipeline, only compared here.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner(String);

impl Owner {
    /// The owner with this hash.
    pub fn new(hash: impl Into<String>) -> Self {
        Self(hash.into())
    }

    /// The hash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner(…)")
    }
}

/// What a new job needs.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Its id, where it must be known before; else the store makes one.
    pub id: Option<JobId>,
    /// Whose it is.
    pub owner: Owner,
    /// What is asked.
    pub operation: Operation,
    /// The model as the caller named it.
    pub model: String,
    /// The route that serves it.
    pub route: String,
    /// When it is forgotten, whatever its state.
    pub expires: Moment,
    /// The call as the worker needs it, in a form that only the pipeline reads. It holds no secret, and is deleted when the job ends.
    pub request: Bytes,
}

/// A job as its owner may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What is asked.
    pub operation: Operation,
    /// The model as the caller named it.
    pub model: String,
    /// The route that serves it.
    pub route: String,
    /// Where it stands.
    pub state: State,
    /// When it was accepted.
    pub created: Moment,
    /// When it succeeded, failed or was cancelled.
    pub ended: Option<Moment>,
    /// When it is forgotten.
    pub expires: Moment,
    /// Why it failed.
    pub fault: Option<JobFault>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Accepted; no worker had it yet.
    Queued,
    /// A worker has or had it.
    Running,
    /// Its result is there.
    Succeeded,
    /// It ended with a fault.
    Failed,
    /// Its owner did not want it any more.
    Cancelled,
}

impl State {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// Its name in answers and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing will change any more.
    pub const fn ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// Why a job failed, as its owner may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFault {
    /// What kind of thing went wrong; doors make status and code of it.
    pub kind: Kind,
    /// What to do about it.
    pub message: String,
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobResult {
    /// A small body, kept with the job.
    Inline {
        /// Its media type.
        media_type: String,
        /// The body.
        body: Bytes,
    },
    /// A kept file, for anything larger. It should live as long as the job.
    File(FileId),
}

/// The end of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It worked.
    Succeeded(JobResult),
    /// It did not.
    Failed(JobFault),
}

/// How far a job's exchange with the backend is: what the next worker must know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What was sent.
    pub phase: Phase,
    /// The exchange, serialised by `providers`; empty before there is one.
    pub exchange: String,
    /// The version of that form.
    pub version: u32,
}

/// What a backend may know of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Nothing was sent: the job can begin anew.
    #[default]
    Unsent,
    /// A request that must not be repeated is on its way, and its outcome is not known. Who finds a job like this does not send it
    /// again: the job has failed.
    Sending,
    /// The outcome is in the exchange, which can be continued.
    Sent,
}

impl Phase {
    /// Every phase.
    pub const ALL: &'static [Self] = &[Self::Unsent, Self::Sending, Self::Sent];

    /// Its name in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsent => "unsent",
            Self::Sending => "sending",
            Self::Sent => "sent",
        }
    }
}

/// The right to write one job, until somebody else gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// The fencing token: how often the job was given away or decided before.
    pub fence: i64,
}

/// A job in the hands of a worker.
#[derive(Clone, Debug)]
pub struct Leased {
    /// The right to write it.
    pub lease: Lease,
    /// Whose it is.
    pub owner: Owner,
    /// The job.
    pub job: Job,
    /// How far it is.
    pub progress: Progress,
}

/// Which part of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// At most this many; an implementation may give fewer than a large number.
    pub limit: u32,
    /// Begin behind this job; one that the owner does not have gives an empty list.
    pub after: Option<JobId>,
}

/// What a cancellation found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelled {
    /// The job as it is now: cancelled, or ended before.
    pub job: Job,
    /// How far it was, when this call ended it: the backend may have to be told. A worker that has it just now finds its lease
    /// stale and must tell the backend what only it knows.
    pub was: Option<Progress>,
}

/// Keeps jobs. What it has acknowledged survives a restart, where the implementation says so.
pub trait Jobs: Send + Sync + fmt::Debug {
    /// Accepts a job, due at once. Refused when too many are kept or open.
    fn create(&self, new: NewJob, now: Moment) -> Answer<'_, Job>;

    /// The job, if it is this owner's and not expired.
    fn get<'a>(&'a self, owner: &'a Owner, id: &'a JobId, now: Moment) -> Answer<'a, Option<Job>>;

    /// The result of a job that succeeded, if it is this owner's and not expired.
    fn result<'a>(&'a self, owner: &'a Owner, id: &'a JobId, now: Moment) -> Answer<'a, Option<JobResult>>;

    /// This owner's jobs, the newest first.
    fn list<'a>(&'a self, owner: &'a Owner, page: Page, now: Moment) -> Answer<'a, Vec<Job>>;

    /// Gives the longest due job away until `until`; nobody else gets it before, unless it is saved with an earlier time.
    fn lease<'a>(&'a self, worker: &'a str, now: Moment, until: Moment) -> Answer<'a, Option<Leased>>;

    /// When the next job is due, so that a worker can sleep until then; none when no job is open.
    fn next_due(&self) -> Answer<'_, Option<Moment>>;

    /// The call of a leased job, as it was given to `create`.
    fn request<'a>(&'a self, lease: &'a Lease) -> Answer<'a, Bytes>;

    /// Writes how far a job is and when it is due again: for who keeps it, when the lease shall end; for who lets it go, when the next
    /// step is to be done. When this has answered, it survives the loss of power.
    fn save<'a>(&'a self, lease: &'a Lease, progress: &'a Progress, due: Moment) -> Answer<'a, ()>;

    /// Ends a job. Its request and exchange are deleted.
    fn finish<'a>(&'a self, lease: &'a Lease, outcome: Outcome, now: Moment) -> Answer<'a, ()>;

    /// Ends a job that its owner does not want any more; none when the owner has no such job.
    fn cancel<'a>(&'a self, owner: &'a Owner, id: &'a JobId, now: Moment) -> Answer<'a, Option<Cancelled>>;

    /// Ends all leases of a worker of this name, for when it starts again or stops: its open jobs are due now. Says how many.
    fn release<'a>(&'a self, worker: &'a str, now: Moment) -> Answer<'a, u64>;

    /// Forgets expired jobs; says how many.
    fn expire(&self, now: Moment) -> Answer<'_, u64>;
}
