//! Seals what a caller carries for us (what a model thought) so that it cannot be read or forged on the way.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hmac,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use wire::anthropic::Sealer;

/// A sealer with a key of its own, made from the secret of the data folder.
pub(crate) struct Aead(Option<RandomizedNonceKey>);

impl Aead {
    /// A sealer from this secret. The same secret opens what it sealed before a restart.
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"ironbow sealed reasoning 1");
        Self(RandomizedNonceKey::new(&AES_256_GCM, key.as_ref()).ok())
    }
}

impl Sealer for Aead {
    fn seal(&self, plain: &[u8]) -> String {
        let mut text = plain.to_vec();
        let nonce = self.0.as_ref().and_then(|key| key.seal_in_place_append_tag(Aad::empty(), &mut text).ok());
        nonce.map_or_else(String::new, |nonce| URL_SAFE_NO_PAD.encode([nonce.as_ref(), &text[..]].concat()))
    }

    fn open(&self, sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, rest) = bytes.split_at_checked(NONCE_LEN)?;
        let mut text = rest.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.0.as_ref()?.open_in_place(nonce, Aad::empty(), &mut text).ok()?.len();
        text.truncate(plain);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_with_the_same_secret_only_and_unchanged_only() {
        let (one, again, other) = (Aead::new(&[1; 32]), Aead::new(&[1; 32]), Aead::new(&[2; 32]));
        let sealed = one.seal(b"I thought so");
        assert_eq!(again.open(&sealed).as_deref(), Some(&b"I thought so"[..]));
        assert_eq!(other.open(&sealed), None);
        let mut forged = sealed.clone().into_bytes();
        forged[20] = if forged[20] == b'A' { b'B' } else { b'A' };
        assert_eq!(one.open(std::str::from_utf8(&forged).unwrap()), None);
        assert_eq!(one.open("short"), None);
    }
}
