//! Bytes looked through 64 at a time: where a JSON string ends and whether its escapes are good, whether an array holds
//! numbers, whether a text must be escaped.
//!
//! Each function has one loop over masks of 64 bits, a bit for each byte of a block. What makes the masks is chosen when the
//! program runs: the published program is built for any x86-64, which has 16 bytes at a time, and most processors have 32
//! (AVX2) or 64 (AVX-512). Elsewhere (on ARM too, where 16 bytes are all there are) `wide` makes them.
//!
//! **Unsafe code**: this is the only crate that has any, for two things that Rust cannot check. A function that was
//! built for a processor may be called only on one that has what it uses (`kind`, asked before each call), and a vector is
//! loaded through a pointer (from a reference to an array of just that size). Nothing here keeps a pointer, and what is
//! found are places in the slice that was given, so that a wrong answer is a wrong index and no wrong read.
//!
//! Tests run every variant that the processor has on the same inputs, against readers that go byte by byte.

mod numbers;
mod portable;
mod string;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use string::{Bad, Flaw};

/// What is looked at together.
pub(crate) const BLOCK: usize = 64;

/// Finds the closing quote of the JSON string whose first byte after the opening quote is at `start`.
///
/// Gives the offset of the closing quote and whether the string holds escapes. UTF-8 is not looked at.
///
/// # Errors
/// The first flaw: the text ends, a control character, a bad escape.
#[inline]
pub fn string(bytes: &[u8], start: usize) -> Result<(usize, bool), Bad> {
    match portable::near(bytes, start) {
        Ok(end) => Ok((end, false)),
        Err(at) => far(bytes, at),
    }
}

/// The closing quote of a string that is plain and ends within 16 bytes, as most do: names of members, roles, tokens of a
/// stream. Nothing for all others, and for those that end close before the text does.
#[inline]
pub fn short_string(bytes: &[u8], start: usize) -> Option<usize> {
    portable::near(bytes, start).ok()
}

/// The same from a place on that is outside of any escape, block by block.
fn far(bytes: &[u8], at: usize) -> Result<(usize, bool), Bad> {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "the processor was asked")]
    match x86::kind() {
        // SAFETY: `kind` says so only where the processor has all that the function was built for.
        x86::Kind::Avx512 => return unsafe { x86::string_avx512(bytes, at) },
        // SAFETY: the same.
        x86::Kind::Avx2 => return unsafe { x86::string_avx2(bytes, at) },
        x86::Kind::Plain => {}
    }
    portable::string(bytes, at)
}

/// Passes over `number,number,…` (one space after a comma is let pass) from `start` on, where a number must begin.
///
/// Gives a place and how many numbers lie before it: either `start` and none, or the place behind a comma. All before it
/// is good; what follows it is not looked at, and is up to whoever reads on: the last number, anything odd, a flaw.
#[inline]
pub fn numbers(bytes: &[u8], start: usize) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "the processor was asked")]
    match x86::kind() {
        // SAFETY: `kind` says so only where the processor has all that the function was built for.
        x86::Kind::Avx512 => return unsafe { x86::numbers_avx512(bytes, start) },
        // SAFETY: the same.
        x86::Kind::Avx2 => return unsafe { x86::numbers_avx2(bytes, start) },
        x86::Kind::Plain => {}
    }
    portable::numbers(bytes, start)
}

/// Whether a JSON string may hold this text as it is: without quotes, backslashes and control characters.
#[inline]
pub fn is_plain(text: &[u8]) -> bool {
    portable::is_plain(text)
}

#[cfg(test)]
mod tests;
