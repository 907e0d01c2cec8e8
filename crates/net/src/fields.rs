//! The headers of a message that came in: the bytes that arrived, and where each name and value stands in them.
//!
//! A map of headers costs an allocation and a hash per header, and most calls look at a handful of them. These are looked
//! through, which for the twenty or so of a usual message is cheaper than to find the place in a map.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;

/// The headers of a message that came in, in their order. Names are in lower case.
#[derive(Clone, Default)]
pub struct Fields {
    bytes: Bytes,
    list: Vec<Field>,
    /// The bits of the names that there are: most look-ups are for headers that are not there.
    names: u64,
}

/// The bit of a name: those that are equal have the same length, first and last letter.
pub(crate) const fn bit(name: &[u8]) -> u64 {
    let ([first, ..], [.., last]) = (name, name) else { return 1 };
    1 << ((name.len() + 4 * *first as usize + 17 * *last as usize) % 64)
}

/// Where a header's name and value begin and end.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    name: (u32, u32),
    value: (u32, u32),
}

impl Field {
    pub(crate) const fn new(name: (usize, usize), value: (usize, usize)) -> Self {
        Self { name: (name.0 as u32, name.1 as u32), value: (value.0 as u32, value.1 as u32) }
    }

    /// Where its name stands.
    pub(crate) const fn name(&self) -> std::ops::Range<usize> {
        self.name.0 as usize..self.name.1 as usize
    }
}

/// The value of a header: visible characters, spaces, tabs, and whatever is beyond ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a>(&'a [u8]);

impl<'a> Value<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The value as it came.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The value as text.
    ///
    /// # Errors
    /// [`NotText`] if there is anything but visible ASCII, spaces and tabs in it.
    pub fn to_str(self) -> Result<&'a str, NotText> {
        // Without an early end: that is one pass of vectors.
        let plain = self.0.iter().fold(true, |plain, byte| plain & matches!(byte, b'\t' | b' '..=b'~'));
        if plain { std::str::from_utf8(self.0).map_err(|_| NotText) } else { Err(NotText) }
    }
}

impl PartialEq<&str> for Value<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<str> for Value<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.0))
    }
}

/// A header's value that is no plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a header's value is not visible ASCII")]
pub struct NotText;

impl Fields {
    /// No headers.
    pub const fn new() -> Self {
        Self { bytes: Bytes::new(), list: Vec::new(), names: 0 }
    }

    /// The headers that stand at these places of a head, with their names in lower case.
    pub(crate) fn at(bytes: Bytes, list: Vec<Field>) -> Self {
        let name = |field: &Field| bytes.get(field.name.0 as usize..field.name.1 as usize).unwrap_or_default();
        let names = list.iter().fold(0, |all, field| all | bit(name(field)));
        Self { bytes, list, names }
    }

    /// The headers of `head`, which is HTTP/1 and was parsed.
    pub(crate) fn parsed(head: &[u8], parsed: &[httparse::Header<'_>]) -> Self {
        let mut bytes = head.to_vec();
        let at = |part: &[u8]| {
            // An empty value may be anywhere.
            let from = if part.is_empty() { 0 } else { part.as_ptr() as usize - head.as_ptr() as usize };
            (from, from + part.len())
        };
        let list: Vec<_> = parsed.iter().map(|field| Field::new(at(field.name.as_bytes()), at(field.value))).collect();
        for field in &list {
            bytes[field.name.0 as usize..field.name.1 as usize].make_ascii_lowercase();
        }
        Self::at(bytes.into(), list)
    }

    /// The bytes at `part` of the head that was parsed.
    pub(crate) fn slice(&self, from: usize, to: usize) -> Bytes {
        self.bytes.slice(from..to)
    }

    /// Leaves out the headers that `keep` does not want.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&[u8]) -> bool) {
        let bytes = &self.bytes;
        self.list.retain(|field| keep(bytes.get(field.name.0 as usize..field.name.1 as usize).unwrap_or_default()));
    }

    /// The first header of this name; `name` is in lower case.
    #[inline]
    pub fn get(&self, name: impl AsRef<str>) -> Option<Value<'_>> {
        self.find(name.as_ref().as_bytes())
    }

    /// All headers of this name, in their order; `name` is in lower case.
    pub fn get_all<'a, 'n, N: AsRef<str> + ?Sized>(
        &'a self,
        name: &'n N,
    ) -> impl Iterator<Item = Value<'a>> + use<'a, 'n, N> {
        let name = name.as_ref().as_bytes();
        self.named(name).iter().filter(move |field| self.is(field, name)).map(|field| Value(self.part(field.value)))
    }

    /// Whether there is a header of this name, which is in lower case.
    pub fn contains(&self, name: impl AsRef<str>) -> bool {
        self.get(name).is_some()
    }

    /// All headers in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Value<'_>)> {
        self.list.iter().map(|field| (self.part(field.name), Value(self.part(field.value))))
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The same as a map, for what is to be changed and sent on.
    pub fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.len());
        for (name, value) in self.iter() {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value.0)) {
                map.append(name, value);
            }
        }
        map
    }

    /// All headers, if one of them may have this name.
    #[inline]
    fn named(&self, name: &[u8]) -> &[Field] {
        if self.names & bit(name) == 0 { &[] } else { &self.list }
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Option<Value<'_>> {
        let field = self.named(name).iter().find(|field| self.is(field, name))?;
        Some(Value(self.part(field.value)))
    }

    /// Their lengths first: most names differ in it.
    #[inline]
    fn is(&self, field: &Field, name: &[u8]) -> bool {
        (field.name.1 - field.name.0) as usize == name.len() && self.part(field.name) == name
    }

    #[inline]
    fn part(&self, (from, to): (u32, u32)) -> &[u8] {
        self.bytes.get(from as usize..to as usize).unwrap_or_default()
    }
}

impl From<&HeaderMap> for Fields {
    fn from(map: &HeaderMap) -> Self {
        let mut bytes = Vec::with_capacity(map.iter().map(|(name, value)| name.as_str().len() + value.len()).sum());
        let mut add = |part: &[u8]| {
            let from = bytes.len();
            bytes.extend_from_slice(part);
            (from as u32, bytes.len() as u32)
        };
        let list =
            map.iter().map(|(name, value)| Field { name: add(name.as_str().as_bytes()), value: add(value.as_bytes()) });
        let list = list.collect();
        Self::at(bytes.into(), list)
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Fields {
    /// For tests: pairs that make no header are left out.
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(pairs: T) -> Self {
        let pairs = pairs.into_iter().filter_map(|(name, value)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?))
        });
        let mut map = HeaderMap::new();
        pairs.for_each(|(name, value)| {
            map.append(name, value);
        });
        Self::from(&map)
    }
}

impl fmt::Debug for Fields {
    /// The names alone: values may be keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_by_their_lower_case_name_and_keep_their_order() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nX-B: 1\r\nEmpty:\r\nx-b:  2 \r\n\r\n";
        let mut list = [httparse::EMPTY_HEADER; 8];
        let mut request = httparse::Request::new(&mut list);
        assert!(request.parse(head).unwrap().is_complete());
        let fields = Fields::parsed(head, request.headers);
        let all: Vec<_> = fields.iter().map(|(name, value)| (name, value.to_str().unwrap())).collect();
        assert_eq!(all, [(&b"host"[..], "a"), (b"x-b", "1"), (b"empty", ""), (b"x-b", "2")]);
        assert_eq!(fields.get("x-b").unwrap(), "1");
        assert_eq!(fields.get_all("x-b").map(Value::as_bytes).collect::<Vec<_>>(), [b"1", b"2"]);
        assert!(fields.contains(http::header::HOST) && !fields.contains("x"));
        assert_eq!(Fields::from(&fields.to_map()).to_map(), fields.to_map());
    }

    #[test]
    fn values_beyond_ascii_are_no_text_and_none_is_printed() {
        let fields: Fields = [("a", "ä"), ("b", "x\ty")].into_iter().collect();
        assert_eq!(fields.get("a").unwrap().to_str(), Err(NotText));
        assert_eq!(fields.get("b").unwrap().to_str(), Ok("x\ty"));
        assert_eq!(format!("{fields:?}"), r#"["a", "b"]"#);
    }
}
