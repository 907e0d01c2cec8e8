//! Jobs in SQLite. Each change is one transaction; who may write is decided by `fence` inside the statement that writes.

use bytes::Bytes;
use sqlx::{Row as _, Sqlite as Db, Transaction};
use types::ports::{
    Answer, Jobs, Moment, PortError,
    jobs::{Cancelled, Job, JobId, JobResult, Lease, Leased, NewJob, Outcome, Owner, Page, Progress, State},
};

use super::{Sqlite, answer, rows};
use crate::{
    StoreError,
    ids::job_id,
    limits::{JobsThere, PAGE},
};

impl Jobs for Sqlite {
    fn create(&self, new: NewJob, now: Moment) -> Answer<'_, Job> {
        answer(self.create_job(new, now))
    }

    fn get<'a>(&'a self, owner: &'a Owner, id: &'a JobId, now: Moment) -> Answer<'a, Option<Job>> {
        answer(async move {
            let row = sqlx::query("SELECT * FROM jobs WHERE id = $1 AND owner = $2 AND expires > $3")
                .bind(id.as_str())
                .bind(owner.as_str())
                .bind(now.0)
                .fetch_optional(&self.read)
                .await?;
            row.map(|row| rows::job(&row)).transpose()
        })
    }

    fn result<'a>(&'a self, owner: &'a Owner, id: &'a JobId, now: Moment) -> Answer<'a, Option<JobResult>> {
        answer(async move {
            let row = sqlx::query(
                "SELECT job_results.* FROM job_results JOIN jobs ON jobs.id = job_results.job
                 WHERE jobs.id = $1 AND jobs.owner = $2 AND jobs.expires > $3",
            )
            .bind(id.as_str())
            .bind(owner.as_str())
            .bind(now.0)
            .fetch_optional(&self.read)
            .await?;
            row.map(|row| rows::result(&row)).transpose()
        })
    }

    fn list<'a>(&'a self, owner: &'a Owner, page: Page, now: Moment) -> Answer<'a, Vec<Job>> {
        answer(self.list_jobs(owner, page, now))
    }

    fn lease<'a>(&'a self, worker: &'a str, now: Moment, until: Moment) -> Answer<'a, Option<Leased>> {
        answer(async move {
            // The time is compared twice: with several writers, the one that comes second finds the job no longer due.
            let row = sqlx::query(
                "UPDATE jobs SET state = 'running', worker = $1, due = $2, fence = fence + 1
                 WHERE due <= $3 AND state IN ('queued', 'running') AND id =
                    (SELECT id FROM jobs WHERE state IN ('queued', 'running') AND due <= $3 AND expires > $3
                     ORDER BY due, id LIMIT 1)
                 RETURNING *",
            )
            .bind(worker)
            .bind(until.0)
            .bind(now.0)
            .fetch_optional(&self.write)
            .await?;
            row.map(|row| rows::leased(&row)).transpose()
        })
    }

    fn next_due(&self) -> Answer<'_, Option<Moment>> {
        answer(async {
            let due: Option<i64> = sqlx::query_scalar("SELECT MIN(due) FROM jobs WHERE state IN ('queued', 'running')")
                .fetch_one(&self.read)
                .await?;
            Ok(due.map(Moment))
        })
    }

    fn request<'a>(&'a self, lease: &'a Lease) -> Answer<'a, Bytes> {
        answer(async move {
            let body: Option<Vec<u8>> = sqlx::query_scalar(
                "SELECT body FROM job_requests JOIN jobs ON jobs.id = job_requests.job
                 WHERE jobs.id = $1 AND jobs.fence = $2",
            )
            .bind(lease.job.as_str())
            .bind(lease.fence)
            .fetch_optional(&self.read)
            .await?;
            body.map(Bytes::from).ok_or(PortError::Stale.into())
        })
    }

    fn save<'a>(&'a self, lease: &'a Lease, progress: &'a Progress, due: Moment) -> Answer<'a, ()> {
        answer(async move {
            self.limits.check_progress(progress)?;
            let done = sqlx::query(
                "UPDATE jobs SET phase = $1, exchange = $2, exchange_version = $3, due = $4
                 WHERE id = $5 AND fence = $6 AND state = 'running'",
            )
            .bind(progress.phase.name())
            .bind(&progress.exchange)
            .bind(i64::from(progress.version))
            .bind(due.0)
            .bind(lease.job.as_str())
            .bind(lease.fence)
            .execute(&self.write)
            .await?;
            changed(done.rows_affected())
        })
    }

    fn finish<'a>(&'a self, lease: &'a Lease, outcome: Outcome, now: Moment) -> Answer<'a, ()> {
        answer(self.finish_job(lease, outcome, now))
    }

    fn cancel<'a>(&'a self, owner: &'a Owner, id: &'a JobId, now: Moment) -> Answer<'a, Option<Cancelled>> {
        answer(self.cancel_job(owner, id, now))
    }

    fn release<'a>(&'a self, worker: &'a str, now: Moment) -> Answer<'a, u64> {
        answer(async move {
            let done = sqlx::query(
                "UPDATE jobs SET due = CASE WHEN due < $1 THEN due ELSE $1 END, worker = NULL, fence = fence + 1
                 WHERE worker = $2 AND state IN ('queued', 'running')",
            )
            .bind(now.0)
            .bind(worker)
            .execute(&self.write)
            .await?;
            Ok(done.rows_affected())
        })
    }

    fn expire(&self, now: Moment) -> Answer<'_, u64> {
        answer(async move {
            let done = sqlx::query("DELETE FROM jobs WHERE expires <= $1").bind(now.0).execute(&self.write).await?;
            Ok(done.rows_affected())
        })
    }
}

impl Sqlite {
    async fn create_job(&self, new: NewJob, now: Moment) -> Result<Job, StoreError> {
        self.limits.check_request(&new)?;
        let job = Job {
            id: job_id(new.id)?,
            operation: new.operation,
            model: new.model,
            route: new.route,
            state: State::Queued,
            created: now,
            ended: None,
            expires: new.expires,
            fault: None,
        };
        let mut transaction = self.write.begin().await?;
        let there = jobs_there(&mut transaction, &new.owner).await?;
        self.limits.check_room_for_job(&there, new.request.len())?;
        sqlx::query(
            "INSERT INTO jobs (id, owner, node, operation, model, route, state, created, expires, due, fence,
                               phase, exchange, exchange_version, request_bytes)
             VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, $8, $7, 0, 'unsent', '', 0, $9)",
        )
        .bind(job.id.as_str())
        .bind(new.owner.as_str())
        .bind(&self.node)
        .bind(rows::name(job.operation))
        .bind(&job.model)
        .bind(&job.route)
        .bind(now.0)
        .bind(job.expires.0)
        .bind(rows::size(new.request.len()))
        .execute(&mut *transaction)
        .await?;
        sqlx::query("INSERT INTO job_requests (job, body) VALUES ($1, $2)")
            .bind(job.id.as_str())
            .bind(&new.request[..])
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(job)
    }

    async fn list_jobs(&self, owner: &Owner, page: Page, now: Moment) -> Result<Vec<Job>, StoreError> {
        // Behind a job that the owner does not have stands nothing: the comparison with no row is never true.
        let found = match &page.after {
            None => sqlx::query(
                "SELECT * FROM jobs WHERE owner = $1 AND expires > $2 ORDER BY created DESC, id DESC LIMIT $3",
            ),
            Some(_) => sqlx::query(
                "SELECT * FROM jobs WHERE owner = $1 AND expires > $2
                   AND (created, id) < (SELECT created, id FROM jobs WHERE id = $4 AND owner = $1)
                 ORDER BY created DESC, id DESC LIMIT $3",
            ),
        };
        let mut found = found.bind(owner.as_str()).bind(now.0).bind(i64::from(page.limit.min(PAGE)));
        if let Some(after) = &page.after {
            found = found.bind(after.as_str());
        }
        found.fetch_all(&self.read).await?.iter().map(rows::job).collect()
    }

    async fn finish_job(&self, lease: &Lease, outcome: Outcome, now: Moment) -> Result<(), StoreError> {
        self.limits.check_outcome(&outcome)?;
        let (state, fault, result) = match outcome {
            Outcome::Succeeded(result) => (State::Succeeded, None, Some(result)),
            Outcome::Failed(fault) => (State::Failed, Some(fault), None),
        };
        let mut transaction = self.write.begin().await?;
        let done = sqlx::query(
            "UPDATE jobs SET state = $1, ended = $2, fault_kind = $3, fault_message = $4, fence = fence + 1,
                             phase = 'unsent', exchange = '', exchange_version = 0, request_bytes = 0
             WHERE id = $5 AND fence = $6 AND state = 'running'",
        )
        .bind(state.name())
        .bind(now.0)
        .bind(fault.as_ref().map(|f| f.kind.name()))
        .bind(fault.as_ref().map(|f| f.message.as_str()))
        .bind(lease.job.as_str())
        .bind(lease.fence)
        .execute(&mut *transaction)
        .await?;
        changed(done.rows_affected())?;
        if let Some(result) = result {
            insert_result(&mut transaction, &lease.job, result).await?;
        }
        delete_request(&mut transaction, &lease.job).await?;
        Ok(transaction.commit().await?)
    }

    async fn cancel_job(&self, owner: &Owner, id: &JobId, now: Moment) -> Result<Option<Cancelled>, StoreError> {
        let mut transaction = self.write.begin().await?;
        let row = sqlx::query("SELECT * FROM jobs WHERE id = $1 AND owner = $2 AND expires > $3")
            .bind(id.as_str())
            .bind(owner.as_str())
            .bind(now.0)
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let (mut job, was) = (rows::job(&row)?, rows::progress(&row)?);
        if job.state.ended() {
            return Ok(Some(Cancelled { job, was: None }));
        }
        sqlx::query(
            "UPDATE jobs SET state = 'cancelled', ended = $1, fence = fence + 1,
                             phase = 'unsent', exchange = '', exchange_version = 0, request_bytes = 0
             WHERE id = $2",
        )
        .bind(now.0)
        .bind(id.as_str())
        .execute(&mut *transaction)
        .await?;
        delete_request(&mut transaction, id).await?;
        transaction.commit().await?;
        (job.state, job.ended) = (State::Cancelled, Some(now));
        Ok(Some(Cancelled { job, was: Some(was) }))
    }
}

async fn jobs_there(transaction: &mut Transaction<'_, Db>, owner: &Owner) -> Result<JobsThere, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT COUNT(*) FROM jobs) AS jobs,
                (SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running') AND owner = $1) AS open_of_owner,
                (SELECT COALESCE(SUM(request_bytes), 0) FROM jobs WHERE state IN ('queued', 'running')) AS open_bytes",
    )
    .bind(owner.as_str())
    .fetch_one(&mut **transaction)
    .await?;
    Ok(JobsThere {
        jobs: rows::count(row.try_get("jobs")?),
        open_of_owner: rows::count(row.try_get("open_of_owner")?),
        open_request_bytes: rows::count(row.try_get("open_bytes")?),
    })
}

async fn insert_result(
    transaction: &mut Transaction<'_, Db>,
    job: &JobId,
    result: JobResult,
) -> Result<(), StoreError> {
    let (media_type, body, file) = match result {
        JobResult::Inline { media_type, body } => (Some(media_type), Some(body), None),
        JobResult::File(id) => (None, None, Some(id)),
    };
    sqlx::query("INSERT INTO job_results (job, media_type, body, file) VALUES ($1, $2, $3, $4)")
        .bind(job.as_str())
        .bind(media_type)
        .bind(body.as_deref())
        .bind(file.as_ref().map(|id| id.as_str()))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn delete_request(transaction: &mut Transaction<'_, Db>, job: &JobId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM job_requests WHERE job = $1").bind(job.as_str()).execute(&mut **transaction).await?;
    Ok(())
}

/// A write that found no row: the lease is not the latest one.
fn changed(rows: u64) -> Result<(), StoreError> {
    if rows == 0 { Err(PortError::Stale.into()) } else { Ok(()) }
}
