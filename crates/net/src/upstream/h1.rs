//! One exchange over HTTP/1.1: the request is written while the reply is already watched for.

use super::{
    Conn, Outgoing, Reply, Upstream,
    h1_body::H1Body,
    head::{self, Head},
};
use crate::{NetError, NetErrorKind, Origin, sending::Sending};
use bytes::Bytes;
use http::Method;
use std::{
    future::poll_fn,
    io,
    task::{Context, Poll, ready},
    time::Instant,
};
use types::Sent;

/// Interim replies (1xx) that are passed over before we give up.
const MAX_INTERIM: u8 = 8;

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
        sending: sending(origin.authority(), request),
        broken: None,
        reading: Reading { method, max, part: Vec::new(), rest: Bytes::new(), interim: 0 },
    };
    let head = poll_fn(|cx| match exchange.poll(cx) {
        Poll::Pending if exchange.conn.clock.passes(deadline.into(), cx) => {
            Poll::Ready(Err(exchange.error(NetErrorKind::Timeout, "no reply before the deadline".into())))
        }
        polled => polled,
    });
    let head = head.await?;
    Ok(exchange.into_reply(head, upstream, origin))
}

fn sending(authority: &str, mut request: Outgoing) -> Sending {
    let head = head::write(authority, &request, Sending::room(&request.body));
    Sending::new(head, std::mem::take(&mut request.body))
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
        let sent = match self.sending.has_begun() {
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
        let body = H1Body::receive(self.conn, head.framing, self.reading.rest, keep, sending, upstream, origin);
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

#[cfg(test)]
mod tests {
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
}
