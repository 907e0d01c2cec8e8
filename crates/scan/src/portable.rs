//! For processors that have 16 bytes at a time, and for what is looked for in a few bytes only. The strings' reader here is
//! also the one that says what is wrong with a string.

use wide::{u8x16, u8x64};

use crate::{
    BLOCK,
    numbers::{self, Classes, Rare},
    string::{Bad, Flaw, escaped},
};

/// What a short string is looked for in first.
const NEAR: usize = 16;
/// So many escapes of a block are looked at one by one: prose has fewer, source code has more.
const FEW: u32 = 4;

/// The end of a string that is plain and ends within the first bytes; otherwise from where on it is to be looked for.
#[inline]
pub(crate) fn near(bytes: &[u8], start: usize) -> Result<usize, usize> {
    let Some(near) = bytes.get(start..).and_then(|rest| rest.first_chunk::<NEAR>()) else { return Err(start) };
    let near = u8x16::new(*near);
    let (quote, backslash) = (near.simd_eq(u8x16::splat(b'"')), near.simd_eq(u8x16::splat(b'\\')));
    let control = near.min(u8x16::splat(0x1f)).simd_eq(near);
    let stops = (quote | backslash | control).to_bitmask();
    if stops == 0 {
        return Err(start + NEAR);
    }
    let at = start + stops.trailing_zeros() as usize;
    if bytes[at] == b'"' { Ok(at) } else { Err(at) }
}

/// The end of a string from `at` on, which is outside of any escape, and whether there are escapes.
pub(crate) fn string(bytes: &[u8], mut at: usize) -> Result<(usize, bool), Bad> {
    let (mut any, mut carry) = (false, 0);
    while at < bytes.len() {
        let block = block(&bytes[at..]);
        let quote = equal(block, b'"');
        let backslash = equal(block, b'\\');
        let escaped = if backslash == 0 { std::mem::take(&mut carry) } else { escaped(backslash, &mut carry) };
        let ends = quote & !escaped;
        // What stands before the end, or before the end of the text.
        let before = match (ends, bytes.len() - at) {
            (0, here) if here < BLOCK => (1 << here) - 1,
            (0, _) => u64::MAX,
            (ends, _) => (ends & ends.wrapping_neg()) - 1,
        };
        any |= backslash & before != 0;
        let mut bad = control(block) & before;
        let escaped = escaped & before;
        if escaped != 0 {
            let (unicode, odd) = if escaped.count_ones() <= FEW {
                one_by_one(&bytes[at..], escaped)
            } else {
                let unicode = equal(block, b'u');
                (unicode, escaped & !(quote | backslash | at_any(block, b"ntrbf/") | unicode))
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
            return Err(Bad { at: at + first as usize, flaw });
        }
        if ends != 0 {
            return Ok((at + ends.trailing_zeros() as usize, any));
        }
        at += BLOCK;
    }
    Err(Bad { at: bytes.len(), flaw: Flaw::Ends })
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

/// Checks that four hexadecimal digits stand here.
fn hexadecimal(bytes: &[u8], at: usize) -> Result<(), Bad> {
    let digits = bytes.get(at..).unwrap_or_default();
    match digits.iter().take(4).position(|digit| !digit.is_ascii_hexdigit()) {
        Some(bad) => Err(Bad { at: at + bad, flaw: Flaw::Escape }),
        None if digits.len() < 4 => Err(Bad { at: bytes.len(), flaw: Flaw::Ends }),
        None => Ok(()),
    }
}

/// See [`crate::numbers`].
pub(crate) fn numbers(bytes: &[u8], start: usize) -> (usize, usize) {
    let classes = |block: &[u8; BLOCK]| {
        let block = u8x64::new(*block);
        let digit = block - u8x64::splat(b'0');
        Classes {
            digit: digit.min(u8x64::splat(9)).simd_eq(digit).to_bitmask(),
            zero: equal(block, b'0'),
            comma: equal(block, b','),
            point: equal(block, b'.'),
            minus: equal(block, b'-'),
        }
    };
    let rare = |block: &[u8; BLOCK]| {
        let block = u8x64::new(*block);
        let exponent = at_any(block, b"eE");
        Rare { exponent, plus: equal(block, b'+'), space: equal(block, b' ') }
    };
    numbers::pass(bytes, start, classes, rare)
}

/// See [`crate::is_plain`].
#[inline]
pub(crate) fn is_plain(text: &[u8]) -> bool {
    text.chunks(BLOCK).all(|piece| {
        let block = block(piece);
        equal(block, b'"') | equal(block, b'\\') | control(block) == 0
    })
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

#[inline]
fn equal(block: u8x64, byte: u8) -> u64 {
    block.simd_eq(u8x64::splat(byte)).to_bitmask()
}

#[inline]
fn control(block: u8x64) -> u64 {
    block.min(u8x64::splat(0x1f)).simd_eq(block).to_bitmask()
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
