//! Writes answers: a head, and a whole body or one that is made while it is written.

use super::Line;
use crate::{AnswerHeaders, StreamBody, sending::Sending, server::ServerLimits};
use http::{StatusCode, Version};
use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};
use types::SendBody;

/// A stream's chunks that are there together go out together, up to about so much.
const GATHER: usize = 16 * 1024;

/// What of a request shapes the frame of its answer.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    pub(super) version: Version,
    /// Only the head is wanted.
    pub(super) head_only: bool,
    /// The connection ends with this answer.
    pub(super) close: bool,
}

/// Whether nothing may follow the head of such an answer.
pub(super) fn is_bodyless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The head of an answer whose body is known, with room for that.
pub(super) fn whole(status: StatusCode, headers: &AnswerHeaders, body: &SendBody, facts: Facts) -> Vec<u8> {
    let mut out = begin(status, headers, Sending::room(body));
    // To a HEAD nobody knows the length of what was not made.
    let unknown = facts.head_only && body.is_empty();
    if !is_bodyless(status) && !unknown {
        out.extend_from_slice(b"content-length: ");
        decimal(&mut out, body.len());
        out.extend_from_slice(b"\r\n");
    }
    end(out, facts)
}

/// The head of an answer that streams.
pub(super) fn streamed(status: StatusCode, headers: &AnswerHeaders, facts: Facts) -> Vec<u8> {
    let mut out = begin(status, headers, 512);
    if facts.version != Version::HTTP_10 {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    end(out, facts)
}

fn begin(status: StatusCode, headers: &AnswerHeaders, room: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(headers.lines().len() + room + 160);
    if status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        for part in ["HTTP/1.1 ", status.as_str(), " ", status.canonical_reason().unwrap_or("Unknown"), "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(headers.lines());
    out
}

fn end(mut out: Vec<u8>, facts: Facts) -> Vec<u8> {
    if facts.close {
        out.extend_from_slice(b"connection: close\r\n");
    } else if facts.version == Version::HTTP_10 {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"date: ");
    date(&mut out);
    out.extend_from_slice(b"\r\n\r\n");
    out
}

/// The time of day, which is written anew once a second and thread.
fn date(out: &mut Vec<u8>) {
    thread_local! {
        static NOW: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let second = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    NOW.with_borrow_mut(|(written, text)| {
        if *written != second {
            *text = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(second));
            *written = second;
        }
        out.extend_from_slice(text.as_bytes());
    });
}

fn decimal(out: &mut Vec<u8>, mut n: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn hexadecimal(out: &mut Vec<u8>, n: usize) {
    let digits = (usize::BITS - n.leading_zeros()).div_ceil(4).max(1);
    out.extend((0..digits).rev().map(|digit| b"0123456789abcdef"[n >> (4 * digit) & 15]));
}

thread_local! {
    /// What a stream of this thread has just gathered. A stream that waits holds no buffer; one whose caller does not
    /// take what is written keeps this one, and the next makes another.
    static OUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A body that is made while it is written.
pub(super) struct Flow {
    stream: Box<dyn StreamBody>,
    /// What is to be written; empty between two chunks.
    out: Vec<u8>,
    written: usize,
    chunked: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The stream has not been asked since it last gave something, or since it was woken.
    Ask,
    /// It has nothing more to give now.
    Waits,
    /// It has come to its good end.
    Ended,
    /// It was given up.
    Aborted,
}

impl Flow {
    /// The head goes out with the first chunk, or as soon as the stream makes one wait.
    pub(super) fn new(stream: Box<dyn StreamBody>, head: Vec<u8>, version: Version) -> Self {
        Self { stream, out: head, written: 0, chunked: version != Version::HTTP_10, state: State::Ask }
    }

    /// Ready with whether the whole stream got out.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, line: &Line, limits: &ServerLimits) -> Poll<bool> {
        if self.state == State::Waits {
            self.state = State::Ask;
        }
        loop {
            if self.state == State::Ask && self.written == 0 {
                self.gather(cx);
            }
            if !self.out.is_empty() {
                if ready!(self.write(cx, line, limits)).is_err() {
                    return Poll::Ready(false);
                }
                continue;
            }
            match self.state {
                State::Ask => {}
                State::Ended => return Poll::Ready(true),
                State::Aborted => return Poll::Ready(false),
                State::Waits => return line.lock().poll_gone(cx).map(|()| false),
            }
        }
    }

    /// Takes the chunks that are there.
    fn gather(&mut self, cx: &mut Context<'_>) {
        if self.out.capacity() == 0 {
            self.out = OUT.take();
            // Room for all that is gathered and one chunk more, at once: growing step by step leaves holes of every size.
            self.out.reserve(2 * GATHER);
        }
        while self.state == State::Ask && self.out.len() < GATHER {
            // A panic gives the stream up.
            match catch_unwind(AssertUnwindSafe(|| self.stream.poll_chunk(cx))) {
                Ok(Poll::Ready(Some(Ok(chunk)))) if chunk.is_empty() => {}
                Ok(Poll::Ready(Some(Ok(chunk)))) => self.add(&chunk),
                Ok(Poll::Ready(None)) => {
                    if self.chunked {
                        self.out.extend_from_slice(b"0\r\n\r\n");
                    }
                    self.state = State::Ended;
                }
                Ok(Poll::Pending) => self.state = State::Waits,
                Ok(Poll::Ready(Some(Err(_)))) | Err(_) => self.state = State::Aborted,
            }
        }
        if self.out.is_empty() {
            OUT.set(std::mem::take(&mut self.out));
        }
    }

    fn add(&mut self, chunk: &[u8]) {
        if self.chunked {
            hexadecimal(&mut self.out, chunk.len());
            self.out.extend_from_slice(b"\r\n");
        }
        self.out.extend_from_slice(chunk);
        if self.chunked {
            self.out.extend_from_slice(b"\r\n");
        }
    }

    /// Writes all that was gathered, and gives the buffer back.
    fn write(&mut self, cx: &mut Context<'_>, line: &Line, limits: &ServerLimits) -> Poll<std::io::Result<()>> {
        let mut inner = line.lock();
        while self.written < self.out.len() {
            match ready!(inner.poll_write(cx, &self.out[self.written..], limits))? {
                0 => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                n => self.written += n,
            }
        }
        ready!(inner.poll_flush(cx, limits))?;
        let mut out = std::mem::take(&mut self.out);
        self.written = 0;
        // One that a large chunk has blown up is let go.
        if out.capacity() <= 4 * GATHER {
            out.clear();
            OUT.set(out);
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for n in [0, 1, 9, 10, 15, 16, 255, 256, 4_095, 65_536, 1_234_567_890, usize::MAX] {
            let (mut ten, mut sixteen) = (Vec::new(), Vec::new());
            decimal(&mut ten, n);
            hexadecimal(&mut sixteen, n);
            assert_eq!((ten, sixteen), (n.to_string().into_bytes(), format!("{n:x}").into_bytes()));
        }
    }
}
