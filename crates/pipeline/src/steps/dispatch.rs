//! Tries the attempts of a plan until one answers: sends, reads the head, and holds it back until the first decoded
//! event, so that until then nothing has been promised to the caller.

mod exchange;
mod pictures;
mod spliced;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use providers::exchange::Exchange;

pub(crate) use pictures::{PictureStream, Shown};
use types::{Fault, Kind, Result, Retry, Secret, SendBody, ask::Outcome};

use super::{
    plan::{Attempt, Plan, plan as plan_for},
    pump::{Live, Sound},
    resolve::resolve_afresh,
    send::STALE,
};
use crate::{Gateway, call::Call, trail::Trail};

/// How often one call is sent to a model that is still loading.
const LOADING_TRIES: u32 = 3;
/// The longest wait for a loading model between two tries.
const LOADING_WAIT: Duration = Duration::from_secs(60);

/// What a backend answered.
pub(crate) struct Reply {
    /// Headers of the backend that a caller may read.
    pub(crate) headers: HeaderMap,
    /// The answer.
    pub(crate) content: Content,
    /// Members that were taken out of the call for this backend.
    pub(crate) dropped: Vec<String>,
}

/// An answer, or the beginning of one.
pub(crate) enum Content {
    /// All of it, in the door's own dialect.
    Whole(SendBody),
    /// A running stream of events.
    Stream(Box<Live>),
    /// Sound that is passed on as it arrives.
    Sound(Box<Sound>),
    /// What came of an exchange, in no dialect.
    Outcome(Outcome),
}

/// What must not be read in a backend's words: the keys that were used.
#[derive(Clone, Default)]
pub(crate) struct Mask(Vec<Secret>);

impl Mask {
    /// Masks these secrets.
    pub(crate) fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        Self(secrets.into_iter().collect())
    }

    /// `fault` without the secrets.
    pub(crate) fn apply(&self, mut fault: Box<Fault>) -> Box<Fault> {
        for secret in &self.0 {
            fault.message = secret.mask_in(&fault.message);
            let texts = [&mut fault.detail, &mut fault.param, &mut fault.code, &mut fault.upstream_request_id];
            for text in texts.into_iter().flatten() {
                *text = secret.mask_in(text);
            }
        }
        fault
    }

    /// `body` without the secrets; one in which none is stays as it is, whatever it holds.
    pub(crate) fn bytes(&self, body: Bytes) -> Bytes {
        self.0.iter().fold(body, |body, secret| {
            let text = String::from_utf8_lossy(&body);
            let masked = secret.mask_in(&text);
            if masked == text { body } else { masked.into() }
        })
    }
}

/// Sends the call along the plan until a backend answers.
///
/// # Errors
/// The last attempt's fault, in the backend's own words without any key in them.
pub(crate) async fn dispatch(gateway: &Gateway, mut plan: Plan, call: &Call, trail: &mut Trail) -> Result<Reply> {
    let mut tries = Tries::default();
    loop {
        trail.record.backend = Some(plan.attempt.endpoint.backend.clone());
        trail.record.upstream_model = Some(plan.attempt.model.clone());
        let fault = match attempt(gateway, &plan.attempt, call, trail).await {
            Ok(reply) => return Ok(reply),
            Err(fault) => plan.attempt.mask.apply(fault),
        };
        match tries.after(&fault, plan.attempt.deadline.saturating_duration_since(Instant::now())) {
            Next::Fail if fault.retry == Retry::Never || !plan.advance() => return Err(fault),
            // Another target: nothing of what was tried here says anything there.
            Next::Fail => tries = Tries::default(),
            Next::Again(wait) => tokio::time::sleep(wait).await,
            Next::LookUp => match Box::pin(resolve_afresh(gateway, &plan.ticket)).await {
                Ok(found) => plan = plan_for(plan.ticket, found)?,
                Err(_) => return Err(fault),
            },
        }
    }
}

/// Goes on with a job's exchange where it was left.
///
/// # Errors
/// As [`dispatch`].
pub(crate) async fn resume(
    gateway: &Gateway,
    attempt: &Attempt,
    exchange: Exchange,
    trail: &mut Trail,
) -> Result<Reply> {
    trail.record.backend = Some(attempt.endpoint.backend.clone());
    let resumed = exchange::resume(gateway, attempt, exchange, trail).await;
    resumed.map_err(|fault| attempt.mask.apply(fault.backend(attempt.endpoint.backend.as_str())))
}

/// Finds what is wrong with a call before it becomes a job.
///
/// # Errors
/// What [`dispatch`] would say without asking anybody.
pub(crate) async fn rehearse(attempt: &Attempt, call: &Call) -> Result<()> {
    match call {
        Call::Work(work) => exchange::rehearse(attempt, work).await,
        _ => Ok(()),
    }
}

/// Tells the backend that a job is not wanted any more, where it can be told.
pub(crate) fn give_up(gateway: &Gateway, attempt: &Attempt, exchange: &Exchange) {
    exchange::give_up(gateway, attempt, exchange);
}

/// What was tried already at one target.
#[derive(Default)]
struct Tries {
    loading: u32,
    looked_up: bool,
    fresh_connection: bool,
}

/// What follows a fault.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Fail,
    Again(Duration),
    LookUp,
}

impl Tries {
    /// What follows `fault` when `left` is left of the deadline.
    fn after(&mut self, fault: &Fault, left: Duration) -> Next {
        match fault.kind {
            Kind::UpstreamUnreachable if fault.code.as_deref() == Some(STALE) && !self.fresh_connection => {
                self.fresh_connection = true;
                Next::Again(Duration::ZERO)
            }
            Kind::UpstreamLoading if self.loading + 1 < LOADING_TRIES => {
                let wait = fault.retry_after.unwrap_or(Duration::from_secs(1)).min(LOADING_WAIT);
                if wait >= left {
                    return Next::Fail;
                }
                self.loading += 1;
                Next::Again(wait)
            }
            Kind::UpstreamNotFound if !self.looked_up => {
                self.looked_up = true;
                Next::LookUp
            }
            _ => Next::Fail,
        }
    }
}

/// One attempt, as the call's kind wants it.
async fn attempt(gateway: &Gateway, attempt: &Attempt, call: &Call, trail: &mut Trail) -> Result<Reply> {
    let tried = match call {
        Call::Chat(call) => spliced::chat(gateway, attempt, call, call.wants_stream_usage(), trail).await,
        Call::Translated(call) => spliced::chat(gateway, attempt, call, true, trail).await,
        Call::Embeddings(call) => spliced::embeddings(gateway, attempt, call, trail).await,
        // In boxes: what is rare and large would make every call's future large, and that is moved for every call.
        Call::Pictures(work, shown) => Box::pin(pictures::stream(gateway, attempt, work, shown, trail)).await,
        Call::Work(work) => Box::pin(exchange::run(gateway, attempt, work, trail)).await,
    };
    tried.map_err(|mut fault| {
        fault.upstream_request_id =
            fault.upstream_request_id.take().or_else(|| trail.record.upstream_request_id.clone());
        fault.backend(attempt.endpoint.backend.as_str())
    })
}

#[cfg(test)]
mod tests {
    use net::{NetError, NetErrorKind};

    use super::*;
    use crate::steps::send::read_fault;

    const LEFT: Duration = Duration::from_secs(600);

    #[test]
    fn a_loading_model_is_tried_three_times_and_never_beyond_the_deadline() {
        let loading = Fault::new(Kind::UpstreamLoading, "loading").retry_after(Duration::from_secs(200));
        let mut tries = Tries::default();
        assert_eq!(tries.after(&loading, LEFT), Next::Again(LOADING_WAIT));
        assert_eq!(tries.after(&loading, LEFT), Next::Again(LOADING_WAIT));
        assert_eq!(tries.after(&loading, LEFT), Next::Fail);
        assert_eq!(Tries::default().after(&loading, Duration::from_secs(30)), Next::Fail);
    }

    #[test]
    fn a_missing_model_is_looked_up_afresh_once() {
        let missing = Fault::new(Kind::UpstreamNotFound, "no such model");
        let mut tries = Tries::default();
        assert_eq!(tries.after(&missing, LEFT), Next::LookUp);
        assert_eq!(tries.after(&missing, LEFT), Next::Fail);
    }

    #[test]
    fn only_a_dead_kept_connection_is_followed_by_a_fresh_one_and_only_once() {
        let mut tries = Tries::default();
        let dead = read_fault(NetError { reused: true, ..NetError::new(NetErrorKind::Closed, "eof") });
        assert_eq!(tries.after(&dead, LEFT), Next::Again(Duration::ZERO));
        assert_eq!(tries.after(&dead, LEFT), Next::Fail);
        let refused = read_fault(NetError::new(NetErrorKind::Closed, "eof"));
        assert_eq!(Tries::default().after(&refused, LEFT), Next::Fail);
    }

    #[test]
    fn keys_are_masked_in_every_text_of_a_fault() {
        let mask = Mask::new([Secret::new("hf_abcdefghijklmnop")]);
        let fault = Fault::new(Kind::UpstreamUnauthenticated, "bad key hf_abcdefghijklmnop")
            .detail("key ...klmnop")
            .code("hf_abcdefghijklmnop");
        let text = format!("{:?}", mask.apply(fault));
        assert!(!text.contains("mnop"), "{text}");
    }
}
