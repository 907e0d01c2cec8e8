//! The one pump that moves a stream: a chunk from upstream, through the decoder, to the caller.
//!
//! It runs inside the caller's connection: nobody reads ahead, so a slow reader slows the backend, and a caller who
//! leaves drops the pump, which closes the connection upstream at once.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use net::{Abort, RecvBody, StreamBody};
use tokio::time::Sleep;
use types::{Fault, Kind};
use wire::openai;

use super::dispatch::{Mask, read_fault};
use crate::trail::Trail;

/// A stream whose first event has arrived.
pub(crate) struct Live {
    pub(crate) body: RecvBody,
    pub(crate) decoder: openai::chat::Stream,
    /// What was decoded and not yet handed on.
    pub(crate) ready: VecDeque<Bytes>,
    /// Whether upstream said everything already.
    pub(crate) ended: bool,
    /// The longest silence between two events. Comments are no events.
    pub(crate) idle: Duration,
    /// When the stream must be over.
    pub(crate) until: Instant,
    /// What must not be read by the caller in an error's words.
    pub(crate) mask: Mask,
}

/// A live stream on its way to the caller.
pub(crate) struct Pump {
    live: Box<Live>,
    trail: Option<Trail>,
    last_event: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Pump {
    /// Takes a stream over, with the trail that it settles at its end.
    pub(crate) fn new(live: Box<Live>, trail: Trail) -> Self {
        let now = Instant::now();
        let timer = Box::pin(tokio::time::sleep_until((now + live.idle).min(live.until).into()));
        Self { live, trail: Some(trail), last_event: now, timer }
    }

    /// Reads and decodes one chunk, or learns that there is none.
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let live = &mut *self.live;
        let mut hand_on = |bytes| live.ready.push_back(bytes);
        let read = match live.body.poll_chunk(cx) {
            Poll::Ready(Some(Ok(chunk))) => {
                let before = live.decoder.events();
                let pushed = live.decoder.push(chunk, &mut hand_on);
                if live.decoder.events() != before {
                    self.last_event = Instant::now();
                }
                pushed
            }
            Poll::Ready(Some(Err(error))) => Err(read_fault(error)),
            Poll::Ready(None) => {
                live.ended = true;
                live.decoder.end(&mut hand_on)
            }
            Poll::Pending => return self.watch(cx),
        };
        if let Err(fault) = read {
            self.fail(fault);
        }
        Poll::Ready(())
    }

    /// While nothing comes: is it still allowed to wait? The timer is moved only when it fires, never per chunk.
    fn watch(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let silent_until = self.last_event + self.live.idle;
            if now >= self.live.until {
                self.fail(Fault::new(Kind::UpstreamTimeout, "The stream lasted longer than a stream may."));
                return Poll::Ready(());
            }
            if now >= silent_until {
                let text = format!("The backend sent no event for {} s.", self.live.idle.as_secs_f32());
                self.fail(Fault::new(Kind::UpstreamStalled, text));
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(silent_until.min(self.live.until).into());
        }
        Poll::Pending
    }

    /// The stream cannot go on: the caller gets an error event, never a silent end.
    fn fail(&mut self, fault: Box<Fault>) {
        let fault = self.live.mask.apply(fault);
        if let Some(trail) = &mut self.trail {
            trail.fault(&fault);
            self.live.ready.push_back(openai::fault::event(&fault, &trail.request_id).into());
        }
        self.live.ended = true;
    }

    fn settle(&mut self) {
        if let Some(mut trail) = self.trail.take() {
            trail.record.usage = self.live.decoder.usage();
            trail.record.finish = self.live.decoder.finish();
            trail.settle();
        }
    }
}

impl StreamBody for Pump {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Abort>>> {
        loop {
            if let Some(bytes) = self.live.ready.pop_front() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if self.live.ended {
                self.settle();
                return Poll::Ready(None);
            }
            if self.step(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Pump {
    /// The caller left: what was decoded so far is still what was used.
    fn drop(&mut self) {
        if let Some(trail) = &mut self.trail {
            trail.record.usage = self.live.decoder.usage();
            trail.record.finish = self.live.decoder.finish();
        }
    }
}
