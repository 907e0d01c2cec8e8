//! The headers of an answer, kept as they are written.
//!
//! An answer has half a dozen of them and is asked for none: a map would hash each name and hold each value apart, only to
//! be written out line by line.

use crate::{Value, fields::bit, upstream::is_hop_by_hop, usual};
use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::{memchr, memmem};
use std::fmt;

/// The headers of an answer, in the order in which they were set. Names are in lower case.
///
/// What is the connection's own business is not taken: lengths, codings, the date. `connection: close` is: it ends the
/// connection with this answer.
#[derive(Clone, Default)]
pub struct AnswerHeaders {
    /// `name: value` and a line's end, one after the other.
    lines: Vec<u8>,
    /// The bits of the names that there are.
    names: u64,
    closes: bool,
}

impl AnswerHeaders {
    /// No headers.
    pub const fn new() -> Self {
        Self { lines: Vec::new(), names: 0, closes: false }
    }

    /// Sets a header in place of those of this name, which is in lower case. A value that cannot stand in a header (it has
    /// control characters) changes nothing.
    pub fn insert(&mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) {
        self.set(name.as_ref().as_bytes(), value.as_ref(), true);
    }

    /// Adds a header beside those of this name.
    pub fn append(&mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) {
        self.set(name.as_ref().as_bytes(), value.as_ref(), false);
    }

    fn set(&mut self, name: &[u8], value: &[u8], alone: bool) {
        debug_assert!(HeaderName::from_lowercase(name).is_ok(), "{name:?}");
        let ours = matches!(name, b"content-length" | b"date") || is_hop_by_hop(name);
        if ours || usual::text(value) != value.len() {
            self.closes |= name == b"connection" && value == b"close";
            return;
        }
        if alone && self.names & bit(name) != 0 {
            self.remove(name);
        }
        let room = if self.lines.capacity() == 0 { 256 } else { 0 };
        self.lines.reserve(room.max(name.len() + value.len() + 4));
        for part in [name, b": ", value, b"\r\n"] {
            self.lines.extend_from_slice(part);
        }
        self.names |= bit(name);
    }

    fn remove(&mut self, name: &[u8]) {
        while let Some((from, _, to)) = self.find(name) {
            self.lines.drain(from..to);
        }
    }

    /// Where the line of this name begins, where its value does, and where it ends.
    fn find(&self, name: &[u8]) -> Option<(usize, usize, usize)> {
        let mut from = 0;
        // No value has a line feed in it.
        while let Some(end) = memchr(b'\n', &self.lines[from..]) {
            let to = from + end + 1;
            let value = self.lines[from..to].strip_prefix(name).and_then(|rest| rest.strip_prefix(b": "));
            if let Some(value) = value {
                return Some((from, to - value.len(), to));
            }
            from = to;
        }
        None
    }

    /// The first header of this name, which is in lower case.
    pub fn get(&self, name: impl AsRef<str>) -> Option<Value<'_>> {
        let (_, from, to) = self.find(name.as_ref().as_bytes())?;
        Some(Value::new(&self.lines[from..to - 2]))
    }

    /// Whether the connection ends with this answer.
    pub(crate) const fn closes(&self) -> bool {
        self.closes
    }

    /// All of them as lines, each with its end.
    pub(crate) fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// All of them as a map.
    pub fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for line in self.lines.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(colon) = memmem::find(line, b": ")
                && let (Ok(name), Ok(value)) =
                    (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(&line[colon + 2..]))
            {
                map.append(name, value);
            }
        }
        map
    }
}

impl From<&HeaderMap> for AnswerHeaders {
    fn from(map: &HeaderMap) -> Self {
        let mut headers = Self::new();
        map.iter().for_each(|(name, value)| headers.append(name, value));
        headers
    }
}

impl fmt::Debug for AnswerHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_map().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_set_again_takes_the_place_of_the_older_one() {
        let mut headers = AnswerHeaders::new();
        headers.insert("x-a", "1");
        headers.insert("x-b", "a: x-a: 2");
        headers.insert("x-a", "3");
        headers.append("x-a", "4");
        assert_eq!(headers.lines(), b"x-b: a: x-a: 2\r\nx-a: 3\r\nx-a: 4\r\n");
        assert_eq!(
            (headers.get("x-a").unwrap(), headers.get("x-b").unwrap()),
            (Value::new(b"3"), Value::new(b"a: x-a: 2"))
        );
        assert_eq!(headers.get("x"), None);
        assert_eq!(AnswerHeaders::from(&headers.to_map()).to_map(), headers.to_map());
    }

    #[test]
    fn no_value_can_end_its_line() {
        let mut headers = AnswerHeaders::new();
        for bad in ["a\r\nset-cookie: x", "a\nb", "a\rb", "\0", "\u{7f}"] {
            headers.insert("x-a", bad);
        }
        assert_eq!(headers.lines(), b"");
        headers.insert("x-a", "tab\tand ä");
        headers.insert("x-a", "\n");
        assert_eq!(headers.lines(), "x-a: tab\tand ä\r\n".as_bytes());
    }

    #[test]
    fn what_is_the_connections_own_business_is_not_taken() {
        let mut headers = AnswerHeaders::new();
        for (name, value) in
            [("content-length", "9"), ("transfer-encoding", "chunked"), ("date", "x"), ("connection", "upgrade")]
        {
            headers.insert(name, value);
        }
        assert!(headers.lines().is_empty() && !headers.closes());
        headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
        assert!(headers.lines().is_empty() && headers.closes());
    }
}
