//! What the smaller front doors share: a call in a foreign dialect, read member by member so that nothing is overlooked,
//! and an answer gathered from its events.

mod fields;
mod gather;
mod order;
mod tree;

use bytes::Bytes;
use serde_json::{Map, Value};
use types::{Fault, Kind, Result};

use crate::events::Write;

pub(crate) use fields::Fields;
pub(crate) use gather::{Gathered, Piece, arguments};
pub(crate) use order::Order;
pub(crate) use tree::tree;

/// A call of a foreign dialect, understood: OpenAI's chat for the walk, and what writes the answer.
pub struct Heard {
    /// The call as OpenAI's chat has it, with `model` and `stream`. Equal calls give equal bytes.
    pub chat: Bytes,
    /// The model as the caller named it.
    pub model: String,
    /// Writes the answer in the caller's dialect.
    pub writer: Box<dyn Write>,
    /// What was taken out of the call, by name.
    pub dropped: Vec<String>,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heard").field("model", &self.model).field("dropped", &self.dropped).finish_non_exhaustive()
    }
}

/// What was left out while a call was read, and whether leaving out is allowed where it changes the answer.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    lenient: bool,
    dropped: Vec<String>,
}

impl Notes {
    /// As the caller's headers ask (`x-ironbow-lenient: true`).
    pub(crate) fn of(headers: &dyn Fn(&str) -> Option<&str>) -> Self {
        let lenient = headers("x-ironbow-lenient").is_some_and(|said| said.trim().eq_ignore_ascii_case("true"));
        Self { lenient, dropped: Vec::new() }
    }

    /// Notes that something was taken out that does not change the answer.
    pub(crate) fn took_out(&mut self, member: impl Into<String>) {
        let member = member.into();
        if !self.dropped.contains(&member) {
            self.dropped.push(member);
        }
    }

    /// Refuses what changes the answer and cannot be said; when the caller is lenient, it is taken out and noted.
    pub(crate) fn refuse(&mut self, member: impl Into<String>, why: &str) -> Result<()> {
        let member = member.into();
        if self.lenient {
            self.took_out(member);
            return Ok(());
        }
        let message = format!("`{member}` cannot be honoured: {why}. Leave it out, or send `x-ironbow-lenient: true`.");
        Err(Fault::new(Kind::UnsupportedParameter, message).param(member))
    }

    /// Refuses every member that nobody took.
    pub(crate) fn refuse_rest(&mut self, fields: Fields) -> Result<()> {
        for (path, _) in fields.rest() {
            self.refuse(path, "it is not known here")?;
        }
        Ok(())
    }

    /// Names the members of an object that have no place in a chat: all but these.
    pub(crate) fn unread(&mut self, place: &str, members: &Map<String, Value>, known: &[&str]) {
        for name in unread(members, known) {
            self.took_out(format!("{place}.{name}"));
        }
    }

    /// What was taken out, in order.
    pub(crate) fn dropped(self) -> Vec<String> {
        self.dropped
    }
}

/// The members of an object that say something and are none of these, as they may be told in a header.
pub(crate) fn unread(members: &Map<String, Value>, known: &[&str]) -> Vec<String> {
    let says = |value: &Value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty());
    let unread = members.iter().filter(|(name, value)| says(value) && !known.contains(&name.as_str()));
    unread.map(|(name, _)| name.chars().filter(|c| c.is_ascii_graphic() && *c != ',').take(60).collect()).collect()
}

/// Passes members that are not the dialect's own on to the backend.
pub(crate) fn pass_on(call: Fields, chat: &mut Map<String, Value>, notes: &mut Notes) -> Result<()> {
    for (name, value) in call.rest() {
        if chat.contains_key(&name) || matches!(name.as_str(), "n" | "logprobs" | "top_logprobs" | "stream_options") {
            notes.refuse(name, "this door has another way to say it")?;
        } else {
            chat.insert(name, value);
        }
    }
    Ok(())
}

/// The fault of a member with a bad value.
pub(crate) fn bad(member: impl Into<String>, what_to_do: &str) -> Box<Fault> {
    let member = member.into();
    Fault::new(Kind::BadRequest, format!("`{member}` {what_to_do}.")).param(member)
}

/// Base64 of any alphabet and padding in the standard one; nothing when it is no base64.
pub(crate) fn standard_base64(text: &str) -> Option<String> {
    let inner = text.trim_end_matches('=');
    let mut out = String::with_capacity(inner.len() + 3);
    for byte in inner.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => out.push(char::from(byte)),
            b'-' => out.push('+'),
            b'_' => out.push('/'),
            b'\r' | b'\n' => {}
            _ => return None,
        }
    }
    match out.len() % 4 {
        0 => {}
        1 => return None,
        rest => (rest..4).for_each(|_| out.push('=')),
    }
    Some(out)
}

/// The text in base64 of any alphabet, when it is one.
pub(crate) fn text_in_base64(text: &str) -> Option<String> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    String::from_utf8(STANDARD.decode(standard_base64(text)?).ok()?).ok()
}

/// Bytes of a file as a part of a message in OpenAI's chat; nothing when its type has no part there.
pub(crate) fn part_of(mime: &str, base64: &str, name: &str) -> Option<Value> {
    use serde_json::json;
    let data = standard_base64(base64)?;
    let (kind, form) = mime.split(';').next().unwrap_or_default().trim().split_once('/')?;
    match (kind, form) {
        ("image", _) => {
            Some(json!({"type": "image_url", "image_url": {"url": format!("data:{kind}/{form};base64,{data}")}}))
        }
        ("audio", "wav" | "x-wav" | "wave") => {
            Some(json!({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}))
        }
        ("audio", "mp3" | "mpeg") => {
            Some(json!({"type": "input_audio", "input_audio": {"data": data, "format": "mp3"}}))
        }
        ("audio", format) => Some(json!({"type": "input_audio", "input_audio": {"data": data, "format": format}})),
        ("text", _) | ("application", "json" | "xml" | "yaml") => {
            text_in_base64(base64).map(|text| json!({"type": "text", "text": text}))
        }
        ("application", "pdf") => Some(json!({
            "type": "file",
            "file": {"filename": name, "file_data": format!("data:application/pdf;base64,{data}")},
        })),
        _ => None,
    }
}

/// A message's content: one text as a string, everything else as parts.
pub(crate) fn content(mut parts: Vec<Value>) -> Value {
    match parts.as_mut_slice() {
        [] => Value::Null,
        [only] if only["type"] == "text" => only["text"].take(),
        _ => Value::Array(parts),
    }
}

/// How hard to think, of a budget in tokens: what the doors that count tokens say to backends that know three words.
pub(crate) const fn effort(budget: u64) -> &'static str {
    match budget {
        0 => "none",
        1..=2048 => "low",
        2049..=12_288 => "medium",
        _ => "high",
    }
}

/// A member of the call that must be a whole number, as a 64 bit number; proto JSON writes some as strings.
pub(crate) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => {
            let float = || number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15);
            number.as_i64().or_else(|| float().map(|float| float as i64))
        }
        _ => None,
    }
}
