//! `countTokens`: an estimate, since nobody here has the model's own tokenizer.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::Result;

use super::{contents, tools};
use crate::{
    heard::{Fields, Notes, tree},
    json::Limits,
};

/// Tokens of a picture, whatever its size: what Google counts for one tile.
const PICTURE: u64 = 258;

/// Answers `countTokens`.
///
/// # Errors
/// `BadRequest` when it is no such call.
pub fn count_tokens(body: &Bytes, headers: &dyn Fn(&str) -> Option<&str>, limits: &Limits) -> Result<Vec<u8>> {
    let mut notes = Notes::of(headers);
    let mut call = Fields::top(tree(body, limits)?);
    if let Some(inner) = call.object("generateContentRequest")? {
        call = inner;
    }
    let system = call.take("systemInstruction");
    let messages = contents::messages(system, call.take("contents"), &mut notes)?;
    let mut chat = Map::new();
    tools::read(call.list("tools")?, None, &mut chat, &mut notes)?;

    let (mut text, mut pictures) = (0, 0);
    for message in messages.as_array().into_iter().flatten() {
        text += 4;
        weigh(message, &mut text, &mut pictures);
    }
    text += chat.get("tools").map_or(0, |tools| tokens(&tools.to_string()));
    let mut details = vec![json!({"modality": "TEXT", "tokenCount": text})];
    if pictures > 0 {
        details.push(json!({"modality": "IMAGE", "tokenCount": pictures}));
    }
    Ok(json!({"totalTokens": text + pictures, "promptTokensDetails": details}).to_string().into_bytes())
}

/// Adds up what a message holds.
fn weigh(value: &Value, text: &mut u64, pictures: &mut u64) {
    match value {
        Value::Object(members) if members.contains_key("image_url") => *pictures += PICTURE,
        Value::Object(members) => {
            for (name, value) in members {
                if !matches!(name.as_str(), "role" | "type" | "id" | "tool_call_id" | "file_data" | "data") {
                    weigh(value, text, pictures);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| weigh(item, text, pictures)),
        Value::String(said) => *text += tokens(said),
        _ => {}
    }
}

/// About how many tokens a text has: four ASCII characters are one, two letters of other alphabets, one ideograph.
fn tokens(text: &str) -> u64 {
    let mut quarters = 0_u64;
    for letter in text.chars() {
        quarters += match letter {
            '\0'..='\u{7f}' => 1,
            '\u{80}'..='\u{10ff}' => 2,
            _ => 4,
        };
    }
    quarters.div_ceil(4)
}
