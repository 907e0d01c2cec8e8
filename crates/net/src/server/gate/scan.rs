//! Follows the framing of requests, byte by byte as they come, and refuses what two readers could take differently.

use crate::chunked::{BadChunk, ChunkDecoder, Step};

/// Where in the stream of requests we are.
pub(super) struct Scan {
    at: At,
    head: Head,
    /// A line that is split over two reads.
    line: Vec<u8>,
}

enum At {
    /// Before the first byte of a request.
    Between,
    /// In a head, the request line included.
    Head,
    /// So many bytes of a body are to come.
    Body(u64),
    /// In a chunked body.
    Chunks(ChunkDecoder),
    /// Something was refused: the rest is not looked at.
    Lost,
}

/// What the head in work says so far.
#[derive(Default)]
struct Head {
    lines: usize,
    http_11: bool,
    length: Option<u64>,
    chunked: bool,
}

/// Lines longer than any head may be are not kept.
const MAX_LINE: usize = 1024 * 1024;

impl Scan {
    pub(super) fn new() -> Self {
        Self { at: At::Between, head: Head::default(), line: Vec::new() }
    }

    /// Whether part of a head has come.
    pub(super) const fn is_in_head(&self) -> bool {
        matches!(self.at, At::Head)
    }

    /// Whether no request is half read.
    pub(super) const fn is_between(&self) -> bool {
        matches!(self.at, At::Between)
    }

    /// Looks at what was read. After an error nothing more is looked at.
    pub(super) fn see(&mut self, mut input: &[u8]) -> Result<(), &'static str> {
        let seen = self.walk(&mut input);
        if seen.is_err() {
            self.at = At::Lost;
            self.line = Vec::new();
        }
        seen
    }

    fn walk(&mut self, input: &mut &[u8]) -> Result<(), &'static str> {
        while !input.is_empty() {
            match &mut self.at {
                At::Lost => return Ok(()),
                At::Between | At::Head => self.lines(input)?,
                At::Body(left) => {
                    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    *left -= n as u64;
                    *input = &input[n..];
                    if *left == 0 {
                        self.at = At::Between;
                    }
                }
                At::Chunks(decoder) => match decoder.next(input) {
                    Ok(Step::End) => self.at = At::Between,
                    Ok(Step::Data(_) | Step::More) => {}
                    Err(BadChunk(why)) => return Err(why),
                },
            }
            // The decoder may be at its end with nothing left to show it.
            if matches!(&self.at, At::Chunks(decoder) if decoder.is_end()) {
                self.at = At::Between;
            }
        }
        Ok(())
    }

    /// Takes lines until the head ends or the input does.
    fn lines(&mut self, input: &mut &[u8]) -> Result<(), &'static str> {
        while let Some(end) = memchr::memchr(b'\n', input) {
            let (line, rest) = input.split_at(end + 1);
            *input = rest;
            if self.line.is_empty() {
                self.line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.line(&whole)?;
            }
            if !matches!(self.at, At::Head) {
                return Ok(());
            }
        }
        if !input.is_empty() {
            self.at = At::Head;
            if self.line.len() + input.len() > MAX_LINE {
                return Err("a line is too long");
            }
            self.line.extend_from_slice(input);
            *input = &[];
        }
        Ok(())
    }

    /// One line, its end included.
    fn line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let Some(line) = line.strip_suffix(b"\r\n") else { return Err("a line ends without a carriage return") };
        let first = !matches!(self.at, At::Head) || self.head.lines == 0;
        self.at = At::Head;
        match line.first() {
            // An empty line before a request is passed over, as RFC 9112 asks.
            None if first => self.at = At::Between,
            None => self.at = self.head.end()?,
            Some(b' ' | b'\t') => return Err("a header line is folded"),
            Some(_) if first => {
                self.head = Head { lines: 1, http_11: line.ends_with(b" HTTP/1.1"), ..Head::default() };
            }
            Some(_) => {
                self.head.lines += 1;
                self.head.field(line)?;
            }
        }
        Ok(())
    }
}

impl Head {
    /// Takes note of a header line that frames the message.
    fn field(&mut self, line: &[u8]) -> Result<(), &'static str> {
        // Only two names matter, and few others begin like them.
        let (name, value) = match line[0] | 0x20 {
            b'c' if line.len() > 14 => line.split_at(14),
            b't' if line.len() > 17 => line.split_at(17),
            _ => return Ok(()),
        };
        let is = |wanted: &[u8]| {
            name.len() == wanted.len()
                && name.iter().zip(wanted).all(|(a, b)| a.eq_ignore_ascii_case(b) || (*a == b'_' && *b == b'-'))
        };
        let length = is(b"content-length");
        if !length && !is(b"transfer-encoding") {
            return Ok(());
        }
        let value = match value {
            [b':', value @ ..] if !name.contains(&b'_') => value,
            [b':', ..] => return Err("a framing header is written with an underscore"),
            [b' ' | b'\t', ..] => return Err("a space stands before a framing header's colon"),
            // A longer name that only begins like this.
            _ => return Ok(()),
        };
        let value = trim(value);
        if length {
            let length = crate::upstream::decimal(value).ok_or("content-length is not a plain number")?;
            if self.length.replace(length).is_some() {
                return Err("more than one content-length");
            }
        } else if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err("a transfer-encoding other than one `chunked`");
        } else {
            self.chunked = true;
        }
        Ok(())
    }

    /// The head is complete: what follows?
    fn end(&mut self) -> Result<At, &'static str> {
        let head = std::mem::take(self);
        if head.chunked && head.length.is_some() {
            return Err("content-length together with transfer-encoding");
        }
        if head.chunked && !head.http_11 {
            return Err("transfer-encoding in HTTP/1.0");
        }
        Ok(match head.length {
            _ if head.chunked => At::Chunks(ChunkDecoder::new()),
            None | Some(0) => At::Between,
            Some(length) => At::Body(length),
        })
    }
}

/// Without spaces and tabs around it; any other control character stays and is then refused.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `input` is taken, at every split the same; and whether it ends between two requests.
    fn see(input: &[u8]) -> Result<bool, &'static str> {
        let mut whole = Scan::new();
        let verdict = whole.see(input).map(|()| whole.is_between());
        for cut in 0..input.len() {
            let mut scan = Scan::new();
            let split = scan.see(&input[..cut]).and_then(|()| scan.see(&input[cut..])).map(|()| scan.is_between());
            assert_eq!(split, verdict, "cut at {cut}");
        }
        let mut scan = Scan::new();
        let single = input.iter().try_for_each(|byte| scan.see(&[*byte])).map(|()| scan.is_between());
        assert_eq!(single, verdict, "byte by byte");
        verdict
    }

    #[test]
    fn good_requests_end_where_their_bodies_end() {
        for input in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length:  5 \r\n\r\nhello",
            "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Type: x\r\nTe: trailers\r\nContent-Length-X: 5\r\n\r\n",
        ] {
            assert_eq!(see(input.as_bytes()), Ok(true), "{input:?}");
        }
        assert_eq!(see(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell"), Ok(false));
        assert_eq!(see(b"POST / HTTP/1.1\r\nContent-Le"), Ok(false));
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
        ] {
            assert!(see(format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes()).is_err(), "{lines:?}");
        }
        assert!(see(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(see(b"GET / HTTP/1.1\n\n").is_err());
        assert!(see(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello").is_err());
    }

    proptest::proptest! {
        #[test]
        fn damaged_requests_get_the_same_verdict_at_every_split(
            which in 0..3_usize,
            noise in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), proptest::prelude::any::<u8>()), 0..4),
        ) {
            let mut input = [
                &b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n"[..],
                b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n5;e\r\nhello\r\n0\r\nt: u\r\n\r\n",
                b"\r\nGET /x HTTP/1.0\r\nContent-Type: a\r\nTE: b\r\n\r\nGET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            ][which].to_vec();
            for (at, byte) in noise {
                let at = at.index(input.len());
                input[at] = byte;
            }
            // `see` itself compares every split.
            see(&input).ok();
        }
    }
}
