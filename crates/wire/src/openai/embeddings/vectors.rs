//! Vectors as numbers and as base64, and from one to the other.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use types::{Fault, Result};

use super::bad_reply;

/// Powers of ten that a 64 bit float holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// A JSON number as a 32 bit float, the nearest one; nothing when it is beyond their range.
pub(super) fn float(written: &[u8]) -> Option<f32> {
    short(written).or_else(|| {
        let number = std::str::from_utf8(written).ok()?.parse::<f32>().ok()?;
        number.is_finite().then_some(number)
    })
}

/// The fault of a number that is no 32 bit float.
pub(super) fn no_float() -> Box<Fault> {
    bad_reply("The backend's answer holds a number that no vector can hold.")
}

/// The same for numbers of few digits without an exponent, which nearly all are.
///
/// Digits below 2^53 and a power of ten up to 22 are exact, so their quotient is the nearest 64 bit float. Rounded once
/// more it is the nearest 32 bit float, unless it lies just between two of them: then somebody else must look.
fn short(written: &[u8]) -> Option<f32> {
    let (negative, digits) = match written {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > 20 {
        return None;
    }
    let (mut mantissa, mut point) = (0_u64, None);
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa * 10 + u64::from(byte - b'0'),
            b'.' => point = Some(at + 1),
            _ => return None,
        }
        if mantissa >= 1 << 53 {
            return None;
        }
    }
    let behind = point.map_or(0, |at| digits.len() - at);
    let exact = mantissa as f64 / POWERS.get(behind)?;
    const BETWEEN: u64 = 1 << 28;
    if exact.to_bits() & (2 * BETWEEN - 1) == BETWEEN {
        return None;
    }
    let float = exact as f32;
    Some(if negative { -float } else { float })
}

/// Writes base64 of these floats as a JSON string.
pub(super) fn write_base64(floats: &[f32], out: &mut Vec<u8>) {
    let mut bytes = vec![0; 4 * floats.len()];
    for (four, float) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(floats) {
        *four = float.to_le_bytes();
    }
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The room is exact: nothing can fail.
    let written = STANDARD.encode_slice(&bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
    out.push(b'"');
}

/// Writes these floats as a JSON array, each as short as it can be.
pub(super) fn write_floats(floats: impl IntoIterator<Item = f32>, out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, float) in floats.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        // Writing into memory cannot fail; a float that is finite is a JSON number.
        let _ = serde_json::to_writer(&mut *out, &float);
    }
    out.push(b']');
}

/// The floats in the inside of a base64 string.
///
/// # Errors
/// When it is no base64, no whole number of floats, or holds what is no number.
pub(super) fn from_base64(inner: &[u8]) -> Result<Vec<f32>> {
    let not = || bad_reply("The backend's answer holds a vector that is neither numbers nor base64 of floats.");
    let bytes = STANDARD.decode(inner).map_err(|_| not())?;
    let (floats, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() || floats.is_empty() {
        return Err(not());
    }
    let floats: Vec<f32> = floats.iter().map(|four| f32::from_le_bytes(*four)).collect();
    if floats.iter().any(|float| !float.is_finite()) {
        return Err(no_float());
    }
    Ok(floats)
}

/// How many floats a base64 string of this inside holds, by its length alone.
pub(super) fn count_in_base64(inner: &[u8]) -> Option<usize> {
    let padding = inner.iter().rev().take_while(|byte| **byte == b'=').count();
    let bytes = (inner.len() / 4 * 3).checked_sub(padding)?;
    (inner.len().is_multiple_of(4) && padding <= 2 && bytes > 0 && bytes.is_multiple_of(4)).then_some(bytes / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_short_way_gives_the_nearest_float(text in "-?(0|[1-9][0-9]{0,9})(\\.[0-9]{1,14})?") {
            if let Some(float) = short(text.as_bytes()) {
                prop_assert_eq!(float.to_bits(), text.parse::<f32>().unwrap_or(f32::NAN).to_bits(), "{}", text);
            }
        }

        #[test]
        fn numbers_between_two_floats_are_rounded_once(bits in 0x3000_0000_u32..0x4f00_0000, nudge in -1_i32..=1) {
            // Halfway between two neighbours, written out, and a little beside it.
            let low = f32::from_bits(bits);
            let middle = f64::midpoint(f64::from(low), f64::from(f32::from_bits(bits + 1)));
            let text = format!("{:.12}", middle + f64::from(nudge) * 1e-12);
            prop_assert_eq!(float(text.as_bytes()), text.parse::<f32>().ok(), "{}", text);
        }
    }
}
