//! A message whose bytes are all known, on its way out: a request to a backend, or a whole answer to a caller.

use crate::io::Io;
use bytes::{Buf as _, Bytes};
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    task::{Context, Poll, ready},
};
use types::{SendBody, body::Pieces};

/// Bodies up to this size go out in one write with their head.
const INLINE_BODY: usize = 16 * 1024;
/// How many pieces of a body go out in one write at most.
const PIECES: usize = 16;
/// No more of a body than this, and one piece, is made ready ahead of its writing.
const AHEAD: usize = 64 * 1024;

/// A message on its way out.
pub(crate) struct Sending {
    /// The head, and the body if it is small.
    head: Vec<u8>,
    /// So much of the head is written.
    at: usize,
    /// The pieces of the body that go next, the first of them perhaps begun.
    next: VecDeque<Bytes>,
    /// What comes after them.
    body: Pieces,
    /// The body cannot be read any further.
    unreadable: Option<io::Error>,
    /// All of it is in the head.
    small: bool,
    /// Whether a byte went out.
    begun: bool,
    flushed: bool,
}

impl Sending {
    /// How many bytes of room behind the head are useful for this body.
    pub(crate) const fn room(body: &SendBody) -> usize {
        if body.len() <= INLINE_BODY { body.len() } else { 0 }
    }

    /// A head, whole, and the body that follows it.
    pub(crate) fn new(head: Vec<u8>, body: SendBody) -> Self {
        let inline = body.len() <= INLINE_BODY;
        let (next, body) = (VecDeque::new(), body.into_pieces());
        let mut sending =
            Self { head, at: 0, next, body, unreadable: None, small: false, begun: false, flushed: false };
        while inline && let Some(piece) = sending.piece() {
            sending.head.extend_from_slice(&piece);
        }
        sending.small = inline && sending.unreadable.is_none();
        sending
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.flushed
    }

    /// Whether a byte went out.
    pub(crate) const fn has_begun(&self) -> bool {
        self.begun
    }

    pub(crate) fn poll(&mut self, io: &mut Io, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.small && self.at < self.head.len() {
            match ready!(io.poll_write(cx, &[IoSlice::new(&self.head[self.at..])]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.advance(written),
            }
        }
        while !self.small {
            self.fill();
            if let Some(error) = self.unreadable.take() {
                return Poll::Ready(Err(error));
            }
            let mut slices = [IoSlice::new(&[]); PIECES + 1];
            let n = self.unwritten(&mut slices);
            if n == 0 {
                break;
            }
            match ready!(io.poll_write(cx, &slices[..n]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.advance(written),
            }
        }
        ready!(io.poll_flush(cx))?;
        self.flushed = true;
        Poll::Ready(Ok(()))
    }

    /// The next piece of the body. A file's is a copy out of the system's memory: what a caller has just sent lies there.
    fn piece(&mut self) -> Option<Bytes> {
        match self.body.next()? {
            Ok(piece) => Some(piece),
            Err(error) => {
                self.unreadable = Some(error);
                None
            }
        }
    }

    /// Makes ready what one write takes, and not much more: a file's pieces stand in memory from here on.
    fn fill(&mut self) {
        let mut ahead: usize = self.next.iter().map(Bytes::len).sum();
        while self.next.len() < PIECES && ahead < AHEAD {
            let Some(piece) = self.piece() else { return };
            ahead += piece.len();
            self.next.push_back(piece);
        }
    }

    /// Fills `slices` with what comes next and says how many there are.
    fn unwritten<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let head = Some(&self.head[self.at..]).filter(|head| !head.is_empty());
        let parts = head.into_iter().chain(self.next.iter().map(|piece| &piece[..]));
        parts.zip(slices).map(|(part, slice)| *slice = IoSlice::new(part)).count()
    }

    /// Takes note that so many bytes went out.
    fn advance(&mut self, mut written: usize) {
        self.begun = true;
        let of_head = written.min(self.head.len() - self.at);
        self.at += of_head;
        written -= of_head;
        while let Some(piece) = self.next.front_mut().filter(|_| written > 0) {
            let some = written.min(piece.len());
            piece.advance(some);
            written -= some;
            if piece.is_empty() {
                self.next.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_yet_is_shown_in_order_from_any_point() {
        let mut body = SendBody::empty();
        (0..30_u8).for_each(|n| body.push(vec![n; 1_000].into()));
        body.push_base64(vec![7; 300_000].into());
        let head = || b"POST / HTTP/1.1\r\n\r\n".to_vec();
        let whole = [&head()[..], &body.to_bytes()[..]].concat();
        for step in [1_usize, 7, 999, 1_000, 16_500, 1_000_000] {
            let (mut sending, mut shown) = (Sending::new(head(), body.clone()), Vec::new());
            loop {
                sending.fill();
                let ahead: usize = sending.next.iter().map(Bytes::len).sum();
                assert!(ahead < AHEAD + 64 * 1024 + 1, "{ahead}");
                let mut slices = [IoSlice::new(&[]); PIECES + 1];
                let n = sending.unwritten(&mut slices);
                let all: Vec<u8> = slices[..n].iter().flat_map(|slice| slice.to_vec()).collect();
                if all.is_empty() {
                    break;
                }
                let some = step.min(all.len());
                shown.extend_from_slice(&all[..some]);
                sending.advance(some);
                // Byte by byte is enough for the head and the first pieces.
                if step < 999 && shown.len() > 5_000 {
                    break;
                }
            }
            assert!(whole.starts_with(&shown) && (step < 999 || whole.len() == shown.len()), "{step}");
        }
    }
}
