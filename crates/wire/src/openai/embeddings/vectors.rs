//! Vectors as numbers and as base64, and from one to the other.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use types::Result;

use super::bad_reply;

/// A number as a 32 bit float.
///
/// # Errors
/// When it is beyond their range.
pub(super) fn float(written: &[u8]) -> Result<f32> {
    let number = std::str::from_utf8(written).ok().and_then(|text| text.parse::<f32>().ok());
    number
        .filter(|number| number.is_finite())
        .ok_or_else(|| bad_reply("The backend's answer holds a number that no vector can hold."))
}

/// Writes base64 of these floats as a JSON string.
pub(super) fn write_base64(floats: &[f32], out: &mut Vec<u8>) {
    let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
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
        return Err(bad_reply("The backend's answer holds a number that no vector can hold."));
    }
    Ok(floats)
}

/// How many floats a base64 string of this inside holds, by its length alone.
pub(super) fn count_in_base64(inner: &[u8]) -> Option<usize> {
    let padding = inner.iter().rev().take_while(|byte| **byte == b'=').count();
    let bytes = (inner.len() / 4 * 3).checked_sub(padding)?;
    (inner.len().is_multiple_of(4) && padding <= 2 && bytes > 0 && bytes.is_multiple_of(4)).then_some(bytes / 4)
}
