//! What is kept between calls of the Responses API: the keeper, what is being answered here just now, and keeping an
//! answer. An answer says that it is kept only after the keeper has taken it.

mod board;
mod keeping;
mod tell;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use serde_json::Value;
use types::{
    Fault, Kind, Result,
    ports::{
        Sessions,
        jobs::{JobFault, JobId, Owner, State},
        sessions::{Session, SessionId},
    },
};
use wire::openai::responses;

pub(crate) use board::Board;
pub(crate) use keeping::{Background, Keeping, kept_items};
pub(crate) use tell::{Follow, KeepPump};

use crate::Gateway;

/// The keeper of sessions, and which of them are being answered in this process.
pub(crate) struct Archive {
    /// Who keeps them.
    pub(crate) sessions: Arc<dyn Sessions>,
    live: Mutex<HashMap<SessionId, Weak<Board>>>,
}

/// A place at the stream of a response that is being answered: as long as somebody has one, the response is alive.
pub(crate) struct Seat {
    pub(crate) id: SessionId,
    pub(crate) board: Arc<Board>,
    archive: Arc<Archive>,
}

impl Archive {
    /// An archive with this keeper.
    pub(crate) fn new(sessions: Arc<dyn Sessions>) -> Arc<Self> {
        Arc::new(Self { sessions, live: Mutex::default() })
    }

    /// A place at a response that is being answered, or is about to be.
    pub(crate) fn seat(self: &Arc<Self>, id: &SessionId) -> Seat {
        let mut live = self.live();
        let there = live.get(id).and_then(Weak::upgrade);
        let board = there.unwrap_or_else(|| {
            let board = Arc::new(Board::default());
            live.insert(id.clone(), Arc::downgrade(&board));
            board
        });
        Seat { id: id.clone(), board, archive: Arc::clone(self) }
    }

    /// Whether somebody has a place at this response.
    fn is_live(&self, id: &SessionId) -> bool {
        self.live().get(id).is_some_and(|board| board.strong_count() > 0)
    }

    fn live(&self) -> MutexGuard<'_, HashMap<SessionId, Weak<Board>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut live = self.archive.live();
        if Arc::strong_count(&self.board) == 1 {
            live.remove(&self.id);
        }
    }
}

/// The job that does the work of a response in the background: it has the same digits.
pub(crate) fn job_of(id: &SessionId) -> Option<JobId> {
    JobId::parse(&format!("job_{}", id.digits()))
}

/// The response that a job answers.
pub(crate) fn response_of(id: &JobId) -> Option<SessionId> {
    SessionId::parse_response(&format!("resp_{}", id.as_str().strip_prefix("job_")?))
}

/// The response as it stands: what was kept, or what its job and this process know of it.
///
/// # Errors
/// When the keeper of jobs cannot be asked.
pub(crate) async fn as_it_stands(gateway: &Gateway, owner: &Owner, id: &SessionId, kept: Session) -> Result<Value> {
    let mut response: Value = serde_json::from_slice(&kept.body).unwrap_or_default();
    if kept.ended {
        return Ok(response);
    }
    if response["background"] != true {
        let text = "The answer was interrupted: its caller left before it was complete, or the gateway ended.";
        return Ok(if gateway.0.archive.is_live(id) { response } else { failed(response, text) });
    }
    let Some(job_id) = job_of(id) else { return Ok(response) };
    let job = gateway.0.desk.jobs.get(owner, &job_id, crate::clock()).await?;
    Ok(match job.as_ref().map(|job| (job.state, &job.fault)) {
        Some((State::Queued, _)) => response,
        Some((State::Running | State::Succeeded, _)) => {
            response["status"] = "in_progress".into();
            response
        }
        Some((State::Failed, fault)) => responses::failed(response, &job_fault(fault.as_ref())),
        Some((State::Cancelled, _)) => responses::cancelled(response),
        None => failed(response, "The work on this response was lost, and it was not done again."),
    })
}

/// Why a job failed, as a fault.
pub(crate) fn job_fault(why: Option<&JobFault>) -> Box<Fault> {
    match why {
        Some(why) => Fault::new(why.kind, why.message.clone()),
        None => Fault::new(Kind::Internal, "The job failed."),
    }
}

fn failed(response: Value, why: &str) -> Value {
    responses::failed(response, &Fault::new(Kind::Internal, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_and_its_job_lead_to_each_other() {
        let job = JobId::from_bits(77);
        let response = response_of(&job).unwrap();
        assert_eq!(response.as_str(), "resp_0000000000000000000000000000004d");
        assert_eq!(job_of(&response), Some(job));
    }
}
