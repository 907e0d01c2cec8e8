//! Answers responses in the background: the same walk as any call, with its stream told to whoever follows, and its end kept.

use std::{future::poll_fn, sync::Arc, time::Instant};

use bytes::Bytes;
use net::StreamBody as _;
use serde_json::Value;
use types::{
    Fault, Kind, Operation, Result,
    ports::{
        PortError,
        jobs::Leased,
        sessions::{Ending, SessionId},
    },
};
use wire::openai::responses::{self, Request};

use super::jobs::patiently;
use crate::{
    Gateway,
    doors::{Answer, Ask, Flow, Stored, foreign},
    sessions::{Board, Keeping, response_of},
    steps::{
        admit::admit,
        authenticate::Caller,
        deliver::deliver,
        dispatch::dispatch,
        plan::plan,
        pump::{Live, Pump},
        recall::{Recalled, with_past},
        resolve::resolve,
        shorten::shorten,
    },
    trail::Trail,
    wishes::Wishes,
};

/// A longer stream is not kept to be told again; its response is.
const LONGEST_STREAM: usize = 8 << 20;

/// Answers the response of a job, and keeps it.
///
/// # Errors
/// What went wrong; the response does not know it yet, see [`settle`].
pub(super) async fn answer(
    gateway: &Gateway,
    leased: &Leased,
    stored: Stored,
    lenient: bool,
    wishes: Option<Arc<Wishes>>,
    until: Instant,
    trail: &mut Trail,
) -> Result<Answer> {
    let (snapshot, owner, id) = (gateway.snapshot(), &leased.owner, id_of(leased)?);
    let kept = patiently(|| gateway.0.archive.sessions.get(owner, &id, crate::clock())).await?;
    let kept = kept.ok_or_else(|| Fault::new(Kind::NotFound, "The response was deleted."))?;
    if kept.ended {
        return Ok(Answer::whole("application/json", kept.body));
    }
    // From here on it is alive here; who follows it may have a place already.
    let _seat = gateway.0.archive.seat(&id);
    let request = Request::read(&stored.body, None, &foreign::asked(lenient), &snapshot.json_limits)?;
    let recalled = Recalled { request: with_past(gateway, owner, request).await?, owner: owner.clone() };
    let origin = foreign::Origin::of_job(gateway, &snapshot, id, kept.created);
    let (mut call, name, mut wants) = foreign::response(recalled, &origin)?;
    let keeping = wants.keeping().ok_or_else(|| Fault::new(Kind::Internal, "The response is not to be kept."))?;
    trail.record.stream = call.stream();
    let ask = Ask::of_job(lenient, wishes, until);
    let nobody = Caller { credential: None, bill_to: None };
    let ticket = admit(gateway, snapshot.clone(), nobody, ask, &name, &call.asking(&name)?)?;
    let candidates = resolve(gateway, &ticket).await?;
    shorten(gateway, &ticket, &candidates, &mut call, &mut wants)?;
    let plan = plan(gateway, ticket, candidates, &call)?;
    if let Some(diary) = &trail.diary {
        // An answer costs money: it is asked for once. Nothing goes on at a backend that nobody listens to.
        diary.submitting(false).await?;
    }
    let reply = dispatch(gateway, plan, &call, trail).await?;
    match deliver(gateway, &snapshot, reply, wants, until, trail).await? {
        Answer::Stream { flow: Flow::Events(live), .. } => tell(gateway, &keeping, live, trail.hand_on()).await?,
        Answer::Whole { .. } => end(&keeping, None).await?,
        Answer::Stream { .. } => return Err(Fault::new(Kind::Internal, "This stream is no response.")),
    }
    let response = keeping.answered.response().ok_or_else(unfinished)?;
    match response["status"].as_str() {
        Some("failed") => {
            let why = response["error"]["message"].as_str().unwrap_or("The response failed.");
            Err(Fault::new(Kind::UpstreamFailed, why))
        }
        _ => Ok(Answer::whole("application/json", response.to_string())),
    }
}

/// Tells a stream to whoever follows; its last events when the response is kept.
async fn tell(gateway: &Gateway, keeping: &Keeping, live: Box<Live>, mut trail: Trail) -> Result<()> {
    let board = &keeping.seat.board;
    trail.record.status = 200;
    let mut pump = Pump::new(live, trail, gateway.0.drain.leaving());
    // What was announced when the call was accepted comes again.
    let (mut announced, mut last) = (board.len(), Vec::new());
    while let Some(event) = poll_fn(|cx| pump.poll_chunk(cx)).await {
        let event = event.map_err(|_| unfinished())?;
        if announced > 0 {
            announced -= 1;
        } else if keeping.answered.response().is_some() {
            last.push(event);
        } else {
            board.tell(event);
        }
    }
    end(keeping, board.joined(&last, LONGEST_STREAM)).await?;
    last.into_iter().for_each(|event| board.tell(event));
    board.end();
    Ok(())
}

/// Keeps the end of a response; without its stream where that is too much.
async fn end(keeping: &Keeping, told: Option<Bytes>) -> Result<()> {
    let with_stream = told.is_some();
    match patiently(|| Box::pin(keeping.end(told.clone()))).await {
        Err(PortError::TooLarge { .. } | PortError::Full(_)) if with_stream => {
            Ok(patiently(|| Box::pin(keeping.end(None))).await?)
        }
        ended => Ok(ended?),
    }
}

/// What became of a response: one whose work failed before it had an end gets that end, and who follows it is told.
pub(super) async fn settle(gateway: &Gateway, leased: &Leased, answer: Result<Answer>) -> Result<Answer> {
    if leased.job.operation != Operation::Chat {
        return answer;
    }
    if let Err(fault) = &answer
        && let Err(error) = fail(gateway, leased, fault).await
    {
        tracing::warn!(job = %leased.job.id, fault = error.kind.name(), detail = error.detail, "that a response failed cannot be kept now");
    }
    answer
}

async fn fail(gateway: &Gateway, leased: &Leased, fault: &Fault) -> Result<()> {
    let (sessions, owner, id) = (&gateway.0.archive.sessions, &leased.owner, id_of(leased)?);
    let kept = patiently(|| sessions.get(owner, &id, crate::clock())).await?;
    let Some(kept) = kept.filter(|kept| !kept.ended) else { return Ok(()) };
    let waiting: Value = serde_json::from_slice(&kept.body).unwrap_or_default();
    let failed = responses::failed(waiting, fault);
    let seat = gateway.0.archive.seat(&id);
    let ending = Ending { body: failed.to_string().into(), items: Vec::new(), told: None };
    match patiently(|| sessions.end(&id, ending.clone(), crate::clock())).await {
        Err(PortError::Stale) => return Ok(()),
        ended => ended?,
    }
    tell_rest(&seat.board, &failed);
    Ok(())
}

/// Tells the end of a response that failed before its stream had begun.
fn tell_rest(board: &Board, failed: &Value) {
    let last = u64::try_from(board.len()).ok().and_then(|told| told.checked_sub(1));
    responses::replay(failed, last, &mut |event| board.tell(event));
    board.end();
}

fn id_of(leased: &Leased) -> Result<SessionId> {
    response_of(&leased.job.id).ok_or_else(|| Fault::new(Kind::Internal, "The job has no response."))
}

fn unfinished() -> Box<Fault> {
    Fault::new(Kind::UpstreamTruncated, "The answer ended before it was complete.")
}
