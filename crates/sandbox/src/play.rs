//! The body of an answer as hyper sees it: plays its steps, and tells the journal how far it came.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::Sleep;

use crate::conn::Control;
use crate::journal::Exchange;
use crate::reply::Step;

/// Plays the steps of one answer.
pub(crate) struct Play {
    steps: VecDeque<Step>,
    exchange: Exchange,
    control: Arc<Control>,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Play {
    pub(crate) fn new(steps: Vec<Step>, exchange: Exchange, control: Arc<Control>) -> Self {
        let play = Self { steps: steps.into(), exchange, control, waiting: None };
        if play.steps.is_empty() {
            play.exchange.finish();
        }
        play
    }

    fn sent(&self, frame: Bytes) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.exchange.sent(frame.len());
        if self.steps.is_empty() {
            // With a known length, hyper drops the body after the last byte without asking for more.
            self.exchange.finish();
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn broken(&self, how: &str) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.exchange.note("ended_by_fault", how.into());
        self.exchange.finish();
        Poll::Ready(Some(Err(io::Error::other("a fault ends the answer here"))))
    }
}

impl Body for Play {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(waiting) = self.waiting.as_mut() {
                if waiting.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.waiting = None;
            }
            match self.steps.pop_front() {
                None => {
                    self.exchange.finish();
                    return Poll::Ready(None);
                }
                Some(Step::Send(bytes)) => return self.sent(bytes),
                Some(Step::Wait(time)) => self.waiting = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Flush) => {
                    // hyper flushes when a body is not ready.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Stall) => {
                    // No waker: only the end of the connection ends this.
                    self.steps.push_front(Step::Stall);
                    return Poll::Pending;
                }
                Some(Step::Repeat(frames, gap)) => {
                    for frame in frames.iter().rev() {
                        self.steps.push_front(Step::Wait(gap));
                        self.steps.push_front(Step::Send(frame.clone()));
                    }
                    self.steps.push_back(Step::Repeat(frames, gap));
                }
                Some(Step::Cut) => return self.broken("cut"),
                Some(Step::Reset) => {
                    self.control.reset();
                    return self.broken("reset");
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.waiting.is_none()
    }
}
