//! One exchange over HTTP/1.1: the request is written while the reply is already watched for.

use super::{
    Outgoing, Reply, Upstream,
    h1_body::H1Body,
    head::{self, Head},
    io::{Conn, Io},
};
use crate::{NetError, NetErrorKind, Origin, RecvBody};
use bytes::{Buf as _, Bytes};
use http::Method;
use std::{
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    task::{Context, Poll, ready},
    time::Instant,
};
use types::{Sent, body::Pieces};

/// Bodies up to this size go out in one write with their head.
const INLINE_BODY: usize = 16 * 1024;
/// Interim replies (1xx) that are passed over before we give up.
const MAX_INTERIM: u8 = 8;
/// How many pieces of a body go out in one write at most.
const PIECES: usize = 16;
/// No more of a body than this, and one piece, is made ready ahead of its writing.
const AHEAD: usize = 64 * 1024;

/// Sends `request` over `conn` and reads the head of the reply.
pub(super) async fn exchange(
    upstream: Upstream,
    origin: &Origin,
    conn: Conn,
    request: Outgoing,
    deadline: Instant,
) -> Result<Reply, NetError> {
    let (method, max) = (request.method.clone(), upstream.0.settings.max_head);
    let mut exchange = Exchange {
        conn,
        sending: Sending::new(origin.authority(), request),
        broken: None,
        reading: Reading { method, max, part: Vec::new(), rest: Bytes::new(), interim: 0 },
    };
    let head = tokio::time::timeout_at(deadline.into(), poll_fn(|cx| exchange.poll(cx))).await;
    match head {
        Ok(head) => Ok(exchange.into_reply(head?, upstream, origin)),
        Err(_) => Err(exchange.error(NetErrorKind::Timeout, "no reply before the deadline".into())),
    }
}

struct Exchange {
    conn: Conn,
    sending: Sending,
    /// Writing failed; a reply may still be there to read.
    broken: Option<io::Error>,
    reading: Reading,
}

impl Exchange {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, NetError>> {
        if self.broken.is_none()
            && !self.sending.is_done()
            && let Poll::Ready(Err(error)) = self.sending.poll(&mut self.conn.io, cx)
        {
            self.broken = Some(error);
        }
        loop {
            let reading = &mut self.reading;
            match ready!(self.conn.io.poll_read(cx, |input| (input.len(), reading.take(input)))) {
                Ok((0, _)) => return Poll::Ready(Err(self.ended(None))),
                Ok((_, Ok(Some(head)))) => return Poll::Ready(Ok(head)),
                Ok((_, Ok(None))) => {}
                Ok((_, Err(error))) => return Poll::Ready(Err(error.sent(Sent::Yes))),
                Err(error) => return Poll::Ready(Err(self.ended(Some(&error)))),
            }
        }
    }

    /// The connection is over before the head of a reply was complete.
    fn ended(&self, error: Option<&io::Error>) -> NetError {
        let silent = self.reading.is_silent();
        let kind = match &self.broken {
            Some(_) if silent => NetErrorKind::Write,
            _ if silent => NetErrorKind::Closed,
            _ => NetErrorKind::Truncated,
        };
        let detail = match self.broken.as_ref().or(error) {
            Some(cause) => format!("the connection broke before the reply: {cause}"),
            None => "the peer closed the connection before the reply".to_owned(),
        };
        let mut error = self.error(kind, detail);
        error.reused = self.conn.reused && silent;
        error
    }

    fn error(&self, kind: NetErrorKind, detail: String) -> NetError {
        let sent = match self.sending.begun {
            _ if !self.reading.is_silent() => Sent::Yes,
            false => Sent::No,
            true => Sent::Maybe,
        };
        NetError::new(kind, detail).sent(sent)
    }

    fn into_reply(self, head: Head, upstream: Upstream, origin: &Origin) -> Reply {
        let reused = self.conn.reused;
        // A refusal that comes early ends the sending; after anything else the rest of the body is still wanted.
        let refused = head.status.is_client_error() || head.status.is_server_error() || head.status.is_redirection();
        let unsent = !self.sending.is_done();
        let keep = head.keep && self.broken.is_none() && !(unsent && refused);
        let sending = (unsent && self.broken.is_none() && !refused).then(|| Box::new(self.sending));
        let body = H1Body::new(self.conn, head.framing, self.reading.rest, keep, sending, upstream, origin.clone());
        let body = body.map_or_else(RecvBody::empty, RecvBody::h1);
        Reply { status: head.status, headers: head.headers, body, reused }
    }
}

/// Gathers the head of the reply.
struct Reading {
    method: Method,
    max: usize,
    /// What was read of a head that is not complete.
    part: Vec<u8>,
    /// What was read behind the head.
    rest: Bytes,
    interim: u8,
}

impl Reading {
    /// Whether not one byte of a reply has come.
    fn is_silent(&self) -> bool {
        self.part.is_empty() && self.interim == 0
    }

    fn take(&mut self, input: &[u8]) -> Result<Option<Head>, NetError> {
        if self.part.is_empty() {
            return self.parse(input);
        }
        self.part.extend_from_slice(input);
        // A head ends with a line: without a new line there is nothing new to find.
        if memchr::memchr(b'\n', input).is_none() && self.part.len() <= self.max {
            return Ok(None);
        }
        let part = std::mem::take(&mut self.part);
        self.parse(&part)
    }

    fn parse(&mut self, mut input: &[u8]) -> Result<Option<Head>, NetError> {
        loop {
            let head = head::read(input, &self.method)?;
            let len = head.as_ref().map_or(input.len(), |head| head.len);
            if len > self.max {
                let why = format!("the head of the reply is longer than {} bytes", self.max);
                return Err(NetError::new(NetErrorKind::HeadTooLarge, why));
            }
            let Some(head) = head else {
                self.part = input.to_vec();
                return Ok(None);
            };
            input = &input[len..];
            if !head.status.is_informational() {
                self.rest = Bytes::copy_from_slice(input);
                return Ok(Some(head));
            }
            self.interim += 1;
            if self.interim > MAX_INTERIM || head.status.as_u16() == 101 {
                return Err(NetError::new(NetErrorKind::BadHead, "interim replies that nobody asked for"));
            }
        }
    }
}

/// A request on its way out.
pub(super) struct Sending {
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
    /// Whether a byte went out.
    begun: bool,
    flushed: bool,
}

impl Sending {
    fn new(authority: &str, mut request: Outgoing) -> Self {
        let inline = request.body.len() <= INLINE_BODY;
        let head = head::write(authority, &request, if inline { request.body.len() } else { 0 });
        let (next, body) = (VecDeque::new(), std::mem::take(&mut request.body).into_pieces());
        let mut sending = Self { head, at: 0, next, body, unreadable: None, begun: false, flushed: false };
        while inline && let Some(piece) = sending.piece() {
            sending.head.extend_from_slice(&piece);
        }
        sending
    }

    fn is_done(&self) -> bool {
        self.flushed
    }

    pub(super) fn poll(&mut self, io: &mut Io, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
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
    use std::sync::Arc;

    use types::SendBody;

    use super::*;

    fn reading() -> Reading {
        Reading { method: Method::POST, max: 65_536, part: Vec::new(), rest: Bytes::new(), interim: 0 }
    }

    /// Status and number of headers, and what was read behind the head.
    fn read(pieces: &[&[u8]]) -> Result<Option<(u16, usize, Vec<u8>)>, NetErrorKind> {
        let mut reading = reading();
        for (n, piece) in pieces.iter().enumerate() {
            if let Some(head) = reading.take(piece).map_err(|error| error.kind)? {
                let mut rest = reading.rest.to_vec();
                pieces[n + 1..].iter().for_each(|piece| rest.extend_from_slice(piece));
                return Ok(Some((head.status.as_u16(), head.headers.len(), rest)));
            }
        }
        Ok(None)
    }

    #[test]
    fn a_head_cut_anywhere_reads_the_same() {
        let plain: &[u8] = b"HTTP/1.1 201 Created\r\nA: b\r\nContent-Length: 4\r\n\r\nrest";
        let interim: &[u8] =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nA:\r\n\r\nrest";
        for (reply, expected) in [(plain, (201, 2, b"rest".to_vec())), (interim, (200, 1, b"rest".to_vec()))] {
            assert_eq!(read(&[reply]), Ok(Some(expected.clone())));
            for cut in 1..reply.len() {
                let (a, b) = reply.split_at(cut);
                assert_eq!(read(&[a, b]), Ok(Some(expected.clone())), "cut at {cut}");
            }
            let bytes: Vec<_> = reply.chunks(1).collect();
            assert_eq!(read(&bytes), Ok(Some(expected)), "byte by byte");
        }
    }

    #[test]
    fn a_part_of_a_head_is_proof_that_the_peer_spoke() {
        let mut reading = reading();
        assert!(reading.is_silent());
        assert!(reading.take(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap().is_none());
        assert!(!reading.is_silent());
    }

    #[test]
    fn what_is_not_written_yet_is_shown_in_order_from_any_point() {
        let mut body = SendBody::empty();
        (0..30_u8).for_each(|n| body.push(vec![n; 1_000].into()));
        body.push_base64(vec![7; 300_000].into());
        let request = Outgoing { method: Method::POST, target: "/".to_owned(), headers: Arc::default(), body };
        let whole = [&Sending::new("x", request.clone()).head, &request.body.to_bytes()[..]].concat();
        for step in [1_usize, 7, 999, 1_000, 16_500, 1_000_000] {
            let (mut sending, mut shown) = (Sending::new("x", request.clone()), Vec::new());
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
