//! JSON strings: find the end, decode, encode.
//!
//! The end of a string is looked for in blocks of 64 bytes: one mask says where quotes, backslashes and control characters
//! are, and only those are looked at. A block of prose costs two thirds of what masks for every kind of escape cost.

use std::fmt::Write as _;

use wide::{u8x16, u8x64};

use super::{Error, Flaw};

const BLOCK: usize = 64;
/// What a short string is looked for in first.
const NEAR: usize = 16;

/// Finds the closing quote of the string whose first byte after the opening quote is at `start`.
///
/// Gives the offset of the closing quote and whether the string holds escapes. UTF-8 is not looked at.
#[inline]
pub(super) fn end_of_string(bytes: &[u8], start: usize) -> Result<(usize, bool), Error> {
    // Most strings are short and plain: member names, roles, tokens of a stream.
    let Some(near) = bytes.get(start..).and_then(|rest| rest.first_chunk::<NEAR>()) else { return far(bytes, start) };
    let near = u8x16::new(*near);
    let (quote, backslash) = (near.simd_eq(u8x16::splat(b'"')), near.simd_eq(u8x16::splat(b'\\')));
    let control = near.min(u8x16::splat(0x1f)).simd_eq(near);
    let stops = (quote | backslash | control).to_bitmask();
    if stops == 0 {
        return far(bytes, start + NEAR);
    }
    let at = start + stops.trailing_zeros() as usize;
    if bytes[at] == b'"' { Ok((at, false)) } else { far(bytes, at) }
}

/// The same from `at` on, which is outside of any escape, block by block.
fn far(bytes: &[u8], mut at: usize) -> Result<(usize, bool), Error> {
    let mut escaped = false;
    while at < bytes.len() {
        let (mut stops, end) = (stops(bytes, at), at + BLOCK);
        let mut next = end;
        while stops != 0 {
            let place = at + stops.trailing_zeros() as usize;
            match bytes[place] {
                b'"' => return Ok((place, escaped)),
                b'\\' => {
                    escaped = true;
                    next = behind_escape(bytes, place)?;
                    if next >= end {
                        break;
                    }
                    stops &= u64::MAX << (next - at);
                    next = end;
                }
                _ => return Err(Error::new(place, Flaw::Control)),
            }
        }
        at = next;
    }
    Err(Error::new(bytes.len(), Flaw::Ends))
}

/// Which of the next 64 bytes are quotes, backslashes or control characters.
#[inline]
fn stops(bytes: &[u8], at: usize) -> u64 {
    let rest = &bytes[at..];
    let block = match rest.first_chunk::<BLOCK>() {
        Some(block) => u8x64::new(*block),
        None => {
            let mut last = [b' '; BLOCK];
            last[..rest.len()].copy_from_slice(rest);
            u8x64::new(last)
        }
    };
    let (quote, backslash) = (block.simd_eq(u8x64::splat(b'"')), block.simd_eq(u8x64::splat(b'\\')));
    let control = block.min(u8x64::splat(0x1f)).simd_eq(block);
    (quote | backslash | control).to_bitmask()
}

/// The place behind the escape whose backslash is at `at`.
fn behind_escape(bytes: &[u8], at: usize) -> Result<usize, Error> {
    match bytes.get(at + 1) {
        Some(b'n' | b'"' | b'\\' | b't' | b'/' | b'b' | b'f' | b'r') => Ok(at + 2),
        Some(b'u') => {
            let digits = bytes.get(at + 2..).unwrap_or_default();
            match digits.iter().take(4).position(|digit| !digit.is_ascii_hexdigit()) {
                Some(bad) => Err(Error::new(at + 2 + bad, Flaw::Escape)),
                None if digits.len() < 4 => Err(Error::new(bytes.len(), Flaw::Ends)),
                None => Ok(at + 6),
            }
        }
        Some(_) => Err(Error::new(at + 1, Flaw::Escape)),
        None => Err(Error::new(bytes.len(), Flaw::Ends)),
    }
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
