//! Where a JSON string ends: quotes that no backslash stands before, and whether all escapes are good, by masks.
//!
//! A block has two branches only: whether there are escapes in it, and whether the string ends in it or is spoilt. Where in
//! the block something stands is no branch: in source code every third byte belongs to an escape, and no processor guesses that.

#[cfg(target_arch = "x86_64")]
use crate::BLOCK;

/// Why a string is not good JSON, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Offset of the first byte that is wrong.
    pub at: usize,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What can be wrong with a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The text ends before the string does.
    Ends,
    /// A control character.
    Control,
    /// An escape that JSON does not know.
    Escape,
}

/// Where in a block something stands, a bit for each byte.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Marks {
    pub(crate) quote: u64,
    pub(crate) backslash: u64,
    /// Below a space.
    pub(crate) control: u64,
}

/// What is asked only where there are escapes.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Escapes {
    /// What may stand behind a backslash.
    pub(crate) escapable: u64,
    /// `u`.
    pub(crate) unicode: u64,
    /// A hexadecimal digit.
    pub(crate) digit: u64,
}

/// Finds the end from `start` on, which is outside of any escape. Nothing where there is a flaw: who is slower says which.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn find(
    bytes: &[u8],
    start: usize,
    marks: impl Fn(&[u8; BLOCK]) -> Marks,
    escapes: impl Fn(&[u8; BLOCK]) -> Escapes,
) -> Option<(usize, bool)> {
    let mut at = start;
    // Whether there are escapes; whether the first byte of the block is escaped; which of its first must be digits.
    let (mut any, mut carry, mut pending) = (0, 0, 0);
    loop {
        let rest = bytes.get(at..)?;
        let mut last = [b' '; BLOCK];
        let block = match rest.first_chunk::<BLOCK>() {
            Some(block) => block,
            None if rest.is_empty() => return None,
            None => {
                // Behind the end of the text stand spaces.
                last[..rest.len()].copy_from_slice(rest);
                &last
            }
        };
        let Marks { quote, backslash, control } = marks(block);
        let (ends, bad) = if backslash | carry | pending == 0 {
            (quote, control)
        } else {
            let Escapes { escapable, unicode, digit } = escapes(block);
            let escaped = escaped(backslash, &mut carry);
            let unicode = unicode & escaped;
            // The four bytes behind a `u` must be digits.
            let pair = unicode << 1 | unicode << 2;
            let digits = pair | pair << 2 | pending;
            let pair = unicode >> 60 | unicode >> 61;
            pending = pair | pair >> 2;
            (quote & !escaped, control | escaped & !escapable | digits & !digit)
        };
        if ends | bad != 0 {
            // All up to the end, and that too; all of the block where there is none.
            let here = ends ^ ends.wrapping_sub(1);
            let end = at + ends.trailing_zeros() as usize;
            return (bad & here == 0).then_some((end, any | backslash & here != 0));
        }
        any |= backslash;
        at += BLOCK;
    }
}

/// Which bytes of a block are escaped by a backslash before them. `carry` is 1 when the first one is, and becomes so for
/// the next block.
///
/// In a row of backslashes every other one escapes: a subtraction finds where rows end that begin at an even place, and
/// at an odd one (as simdjson does it).
#[inline(always)]
pub(crate) fn escaped(backslash: u64, carry: &mut u64) -> u64 {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    let starts = backslash & !*carry;
    let codes = ((starts << 1 | ODD).wrapping_sub(starts)) ^ ODD;
    let escaped = codes ^ (backslash | *carry);
    *carry = (codes & backslash) >> 63;
    escaped
}
