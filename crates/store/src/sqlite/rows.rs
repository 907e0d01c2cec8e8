//! Rows of `jobs` and `files` as the ports' types, and the names that stand in them.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Row as _, sqlite::SqliteRow};
use types::{
    Kind,
    ports::{
        Moment,
        jobs::{Job, JobFault, JobId, JobResult, Lease, Leased, Owner, Phase, Progress},
        kept::{FileId, KeptFile},
    },
};

use crate::StoreError;

/// A job as its owner sees it.
pub(super) fn job(row: &SqliteRow) -> Result<Job, StoreError> {
    let kind: Option<String> = row.try_get("fault_kind")?;
    let message: Option<String> = row.try_get("fault_message")?;
    Ok(Job {
        id: JobId::parse(row.try_get("id")?).ok_or_else(|| bad("jobs", "id"))?,
        operation: named(row.try_get("operation")?).ok_or_else(|| bad("jobs", "operation"))?,
        model: row.try_get("model")?,
        route: row.try_get("route")?,
        state: named(row.try_get("state")?).ok_or_else(|| bad("jobs", "state"))?,
        created: Moment(row.try_get("created")?),
        ended: row.try_get::<Option<i64>, _>("ended")?.map(Moment),
        expires: Moment(row.try_get("expires")?),
        fault: kind.map(|kind| JobFault { kind: kind_named(&kind), message: message.unwrap_or_default() }),
    })
}

/// How far a job is.
pub(super) fn progress(row: &SqliteRow) -> Result<Progress, StoreError> {
    let phase: &str = row.try_get("phase")?;
    let version: i64 = row.try_get("exchange_version")?;
    Ok(Progress {
        phase: *Phase::ALL.iter().find(|p| p.name() == phase).ok_or_else(|| bad("jobs", "phase"))?,
        exchange: row.try_get("exchange")?,
        version: u32::try_from(version).map_err(|_| bad("jobs", "exchange_version"))?,
    })
}

/// A job that was just given to a worker.
pub(super) fn leased(row: &SqliteRow) -> Result<Leased, StoreError> {
    let job = job(row)?;
    let lease = Lease { job: job.id.clone(), fence: row.try_get("fence")? };
    Ok(Leased { lease, owner: Owner::new(row.try_get::<String, _>("owner")?), job, progress: progress(row)? })
}

/// What came of a job.
pub(super) fn result(row: &SqliteRow) -> Result<JobResult, StoreError> {
    if let Some(file) = row.try_get::<Option<String>, _>("file")? {
        return FileId::parse(&file).map(JobResult::File).ok_or_else(|| bad("job_results", "file"));
    }
    let body: Vec<u8> = row.try_get("body")?;
    Ok(JobResult::Inline { media_type: row.try_get("media_type")?, body: Bytes::from(body) })
}

/// A kept file.
pub(super) fn file(row: &SqliteRow) -> Result<KeptFile, StoreError> {
    Ok(KeptFile {
        id: FileId::parse(row.try_get("id")?).ok_or_else(|| bad("files", "id"))?,
        media_type: row.try_get("media_type")?,
        size: count(row.try_get("size")?),
        created: Moment(row.try_get("created")?),
        expires: Moment(row.try_get("expires")?),
    })
}

/// The name that serde gives a value that is one word.
pub(super) fn name(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// The value with this name.
fn named<T: DeserializeOwned>(name: String) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(name)).ok()
}

/// The kind of this name. One that is not known (an older version wrote it) is a mistake of ours.
fn kind_named(name: &str) -> Kind {
    Kind::ALL.iter().copied().find(|k| k.name() == name).unwrap_or(Kind::Internal)
}

/// A number of things as SQL has it.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A size as SQL takes it.
pub(super) fn size(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn bad(table: &'static str, column: &'static str) -> StoreError {
    StoreError::Row { table, column }
}
