//! Does the jobs: takes one that is due, walks its call, and writes down what came of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use tokio::sync::{Semaphore, watch};
use types::{
    Fault, Kind, Operation, Result, SendBody,
    ports::{
        Answer as PortAnswer, Moment, PortError,
        jobs::{Job, JobFault, JobResult, Lease, Leased, Outcome, Phase},
        kept::NewFile,
    },
};

use super::{Diary, Saved, responses, stored};
use crate::{
    Gateway,
    doors::{Answer, Ask, Door, Flow},
    edge::contain,
    steps::{
        admit::admit,
        authenticate::Caller,
        deliver::deliver,
        dispatch::{dispatch, give_up, resume},
        plan::plan,
        resolve::resolve,
    },
    trail::Trail,
};

/// The name under which this process works.
const WORKER: &str = "local";
/// A lease outlives the time that a job has by so much: only a worker that was lost is overtaken.
const SLACK: Duration = Duration::from_secs(60);
/// The longest sleep without a look at what is due.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// The pause after the store has failed, or no room was left.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a write that must not be lost is tried.
const WRITES: u32 = 5;
/// A result up to this size stands with its job; a larger one is a file.
const INLINE: usize = 256 * 1024;

/// Takes and does jobs until the process goes down. What runs then is left to the next start.
pub(super) async fn run(gateway: Gateway) {
    let mut draining = gateway.0.drain.draining();
    tokio::select! {
        () = take_and_do(&gateway) => {}
        () = &mut draining => {}
    }
}

async fn take_and_do(gateway: &Gateway) {
    let desk = &gateway.0.desk;
    let places = Arc::new(Semaphore::new(gateway.snapshot().config.jobs.running));
    while let Err(error) = desk.jobs.release(WORKER, crate::clock()).await {
        tracing::warn!(%error, "the jobs of the last run cannot be taken up yet");
        tokio::time::sleep(PAUSE).await;
    }
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let now = crate::clock();
        let until = now.after(gateway.snapshot().config.jobs.time).after(SLACK);
        match desk.jobs.lease(WORKER, now, until).await {
            Ok(Some(leased)) => {
                let gateway = gateway.clone();
                gateway.0.drain.clone().spawn("job", async move {
                    Box::pin(one(&gateway, leased, until)).await;
                    drop(place);
                });
            }
            Ok(None) => sleep_until_due(gateway).await,
            Err(error) => {
                tracing::warn!(%error, "no job can be taken now");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn sleep_until_due(gateway: &Gateway) {
    let desk = &gateway.0.desk;
    let due = desk.jobs.next_due().await.ok().flatten();
    // One that is due and was not given out has expired: it is forgotten soon.
    let pause = due.map_or(LONGEST_SLEEP, |due| crate::clock().until(due)).clamp(PAUSE, LONGEST_SLEEP);
    let _rang = tokio::time::timeout(pause, desk.wake.notified()).await;
}

/// How the work on a job ended.
enum End {
    /// With its answer, or a fault.
    Done(Result<Answer>),
    /// Its owner cancelled it.
    Cancelled,
    /// The process goes down; the next one goes on.
    Left,
}

/// Does one job.
async fn one(gateway: &Gateway, leased: Leased, lease_until: Moment) {
    let desk = &gateway.0.desk;
    let cancelled = desk.enter(&leased.job.id);
    let saved = Saved::read(&leased.progress);
    let known = saved.as_ref().ok().cloned().flatten();
    let diary = Diary::new(desk.jobs.clone(), &leased, lease_until, known);
    let mut trail = Trail::of_work(gateway.0.metrics.clone(), &leased.job);
    trail.diary = Some(diary.clone());
    let end = tokio::select! {
        done = contain(Box::pin(perform(gateway, &leased, saved, &mut trail))) => End::Done(done.and_then(|done| done)),
        () = when_cancelled(cancelled, &diary) => End::Cancelled,
        () = when_draining(gateway, &diary) => End::Left,
    };
    let (backend, attempts) = (trail.record.backend.clone(), trail.record.attempts);
    let (mut state, mut give_up) = ("left for the next start", false);
    match end {
        End::Done(answer) => {
            let answer = responses::settle(gateway, &leased, answer).await;
            give_up = matches!(&answer, Err(fault) if fault.kind == Kind::UpstreamTimeout);
            account(trail, &answer);
            state = finish(gateway, &leased, answer).await;
        }
        // What was used until then is told as for a caller who left.
        End::Cancelled => drop(trail),
        End::Left => trail.leave(),
    }
    if desk.leave(&leased.job.id) {
        (state, give_up) = ("cancelled", true);
    }
    if give_up && let Some(saved) = diary.saved() {
        tell_backend(gateway, leased.job.operation, &saved);
    }
    tracing::info!(
        target: "ironbow::jobs",
        job = %leased.job.id,
        operation = leased.job.operation.name(),
        model = leased.job.model,
        backend = backend.as_ref().map(|backend| backend.as_str()),
        attempts,
        state,
        "job {state}",
    );
}

/// The work has ended: one record of it, as of a request.
fn account(mut trail: Trail, answer: &Result<Answer>) {
    trail.record.status = match answer {
        Ok(_) => 200,
        Err(fault) => {
            trail.fault(fault);
            wire::openai::fault::status(fault)
        }
    };
    trail.settle();
}

async fn when_cancelled(mut cancelled: watch::Receiver<bool>, diary: &Diary) {
    // The desk keeps the sender until the work has ended.
    let _seen = cancelled.wait_for(|cancelled| *cancelled).await.map(drop);
    diary.can_be_given_up().await;
}

async fn when_draining(gateway: &Gateway, diary: &Diary) {
    gateway.0.drain.draining().await;
    diary.can_be_left().await;
}

/// Tells the backend that work is not wanted any more, where it can be told.
pub(crate) fn tell_backend(gateway: &Gateway, operation: Operation, saved: &Saved) {
    match saved.attempt(gateway, operation, Instant::now()) {
        Ok(attempt) => give_up(gateway, &attempt, saved.exchange()),
        Err(fault) => tracing::debug!(fault = fault.kind.name(), "a job cannot be cancelled at its backend any more"),
    }
}

/// Walks a job's call: from its beginning, or from where it was left.
async fn perform(
    gateway: &Gateway,
    leased: &Leased,
    saved: Result<Option<Saved>>,
    trail: &mut Trail,
) -> Result<Answer> {
    if leased.progress.phase == Phase::Sending {
        return Err(unknown_outcome());
    }
    let (snapshot, saved) = (gateway.snapshot(), saved?);
    let (call, wished) = stored::read(&request(gateway, &leased.lease).await?)?;
    let until =
        deadline(&leased.job, wished.timeout.map_or(snapshot.config.jobs.time, |t| t.min(snapshot.config.jobs.time)));
    let _held = room(gateway, call.body.len(), until).await?;
    if call.door == Door::Responses {
        return Box::pin(responses::answer(gateway, leased, call, wished.lenient, wished.wishes, until, trail)).await;
    }
    let (mut call, name, wants) = call.door.read(&call.kind, call.body, &snapshot.json_limits, || call.base)?;
    let reply = match saved {
        Some(saved) => {
            let attempt = saved.attempt(gateway, call.operation(), until)?;
            resume(gateway, &attempt, saved.exchange().clone(), trail).await?
        }
        None => {
            let ask = Ask::of_job(wished.lenient, wished.wishes, until);
            let caller = Caller { credential: None, bill_to: None };
            let ticket = admit(gateway, snapshot.clone(), caller, ask, &name, &call.asking(&name)?)?;
            let candidates = resolve(gateway, &ticket).await?;
            let plan = plan(gateway, ticket, candidates, &call)?;
            dispatch(gateway, plan, &call, trail).await?
        }
    };
    let answer = deliver(gateway, &snapshot, reply, wants, until, trail).await?;
    trail.served();
    whole(gateway, answer, snapshot.config.assets.size, until).await
}

/// Sound that arrives is taken to its end: nobody listens yet.
async fn whole(gateway: &Gateway, answer: Answer, limit: usize, until: Instant) -> Result<Answer> {
    match answer {
        Answer::Stream { headers, flow: Flow::Sound(sound, false) } => {
            let body = sound.whole(limit, until, &gateway.0.budget).await?.into();
            Ok(Answer::Whole { status: http::StatusCode::OK, headers, body })
        }
        Answer::Whole { .. } => Ok(answer),
        Answer::Stream { .. } => Err(Fault::new(Kind::Internal, "A stream cannot be the result of a job.")),
    }
}

fn unknown_outcome() -> Box<Fault> {
    let text = "The gateway ended while the call was being sent. Nobody knows whether the backend got it, and may bill it: it was not sent twice. Ask again if you want it anyway.";
    Fault::new(Kind::UpstreamTruncated, text)
}

/// When a job must be done: so long after it was accepted, by the clock on the wall.
fn deadline(job: &Job, time: Duration) -> Instant {
    let end = job.created.after(time).min(job.expires);
    Instant::now() + crate::clock().until(end)
}

/// The job's call. A store that does not answer is asked again.
async fn request(gateway: &Gateway, lease: &Lease) -> Result<Bytes> {
    Ok(patiently(|| gateway.0.desk.jobs.request(lease)).await?)
}

/// Waits for room for the body of a job's call.
async fn room(gateway: &Gateway, size: usize, until: Instant) -> Result<net::BytePermit> {
    loop {
        if let Some(permit) = gateway.0.budget.take(size) {
            return Ok(permit);
        }
        if Instant::now() + PAUSE >= until {
            return Err(Fault::new(Kind::Overloaded, "There was no room for the job's call in all the time it had."));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Writes down what came of a job; says what that was, for the log.
async fn finish(gateway: &Gateway, leased: &Leased, answer: Result<Answer>) -> &'static str {
    let jobs = &gateway.0.desk.jobs;
    let result = match answer {
        Ok(answer) => keep(gateway, &leased.job, answer).await,
        Err(fault) => Err(fault),
    };
    let (state, outcome) = match result {
        Ok(result) => ("succeeded", Outcome::Succeeded(result)),
        Err(fault) => {
            let (fault, detail) = (fault.kind, (fault.message, fault.detail));
            tracing::debug!(job = %leased.job.id, fault = fault.name(), detail = detail.1, "a job failed");
            ("failed", Outcome::Failed(JobFault { kind: fault, message: detail.0 }))
        }
    };
    match patiently(|| jobs.finish(&leased.lease, outcome.clone(), crate::clock())).await {
        Ok(()) => state,
        Err(PortError::Stale) => "decided elsewhere",
        Err(error) => {
            tracing::error!(job = %leased.job.id, %error, "what came of a job cannot be written down");
            "not written down"
        }
    }
}

/// Keeps an answer: with its job if it is small, else as a file.
async fn keep(gateway: &Gateway, job: &Job, answer: Answer) -> Result<JobResult> {
    let Answer::Whole { headers, body, .. } = answer else {
        return Err(Fault::new(Kind::Internal, "A stream cannot be the result of a job."));
    };
    let media_type =
        headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("application/octet-stream");
    let media_type = media_type.to_owned();
    if body.len() <= INLINE {
        return Ok(JobResult::Inline { media_type, body: body.to_bytes() });
    }
    let file = |body: SendBody| NewFile { media_type: media_type.clone(), body, expires: job.expires };
    let kept = patiently(|| gateway.0.kept.put(file(body.clone()), crate::clock())).await?;
    Ok(JobResult::File(kept.id))
}

/// Asks the store again for a while when it does not answer.
pub(super) async fn patiently<'a, T>(mut ask: impl FnMut() -> PortAnswer<'a, T>) -> std::result::Result<T, PortError> {
    let mut tries = 1;
    loop {
        match ask().await {
            Err(PortError::Unavailable(_)) if tries < WRITES => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}
