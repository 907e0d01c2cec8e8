//! Jobs as their owners see them: accepted instead of an answer, looked at, fetched, cancelled. A job of somebody else does
//! not exist.

use http::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER},
};
use net::{AnswerHeaders, Request};
use policy::credentials::Whose;
use serde_json::{Value, json};
use types::{
    Fault, Kind, Operation, Result,
    ports::jobs::{Job, JobFault, JobId, JobResult, NewJob, Owner, Page, State},
};

use super::files;
use crate::{
    Gateway,
    call::Call,
    doors::{Answer, Stored},
    sessions::{job_fault, response_of},
    steps::{authenticate::authenticate, dispatch::rehearse, plan::Plan},
    workers::{Saved, tell_backend, write_call},
};

/// How many jobs a page has when nothing is asked, and at most.
const PAGE: u32 = 20;
const LONGEST_PAGE: u32 = 100;
/// When to ask again about a job that is open, in seconds.
const ASK_AGAIN: &str = "2";

/// Accepts a planned call as a job: writes it down, and answers with the job.
///
/// # Errors
/// What is wrong with the call as far as it can be known; `BadRequest` when it would go out with the caller's own token.
pub(crate) async fn accept(gateway: &Gateway, plan: &Plan, call: &Call, stored: Stored) -> Result<Answer> {
    let (attempt, ticket) = (&plan.first()?, &plan.ticket);
    if attempt.whose == Whose::Caller {
        let text = "This call goes out with your own Hugging Face token, and no token is ever written down, so it cannot be a job. Send it without `Prefer: respond-async`.";
        return Err(Fault::new(Kind::BadRequest, text).param("prefer"));
    }
    rehearse(attempt, call).await?;
    let now = crate::clock();
    let new = NewJob {
        id: None,
        owner: gateway.0.desk.owner(&ticket.caller),
        operation: ticket.operation,
        model: ticket.name.as_ref().to_owned(),
        route: attempt.endpoint.backend.as_str().to_owned(),
        expires: now.after(ticket.snapshot.config.jobs.keep),
        request: write_call(&stored, &ticket.ask),
    };
    let job = gateway.0.desk.jobs.create(new, now).await?;
    gateway.0.desk.ring();
    let mut answer = shown(&job, StatusCode::ACCEPTED);
    if let Answer::Whole { headers, .. } = &mut answer {
        headers.insert("preference-applied", "respond-async");
        headers.insert(LOCATION, format!("/v1/jobs/{}", job.id));
    }
    Ok(answer)
}

/// `GET /v1/jobs/{id}`: how it stands.
///
/// # Errors
/// `NotFound` when the caller has no such job.
pub(crate) async fn one(gateway: &Gateway, request: &Request, id: &str) -> Result<Answer> {
    let (_, job) = find(gateway, request, id).await?;
    Ok(shown(&job, StatusCode::OK))
}

/// `GET /v1/jobs/{id}/result`: what the call itself would have answered.
///
/// # Errors
/// The fault with which the job failed; `NotFound` when the caller has no such job, or it has no result.
pub(crate) async fn result(gateway: &Gateway, request: &Request, id: &str) -> Result<Answer> {
    let (owner, job) = find(gateway, request, id).await?;
    match job.state {
        State::Queued | State::Running => return Ok(shown(&job, StatusCode::ACCEPTED)),
        State::Failed => return Err(job_fault(job.fault.as_ref())),
        State::Cancelled => return Err(Fault::new(Kind::NotFound, "The job was cancelled: it has no result.")),
        State::Succeeded => {}
    }
    let missing = || Fault::new(Kind::NotFound, "The result of this job is not there any more.");
    let found = gateway.0.desk.jobs.result(&owner, &job.id, crate::clock()).await?.ok_or_else(missing)?;
    let (kind, body) = match found {
        JobResult::Inline { media_type, body } => (media_type, body.into()),
        JobResult::File(id) => return files::give(gateway, id, private()).await?.ok_or_else(missing),
    };
    let mut headers = private();
    headers.insert(CONTENT_TYPE, "application/octet-stream");
    headers.insert(CONTENT_TYPE, &kind);
    headers.insert("x-content-type-options", "nosniff");
    Ok(Answer::Whole { status: StatusCode::OK, headers, body })
}

/// `POST /v1/jobs/{id}/cancel`, `DELETE /v1/jobs/{id}`: ends it, and tells the backend.
///
/// # Errors
/// `NotFound` when the caller has no such job.
pub(crate) async fn cancel(gateway: &Gateway, request: &Request, id: &str) -> Result<Answer> {
    let owner = gateway.0.desk.owner(&authenticate(&request.headers)?);
    let id = JobId::parse(id).ok_or_else(missing)?;
    Ok(shown(&call_off(gateway, &owner, &id).await?.ok_or_else(missing)?, StatusCode::OK))
}

/// Ends a job, if the owner has it: the backend is told, and the response that it answers, if it does.
///
/// # Errors
/// When the store fails.
pub(super) async fn call_off(gateway: &Gateway, owner: &Owner, id: &JobId) -> Result<Option<Job>> {
    let Some(cancelled) = gateway.0.desk.jobs.cancel(owner, id, crate::clock()).await? else { return Ok(None) };
    // Who works on it just now knows best what the backend has, and tells it.
    if let Some(was) = cancelled.was
        && !gateway.0.desk.stop(id)
        && let Ok(Some(saved)) = Saved::read(&was)
    {
        tell_backend(gateway, cancelled.job.operation, &saved);
    }
    if cancelled.job.state == State::Cancelled
        && let Some(response) = response_of(id).filter(|_| cancelled.job.operation == Operation::Chat)
    {
        super::responses::called_off(gateway, owner, &response).await?;
    }
    Ok(Some(cancelled.job))
}

/// `GET /v1/jobs`: the caller's jobs, the newest first.
///
/// # Errors
/// `BadRequest` naming what of the query cannot be read.
pub(crate) async fn list(gateway: &Gateway, request: &Request) -> Result<Answer> {
    let owner = gateway.0.desk.owner(&authenticate(&request.headers)?);
    let page = page(request.uri.query().unwrap_or_default())?;
    let wanted = page.limit as usize;
    let page = Page { limit: page.limit + 1, ..page };
    let jobs = gateway.0.desk.jobs.list(&owner, page, crate::clock()).await?;
    let shown: Vec<Value> = jobs.iter().take(wanted).map(object).collect();
    let id = |job: Option<&Value>| job.map_or(Value::Null, |job| job["id"].clone());
    let (first, last) = (id(shown.first()), id(shown.last()));
    let more = jobs.len() > wanted;
    let body = json!({"object": "list", "data": shown, "first_id": first, "last_id": last, "has_more": more});
    Ok(Answer::dressed(private(), "application/json", body.to_string().into()))
}

/// Which part of the list is asked for. Names that mean nothing here are passed over.
fn page(query: &str) -> Result<Page> {
    let mut page = Page { limit: PAGE, after: None };
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LONGEST_PAGE).contains(limit));
                page.limit = limit.ok_or_else(|| {
                    Fault::new(Kind::BadRequest, format!("`limit` must be a number from 1 to {LONGEST_PAGE}."))
                        .param("limit")
                })?;
            }
            "after" => {
                let after = JobId::parse(value);
                let bad = || Fault::new(Kind::BadRequest, "`after` must be the id of a job.").param("after");
                page.after = Some(after.ok_or_else(bad)?);
            }
            _ => {}
        }
    }
    Ok(page)
}

/// The job of this id, if it is the caller's.
async fn find(gateway: &Gateway, request: &Request, id: &str) -> Result<(Owner, Job)> {
    let owner = gateway.0.desk.owner(&authenticate(&request.headers)?);
    let id = JobId::parse(id).ok_or_else(missing)?;
    let job = gateway.0.desk.jobs.get(&owner, &id, crate::clock()).await?.ok_or_else(missing)?;
    Ok((owner, job))
}

fn missing() -> Box<Fault> {
    Fault::new(Kind::NotFound, "There is no such job, or not any more.")
}

pub(super) fn private() -> AnswerHeaders {
    let mut headers = AnswerHeaders::new();
    headers.insert(CACHE_CONTROL, "private, no-store");
    headers
}

/// A job as an answer.
fn shown(job: &Job, status: StatusCode) -> Answer {
    let mut headers = private();
    headers.insert(CONTENT_TYPE, "application/json");
    if !job.state.ended() {
        headers.insert(RETRY_AFTER, ASK_AGAIN);
    }
    Answer::Whole { status, headers, body: object(job).to_string().into() }
}

/// A job as its owner reads it.
fn object(job: &Job) -> Value {
    json!({
        "id": job.id.as_str(),
        "object": "job",
        "operation": job.operation.name(),
        "model": job.model,
        "status": job.state.name(),
        "created_at": job.created.seconds(),
        "ended_at": job.ended.map(|at| at.seconds()),
        "expires_at": job.expires.seconds(),
        "error": job.fault.as_ref().map(error),
    })
}

/// Why a job failed, in the shape of any other error.
fn error(why: &JobFault) -> Value {
    let body = wire::openai::fault::body(&job_fault(Some(why)), "");
    let mut body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut error = body["error"].take();
    if let Some(members) = error.as_object_mut() {
        members.remove("request_id");
    }
    error
}

#[cfg(test)]
mod tests {
    use types::ports::Moment;

    use super::*;

    #[test]
    fn a_page_is_read_and_what_is_no_number_or_no_id_is_refused_by_name() {
        let id = JobId::from_bits(7);
        let read = page(&format!("limit=5&after={id}&order=desc")).unwrap();
        assert_eq!((read.limit, read.after), (5, Some(id)));
        assert_eq!(page("").unwrap().limit, PAGE);
        for (bad, param) in
            [("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("after=job_1", "after")]
        {
            assert_eq!(page(bad).unwrap_err().param.as_deref(), Some(param), "{bad}");
        }
    }

    #[test]
    fn a_failed_job_shows_its_fault_as_any_call_would() {
        let job = Job {
            id: JobId::from_bits(1),
            operation: Operation::Image,
            model: "m".to_owned(),
            route: "b".to_owned(),
            state: State::Failed,
            created: Moment(1_000),
            ended: Some(Moment(2_500)),
            expires: Moment(9_000),
            fault: Some(JobFault { kind: Kind::UpstreamRejected, message: "no".to_owned() }),
        };
        let shown = object(&job);
        assert_eq!((&shown["status"], &shown["ended_at"]), (&json!("failed"), &json!(2)));
        let error =
            json!({"message": "no", "type": "invalid_request_error", "param": null, "code": "upstream_rejected"});
        assert_eq!(shown["error"], error);
    }
}
