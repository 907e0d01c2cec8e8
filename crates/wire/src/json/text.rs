//! JSON strings: find the end, decode, encode.
//!
//! The end of a string is looked for in blocks of 64 bytes. Escapes are judged with bit masks for a whole block at once
//! (which bytes are escaped, are they allowed to be, do four hexadecimal digits follow each `u`), so that text full of
//! `\n` or `\u00e9` costs a constant time per block and no branch per escape.

use std::fmt::Write as _;

use wide::u8x64;

use super::{Error, Flaw};

const BLOCK: usize = 64;

/// Finds the closing quote of the string whose first byte after the opening quote is at `start`.
///
/// Gives the offset of the closing quote and whether the string holds escapes. UTF-8 is not looked at.
#[inline]
pub(super) fn end_of_string(bytes: &[u8], start: usize) -> Result<(usize, bool), Error> {
    // Most strings are short and plain: member names, roles, tokens of a stream.
    let mut at = start;
    let near = (start + 16).min(bytes.len());
    while at < near {
        match bytes[at] {
            b'"' => return Ok((at, false)),
            b'\\' => return Escaped::default().run(bytes, at),
            0..0x20 => return Err(Error::new(at, Flaw::Control)),
            _ => at += 1,
        }
    }
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
        let block = u8x64::new(*block);
        let quote = block.simd_eq(u8x64::splat(b'"'));
        let backslash = block.simd_eq(u8x64::splat(b'\\'));
        let stops = (quote | backslash | controls(block)).to_bitmask();
        if stops != 0 {
            return stop_at(bytes, at + stops.trailing_zeros() as usize);
        }
        at += BLOCK;
    }
    match bytes[at.min(bytes.len())..].iter().position(|&b| matches!(b, b'"' | b'\\' | 0..0x20)) {
        Some(more) => stop_at(bytes, at + more),
        None => Err(Error::new(bytes.len(), Flaw::Ends)),
    }
}

fn stop_at(bytes: &[u8], at: usize) -> Result<(usize, bool), Error> {
    match bytes[at] {
        b'"' => Ok((at, false)),
        b'\\' => Escaped::default().run(bytes, at),
        _ => Err(Error::new(at, Flaw::Control)),
    }
}

#[inline]
fn controls(block: u8x64) -> u8x64 {
    block.min(u8x64::splat(0x1f)).simd_eq(block)
}

/// Ones for every byte between `low` and `high`.
#[inline]
fn between(block: u8x64, low: u8, high: u8) -> u8x64 {
    block.max(u8x64::splat(low)).min(u8x64::splat(high)).simd_eq(block)
}

/// What one block of a string with escapes leaves for the next.
#[derive(Default)]
struct Escaped {
    /// 1 when the first byte of the next block is escaped.
    escape: u64,
    /// Which of the next block's first bytes must be hexadecimal digits.
    hex: u64,
}

impl Escaped {
    /// Goes on from `at`, which is outside of any escape.
    fn run(mut self, bytes: &[u8], mut at: usize) -> Result<(usize, bool), Error> {
        while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
            if let Some(found) = self.block(block, at) {
                return found.map(|end| (end, true));
            }
            at += BLOCK;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let mut last = [b' '; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        match self.block(&last, at) {
            Some(Ok(end)) => Ok((end, true)),
            Some(Err(error)) if error.at < bytes.len() => Err(error),
            _ => Err(Error::new(bytes.len(), Flaw::Ends)),
        }
    }

    #[inline]
    fn block(&mut self, raw: &[u8; BLOCK], at: usize) -> Option<Result<usize, Error>> {
        let block = u8x64::new(*raw);
        let backslashes = block.simd_eq(u8x64::splat(b'\\')).to_bitmask();
        let mut quotes = block.simd_eq(u8x64::splat(b'"')).to_bitmask();
        let mut bad = 0;
        if backslashes | self.escape | self.hex != 0 {
            let escaped = self.escaped(backslashes);
            let plain = block.simd_eq(u8x64::splat(b'n')) | block.simd_eq(u8x64::splat(b't'));
            // `\n`, `\"`, `\\` and `\t` are nearly all that occurs: the rest is looked at only when there is more.
            let unusual = escaped & !(plain.to_bitmask() | quotes | backslashes);
            if unusual | self.hex != 0 {
                bad = self.unusual(block, unusual);
            }
            quotes &= !escaped;
        }
        let control = controls(block).to_bitmask();
        let wrong = bad | control;
        if quotes | wrong == 0 {
            return None;
        }
        let (quote, first) = (quotes.trailing_zeros(), wrong.trailing_zeros());
        if first < quote || (first == quote && bad >> quote & 1 == 1) {
            let flaw = if bad >> first & 1 == 1 { Flaw::Escape } else { Flaw::Control };
            return Some(Err(Error::new(at + first as usize, flaw)));
        }
        Some(Ok(at + quote as usize))
    }

    /// Which bytes are escaped: those after an odd run of backslashes, runs that cross the blocks' border included.
    #[inline]
    fn escaped(&mut self, mut backslashes: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        backslashes &= !self.escape;
        let follows = backslashes << 1 | self.escape;
        let odd_starts = backslashes & !EVEN & !follows;
        let (even_runs, overflow) = odd_starts.overflowing_add(backslashes);
        self.escape = u64::from(overflow);
        (EVEN ^ (even_runs << 1)) & follows
    }

    /// Which bytes break the rules, given the escaped ones that are neither `n`, `t`, `"` nor `\`.
    #[inline]
    fn unusual(&mut self, block: u8x64, unusual: u64) -> u64 {
        let is = |byte: u8| block.simd_eq(u8x64::splat(byte));
        let unicode = unusual & is(b'u').to_bitmask();
        let known = (is(b'/') | is(b'b') | is(b'f') | is(b'r')).to_bitmask();
        let mut bad = unusual & !unicode & !known;
        let needed = unicode << 1 | unicode << 2 | unicode << 3 | unicode << 4 | self.hex;
        if needed != 0 {
            let lower = block | u8x64::splat(0x20);
            let hex = between(block, b'0', b'9') | between(lower, b'a', b'f');
            bad |= needed & !hex.to_bitmask();
        }
        self.hex = unicode >> 63 | unicode >> 62 | unicode >> 61 | unicode >> 60;
        bad
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
