//! A limit on waiting.

use std::{future::Future, pin::Pin, task::Context, time::Duration};
use tokio::time::{Instant, Sleep};

/// A limit on waiting. The timer is made at the first wait and then left running: most waits end before it matters, and
/// moving a timer costs more than looking at the time when it rings.
#[derive(Default)]
pub(crate) struct Clock {
    timer: Option<Pin<Box<Sleep>>>,
    /// What is waited for, and since when; 0 is nothing.
    what: u8,
    since: Option<Instant>,
}

impl Clock {
    /// Waiting is over.
    pub(crate) const fn stop(&mut self) {
        self.what = 0;
    }

    /// Waits for nothing that has a limit, but rings after `at_latest`.
    pub(crate) fn look_again(&mut self, at_latest: Duration, cx: &mut Context<'_>) {
        self.what = 0;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(at_latest)));
        while timer.as_mut().poll(cx).is_ready() {
            timer.as_mut().reset(Instant::now() + at_latest);
        }
    }

    /// True once `end` has passed.
    pub(crate) fn passes(&mut self, end: Instant, cx: &mut Context<'_>) -> bool {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        if timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= end {
                return true;
            }
            timer.as_mut().reset(end);
        }
        false
    }

    /// Waits (on) for `what`; true once that has taken `limit`.
    pub(crate) fn runs_out(&mut self, what: u8, limit: Duration, cx: &mut Context<'_>) -> bool {
        let since = match self.since {
            Some(since) if self.what == what => since,
            _ => *self.since.insert(Instant::now()),
        };
        self.what = what;
        self.passes(since + limit, cx)
    }
}
