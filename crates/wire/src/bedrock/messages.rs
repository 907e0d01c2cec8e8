//! Bedrock's messages as OpenAI's.

use serde_json::{Map, Value, json};
use types::Result;

use super::blocks::{self, Turn};
use crate::heard::{Fields, Notes, bad, content};

/// The messages: what the system is told, and the turns.
pub(super) fn messages(system: Vec<Value>, given: Vec<Value>, notes: &mut Notes) -> Result<Value> {
    let mut messages = Vec::with_capacity(given.len() + 1);
    let told = blocks::turn("system", system, notes)?;
    if told.parts.iter().any(|part| part["type"] != "text") || !told.calls.is_empty() || !told.results.is_empty() {
        return Err(bad("system", "may hold text only"));
    }
    if !told.parts.is_empty() {
        messages.push(json!({"role": "system", "content": content(told.parts)}));
    }
    if given.is_empty() {
        return Err(bad("messages", "is empty; send at least one message"));
    }
    for (index, message) in given.into_iter().enumerate() {
        let mut message = Fields::of(format!("messages[{index}]"), message)?;
        let role = message.text("role")?.unwrap_or_default();
        let (path, blocks) = (message.at("content"), message.list("content")?);
        let turn = blocks::turn(&path, blocks, notes)?;
        match role.as_str() {
            "assistant" if turn.results.is_empty() => messages.push(of_the_model(turn)),
            "assistant" => return Err(bad(path, "holds a toolResult; it belongs to a message of the user")),
            "user" if turn.calls.is_empty() => of_the_user(turn, &mut messages),
            "user" => return Err(bad(path, "holds a toolUse; it belongs to a message of the assistant")),
            "system" => messages.push(json!({"role": "system", "content": text_if_none(turn.parts)})),
            _ => return Err(bad(message.at("role"), "must be `user` or `assistant`")),
        }
        notes.refuse_rest(message)?;
    }
    Ok(Value::Array(messages))
}

fn of_the_model(turn: Turn) -> Value {
    let mut message = Map::new();
    message.insert("role".into(), "assistant".into());
    let said = if turn.calls.is_empty() { text_if_none(turn.parts) } else { content(turn.parts) };
    message.insert("content".into(), said);
    if !turn.thoughts.is_empty() {
        message.insert("reasoning_content".into(), turn.thoughts.into());
    }
    if !turn.signed.is_empty() {
        message.insert("thinking_blocks".into(), turn.signed.into());
    }
    if !turn.calls.is_empty() {
        message.insert("tool_calls".into(), Value::Array(turn.calls));
    }
    Value::Object(message)
}

fn of_the_user(turn: Turn, messages: &mut Vec<Value>) {
    let answered = !turn.results.is_empty();
    messages.extend(turn.results);
    if !turn.parts.is_empty() || !answered {
        messages.push(json!({"role": "user", "content": text_if_none(turn.parts)}));
    }
}

fn text_if_none(parts: Vec<Value>) -> Value {
    let said = content(parts);
    if said.is_null() { "".into() } else { said }
}
