//! Stores to test, and short ways to fill them.

use std::path::PathBuf;

use bytes::Bytes;
use store::{Limits, Store, StoreError};
use types::{
    Operation,
    ports::{
        Jobs, Moment,
        jobs::{Job, JobFault, JobResult, Leased, NewJob, Outcome, Owner, Phase, Progress},
        kept::NewFile,
        sessions::{Item, NewSession, SessionId},
    },
};

/// Bounds that a test can reach.
pub(crate) const LIMITS: Limits = Limits {
    jobs: 60,
    open_jobs_per_owner: 40,
    request_bytes: 1_000,
    open_request_bytes: 5_000,
    exchange_bytes: 1_000,
    result_bytes: 1_000,
    file_bytes: 3_000_000,
    files_bytes: 4_000_000,
    files: 20,
    sessions: 30,
    sessions_bytes: 5_000,
    session_bytes: 1_000,
};

/// When every test begins.
pub(crate) const NOW: Moment = Moment(1_800_000_000_000);

/// So many milliseconds after the begin.
pub(crate) fn at(milliseconds: i64) -> Moment {
    Moment(NOW.0 + milliseconds)
}

pub(crate) fn memory() -> Store {
    Store::memory(LIMITS)
}

/// A folder that is gone when the test is over.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let name = name.replace("::", "-");
        let path = std::env::temp_dir().join(format!("ironbow-store-{}-{name}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        Self(path)
    }

    pub(crate) async fn open(&self) -> Result<Store, StoreError> {
        Store::open(&self.0, "node-1", LIMITS).await
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

pub(crate) fn owner(name: &str) -> Owner {
    Owner::new(name)
}

/// A job of this owner with this request, which lives for a day.
pub(crate) fn new_job(of: &str, request: &'static str) -> NewJob {
    NewJob {
        id: None,
        owner: owner(of),
        operation: Operation::Image,
        model: "acme/pictures:fast".to_owned(),
        route: "huggingface/somewhere/acme/pictures".to_owned(),
        expires: at(86_400_000),
        request: Bytes::from_static(request.as_bytes()),
    }
}

pub(crate) async fn create(jobs: &dyn Jobs, of: &str, now: Moment) -> Job {
    jobs.create(new_job(of, "{}"), now).await.unwrap()
}

/// The next job, leased for a second.
pub(crate) async fn lease(jobs: &dyn Jobs, now: Moment) -> Leased {
    jobs.lease("worker", now, Moment(now.0 + 1_000)).await.unwrap().expect("a job is due")
}

pub(crate) fn sent(exchange: &str) -> Progress {
    Progress { phase: Phase::Sent, exchange: exchange.to_owned(), version: 3 }
}

pub(crate) fn inline(body: &'static str) -> JobResult {
    JobResult::Inline { media_type: "application/json".to_owned(), body: Bytes::from_static(body.as_bytes()) }
}

pub(crate) fn succeeded() -> Outcome {
    Outcome::Succeeded(inline(r#"{"data":[]}"#))
}

pub(crate) fn failed(message: &str) -> Outcome {
    Outcome::Failed(JobFault { kind: types::Kind::UpstreamRejected, message: message.to_owned() })
}

/// A file of these segments, which lives for an hour.
pub(crate) fn new_file(segments: &[&'static [u8]]) -> NewFile {
    let mut body = types::SendBody::empty();
    segments.iter().for_each(|s| body.push(Bytes::from_static(s)));
    NewFile { media_type: "image/png".to_owned(), body, expires: at(3_600_000) }
}

pub(crate) fn response(number: u128) -> SessionId {
    SessionId::parse_response(&format!("resp_{number:032x}")).unwrap()
}

/// Something that was asked.
pub(crate) fn asked(id: &str, body: &'static str) -> Item {
    Item { id: id.to_owned(), answer: false, body: Bytes::from_static(body.as_bytes()) }
}

/// Something that was answered.
pub(crate) fn answered(id: &str, body: &'static str) -> Item {
    Item { answer: true, ..asked(id, body) }
}

/// A response of this owner that has ended, which lives for a day.
pub(crate) fn new_session(of: &str, number: u128, items: &[Item]) -> NewSession {
    NewSession {
        id: response(number),
        owner: owner(of),
        previous: None,
        conversation: None,
        expires: at(86_400_000),
        ended: true,
        asked: true,
        body: Bytes::from_static(b"{}"),
        items: items.to_vec(),
    }
}
