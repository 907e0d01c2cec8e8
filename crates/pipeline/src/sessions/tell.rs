//! Streams of responses that are kept: the end of one is told when it is kept, and one in the background can be followed.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use net::{Abort, Leaving, StreamBody};
use wire::openai::responses;

use super::{Keeping, Seat};
use crate::{steps::pump::Pump, trail::Trail};

/// A stream whose last events are held back until the response is kept.
pub(crate) struct KeepPump {
    // Dropped before the pump: when a backend sees that its caller has left, the response is no longer alive.
    keeping: Option<Box<Keeping>>,
    pump: Pump,
    held: VecDeque<Bytes>,
    saving: Option<Saving>,
}

/// Keeping that is under way; says whether it worked.
type Saving = Pin<Box<dyn Future<Output = bool> + Send>>;

impl KeepPump {
    /// Takes over a stream of a response that was begun.
    pub(crate) fn new(pump: Pump, keeping: Box<Keeping>) -> Self {
        Self { pump, keeping: Some(keeping), held: VecDeque::new(), saving: None }
    }
}

impl StreamBody for KeepPump {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Abort>>> {
        loop {
            if let Some(saving) = &mut self.saving {
                if !ready!(saving.as_mut().poll(cx)) {
                    self.held = std::mem::take(&mut self.held).into_iter().map(responses::unkept_event).collect();
                }
                self.saving = None;
            }
            let Some(keeping) = &self.keeping else { return Poll::Ready(self.held.pop_front().map(Ok)) };
            match ready!(self.pump.poll_chunk(cx)) {
                Some(Ok(event)) if keeping.answered.response().is_some() => self.held.push_back(event),
                None => self.saving = self.keeping.take().map(|keeping| -> Saving { Box::pin(save(keeping)) }),
                other => return Poll::Ready(other),
            }
        }
    }
}

async fn save(keeping: Box<Keeping>) -> bool {
    match keeping.end(None).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(response = %keeping.seat.id, %error, "a response is not kept");
            false
        }
    }
}

/// A response in the background as it is told, from some event on.
pub(crate) struct Follow {
    seat: Seat,
    next: usize,
}

/// Follows on the caller's connection.
pub(crate) struct FollowPump {
    follow: Follow,
    leaving: Leaving,
    trail: Option<Trail>,
}

impl Follow {
    /// Follows from this event on.
    pub(crate) const fn new(seat: Seat, next: usize) -> Self {
        Self { seat, next }
    }

    /// Tells it to the caller whose trail this is, as long as the process lives.
    pub(crate) const fn pump(self, trail: Trail, leaving: Leaving) -> FollowPump {
        FollowPump { follow: self, leaving, trail: Some(trail) }
    }
}

impl StreamBody for FollowPump {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Abort>>> {
        let follow = &mut self.follow;
        if let Poll::Ready(event) = follow.seat.board.poll(follow.next, cx) {
            follow.next += 1;
            if event.is_none()
                && let Some(trail) = self.trail.take()
            {
                trail.settle();
            }
            return Poll::Ready(event.map(Ok));
        }
        // The work goes on after the next start: whoever follows comes back then.
        Pin::new(&mut self.leaving).poll(cx).map(|()| Some(Err(Abort)))
    }
}
