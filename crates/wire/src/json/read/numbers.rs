//! Arrays of nothing but numbers: vectors, of which an answer may hold a megabyte.

use super::{Error, Flaw, Reader};

const ZEROS: u128 = u128::from_ne_bytes([b'0'; BLOCK]);
/// Added to a byte below 128, it reaches 128 from 10 on.
const OVER_NINE: u128 = u128::from_ne_bytes([128 - 10; BLOCK]);
const HIGH: u128 = u128::from_ne_bytes([128; BLOCK]);
/// So many bytes are looked at together: what most numbers have behind their point fits.
const BLOCK: usize = 16;

impl<'a> Reader<'a> {
    /// Takes an array that holds numbers only, and gives their count.
    ///
    /// # Errors
    /// When it is no array, or holds anything else.
    pub fn count_numbers(&mut self) -> Result<usize, Error> {
        self.open_array()?;
        if !self.next_item()? {
            return Ok(0);
        }
        let (place, count) = scan::numbers(self.bytes, self.at);
        self.at = place;
        self.next_byte()?;
        self.rest_of_numbers(count, |_| {})
    }

    /// The same, and hands each of them out as it is written.
    ///
    /// # Errors
    /// When it is no array, or holds anything else.
    pub fn numbers(&mut self, each: impl FnMut(&'a [u8])) -> Result<usize, Error> {
        self.open_array()?;
        if !self.next_item()? {
            return Ok(0);
        }
        self.rest_of_numbers(0, each)
    }

    /// The numbers from the next one on, `count` of them being taken already.
    fn rest_of_numbers(&mut self, mut count: usize, mut each: impl FnMut(&'a [u8])) -> Result<usize, Error> {
        let (bytes, mut at) = (self.bytes, self.at);
        loop {
            let start = at;
            at = number(bytes, at)?;
            each(&bytes[start..at]);
            count += 1;
            // Most vectors are written without spaces.
            if let (Some(b','), Some(b'-' | b'0'..=b'9')) = (bytes.get(at), bytes.get(at + 1)) {
                at += 1;
                continue;
            }
            self.at = at;
            match self.next_byte()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err(self.unexpected()),
            }
            self.next_byte()?;
            at = self.at;
        }
        self.at += 1;
        self.depth = self.depth.saturating_sub(1);
        self.fresh = false;
        // The first was counted by `next_item`.
        match self.members_left.checked_sub(count - 1) {
            Some(left) => self.members_left = left,
            None => return Err(Error::new(self.at, Flaw::Members)),
        }
        Ok(count)
    }
}

/// One past the number that starts at `at`.
#[inline]
fn number(bytes: &[u8], mut at: usize) -> Result<usize, Error> {
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at = match bytes.get(at) {
        Some(b'0') => at + 1,
        Some(b'1'..=b'9') => digits(bytes, at)?,
        Some(_) => return Err(Error::new(at, Flaw::Unexpected)),
        None => return Err(Error::new(at, Flaw::Ends)),
    };
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        at = digits(bytes, at)?;
    }
    Ok(at)
}

/// One past the digits that start at `at`, of which there must be one.
#[inline]
fn digits(bytes: &[u8], from: usize) -> Result<usize, Error> {
    let mut at = from;
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
        // Zero for a digit: its upper half is that of `0`, and its lower half stays below 10.
        let word = u128::from_le_bytes(*block) ^ ZEROS;
        let odd = (((word & !HIGH) + OVER_NINE) | word) & HIGH;
        if odd != 0 {
            at += (odd.trailing_zeros() / 8) as usize;
            return some(from, at, bytes);
        }
        at += BLOCK;
    }
    while let Some(b'0'..=b'9') = bytes.get(at) {
        at += 1;
    }
    some(from, at, bytes)
}

fn some(from: usize, at: usize, bytes: &[u8]) -> Result<usize, Error> {
    if at > from {
        return Ok(at);
    }
    Err(Error::new(at, if at == bytes.len() { Flaw::Ends } else { Flaw::Number }))
}
