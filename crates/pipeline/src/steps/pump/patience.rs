//! How long a stream may stand still, how long it may last, and that it ends with the process. The timer is moved only when it fires, never per chunk.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use net::Leaving;
use tokio::time::Sleep;
use types::{Fault, Kind};

/// The patience with one stream.
pub(crate) struct Patience {
    idle: Duration,
    until: Instant,
    last: Instant,
    timer: Pin<Box<Sleep>>,
    leaving: Leaving,
}

impl Patience {
    /// From now on: at most `idle` without progress, and over by `until`, and when the process leaves.
    pub(crate) fn new(idle: Duration, until: Instant, leaving: Leaving) -> Self {
        let last = net::now();
        let timer = Box::pin(tokio::time::sleep_until((last + idle).min(until).into()));
        Self { idle, until, last, timer, leaving }
    }

    /// Something came.
    pub(crate) fn progress(&mut self) {
        self.last = net::now();
    }

    /// While nothing comes: ready with the fault when it is at its end.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Box<Fault>> {
        if Pin::new(&mut self.leaving).poll(cx).is_ready() {
            let text = "This gateway went down before the stream was over.";
            return Poll::Ready(Fault::new(Kind::ShuttingDown, text));
        }
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
