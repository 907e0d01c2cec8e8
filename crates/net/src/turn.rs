//! The time, read once for all that a connection does in one go.
//!
//! A call looks at the time some fifteen times, and each look costs as much as a small allocation. Between two waits of a
//! connection only microseconds pass, so all looks in between share one reading. What measures work itself, or waits for
//! other threads, reads [`Instant::now`].

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::Pin,
    time::Instant,
};

thread_local! {
    static TURN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The time when the connection that this thread serves was woken; outside a connection, the time.
pub fn now() -> Instant {
    TURN.get().unwrap_or_else(Instant::now)
}

/// One turn of a connection on this thread. Turns do not nest.
struct Turn;

impl Turn {
    fn begin() -> Self {
        TURN.set(Some(Instant::now()));
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TURN.set(None);
    }
}

/// Serves a connection, each time it is woken as one turn.
pub(crate) async fn in_turns<F: Future>(mut connection: Pin<&mut F>) -> F::Output {
    poll_fn(|cx| {
        let _turn = Turn::begin();
        connection.as_mut().poll(cx)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{pin::pin, task::Poll};

    #[tokio::test]
    async fn the_time_stands_still_within_a_turn_and_goes_on_in_the_next() {
        let mut readings = Vec::new();
        let connection = poll_fn(|cx| {
            let at = now();
            while Instant::now() == at {}
            readings.push((at, now()));
            cx.waker().wake_by_ref();
            if readings.len() < 2 { Poll::Pending } else { Poll::Ready(()) }
        });
        in_turns(pin!(connection)).await;
        assert_eq!((readings[0].0, readings[1].0), (readings[0].1, readings[1].1));
        assert!(readings[0].0 < readings[1].0);
        let outside = now();
        while Instant::now() == outside {}
        assert!(outside < now());
    }
}
