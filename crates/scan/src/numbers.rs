//! Arrays of nothing but numbers, by masks: vectors, of which an answer may hold a megabyte.
//!
//! What JSON lets stand where follows from the byte before, but for one thing: a point ends only the whole part of a number,
//! and an exponent only the whole part or what is behind the point. Adding the first digits of such parts to the mask of all
//! digits carries each to the place behind its part.

use crate::BLOCK;

/// Where in a block something stands, a bit for each byte.
#[derive(Clone, Copy)]
pub(crate) struct Classes {
    /// `0` to `9`.
    pub(crate) digit: u64,
    /// `0`
    pub(crate) zero: u64,
    /// `,`
    pub(crate) comma: u64,
    /// `.`
    pub(crate) point: u64,
    /// `-`
    pub(crate) minus: u64,
}

/// What few vectors have.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rare {
    /// `e` and `E`
    pub(crate) exponent: u64,
    /// `+`
    pub(crate) plus: u64,
    /// A space.
    pub(crate) space: u64,
}

/// A bit that stands behind each of `mask`; the last one waits in `carry` for the next block.
#[inline(always)]
fn behind(mask: u64, carry: &mut u64) -> u64 {
    let moved = mask << 1 | *carry;
    *carry = mask >> 63;
    moved
}

/// The places behind those rows of `digits` that begin at `starts`, or that go on from the block before.
#[inline(always)]
fn ends(digits: u64, starts: u64, carry: &mut u64) -> u64 {
    let (sum, over) = digits.overflowing_add(starts);
    let (sum, more) = sum.overflowing_add(*carry);
    *carry = u64::from(over | more);
    sum & !digits
}

/// See [`crate::numbers`].
#[inline(always)]
pub(crate) fn pass(
    bytes: &[u8],
    start: usize,
    classes: impl Fn(&[u8; BLOCK]) -> Classes,
    rare: impl Fn(&[u8; BLOCK]) -> Rare,
) -> (usize, usize) {
    let (mut at, mut stop, mut count) = (start, start, 0);
    // What the block before left: a number begins here, as it does behind a comma.
    let (mut comma, mut space, mut minus, mut zero, mut point) = (1, 0, 0, 0, 0);
    let (mut exponent, mut sign, mut row, mut whole, mut fraction) = (0, 0, 0, 0, 0);
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
        let here = classes(block);
        let common = here.digit | here.comma | here.point | here.minus;
        let after_comma = behind(here.comma, &mut comma);
        let after_point = behind(here.point, &mut point);
        let mut bad = here.comma & !behind(here.digit, &mut row) | after_point & !here.digit;
        if common == u64::MAX && exponent | sign | space == 0 {
            // No exponent and no space: most vectors have nothing else.
            bad |= after_comma & !(here.digit | here.minus) | here.minus & !after_comma;
            let after_minus = behind(here.minus, &mut minus);
            let first = here.digit & (after_comma | after_minus);
            bad |= after_minus & !here.digit | behind(here.zero & first, &mut zero) & here.digit;
            bad |= here.point & !ends(here.digit, first, &mut whole);
            if common != here.digit {
                // The last row of digits goes on behind this block, and stands behind a point.
                let row = here.digit.leading_ones();
                fraction = u64::from(row > 0) & here.point << row >> 63;
            }
        } else {
            let rare = rare(block);
            bad |= !(common | rare.exponent | rare.plus | rare.space);
            bad |= rare.space & !after_comma;
            let begin = after_comma & !rare.space | behind(rare.space, &mut space);
            let after_exponent = behind(rare.exponent, &mut exponent);
            bad |= begin & !(here.digit | here.minus);
            bad |= here.minus & !(begin | after_exponent) | rare.plus & !after_exponent;

            let after_minus = behind(here.minus & begin, &mut minus);
            let first = here.digit & (begin | after_minus);
            bad |= behind(here.zero & first, &mut zero) & here.digit;
            let after_whole = ends(here.digit, first, &mut whole);
            bad |= here.point & !after_whole;

            let after_fraction = ends(here.digit, here.digit & after_point, &mut fraction);
            bad |= rare.exponent & !(after_whole | after_fraction);
            let after_sign = behind((here.minus | rare.plus) & after_exponent, &mut sign);
            bad |= after_exponent & !(here.digit | here.minus | rare.plus);
            bad |= (after_minus | after_sign) & !here.digit;
        }

        // All up to the first flaw is good.
        let commas = here.comma & (bad & bad.wrapping_neg()).wrapping_sub(1);
        count += commas.count_ones() as usize;
        if commas != 0 {
            stop = at + BLOCK - commas.leading_zeros() as usize;
        }
        if bad != 0 {
            break;
        }
        at += BLOCK;
    }
    (stop, count)
}
