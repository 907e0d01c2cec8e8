//! What a model thought, on its way to the caller and back: sealed, so that it cannot be read or forged on the way.

use serde_json::Value;

use super::Sealer;

/// What else the key may seal is no reasoning.
const TEXT: &[u8] = b"responses reasoning 1\n";
/// The same for a vendor's own blocks.
const BLOCKS: &[u8] = b"responses thinking 1\n";

/// What a model thought.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Thought {
    pub(super) text: String,
    /// The blocks that its vendor wants back as they are, with their signatures: Anthropic's.
    pub(super) blocks: Vec<Value>,
}

impl Thought {
    /// Sealed: the blocks where there are any, since the text stands in them, else the text.
    pub(super) fn seal(&self, sealer: &dyn Sealer) -> String {
        if self.blocks.is_empty() {
            return sealer.seal(&[TEXT, self.text.as_bytes()].concat());
        }
        let blocks = Value::from(self.blocks.as_slice()).to_string();
        sealer.seal(&[BLOCKS, blocks.as_bytes()].concat())
    }

    /// What was sealed here; nothing if it was not.
    pub(super) fn open(sealer: &dyn Sealer, sealed: &str) -> Option<Self> {
        let plain = sealer.open(sealed)?;
        if let Some(blocks) = plain.strip_prefix(BLOCKS) {
            let blocks: Vec<Value> = serde_json::from_slice(blocks).ok()?;
            let text = blocks.iter().filter_map(|block| block["thinking"].as_str()).collect();
            return Some(Self { text, blocks });
        }
        let text = String::from_utf8(plain.strip_prefix(TEXT)?.to_vec()).ok()?;
        Some(Self { text, blocks: Vec::new() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.blocks.is_empty()
    }
}
