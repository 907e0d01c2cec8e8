//! JSON strings: find the end (which `scan` does), decode, encode.

use std::fmt::Write as _;

use super::{Error, Flaw};

/// Finds the closing quote of the string whose first byte after the opening quote is at `start`.
///
/// Gives the offset of the closing quote and whether the string holds escapes. UTF-8 is not looked at.
#[inline]
pub(super) fn end_of_string(bytes: &[u8], start: usize) -> Result<(usize, bool), Error> {
    scan::string(bytes, start).map_err(|bad| {
        let flaw = match bad.flaw {
            scan::Flaw::Ends => Flaw::Ends,
            scan::Flaw::Control => Flaw::Control,
            scan::Flaw::Escape => Flaw::Escape,
        };
        Error::new(bad.at, flaw)
    })
}

/// Whether `bytes[..len]` is the inside of a string whose closing quote is at `len`. UTF-8 is not looked at.
pub(crate) fn is_inside(bytes: &[u8], len: usize) -> bool {
    matches!(end_of_string(bytes, 0), Ok((end, _)) if end == len)
}

/// The text of a string's inside. Broken surrogates become U+FFFD.
pub fn decode(inner: &[u8]) -> String {
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let Some((&code, after)) = rest.split_first() else { break };
        rest = after;
        match code {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => {
                let (character, after) = unicode(rest);
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
            }
            other => out.push(other),
        }
    }
    out.extend_from_slice(rest);
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// The character of the escape whose digits start here, and what follows it.
fn unicode(rest: &[u8]) -> (char, &[u8]) {
    let unit = |bytes: &[u8]| -> Option<u32> {
        let digits = std::str::from_utf8(bytes.get(..4)?).ok()?;
        u32::from_str_radix(digits, 16).ok()
    };
    let Some(high) = unit(rest) else { return (char::REPLACEMENT_CHARACTER, &rest[rest.len().min(4)..]) };
    let after = &rest[4..];
    if let 0xd800..0xdc00 = high
        && let Some(low @ 0xdc00..0xe000) = after.strip_prefix(b"\\u").and_then(unit)
    {
        let joined = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), &after[6..]);
    }
    (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), after)
}

/// Writes `text` as a JSON string, quotes included.
pub fn encode(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    // Most texts that are written have nothing to escape.
    if scan::is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..0x20 => 0,
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[plain..at]);
        plain = at + 1;
        if short == 0 {
            let mut code = String::with_capacity(6);
            let _ = write!(code, "\\u{byte:04x}");
            out.extend_from_slice(code.as_bytes());
        } else {
            out.extend_from_slice(&[b'\\', short]);
        }
    }
    out.extend_from_slice(&text.as_bytes()[plain..]);
    out.push(b'"');
}

/// `text` as a JSON string, quotes included.
pub fn encoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    encode(text, &mut out);
    out
}
