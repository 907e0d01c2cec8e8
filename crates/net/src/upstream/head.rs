//! Heads of HTTP/1.1: a request's is written, a reply's is read; both strictly.

use super::Outgoing;
use crate::{Fields, NetError, NetErrorKind, chunked::ChunkDecoder, framing::Framing, usual};
use http::{HeaderName, Method, StatusCode, header};
use std::{io::Write as _, mem::MaybeUninit};
use types::SendBody;

/// More headers than this in a reply are refused.
const MAX_HEADERS: usize = 100;

/// What is the connection's own business, in both directions.
pub(crate) fn is_hop_by_hop(name: &[u8]) -> bool {
    matches!(
        name,
        b"connection" | b"transfer-encoding" | b"te" | b"trailer" | b"upgrade" | b"keep-alive" | b"proxy-connection"
    )
}

/// Whether the client writes this header itself.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    is_hop_by_hop(name.as_str().as_bytes())
        || *name == header::HOST
        || *name == header::CONTENT_LENGTH
        || *name == header::EXPECT
}

/// Refuses what cannot stand in a request line, before anything is sent.
pub(super) fn check(request: &Outgoing) -> Result<(), NetError> {
    let bad = |why| Err(NetError::new(NetErrorKind::BadRequest, why));
    if !request.target.starts_with('/') {
        return bad("the target does not begin with a slash");
    }
    // Without an early end: that is one pass of vectors.
    if request.target.bytes().fold(false, |odd, b| odd | !b.is_ascii_graphic() | (b == b'#')) {
        return bad("the target has a character that must be percent-encoded");
    }
    if request.method == Method::CONNECT {
        return bad("CONNECT is not for backends");
    }
    Ok(())
}

/// Whether `content-length` is sent: always where a body is usual, else only with one.
pub(super) fn announces_length(method: &Method, body: &SendBody) -> bool {
    !body.is_empty() || !matches!(*method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS)
}

/// The head of `request` as bytes, with room for `extra` more.
pub(super) fn write(authority: &str, request: &Outgoing, extra: usize) -> Vec<u8> {
    let lines = request.headers.lines();
    let mut out = Vec::with_capacity(request.target.len() + authority.len() + lines.len() + extra + 96);
    for part in [request.method.as_str(), " ", &request.target, " HTTP/1.1\r\nhost: ", authority, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(lines);
    if announces_length(&request.method, &request.body) {
        // Writing to a Vec cannot fail.
        let _ = write!(out, "content-length: {}\r\n", request.body.len());
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// The head of a reply.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: Fields,
    pub(super) framing: Framing,
    /// Whether the connection may serve again after this reply.
    pub(super) keep: bool,
    /// Length of the head in the input.
    pub(super) len: usize,
}

/// Reads the head of a reply to a `method` request; `None` if it is not complete yet.
pub(super) fn read(input: &[u8], method: &Method) -> Result<Option<Head>, NetError> {
    if let Some(usual) = usual::read(input, MAX_HEADERS)
        && let Some(status) = usual_status(usual.first)
    {
        return finish(status, true, method, usual.headers, usual.len).map(Some);
    }
    let mut fields = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut reply = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut reply, input, &mut fields);
    let len = match parsed {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(NetError::new(NetErrorKind::HeadTooLarge, "the reply has more than 100 headers"));
        }
        Err(error) => return Err(NetError::new(NetErrorKind::BadHead, error.to_string())),
    };
    let status = reply.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(|| bad("a bad status"))?;
    let headers = Fields::parsed(&input[..len], reply.headers);
    finish(status, reply.version == Some(1), method, headers, len).map(Some)
}

/// The status of a first line as everybody writes it.
fn usual_status(line: &[u8]) -> Option<StatusCode> {
    let (digits, reason) = line.strip_prefix(b"HTTP/1.1 ")?.split_first_chunk::<3>()?;
    let status = StatusCode::from_bytes(digits).ok()?;
    (reason.first() == Some(&b' ') && usual::text(reason) == reason.len()).then_some(status)
}

/// Looks at what the headers say of the message's frame and the connection.
fn finish(
    status: StatusCode,
    http_11: bool,
    method: &Method,
    mut headers: Fields,
    len: usize,
) -> Result<Head, NetError> {
    let mut facts = Facts { keep: http_11, ..Facts::default() };
    let mut hops = false;
    for (name, value) in headers.iter() {
        hops |= facts.note(name, value.as_bytes())?;
    }
    if hops {
        headers.retain(|name| !is_hop_by_hop(name));
    }
    let framing = facts.framing(status, method, http_11)?;
    let keep = facts.keep && !facts.close && !matches!(framing, Framing::UntilClose);
    Ok(Head { status, headers, framing, keep, len })
}

fn bad(why: &'static str) -> NetError {
    NetError::new(NetErrorKind::BadHead, why)
}

/// What the headers say about the message's frame.
#[derive(Default)]
struct Facts {
    length: Option<u64>,
    chunked: bool,
    keep: bool,
    close: bool,
}

impl Facts {
    /// Takes note of one header; true if it is the connection's own business and goes no further.
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<bool, NetError> {
        match name {
            b"content-length" => {
                let length = decimal(value).ok_or_else(|| bad("a bad content-length"))?;
                if self.length.replace(length).is_some() {
                    return Err(bad("more than one content-length"));
                }
            }
            b"transfer-encoding" => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(bad("a transfer-encoding other than chunked"));
                }
                self.chunked = true;
            }
            b"connection" => {
                for token in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                    self.close |= token.eq_ignore_ascii_case(b"close");
                    self.keep |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            _ => {}
        }
        Ok(is_hop_by_hop(name))
    }

    fn framing(&self, status: StatusCode, method: &Method, http_11: bool) -> Result<Framing, NetError> {
        if self.chunked && (self.length.is_some() || !http_11) {
            return Err(bad("transfer-encoding together with content-length, or in HTTP/1.0"));
        }
        let bodyless = *method == Method::HEAD
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        Ok(match self.length {
            _ if bodyless => Framing::Length(0),
            _ if self.chunked => Framing::Chunked(ChunkDecoder::new()),
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        })
    }
}

/// A number of 1 to 18 digits and nothing else: no sign, no list, no space.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prelude::*, sample::Index};

    const REPLIES: [&str; 3] = [
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close, x\r\nX: y\r\n\r\nhello world",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX:\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
    ];

    /// What was read of a head, or that it was refused.
    fn see(input: &[u8]) -> Result<Option<(u16, usize, bool, usize)>, NetErrorKind> {
        let read = read(input, &Method::GET).map_err(|error| error.kind)?;
        Ok(read.map(|head| (head.status.as_u16(), head.len, head.keep, head.headers.len())))
    }

    proptest! {
        #[test]
        fn a_damaged_head_means_the_same_however_much_of_it_has_come(
            which in any::<Index>(),
            noise in prop::collection::vec((any::<Index>(), any::<u8>(), any::<bool>()), 0..4),
        ) {
            let mut input = which.get(&REPLIES).as_bytes().to_vec();
            for (at, byte, more) in noise {
                let at = at.index(input.len());
                if more { input.insert(at, byte) } else { input[at] = byte }
            }
            let whole = see(&input);
            for cut in 0..input.len() {
                match see(&input[..cut]) {
                    Ok(None) => {}
                    Ok(Some(head)) => {
                        prop_assert!(head.1 <= cut);
                        prop_assert_eq!(&whole, &Ok(Some(head)), "cut at {}", cut);
                    }
                    Err(_) => prop_assert!(whole.is_err(), "refused at {} only", cut),
                }
            }
        }
    }
}
