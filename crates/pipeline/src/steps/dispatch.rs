//! Tries the attempts of a plan until one answers: sends, reads the head, and holds it back until the first decoded
//! event, so that until then nothing has been promised to the caller.

mod exchange;
mod hedge;
mod native;
mod pictures;
mod spliced;

use std::time::{Duration, Instant};

use bytes::Bytes;
use policy::{
    health::{Flight, Outcome},
    retry::Next,
};
use providers::{Flow, exchange::Exchange};

use net::{AnswerHeaders, BytePermit};
pub(crate) use pictures::{PictureStream, Shown};
use types::{Fault, Kind, Result, Secret, SendBody, Sent, ask};

use super::{
    plan::{Attempt, Plan},
    pump::{Live, Rest, Sound},
    resolve::resolve_afresh,
};
use crate::{Gateway, call::Call, metrics::SERVED, trail::Trail, tried::Tried};

/// What a backend answered.
pub(crate) struct Reply {
    /// Headers of the backend that a caller may read.
    pub(crate) headers: AnswerHeaders,
    /// The answer.
    pub(crate) content: Content,
    /// Members that were taken out of the call for this backend.
    pub(crate) dropped: Vec<String>,
}

impl Reply {
    /// The call's bytes count as held for as long as somebody else may have to be asked with them; else no longer.
    pub(crate) fn holds(&mut self, bytes: BytePermit) {
        if let Content::Stream(live) = &mut self.content
            && let Some(rest) = &mut live.rest
        {
            rest.holds(bytes);
        }
    }
}

/// An answer, or the beginning of one.
pub(crate) enum Content {
    /// All of it, as OpenAI has it.
    Whole(SendBody),
    /// All of it as it came, in the door's own dialect.
    Native(SendBody),
    /// A running stream of events.
    Stream(Box<Live>),
    /// Sound that is passed on as it arrives.
    Sound(Box<Sound>),
    /// What came of an exchange, in no dialect.
    Outcome(ask::Outcome),
}

/// What must not be read in a backend's words: the keys that were used.
#[derive(Clone, Default)]
pub(crate) struct Mask(Vec<Secret>);

impl Mask {
    /// Masks the other's secrets too.
    pub(crate) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

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

/// Sends the call along the plan until a backend answers. Nothing has been promised to the caller until then.
///
/// # Errors
/// The last attempt's fault, in the backend's own words without any key in them.
pub(crate) async fn dispatch(gateway: &Gateway, mut plan: Plan, call: &Call, trail: &mut Trail) -> Result<Reply> {
    let mut reply = serve(gateway, &mut plan, call, trail).await?;
    if let (Content::Stream(live), Some(_)) = (&mut reply.content, &plan.served) {
        Rest::prepare(live, gateway, plan, call)?;
    }
    Ok(reply)
}

/// As [`dispatch`]; the plan keeps who serves, where another one may go on.
///
/// # Errors
/// As [`dispatch`].
pub(crate) async fn serve(gateway: &Gateway, plan: &mut Plan, call: &Call, trail: &mut Trail) -> Result<Reply> {
    let health = &gateway.0.health;
    let mut last = None;
    let mut waited = Duration::ZERO;
    loop {
        let Some((turn, flight)) = plan.begin(health) else {
            let routing = &plan.ticket.snapshot.config.routing;
            let (most, look) = (routing.probe_wait, routing.probe_look);
            if waited < most && net::now() + look < plan.until() && plan.comes_again() {
                waited += look;
                tokio::time::sleep(look).await;
                continue;
            }
            break;
        };
        let (attempt, began) = match plan.attempt(turn) {
            Ok(attempt) => (attempt, net::now()),
            // A name that cannot stand in this backend's path may stand in another's.
            Err(fault) if plan.pass() => {
                flight.end(Outcome::Caller, net::now());
                last = Some(fault);
                continue;
            }
            Err(fault) => return Err(fault),
        };
        let ended = match plan.hedge_after(turn, health) {
            None => {
                let reply = once(gateway, &attempt, call, trail).await;
                Ended { turn, flight, attempt, began, reply }
            }
            Some(late) => {
                let first = hedge::Runner { turn, flight, attempt, began };
                Box::pin(hedge::race(gateway, plan, first, late, call, trail)).await
            }
        };
        let Ended { turn, mut flight, attempt, began, reply } = ended;
        if let Some(quota) = trail.quota.take() {
            flight.quota(quota, net::now());
        }
        let fault = match reply {
            Ok(reply) => {
                served(gateway, &reply, flight, trail);
                if plan.continues() {
                    plan.served = Some(Box::new(Made { turn, attempt, began }));
                }
                return Ok(reply);
            }
            Err(fault) => fault,
        };
        if is_unable(&fault) && plan.pass() {
            flight.end(Outcome::Caller, net::now());
            last = Some(fault);
            continue;
        }
        let submits = attempt.endpoint.flow().is_some_and(Flow::is_kept_upstream);
        let next = plan.after(turn, &fault, submits, attempt.until, health);
        flight.end(if next == Next::LookUp { Outcome::Caller } else { Outcome::of(&fault) }, net::now());
        let failed = Made { turn, attempt, began };
        note(gateway, plan, &failed, &fault, trail);
        let Made { attempt, .. } = failed;
        match next {
            Next::Fail => return Err(fault),
            Next::Again(wait) => tokio::time::sleep(wait).await,
            Next::Other => {}
            Next::LookUp => {
                let model = plan.model(turn);
                let afresh = Box::pin(resolve_afresh(gateway, &plan.ticket, &model)).await;
                if afresh.and_then(|found| plan.replace(gateway, found, call)).is_err()
                    && plan.after(turn, &fault, submits, attempt.until, health) != Next::Other
                {
                    return Err(fault);
                }
            }
        }
        last = Some(fault);
    }
    Err(last.unwrap_or_else(|| plan.nobody()))
}

/// An attempt that was made: where it stands in the plan, and when it began.
pub(crate) struct Made {
    pub(crate) turn: usize,
    attempt: Attempt,
    began: Instant,
}

/// An attempt that has come to an end, or to an answer.
struct Ended {
    turn: usize,
    flight: Flight,
    attempt: Attempt,
    began: Instant,
    reply: Result<Reply>,
}

/// An answer is there: what becomes of it is told when it has ended.
fn served(gateway: &Gateway, reply: &Reply, mut flight: Flight, trail: &mut Trail) {
    if matches!(reply.content, Content::Stream(_) | Content::Sound(_)) {
        flight.first_event(net::now());
    }
    trail.flight = Some(flight);
    gateway.0.metrics.attempt_ends(trail.record.backend.as_ref().map_or("-", |backend| backend.as_str()), SERVED);
    if !trail.tried.is_empty() {
        gateway.0.metrics.failed_over();
    }
}

/// Whether this place cannot do the call as it is, which another one may: nothing was sent.
fn is_unable(fault: &Fault) -> bool {
    fault.sent == Sent::No
        && matches!(
            fault.kind,
            Kind::UnsupportedParameter | Kind::UnsupportedOperation | Kind::BodyTooLarge | Kind::UnknownModel
        )
}

/// One attempt, with what is noted of it and what must not be read in its fault.
async fn once(gateway: &Gateway, attempt: &Attempt, call: &Call, trail: &mut Trail) -> Result<Reply> {
    trail.record.backend = Some(attempt.endpoint.backend.clone());
    trail.record.upstream_model = Some(attempt.model.clone());
    self::attempt(gateway, attempt, call, trail).await.map_err(|fault| attempt.mask.apply(fault))
}

/// Remembers an attempt that failed, where it says something about somebody else than the caller.
#[cold]
pub(crate) fn note(gateway: &Gateway, plan: &Plan, failed: &Made, fault: &Fault, trail: &mut Trail) {
    let Made { turn, attempt, began } = failed;
    if fault.kind.origin() != types::Origin::Upstream {
        return;
    }
    let at = net::now();
    let tried = Tried {
        backend: attempt.endpoint.backend.clone(),
        key: attempt.key_name.clone(),
        model: attempt.model.clone(),
        kind: fault.kind,
        status: fault.status,
        at,
        took: at.saturating_duration_since(*began),
    };
    gateway.0.recent.note(&plan.model(*turn), tried.clone());
    trail.tried(tried);
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

/// Has a vendor count the tokens of a call; gives its headers and its answer as it is.
///
/// # Errors
/// What the vendor refuses, in its own words without any key in them.
pub(crate) async fn counted(
    gateway: &Gateway,
    attempt: &Attempt,
    call: &wire::native::Call,
    target: String,
    trail: &mut Trail,
) -> Result<(AnswerHeaders, SendBody)> {
    trail.record.backend = Some(attempt.endpoint.backend.clone());
    trail.record.upstream_model = Some(attempt.model.clone());
    let counted = native::count(gateway, attempt, call, target, trail).await;
    counted.map_err(|fault| attempt.mask.apply(fault.backend(attempt.endpoint.backend.as_str())))
}

/// Asks a vendor something about what it keeps; gives its answer as it is, whole or as a stream.
///
/// # Errors
/// What the vendor refuses, in its own words without any key in them.
pub(crate) async fn asked(
    gateway: &Gateway,
    attempt: &Attempt,
    (method, target): (http::Method, String),
    body: SendBody,
    trail: &mut Trail,
) -> Result<Reply> {
    trail.record.backend = Some(attempt.endpoint.backend.clone());
    let asked = native::ask(gateway, attempt, (method, target), body, trail).await;
    asked.map_err(|fault| attempt.mask.apply(fault.backend(attempt.endpoint.backend.as_str())))
}

/// Finds what is wrong with a call before it becomes a job.
///
/// # Errors
/// What [`dispatch`] would say without asking anybody.
pub(crate) async fn rehearse(attempt: &Attempt, call: &Call) -> Result<()> {
    match call {
        Call::Work(work) => exchange::rehearse(attempt, work).await,
        Call::Native(native) => native.otherwise.as_ref().map(drop).map_err(Clone::clone),
        _ => Ok(()),
    }
}

/// Tells the backend that a job is not wanted any more, where it can be told.
pub(crate) fn give_up(gateway: &Gateway, attempt: &Attempt, exchange: &Exchange) {
    exchange::give_up(gateway, attempt, exchange);
}

/// One attempt, as the call's kind wants it.
async fn attempt(gateway: &Gateway, attempt: &Attempt, call: &Call, trail: &mut Trail) -> Result<Reply> {
    let tried = match call {
        Call::Native(native) => match (attempt.endpoint.native(native.call.dialect()), &native.otherwise) {
            (Some(target), _) => Box::pin(native::pass(gateway, attempt, native, target, trail)).await,
            (None, Ok(call)) => spoken(gateway, attempt, call, trail).await,
            (None, Err(fault)) => Err(fault.clone()),
        },
        call => spoken(gateway, attempt, call, trail).await,
    };
    tried.map_err(|mut fault| {
        fault.upstream_request_id =
            fault.upstream_request_id.take().or_else(|| trail.record.upstream_request_id.clone());
        fault.backend(attempt.endpoint.backend.as_str())
    })
}

/// One attempt of a call that is spliced, translated or written anew.
async fn spoken(gateway: &Gateway, attempt: &Attempt, call: &Call, trail: &mut Trail) -> Result<Reply> {
    match call {
        Call::Chat(call) => spliced::chat(gateway, attempt, call, call.wants_stream_usage(), trail).await,
        Call::Translated(call) => spliced::chat(gateway, attempt, call, true, trail).await,
        Call::Embeddings(call) => spliced::embeddings(gateway, attempt, call, trail).await,
        // In boxes: what is rare and large would make every call's future large, and that is moved for every call.
        Call::Pictures(work, shown) => Box::pin(pictures::stream(gateway, attempt, work, shown, trail)).await,
        Call::Work(work) => Box::pin(exchange::run(gateway, attempt, work, trail)).await,
        Call::Native(_) => Err(Fault::new(Kind::Internal, "A call stands for itself.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
