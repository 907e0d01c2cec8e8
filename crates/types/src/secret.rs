//! A value that must never be shown.

use std::fmt;

/// A secret text: a key, a token. It has no `Display` and no `Serialize`; `Debug` prints a mask.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(std::sync::Arc<str>);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself. Call it only where the secret is put on the wire or compared.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` with every occurrence of this secret, and of its tail of 8 characters or more, masked.
    ///
    /// Backends like to quote the end of a refused key in their error; a caller must not read it.
    pub fn mask_in(&self, text: &str) -> String {
        let secret = self.expose();
        if secret.len() < 6 {
            return text.to_owned();
        }
        let mut masked = text.replace(secret, MASK);
        for keep in [12, 8, 6, 4] {
            if secret.len() > keep + 4 && secret.is_char_boundary(secret.len() - keep) {
                masked = masked.replace(&secret[secret.len() - keep..], MASK);
            }
            if keep > 6 && secret.len() > keep + 4 && secret.is_char_boundary(keep) {
                masked = masked.replace(&secret[..keep], MASK);
            }
        }
        masked
    }
}

/// What stands in place of a secret.
pub const MASK: &str = "[redacted]";

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

/// A compile-time proof that a secret can be neither displayed nor serialised.
///
/// ```compile_fail
/// let s = types::Secret::new("hf_x");
/// println!("{s}");
/// ```
///
/// ```compile_fail
/// fn serialisable<T: serde::Serialize>() {}
/// serialisable::<types::Secret>();
/// ```
#[doc(hidden)]
pub struct SecretsCannotBePrinted;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_a_fixed_mask() {
        assert_eq!(format!("{:?}", Secret::new("hf_abcdefgh")), "Secret([redacted])");
    }

    #[test]
    fn the_whole_secret_and_its_tail_are_masked_in_foreign_words() {
        let key = Secret::new("hf_0123456789abcdefXYZ9");
        for text in
            ["bad key hf_0123456789abcdefXYZ9", "bad key ****XYZ9", "key ...abcdefXYZ9 refused", "hf_012345678**"]
        {
            let masked = key.mask_in(text);
            assert!(masked.contains(MASK), "{masked}");
            assert!(!masked.contains("XYZ9") && !masked.contains("hf_01234567"), "{masked}");
        }
        assert_eq!(key.mask_in("nothing to hide"), "nothing to hide");
    }
}
