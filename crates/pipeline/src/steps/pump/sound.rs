//! Sound that is passed on as it arrives: as bare bytes, or as events with base64 in them.

use std::{
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use net::{Abort, Leaving, RecvBody, StreamBody};
use types::{Fault, Kind, Result, Sent};
use wire::openai::{self, audio};

use super::Patience;
use crate::{
    steps::{dispatch::Mask, plan::Attempt, send::read_fault},
    trail::Trail,
};

/// So much is looked at to learn what the bytes are.
const ENOUGH: usize = 64;

/// Sound whose first bytes have arrived.
pub(crate) struct Sound {
    /// The first bytes.
    pub(crate) first: Bytes,
    /// The rest.
    pub(crate) body: RecvBody,
    /// What the backend says that it is.
    pub(crate) claimed_type: String,
    idle: Duration,
    until: Instant,
    mask: Mask,
}

impl Sound {
    /// Reads the first bytes.
    ///
    /// # Errors
    /// `UpstreamTimeout`, or what went wrong on the way.
    pub(crate) async fn begin(attempt: &Attempt, claimed_type: String, mut body: RecvBody) -> Result<Self> {
        let mut first = Vec::new();
        while first.len() < ENOUGH {
            match tokio::time::timeout_at(attempt.deadline.into(), body.chunk()).await {
                Err(_) => {
                    let text = "The backend sent no sound in time.";
                    return Err(Fault::new(Kind::UpstreamTimeout, text).sent(Sent::Yes));
                }
                Ok(Some(Ok(chunk))) => first.extend_from_slice(&chunk),
                Ok(Some(Err(error))) => return Err(read_fault(error)),
                Ok(None) => break,
            }
        }
        if first.is_empty() {
            return Err(
                Fault::new(Kind::UpstreamBadReply, "The backend answered with no sound at all.").sent(Sent::Yes)
            );
        }
        let (idle, until, mask) = (attempt.idle, attempt.stream_until, attempt.mask.clone());
        Ok(Self { first: first.into(), body, claimed_type, idle, until, mask })
    }

    /// All of it, for a conversion.
    ///
    /// # Errors
    /// As for any whole answer.
    pub(crate) async fn whole(self, limit: usize, until: Instant, budget: &net::ByteBudget) -> Result<Vec<u8>> {
        let rest = self.body.collect(limit, until, budget).await.map_err(crate::doors::answer_fault)?;
        Ok([self.first, rest.bytes].concat())
    }
}

/// Sound on its way to the caller.
pub(crate) struct SoundPump {
    sound: Sound,
    /// Whether it goes as events.
    events: bool,
    trail: Option<Trail>,
    patience: Patience,
    ended: bool,
}

impl SoundPump {
    /// Takes sound over, with the trail that it settles at its end.
    pub(crate) fn new(sound: Sound, events: bool, trail: Trail, leaving: Leaving) -> Self {
        let patience = Patience::new(sound.idle, sound.until, leaving);
        Self { sound, events, trail: Some(trail), patience, ended: false }
    }

    fn written(&self, chunk: Bytes) -> Bytes {
        if self.events { audio::sound_delta(&chunk) } else { chunk }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        if !self.sound.first.is_empty() {
            return Poll::Ready(Ok(Some(std::mem::take(&mut self.sound.first))));
        }
        match self.sound.body.poll_chunk(cx) {
            Poll::Ready(Some(Ok(chunk))) => {
                self.patience.progress();
                Poll::Ready(Ok(Some(chunk)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(read_fault(error))),
            Poll::Ready(None) => Poll::Ready(Ok(None)),
            Poll::Pending => self.patience.poll(cx).map(Err),
        }
    }

    /// Bare sound has no place for an error: it ends visibly broken. Events end with an error.
    fn fail(&mut self, fault: Box<Fault>) -> Option<Result<Bytes, Abort>> {
        let fault = self.sound.mask.apply(fault);
        self.ended = true;
        let mut trail = self.trail.take()?;
        trail.fault(&fault);
        let event = openai::fault::event(&fault, &trail.request_id);
        trail.settle();
        Some(if self.events { Ok(event.into()) } else { Err(Abort) })
    }
}

impl StreamBody for SoundPump {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Abort>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match self.poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(Some(chunk))) => Poll::Ready(Some(Ok(self.written(chunk)))),
            Poll::Ready(Ok(None)) => {
                self.ended = true;
                if let Some(trail) = self.trail.take() {
                    trail.settle();
                }
                Poll::Ready(self.events.then(|| Ok(audio::sound_done(None))))
            }
            Poll::Ready(Err(fault)) => Poll::Ready(self.fail(fault)),
        }
    }
}
