//! Reads the head of a request, strictly: what two readers in a chain could take differently is refused.
//!
//! Usual heads are read in one pass (`usual`). Of the others `httparse` reads the lines; what it lets through and RFC 9112 forbids, or what is known to be read in two ways, is
//! refused here: lines that end with a bare line feed, more than one length, a length together with chunks, any other
//! transfer coding, framing headers written with an underscore, no host, two of them, or a target that names another.

use crate::{Fields, chunked::ChunkDecoder, framing::Framing, server::ServerLimits, upstream::decimal, usual};
use http::{Method, StatusCode, Uri, Version};
use httparse::Status;
use std::mem::MaybeUninit;

/// Headers for which there is room on the stack.
const USUAL_HEADERS: usize = 100;

/// A request's head.
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) version: Version,
    pub(super) headers: Fields,
    /// How its body is framed; `None`: it has none.
    pub(super) framing: Option<Framing>,
    /// The caller would send more on this connection.
    pub(super) keep: bool,
    /// The caller waits for a word before it sends the body.
    pub(super) expects: bool,
    /// Its length in the input.
    pub(super) len: usize,
}

/// A request that is not served.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) why: &'static str,
}

const fn bad(why: &'static str) -> Refused {
    Refused { status: StatusCode::BAD_REQUEST, why }
}

const fn too_large(why: &'static str) -> Refused {
    Refused { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why }
}

/// The head at the start of `input`; `None` if it is not complete yet.
pub(super) fn read(input: &[u8], limits: &ServerLimits) -> Result<Option<Head>, Refused> {
    if let Some(head) = usual(input, limits)? {
        return Ok(Some(head));
    }
    let mut usual = [const { MaybeUninit::uninit() }; USUAL_HEADERS];
    if limits.max_headers <= USUAL_HEADERS {
        return parse(input, &mut usual[..limits.max_headers], limits.max_head);
    }
    let mut many: Vec<_> = (0..limits.max_headers).map(|_| MaybeUninit::uninit()).collect();
    parse(input, &mut many, limits.max_head)
}

/// A head as everybody writes it; `None` leaves it to [`parse`].
fn usual(input: &[u8], limits: &ServerLimits) -> Result<Option<Head>, Refused> {
    let Some(usual) = usual::read(input, limits.max_headers) else { return Ok(None) };
    let Some(line) = usual.first.strip_suffix(b" HTTP/1.1") else { return Ok(None) };
    let Some(space) = memchr::memchr(b' ', line) else { return Ok(None) };
    // Without an early end: that is one pass of vectors.
    let plain = line[space + 1..].iter().fold(true, |plain, byte| plain & byte.is_ascii_graphic());
    let Ok(method) = Method::from_bytes(&line[..space]) else { return Ok(None) };
    if !plain || usual.len > limits.max_head {
        return Ok(None);
    }
    let target = usual.headers.slice(space + 1, line.len());
    let Ok(uri) = Uri::from_maybe_shared(target) else { return Ok(None) };
    finish(method, uri, true, usual.headers, usual.len).map(Some)
}

fn parse<'a>(
    input: &'a [u8],
    fields: &mut [MaybeUninit<httparse::Header<'a>>],
    max_head: usize,
) -> Result<Option<Head>, Refused> {
    let mut request = httparse::Request::new(&mut []);
    let len = match httparse::ParserConfig::default().parse_request_with_uninit_headers(&mut request, input, fields) {
        Ok(Status::Complete(len)) if len <= max_head => len,
        Ok(Status::Partial) if input.len() <= max_head => return Ok(None),
        Ok(_) => return Err(too_large("the head is longer than is taken")),
        Err(error) => return Err(unreadable(error)),
    };
    let head = &input[..len];
    if head.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r') || head.starts_with(b"\n") {
        return Err(bad("a line ends without a carriage return"));
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(bad("the request line is not complete"));
    };
    let headers = Fields::parsed(head, request.headers);
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| bad("the method is none"))?;
    let from = target.as_ptr() as usize - input.as_ptr() as usize;
    let target = headers.slice(from, from + target.len());
    let uri = Uri::from_maybe_shared(target).map_err(|_| bad("the target is none"))?;
    finish(method, uri, minor == 1, headers, len).map(Some)
}

/// Looks at what the headers say of the message's frame, its host and the connection.
fn finish(method: Method, uri: Uri, http_11: bool, headers: Fields, len: usize) -> Result<Head, Refused> {
    let mut facts = Facts::default();
    for (name, value) in headers.iter() {
        facts.note(name, value.as_bytes())?;
    }
    check_target(&method, &uri, http_11, &headers)?;
    let framing = facts.framing(http_11)?;
    Ok(Head {
        method,
        uri,
        version: if http_11 { Version::HTTP_11 } else { Version::HTTP_10 },
        headers,
        keep: !facts.close && (http_11 || facts.keep_alive),
        expects: facts.expects && http_11 && framing.is_some(),
        framing,
        len,
    })
}

fn unreadable(error: httparse::Error) -> Refused {
    use httparse::Error as E;
    match error {
        E::TooManyHeaders => too_large("there are more headers than are taken"),
        E::HeaderName => bad("a header has no good name"),
        E::HeaderValue => bad("a header has no good value"),
        E::NewLine => bad("a line has no good end"),
        E::Version => bad("the version is neither 1.1 nor 1.0"),
        E::Token | E::Status => bad("the request line is none"),
    }
}

/// What RFC 9112 forbids, or what two readers could take for two different hosts.
fn check_target(method: &Method, uri: &Uri, http_11: bool, headers: &Fields) -> Result<(), Refused> {
    if *method == Method::CONNECT {
        return Err(bad("CONNECT is not served here"));
    }
    let mut hosts = headers.get_all("host");
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Err(bad("more than one host header")),
        (None, None) if http_11 => Err(bad("no host header")),
        (None, None) => Ok(()),
        (Some(host), None) => match uri.authority() {
            Some(named) if !named.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()) => {
                Err(bad("the target and the host header name two hosts"))
            }
            _ => Ok(()),
        },
    }
}

/// What the headers say about the message's frame and the connection.
#[derive(Default)]
struct Facts {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    expects: bool,
}

impl Facts {
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused> {
        match name {
            b"content-length" => {
                let length = decimal(value).ok_or(bad("content-length is not a plain number"))?;
                if self.length.replace(length).is_some() {
                    return Err(bad("more than one content-length"));
                }
            }
            b"transfer-encoding" => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(bad("a transfer-encoding other than one `chunked`"));
                }
                self.chunked = true;
            }
            b"connection" => {
                for token in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                    self.close |= token.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            b"expect" => self.expects |= value.eq_ignore_ascii_case(b"100-continue"),
            b"content_length" | b"transfer_encoding" => {
                return Err(bad("a framing header is written with an underscore"));
            }
            _ => {}
        }
        Ok(())
    }

    fn framing(&self, http_11: bool) -> Result<Option<Framing>, Refused> {
        match (self.length, self.chunked) {
            (Some(_), true) => Err(bad("content-length together with transfer-encoding")),
            (None, true) if !http_11 => Err(bad("transfer-encoding in HTTP/1.0")),
            (None, true) => Ok(Some(Framing::Chunked(ChunkDecoder::new()))),
            (Some(length), false) if length > 0 => Ok(Some(Framing::Length(length))),
            (_, false) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(input: &[u8]) -> Result<Option<Head>, Refused> {
        let whole = read(input, &ServerLimits::default());
        // What is refused when it is whole is refused, or not yet complete, at every cut: never served.
        if whole.is_err() {
            for cut in 0..input.len() {
                assert!(!matches!(read(&input[..cut], &ServerLimits::default()), Ok(Some(_))), "{cut}");
            }
        }
        whole
    }

    #[test]
    fn good_heads_are_read_and_cut_short_they_are_not_complete() {
        for (lines, framed) in [
            ("", false),
            ("Content-Length: 0\r\n", false),
            ("Content-Length: 5\r\n", true),
            ("content-length:\t5 \r\n", true),
            ("Transfer-Encoding: Chunked\r\n", true),
        ] {
            let input = format!("POST /x HTTP/1.1\r\nHost: a\r\n{lines}X-A: b\r\n\r\nrest");
            let head = see(input.as_bytes()).unwrap().unwrap();
            assert_eq!((head.len, head.framing.is_some(), head.keep), (input.len() - 4, framed, true), "{lines:?}");
            assert_eq!(head.headers.get("x-a").unwrap(), "b");
            for cut in 0..head.len {
                assert!(see(&input.as_bytes()[..cut]).unwrap().is_none(), "{lines:?} {cut}");
            }
        }
    }

    #[test]
    fn who_closes_and_who_waits_is_read_from_the_head() {
        for (version, lines, keep, expects) in [
            ("1.1", "", true, false),
            ("1.1", "Connection: Close\r\n", false, false),
            ("1.1", "Connection: x, close\r\n", false, false),
            ("1.0", "", false, false),
            ("1.0", "Connection: keep-alive\r\n", true, false),
            ("1.1", "Expect: 100-continue\r\nContent-Length: 1\r\n", true, true),
            ("1.1", "Expect: 100-continue\r\n", true, false),
            ("1.0", "Expect: 100-continue\r\nContent-Length: 1\r\n", false, false),
        ] {
            let head = see(format!("POST / HTTP/{version}\r\nHost: a\r\n{lines}\r\n").as_bytes()).unwrap().unwrap();
            assert_eq!((head.keep, head.expects), (keep, expects), "{version} {lines:?}");
        }
    }

    #[test]
    fn what_two_readers_could_take_differently_is_refused() {
        for lines in [
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: -5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: 5 5\r\n",
            "Content-Length: \r\n",
            "Content-Length: 5\x0b\r\n",
            "Content-Length: 9999999999999999999\r\n",
            "Content_Length: 5\r\n",
            "Content-Length : 5\r\n",
            "Content-Length\t: 5\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: \x0bchunked\r\n",
            "Transfer-Encoding: \"chunked\"\r\n",
            "Transfer-Encoding:\r\n",
            "Transfer_Encoding: chunked\r\n",
            "Transfer-Encoding : chunked\r\n",
            "X: y\r\n Content-Length: 5\r\n",
            "X: y\n",
            "X: y\nContent-Length: 5\r\n",
            "X: y\0\r\n",
            "X: y\rz\r\n",
            "Host: b\r\n",
            "Host: a\r\n",
        ] {
            assert!(see(format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes()).is_err(), "{lines:?}");
        }
        for whole in [
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\n\n",
            "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
            "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            assert!(see(whole.as_bytes()).is_err(), "{whole:?}");
        }
    }

    #[test]
    fn limits_are_kept() {
        let head = |lines: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let limits = ServerLimits { max_headers: 120, max_head: 2_000, ..ServerLimits::default() };
        for (lines, good) in [
            ("a: b\r\n".repeat(119), true),
            ("a: b\r\n".repeat(120), false),
            (format!("a: {}\r\n", "b".repeat(1_900)), true),
            (format!("a: {}\r\n", "b".repeat(2_000)), false),
        ] {
            let seen = read(head(&lines).as_bytes(), &limits);
            assert_eq!(seen.is_ok(), good, "{} bytes", lines.len());
            assert!(seen.is_ok() || seen.is_err_and(|e| e.status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        }
        let endless = format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(2_000));
        assert!(read(endless.as_bytes(), &limits).is_err());
    }

    proptest::proptest! {
        /// A damaged head is read as one request whose framing headers are all plain, or not at all.
        #[test]
        fn a_damaged_head_that_is_read_has_one_plain_frame(
            noise in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), proptest::prelude::any::<u8>()), 0..4),
        ) {
            let mut input = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encodin: chunked\r\n\r\nhello".to_vec();
            for (at, byte) in noise {
                let at = at.index(input.len());
                input[at] = byte;
            }
            let limits = ServerLimits::default();
            let mut room = [const { MaybeUninit::uninit() }; USUAL_HEADERS];
            let mut strict = || parse(&input, &mut room, limits.max_head);
            let all = |head: Head| {
                let fields = head.headers.iter().map(|(name, value)| (name.to_vec(), value.as_bytes().to_vec()));
                (head.method.clone(), head.uri.clone(), head.version, head.keep, head.len, fields.collect::<Vec<_>>())
            };
            match usual(&input, &limits) {
                Ok(None) => {}
                Ok(Some(head)) => proptest::prop_assert_eq!(Some(all(head)), strict().ok().flatten().map(all)),
                Err(refused) => proptest::prop_assert_eq!(Some(refused), strict().err()),
            }
            if let Ok(Some(head)) = see(&input) {
                let text = &input[..head.len];
                proptest::prop_assert!(text.ends_with(b"\r\n\r\n"));
                let coded = head.headers.contains("transfer-encoding");
                let lengths = head.headers.get_all("content-length").count();
                proptest::prop_assert!(lengths + usize::from(coded) <= 1);
                proptest::prop_assert!(head.framing.is_none() || lengths + usize::from(coded) == 1);
            }
        }
    }
}
