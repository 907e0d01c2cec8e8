//! Heads as everybody writes them, read in one pass: complete, every line ended by a carriage return and a line feed, every
//! name a token, every value without control characters. Whatever is unusual is left to the strict readers, which know
//! what is wrong with it.

use crate::{Fields, fields::Field};
use memchr::{memchr, memmem};

/// What ends a head.
const END: &[u8; 4] = b"\r\n\r\n";

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
    let len = memmem::find(input, END)? + END.len();
    let first = &input[..memchr(b'\r', &input[..len])?];
    let mut bytes = input[..len].to_vec();
    let mut list = Vec::with_capacity(16);
    let (mut at, end) = (first.len() + 2, len - 2);
    if input[first.len() + 1] != b'\n' {
        return None;
    }
    while at < end {
        let name = (at, at + lower(&mut bytes[at..end]));
        if name.1 == at || list.len() == max_headers || bytes[name.1] != b':' {
            return None;
        }
        at = name.1 + 1;
        while matches!(bytes[at], b' ' | b'\t') {
            at += 1;
        }
        let from = at;
        at += text(&bytes[at..end]);
        let mut to = at;
        while to > from && matches!(bytes[to - 1], b' ' | b'\t') {
            to -= 1;
        }
        if bytes[at..end].first_chunk() != Some(b"\r\n") {
            return None;
        }
        at += 2;
        list.push(Field::new(name, (from, to)));
    }
    Some(Usual { first, headers: Fields::at(bytes.into(), list), len })
}

/// The length of the token at the start of `bytes`, which becomes lower case.
fn lower(bytes: &mut [u8]) -> usize {
    let mut len = 0;
    for byte in bytes {
        match TOKEN[usize::from(*byte)] {
            0 => break,
            low => *byte = low,
        }
        len += 1;
    }
    len
}

/// How many bytes at the start of `bytes` may stand in a value: everything but control characters, and tabs.
pub(crate) fn text(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
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
