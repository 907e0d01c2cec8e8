//! Signatures of thoughts: a block that Anthropic signed travels whole in its `thoughtSignature`, which callers send back
//! as it came. Who wrote the block checks it again.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::heard::text_in_base64;

/// The signature that stands for a block.
pub(super) fn signature(block: &Value) -> String {
    STANDARD.encode(block.to_string())
}

/// The block that a signature stands for; nothing for a signature of Google's own.
pub(super) fn block(signature: &Value) -> Option<Value> {
    let block: Value = serde_json::from_str(&text_in_base64(signature.as_str()?)?).ok()?;
    matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking")).then_some(block)
}
