//! Prices, exact: a decimal text becomes whole micro-dollars, never a floating number.

use std::fmt;

/// A price in micro-dollars (millionths of a US dollar) per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price {
    micros: u64,
}

impl Price {
    /// A price of this many micro-dollars per million tokens.
    pub const fn micros_per_million(micros: u64) -> Self {
        Self { micros }
    }

    /// Micro-dollars per million tokens.
    pub const fn micros(self) -> u64 {
        self.micros
    }

    /// Reads dollars per million tokens as JSON writes a number: `0.15`, `3`, `1e-2`. What lies below a micro-dollar
    /// is rounded up, so that nothing is ever cheaper than it is.
    pub fn dollars(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return None;
        }
        let digits: String = [whole, fraction].concat();
        // The number is `digits × 10^shift` micro-dollars.
        let shift = 6 + exponent - i32::try_from(fraction.len()).ok()?;
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Some(Self { micros: 0 });
        }
        if shift >= 0 {
            let power = 10_u64.checked_pow(u32::try_from(shift).ok()?)?;
            return Some(Self { micros: digits.parse::<u64>().ok()?.checked_mul(power)? });
        }
        let cut = digits.len().saturating_sub(usize::try_from(-shift).ok()?);
        let kept = if cut == 0 { 0 } else { digits[..cut].parse::<u64>().ok()? };
        let rest = digits[cut..].bytes().any(|b| b != b'0');
        Some(Self { micros: kept.checked_add(u64::from(rest))? })
    }
}

/// Dollars per million tokens, as short as it goes: `0.15`.
impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.micros / 1_000_000, self.micros % 1_000_000);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let part = format!("{part:06}");
        write!(f, "{whole}.{}", part.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_what_is_too_small_to_count_is_rounded_up() {
        for (text, micros) in [
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("3", Some(3_000_000)),
            ("0.1", Some(100_000)),
            ("0.15", Some(150_000)),
            ("1.000001", Some(1_000_001)),
            ("0.0000001", Some(1)),
            ("0.30000000000000004", Some(300_001)),
            ("1e-2", Some(10_000)),
            ("2.5E1", Some(25_000_000)),
            ("1e30", None),
            ("-1", None),
            ("NaN", None),
            ("", None),
            (".5", None),
        ] {
            assert_eq!(Price::dollars(text).map(Price::micros), micros, "{text}");
        }
        assert_eq!(Price::micros_per_million(150_000).to_string(), "0.15");
        assert_eq!(Price::micros_per_million(3_000_000).to_string(), "3");
    }
}
