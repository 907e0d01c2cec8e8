//! JSON strings: find the end, decode, encode.
//!
//! The end of a string is looked for in blocks of 64 bytes, by masks that say where quotes, backslashes and control
//! characters are. What is escaped is computed for the whole block, so that source code, where every third byte belongs to
//! an escape, costs little more than prose.

use std::fmt::Write as _;

use wide::{u8x16, u8x64};

use super::{Error, Flaw};

const BLOCK: usize = 64;
/// So many escapes of a block are looked at one by one: prose has fewer, source code has more.
const FEW: u32 = 4;
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
    let (mut any, mut carry) = (false, 0);
    while at < bytes.len() {
        let block = block(&bytes[at..]);
        let marks = Marks::of(block);
        let escaped = escaped(marks.backslash, &mut carry);
        let ends = marks.quote & !escaped;
        // What stands before the end, or before the end of the text.
        let before = match (ends, bytes.len() - at) {
            (0, here) if here < BLOCK => (1 << here) - 1,
            (0, _) => u64::MAX,
            (ends, _) => (ends & ends.wrapping_neg()) - 1,
        };
        any |= marks.backslash & before != 0;
        let mut bad = marks.control & before;
        let escaped = escaped & before;
        if escaped != 0 {
            let (unicode, odd) = if escaped.count_ones() <= FEW {
                one_by_one(&bytes[at..], escaped)
            } else {
                let unicode = at_any(block, b"u");
                (unicode, escaped & !(marks.quote | marks.backslash | at_any(block, b"ntrbf/") | unicode))
            };
            bad |= odd;
            let mut digits = escaped & unicode & (bad & bad.wrapping_neg()).wrapping_sub(1);
            while digits != 0 {
                hexadecimal(bytes, at + digits.trailing_zeros() as usize + 1)?;
                digits &= digits - 1;
            }
        }
        if bad != 0 {
            let first = bad.trailing_zeros();
            let flaw = if escaped >> first & 1 == 1 { Flaw::Escape } else { Flaw::Control };
            return Err(Error::new(at + first as usize, flaw));
        }
        if ends != 0 {
            return Ok((at + ends.trailing_zeros() as usize, any));
        }
        at += BLOCK;
    }
    Err(Error::new(bytes.len(), Flaw::Ends))
}

/// Which of these escaped bytes are a `u`, and which may not be escaped.
#[inline]
fn one_by_one(block: &[u8], mut escaped: u64) -> (u64, u64) {
    let (mut unicode, mut odd) = (0, 0);
    while escaped != 0 {
        let bit = escaped & escaped.wrapping_neg();
        match block[escaped.trailing_zeros() as usize] {
            b'n' | b'"' | b'\\' | b't' | b'/' | b'b' | b'f' | b'r' => {}
            b'u' => unicode |= bit,
            _ => odd |= bit,
        }
        escaped &= escaped - 1;
    }
    (unicode, odd)
}

/// The next 64 bytes; behind the end of the text stand spaces.
#[inline]
fn block(rest: &[u8]) -> u8x64 {
    match rest.first_chunk::<BLOCK>() {
        Some(block) => u8x64::new(*block),
        None => {
            let mut last = [b' '; BLOCK];
            last[..rest.len()].copy_from_slice(rest);
            u8x64::new(last)
        }
    }
}

/// Where in a block something stands, a bit for each byte.
struct Marks {
    quote: u64,
    backslash: u64,
    control: u64,
}

impl Marks {
    #[inline]
    fn of(block: u8x64) -> Self {
        Self {
            quote: block.simd_eq(u8x64::splat(b'"')).to_bitmask(),
            backslash: block.simd_eq(u8x64::splat(b'\\')).to_bitmask(),
            control: block.min(u8x64::splat(0x1f)).simd_eq(block).to_bitmask(),
        }
    }
}

/// Where one of these characters stands.
#[inline]
fn at_any(block: u8x64, characters: &[u8]) -> u64 {
    let mut found = u8x64::splat(0);
    for character in characters {
        found |= block.simd_eq(u8x64::splat(*character));
    }
    found.to_bitmask()
}

/// Which bytes of a block are escaped by a backslash before them. `carry` is 1 when the first one is, and becomes so for
/// the next block.
///
/// In a row of backslashes every other one escapes: a subtraction finds where rows end that begin at an even place, and
/// at an odd one (as simdjson does it).
#[inline]
fn escaped(backslash: u64, carry: &mut u64) -> u64 {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    if backslash == 0 {
        return std::mem::take(carry);
    }
    let starts = backslash & !*carry;
    let codes = ((starts << 1 | ODD).wrapping_sub(starts)) ^ ODD;
    let escaped = codes ^ (backslash | *carry);
    *carry = (codes & backslash) >> 63;
    escaped
}

/// Checks that four hexadecimal digits stand here.
fn hexadecimal(bytes: &[u8], at: usize) -> Result<(), Error> {
    let digits = bytes.get(at..).unwrap_or_default();
    match digits.iter().take(4).position(|digit| !digit.is_ascii_hexdigit()) {
        Some(bad) => Err(Error::new(at + bad, Flaw::Escape)),
        None if digits.len() < 4 => Err(Error::new(bytes.len(), Flaw::Ends)),
        None => Ok(()),
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
    // Most texts that are written have nothing to escape.
    let odd = |marks: Marks| marks.quote | marks.backslash | marks.control != 0;
    if !text.as_bytes().chunks(BLOCK).any(|piece| odd(Marks::of(block(piece)))) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, byte by byte.
    fn plainly(bytes: &[u8], mut at: usize) -> Result<(usize, bool), Error> {
        let mut escaped = false;
        loop {
            match bytes.get(at) {
                None => return Err(Error::new(bytes.len(), Flaw::Ends)),
                Some(b'"') => return Ok((at, escaped)),
                Some(b'\\') => {
                    escaped = true;
                    match bytes.get(at + 1) {
                        None => return Err(Error::new(bytes.len(), Flaw::Ends)),
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                        Some(b'u') => {
                            for n in 0..4 {
                                match bytes.get(at + 2 + n) {
                                    None => return Err(Error::new(bytes.len(), Flaw::Ends)),
                                    Some(digit) if digit.is_ascii_hexdigit() => {}
                                    Some(_) => return Err(Error::new(at + 2 + n, Flaw::Escape)),
                                }
                            }
                            at += 6;
                        }
                        Some(_) => return Err(Error::new(at + 1, Flaw::Escape)),
                    }
                }
                Some(0..0x20) => return Err(Error::new(at, Flaw::Control)),
                Some(_) => at += 1,
            }
        }
    }

    #[test]
    fn rows_of_backslashes_end_where_they_end_whatever_block_they_cross() {
        for before in 0..200 {
            for row in 0..140 {
                let text = format!("{}{}\" more\"", "x".repeat(before), "\\".repeat(row));
                assert_eq!(end_of_string(text.as_bytes(), 0), plainly(text.as_bytes(), 0), "{before} {row}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn the_end_is_the_one_that_a_plain_reader_finds(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "\\", "\\\\", "\\\"", "\\n", "\\u00e9", "\\u12", "\\u", "\\x", "\"", "\n", "\u{1}", "\u{7f}", "é", "u", "n", "ab", "0123456789abcdef",
                    "                                                                ",
                ]),
                0..60,
            ),
            start in 0..3_usize,
        ) {
            let text = pieces.concat();
            let start = start.min(text.len());
            prop_assert_eq!(end_of_string(text.as_bytes(), start), plainly(text.as_bytes(), start));
        }
    }
}
