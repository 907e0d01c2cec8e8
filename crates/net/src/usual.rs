//! Heads as everybody writes them, read in one pass: complete, every line ended by a carriage return and a line feed, every
//! name a token, every value without control characters. Whatever is unusual is left to the strict readers, which know
//! what is wrong with it.

use crate::{Fields, fields::Field};
use memchr::memchr;

/// Each character of a token in lower case; 0 for whatever is none (RFC 9110, 5.6.2).
const TOKEN: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        if b.is_ascii_alphanumeric()
            || matches!(b, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
        {
            table[byte] = b.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// A head: its first line, and its headers with their names in lower case.
pub(crate) struct Usual<'a> {
    pub(crate) first: &'a [u8],
    pub(crate) headers: Fields,
    /// Its length in the input.
    pub(crate) len: usize,
}

/// The head at the start of `input`, if it is a usual one with at most `max_headers` headers.
pub(crate) fn read(input: &[u8], max_headers: usize) -> Option<Usual<'_>> {
    let first = &input[..memchr(b'\r', input)?];
    let mut list = Vec::with_capacity(16);
    let (mut at, mut lower) = (first.len(), true);
    loop {
        if input[at..].first_chunk() != Some(b"\r\n") {
            return None;
        }
        at += 2;
        if input[at..].first_chunk() == Some(b"\r\n") {
            break;
        }
        let (name, low) = token(&input[at..]);
        lower &= low;
        let name = (at, at + name);
        if name.1 == at || list.len() == max_headers || input.get(name.1) != Some(&b':') {
            return None;
        }
        at = name.1 + 1;
        while matches!(input.get(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        let from = at;
        at += text(&input[at..]);
        let mut to = at;
        while to > from && matches!(input[to - 1], b' ' | b'\t') {
            to -= 1;
        }
        list.push(Field::new(name, (from, to)));
    }
    let len = at + 2;
    let mut bytes = input[..len].to_vec();
    if !lower {
        list.iter().for_each(|field| bytes[field.name()].make_ascii_lowercase());
    }
    Some(Usual { first, headers: Fields::at(bytes.into(), list), len })
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = ONES << 7;

/// The length of the token at the start of `bytes`, and whether it is in lower case.
fn token(bytes: &[u8]) -> (usize, bool) {
    let (mut at, mut lower) = (0, true);
    // Letters and hyphens, of which nearly all names consist, eight at a time.
    while let Some(eight) = bytes[at..].first_chunk() {
        let (plain, upper) = letters(u64::from_le_bytes(*eight));
        let other = plain ^ HIGH;
        let before = other.wrapping_sub(1) & !other;
        lower &= upper & before == 0;
        if other != 0 {
            at += (other.trailing_zeros() / 8) as usize;
            break;
        }
        at += 8;
    }
    // What ended them, or the rest of an unusual name.
    while let Some(byte) = bytes.get(at)
        && TOKEN[usize::from(*byte)] != 0
    {
        lower &= TOKEN[usize::from(*byte)] == *byte;
        at += 1;
    }
    (at, lower)
}

/// Of eight bytes the top bit of those that are letters or hyphens, and of those that are letters in upper case.
const fn letters(eight: u64) -> (u64, u64) {
    let low = (eight | (ONES * 0x20)) & !HIGH;
    // No sum reaches into the next byte.
    let (from_a, past_z) = (low + ONES * (0x80 - b'a' as u64), low + ONES * (0x7f - b'z' as u64));
    let letter = from_a & !past_z & !eight & HIGH;
    let hyphen = eight ^ (ONES * b'-' as u64);
    let hyphen = !(((hyphen & !HIGH) + ONES * 0x7f) | hyphen) & HIGH;
    (letter | hyphen, letter & !(eight << 2))
}

/// How many bytes at the start of `bytes` may stand in a value: everything but control characters, and tabs.
pub(crate) fn text(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        while let Some(eight) = bytes[at..].first_chunk() {
            let eight = u64::from_le_bytes(*eight);
            // A byte below 32 borrows from its top bit; one that is 127 becomes nothing, and borrows as well.
            let low = eight.wrapping_sub(ONES * 32) & !eight;
            let delete = eight ^ (ONES * 127);
            let delete = delete.wrapping_sub(ONES) & !delete;
            let odd = (low | delete) & HIGH;
            if odd != 0 {
                at += (odd.trailing_zeros() / 8) as usize;
                break;
            }
            at += 8;
        }
        // The one that was found, or the last few.
        match bytes.get(at) {
            Some(b'\t' | b' '..=b'~' | 0x80..) => at += 1,
            _ => return at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_ends_at_the_first_control_character() {
        for len in 0..40 {
            let good: Vec<u8> = (0..len).map(|n| [b'a', b'\t', b' ', b'~', 0x80, 0xff, b'!'][n % 7]).collect();
            assert_eq!(text(&good), len);
            for at in 0..len {
                for bad in (0..32).filter(|b| *b != b'\t').chain([127]) {
                    let mut value = good.clone();
                    value[at] = bad;
                    assert_eq!(text(&value), at, "{bad} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn a_token_ends_where_the_table_says_so() {
        for at in 0..20 {
            for byte in 0..=255 {
                let mut name = *b"abcdefgh-jklmnopqrst:";
                name[at] = byte;
                let len = name.iter().position(|b| TOKEN[usize::from(*b)] == 0).unwrap();
                assert_eq!(token(&name), (len, !name[..len].iter().any(u8::is_ascii_uppercase)), "{byte} at {at}");
            }
        }
    }

    proptest! {
        /// What is read here, `httparse` reads in the same way.
        #[test]
        fn a_usual_head_is_the_one_that_a_complete_reader_sees(
            noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 0..4),
        ) {
            let mut input = b"POST /x?y HTTP/1.1\r\nHost: a:1\r\nX-Tab:\t b\tc \t\r\nEmpty:\r\nContent-Length: 5\r\n\r\nhello\r\n\r\n".to_vec();
            for (at, byte, more) in noise {
                let at = at.index(input.len());
                if more { input.insert(at, byte) } else { input[at] = byte }
            }
            if let Some(usual) = read(&input, 16) {
                let mut list = [httparse::EMPTY_HEADER; 16];
                let (parsed, headers) = match httparse::parse_headers(&input[usual.first.len() + 2..], &mut list) {
                    Ok(httparse::Status::Complete((len, headers))) => (len, headers),
                    other => return Err(TestCaseError::fail(format!("{other:?}"))),
                };
                prop_assert_eq!(usual.first.len() + 2 + parsed, usual.len);
                let expected: Vec<_> = headers.iter().map(|h| (h.name.to_ascii_lowercase().into_bytes(), h.value.to_vec())).collect();
                let seen: Vec<_> = usual.headers.iter().map(|(n, v)| (n.to_vec(), v.as_bytes().to_vec())).collect();
                prop_assert_eq!(seen, expected);
            }
        }
    }
}
