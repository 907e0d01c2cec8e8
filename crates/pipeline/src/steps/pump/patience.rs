//! How long a stream may stand still, and how long it may last. The timer is moved only when it fires, never per chunk.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::time::Sleep;
use types::{Fault, Kind};

/// The patience with one stream.
pub(crate) struct Patience {
    idle: Duration,
    until: Instant,
    last: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Patience {
    /// From now on: at most `idle` without progress, and over by `until`.
    pub(crate) fn new(idle: Duration, until: Instant) -> Self {
        let last = Instant::now();
        Self { idle, until, last, timer: Box::pin(tokio::time::sleep_until((last + idle).min(until).into())) }
    }

    /// Something came.
    pub(crate) fn progress(&mut self) {
        self.last = Instant::now();
    }

    /// While nothing comes: ready with the fault when it is at its end.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Box<Fault>> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let (now, silent_until) = (Instant::now(), self.last + self.idle);
            if now >= self.until {
                return Poll::Ready(Fault::new(Kind::UpstreamTimeout, "The stream lasted longer than a stream may."));
            }
            if now >= silent_until {
                let text = format!("The backend sent no event for {} s.", self.idle.as_secs_f32());
                return Poll::Ready(Fault::new(Kind::UpstreamStalled, text));
            }
            self.timer.as_mut().reset(silent_until.min(self.until).into());
        }
        Poll::Pending
    }
}
