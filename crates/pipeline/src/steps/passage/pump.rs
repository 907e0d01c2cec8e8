//! A passed answer on its way to the caller: looked at, never changed.

use std::{
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::StatusCode;
use net::{Abort, RecvBody, StreamBody};
use types::{Fault, Result};
use wire::openai::chat;

use crate::{
    steps::{pump::Patience, send},
    trail::Trail,
};

/// An answer that is passed on as it comes.
pub(crate) struct Passed {
    pub(super) status: StatusCode,
    pub(super) body: RecvBody,
    /// Reads along, to learn what was used; none where the answer is no stream of events.
    pub(super) observer: Option<chat::Stream>,
    pub(super) idle: Duration,
    pub(super) until: Instant,
}

impl Passed {
    /// The backend's status.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }
}

/// A passed answer on its way to the caller.
pub(crate) struct PassedPump {
    passed: Passed,
    patience: Patience,
    trail: Option<Trail>,
}

impl PassedPump {
    /// Takes an answer over, with the trail that it settles at its end.
    pub(crate) fn new(passed: Passed, trail: Trail, leaving: net::Leaving) -> Self {
        let patience = Patience::new(passed.idle, passed.until, leaving);
        Self { passed, patience, trail: Some(trail) }
    }

    fn settle(&mut self, fault: Option<Box<Fault>>) {
        let Some(mut trail) = self.trail.take() else { return };
        if let Some(seen) = &self.passed.observer {
            trail.record.usage = seen.usage();
            trail.record.finish = seen.finish();
        }
        if let Some(fault) = fault {
            trail.fault(&fault);
        }
        trail.settle();
    }
}

impl StreamBody for PassedPump {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Abort>>> {
        let Poll::Ready(read) = self.passed.body.poll_chunk(cx) else {
            let fault = std::task::ready!(self.patience.poll(cx));
            self.settle(Some(fault));
            return Poll::Ready(Some(Err(Abort)));
        };
        match read {
            Some(Ok(chunk)) => {
                self.patience.progress();
                if let Some(trail) = self.trail.as_mut().filter(|trail| trail.record.first_event.is_none()) {
                    trail.begun(self.passed.observer.is_some());
                }
                let failed = |seen: &mut chat::Stream| seen.push(chunk.clone(), &mut |_| {}).is_err();
                if self.passed.observer.as_mut().is_some_and(failed) {
                    self.passed.observer = None;
                }
                Poll::Ready(Some(Ok(chunk)))
            }
            Some(Err(error)) => {
                self.settle(Some(send::read_fault(error)));
                Poll::Ready(Some(Err(Abort)))
            }
            None => {
                self.settle(None);
                Poll::Ready(None)
            }
        }
    }
}
