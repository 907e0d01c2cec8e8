//! Writing an answer with pictures.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::Value;
use types::{
    SendBody,
    ask::{Extra, Made},
};

use crate::json::text;

/// Members that are not what a backend's further members may say.
const OURS: &[&str] = &["created", "data", "revised_prompt"];

/// Writes `{"created", "data": [{"url" | "b64_json", "revised_prompt"?}], …}`.
///
/// `extra` stands behind it as it is; a `revised_prompt` in it (one, or a list of one for each) goes to the pictures.
/// Pictures in base64 are not copied.
pub fn answer(made: Vec<Made>, extra: &Extra, created: u64) -> SendBody {
    let mut body = SendBody::with_capacity(2 * made.len() + 1);
    let mut opening = format!("{{\"created\":{created},\"data\":[").into_bytes();
    for (index, made) in made.into_iter().enumerate() {
        if index > 0 {
            opening.push(b',');
        }
        opening.push(b'{');
        write(made, &mut opening, &mut body);
        if let Some(prompt) = revised(extra, index) {
            opening.extend_from_slice(b",\"revised_prompt\":");
            text::encode(prompt, &mut opening);
        }
        opening.push(b'}');
    }
    opening.push(b']');
    for (name, value) in extra.iter().filter(|(name, _)| !OURS.contains(&name.as_str())) {
        opening.push(b',');
        text::encode(name, &mut opening);
        opening.extend_from_slice(format!(":{value}").as_bytes());
    }
    opening.push(b'}');
    body.push(opening.into());
    body
}

fn revised(extra: &Extra, index: usize) -> Option<&str> {
    match extra.get("revised_prompt")? {
        Value::String(prompt) => Some(prompt),
        Value::Array(prompts) => prompts.get(index)?.as_str(),
        _ => None,
    }
}

/// Writes one picture behind `opening`, which is pushed where a long text follows it.
fn write(made: Made, opening: &mut Vec<u8>, body: &mut SendBody) {
    match made {
        Made::Url(url) => {
            opening.extend_from_slice(b"\"url\":");
            text::encode(&url, opening);
        }
        Made::Bytes(bytes) => base64(STANDARD.encode(bytes).into(), opening, body),
        Made::Base64(text) => base64(text.into(), opening, body),
    }
}

fn base64(text: Bytes, opening: &mut Vec<u8>, body: &mut SendBody) {
    opening.extend_from_slice(b"\"b64_json\":");
    if !is_plain(&text) {
        // No base64 at all: it must not break out of its string.
        text::encode(&String::from_utf8_lossy(&text), opening);
        return;
    }
    opening.push(b'"');
    body.push(std::mem::take(opening).into());
    body.push(text);
    opening.push(b'"');
}

/// Whether nothing in it needs an escape.
pub(super) fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'+' | b'/' | b'=' | b'-' | b'_'))
}
