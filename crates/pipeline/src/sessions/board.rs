//! The stream of a response in the background, while it is being told: who comes late reads it from its beginning.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

/// A stream is told to followers up to here; a longer one can be fetched when it has ended.
const LONGEST: usize = 32 << 20;

/// The events so far, and who waits for the next.
#[derive(Default)]
pub(crate) struct Board(Mutex<Told>);

#[derive(Default)]
struct Told {
    events: Vec<Bytes>,
    bytes: usize,
    ended: bool,
    waiting: Vec<Waker>,
}

impl Board {
    /// Tells one event. What comes after the end is not told.
    pub(crate) fn tell(&self, event: Bytes) {
        let mut told = self.told();
        if told.ended {
            return;
        }
        told.bytes += event.len();
        if told.bytes > LONGEST {
            (told.events, told.ended) = (Vec::new(), true);
        } else {
            told.events.push(event);
        }
        told.waiting.drain(..).for_each(Waker::wake);
    }

    /// Nothing more will be told.
    pub(crate) fn end(&self) {
        let mut told = self.told();
        told.ended = true;
        told.waiting.drain(..).for_each(Waker::wake);
    }

    /// How many events were told.
    pub(crate) fn len(&self) -> usize {
        self.told().events.len()
    }

    /// The event of this number, or none when nothing more will be told.
    pub(crate) fn poll(&self, number: usize, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        let mut told = self.told();
        if let Some(event) = told.events.get(number) {
            return Poll::Ready(Some(event.clone()));
        }
        if told.ended {
            return Poll::Ready(None);
        }
        if !told.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            told.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// All events in one piece, with these at their end; none where that is more than `limit` bytes.
    pub(crate) fn joined(&self, tail: &[Bytes], limit: usize) -> Option<Bytes> {
        let told = self.told();
        let size = told.bytes + tail.iter().map(Bytes::len).sum::<usize>();
        let events = || told.events.iter().chain(tail).map(|event| &event[..]);
        (!told.ended && size <= limit).then(|| events().collect::<Vec<_>>().concat().into())
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_late_reads_everything_and_nothing_comes_after_the_end() {
        let (board, cx) = (Board::default(), Context::from_waker(Waker::noop()));
        assert_eq!(board.poll(0, &cx), Poll::Pending);
        board.tell(Bytes::from_static(b"a"));
        board.tell(Bytes::from_static(b"b"));
        assert_eq!(board.joined(&[Bytes::from_static(b"c")], 3).unwrap(), "abc");
        assert_eq!(board.joined(&[], 1), None);
        board.end();
        board.tell(Bytes::from_static(b"c"));
        assert_eq!(board.poll(1, &cx), Poll::Ready(Some(Bytes::from_static(b"b"))));
        assert_eq!((board.poll(2, &cx), board.len()), (Poll::Ready(None), 2));
    }

    #[test]
    fn a_stream_that_is_too_long_is_told_no_more() {
        let (board, cx) = (Board::default(), Context::from_waker(Waker::noop()));
        board.tell(vec![0; LONGEST].into());
        board.tell(Bytes::from_static(b"x"));
        assert_eq!((board.poll(0, &cx), board.joined(&[], usize::MAX)), (Poll::Ready(None), None));
    }
}
