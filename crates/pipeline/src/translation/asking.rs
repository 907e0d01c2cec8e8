//! What a caller asks at each door.

use std::{collections::BTreeMap, fs, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};
use types::Result;
use wire::{
    anthropic::Sealer,
    events::Write,
    json::Limits,
    openai::{chat, responses},
};

use super::folder;
use crate::{
    call::Call,
    doors::{
        Door, Wants,
        foreign::{self, Around},
    },
};

/// What is asked in one case.
#[derive(serde::Deserialize)]
pub(super) struct Asked {
    pub call: Value,
    /// What the caller says after the answer. `{"$answer": POINTER}` stands for something of the answer, and
    /// `{"$answers": POINTER}` in a list for the items of one of its lists; -1 is the last of a list.
    pub next: Option<Value>,
}

/// What is asked at a door, by case.
pub(super) fn read(door: &str) -> BTreeMap<String, Asked> {
    let path = folder().join("doors").join(format!("{door}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Seals so that it can be read here.
struct Plain;

impl Sealer for Plain {
    fn seal(&self, plain: &[u8]) -> String {
        format!("sealed.{}", STANDARD.encode(plain))
    }

    fn open(&self, sealed: &str) -> Option<Vec<u8>> {
        STANDARD.decode(sealed.strip_prefix("sealed.")?).ok()
    }
}

/// A call as its door understood it.
pub(super) struct Heard {
    pub call: chat::Call,
    /// Writes the answer; nothing where the door is OpenAI's chat.
    pub write: Option<Box<dyn Write>>,
    pub dropped: Vec<String>,
}

impl Heard {
    /// Whether the stream must tell of usage.
    pub(super) const fn show_usage(&self) -> bool {
        self.write.is_some() || self.call.wants_stream_usage()
    }
}

/// The body with what asks for a stream, where the body says so.
pub(super) fn streaming(door: Door, body: &Value) -> Value {
    let mut body = body.clone();
    match door {
        Door::Gemini | Door::Converse => {}
        Door::Chat | Door::Completions => {
            body["stream"] = true.into();
            body["stream_options"] = json!({"include_usage": true});
        }
        _ => body["stream"] = true.into(),
    }
    body
}

/// Has a door read a call.
pub(super) fn hear(door: Door, body: &Value, stream: bool, lenient: bool) -> Result<Heard> {
    let limits = Limits::default();
    let body = Bytes::from(if stream { streaming(door, body) } else { body.clone() }.to_string());
    let sealer: Arc<dyn Sealer> = Arc::new(Plain);
    let (door, named, query) = match (door, stream) {
        (Door::Gemini, false) => (door, "asked/model:generateContent", None),
        (Door::Gemini, true) => (door, "asked/model:streamGenerateContent", Some("alt=sse")),
        (Door::Converse, false) => (door, "asked%2Fmodel", None),
        (Door::Converse, true) => (Door::ConverseStream, "asked%2Fmodel", None),
        _ => (door, "", None),
    };
    if door == Door::Responses {
        let told = responses::Told {
            id: "resp_0123456789abcdef".into(),
            created_at: 1_700_000_000,
            now: || 1_700_000_002,
            sealer,
        };
        let heard = responses::Request::read(&body, None, &foreign::asked(lenient), &limits)?.heard(&told)?;
        let call = chat::Call::read(heard.chat, &limits)?;
        return Ok(Heard { call, write: Some(heard.writer), dropped: heard.dropped });
    }
    let around = Around { named, query, lenient, limits: &limits, sealer: &sealer, request_id: "req_0123456789abcdef" };
    let (call, _, wants) = match foreign::read(door, &body, &around)? {
        Some(heard) => heard,
        None => door.read("application/json", body, &limits, String::new)?,
    };
    Ok(match (call, wants) {
        (Call::Chat(call), Wants::AsItIs) => Heard { call: *call, write: None, dropped: Vec::new() },
        (Call::Translated(call), Wants::Translated { write, dropped, .. }) => {
            Heard { call: *call, write: Some(write), dropped }
        }
        _ => panic!("{door:?} is no door for chats"),
    })
}

/// The next call, with what it repeats of the answer put in.
pub(super) fn filled(next: &Value, answer: &Value) -> Value {
    match next {
        Value::Object(members) => match members.get("$answer") {
            Some(place) => pointed(answer, place.as_str().unwrap()),
            None => members.iter().map(|(name, value)| (name.clone(), filled(value, answer))).collect(),
        },
        Value::Array(items) => {
            let mut all = Vec::new();
            for item in items {
                match item["$answers"].as_str() {
                    Some(place) => all.extend(pointed(answer, place).as_array().unwrap().iter().cloned()),
                    None => all.push(filled(item, answer)),
                }
            }
            all.into()
        }
        other => other.clone(),
    }
}

/// What stands at a place in the answer.
fn pointed(answer: &Value, place: &str) -> Value {
    let mut at = answer;
    for step in place.split('/').skip(1) {
        at = match (at, step.parse::<isize>()) {
            (Value::Array(items), Ok(number)) => {
                let index = if number < 0 { items.len().wrapping_add_signed(number) } else { number.unsigned_abs() };
                items.get(index).unwrap_or_else(|| panic!("{place} is not in {answer}"))
            }
            _ => at.get(step).unwrap_or_else(|| panic!("{place} is not in {answer}")),
        };
    }
    at.clone()
}
