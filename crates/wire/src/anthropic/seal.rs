//! Signatures of thinking blocks: what was thought is sealed in its own signature.
//!
//! The block may then come back as it was given out, or without its text (`display: "omitted"`), and either way what
//! the model thought goes back to the backend. What we did not seal ourselves is not believed.

use serde_json::{Value, json};

/// Seals texts with a key that only this gateway holds, so that a change is noticed; whether they can be read without
/// the key is the sealer's own choice. The sealed form is ASCII without quotes or control characters, e.g. base64.
pub trait Sealer: Send + Sync {
    /// Seals some bytes.
    fn seal(&self, plain: &[u8]) -> String;

    /// What was sealed; nothing when this key did not seal it, or somebody changed it.
    fn open(&self, sealed: &str) -> Option<Vec<u8>>;
}

/// What else the key may seal is no thinking block.
const LABEL: &[u8] = b"anthropic thinking 1\n";
/// The same for a thought with the blocks that its vendor signed.
const SIGNED: &[u8] = b"anthropic signed thinking 1\n";

/// The signature of what was thought; `signed` are the blocks as their vendor signed them, if it did.
pub(super) fn sign(sealer: &dyn Sealer, thought: &str, signed: &[Value]) -> String {
    if signed.is_empty() {
        return sealer.seal(&[LABEL, thought.as_bytes()].concat());
    }
    sealer.seal(&[SIGNED, json!([thought, signed]).to_string().as_bytes()].concat())
}

/// What was thought, by its signature, with the blocks as their vendor signed them.
pub(super) fn thought(sealer: &dyn Sealer, signature: &str) -> Option<(String, Vec<Value>)> {
    let plain = sealer.open(signature)?;
    match plain.strip_prefix(SIGNED) {
        Some(signed) => serde_json::from_slice(signed).ok(),
        None => Some((String::from_utf8(plain.strip_prefix(LABEL)?.to_vec()).ok()?, Vec::new())),
    }
}
