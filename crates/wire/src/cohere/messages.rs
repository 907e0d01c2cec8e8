//! Cohere's messages as OpenAI's.

use serde_json::{Map, Value, json};
use types::Result;

use crate::heard::{Fields, Notes, bad, content};

/// The messages, one for one.
pub(super) fn messages(given: Option<Value>, notes: &mut Notes) -> Result<Value> {
    let given = match given {
        Some(Value::Array(given)) if !given.is_empty() => given,
        Some(Value::Array(_)) => return Err(bad("messages", "is empty; send at least one message")),
        Some(_) => return Err(bad("messages", "must be an array")),
        None => return Err(bad("messages", "is missing; send an array of messages")),
    };
    let mut messages = Vec::with_capacity(given.len());
    for (index, message) in given.into_iter().enumerate() {
        messages.push(self::message(Fields::of(format!("messages[{index}]"), message)?, notes)?);
    }
    Ok(Value::Array(messages))
}

fn message(mut given: Fields, notes: &mut Notes) -> Result<Value> {
    let role = given.text("role")?.unwrap_or_default();
    let (parts, thoughts) = parts(&mut given, notes)?;
    let mut message = Map::new();
    match role.as_str() {
        "user" | "system" | "developer" => {
            message.insert("role".into(), role.into());
            message.insert("content".into(), text_if_none(parts));
        }
        "tool" => {
            let id = given.text("tool_call_id")?;
            let id = id.ok_or_else(|| bad(given.at("tool_call_id"), "is missing"))?;
            message.insert("role".into(), role.into());
            message.insert("tool_call_id".into(), id.into());
            message.insert("content".into(), result(parts));
        }
        "assistant" => assistant(&mut given, parts, thoughts, &mut message, notes)?,
        _ => return Err(bad(given.at("role"), "must be user, assistant, system or tool")),
    }
    notes.refuse_rest(given)?;
    Ok(Value::Object(message))
}

fn assistant(
    given: &mut Fields,
    mut parts: Vec<Value>,
    thoughts: String,
    message: &mut Map<String, Value>,
    notes: &mut Notes,
) -> Result<()> {
    if let Some(plan) = given.text("tool_plan")?.filter(|plan| !plan.is_empty()) {
        parts.insert(0, json!({"type": "text", "text": plan}));
    }
    if given.list("citations")?.iter().any(|citation| !citation.is_null()) {
        notes.took_out("citations");
    }
    let calls = given.list("tool_calls")?;
    message.insert("role".into(), "assistant".into());
    let said = if calls.is_empty() { text_if_none(parts) } else { content(parts) };
    message.insert("content".into(), said);
    if !thoughts.is_empty() {
        message.insert("reasoning_content".into(), thoughts.into());
    }
    if !calls.is_empty() {
        let mut written = Vec::new();
        for (index, call) in calls.into_iter().enumerate() {
            written.push(self::call(Fields::of(format!("{}[{index}]", given.at("tool_calls")), call)?, notes)?);
        }
        message.insert("tool_calls".into(), Value::Array(written));
    }
    Ok(())
}

fn call(mut given: Fields, notes: &mut Notes) -> Result<Value> {
    let id = given.text("id")?.ok_or_else(|| bad(given.at("id"), "is missing"))?;
    let mut function = given.object("function")?.ok_or_else(|| bad(given.at("function"), "is missing"))?;
    let name = function.text("name")?.ok_or_else(|| bad(function.at("name"), "is missing"))?;
    let arguments = match function.take("arguments") {
        None => "{}".to_owned(),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    given.take("type");
    notes.refuse_rest(function)?;
    notes.refuse_rest(given)?;
    Ok(json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}))
}

/// A tool's answer: texts as one, since not every backend takes parts here.
fn result(parts: Vec<Value>) -> Value {
    match parts.iter().map(|part| part["text"].as_str()).collect::<Option<Vec<_>>>() {
        Some(texts) => texts.join("\n").into(),
        None => text_if_none(parts),
    }
}

fn text_if_none(parts: Vec<Value>) -> Value {
    let said = content(parts);
    if said.is_null() { "".into() } else { said }
}

/// What a message holds, thoughts apart.
fn parts(given: &mut Fields, notes: &mut Notes) -> Result<(Vec<Value>, String)> {
    let (mut parts, mut thoughts) = (Vec::new(), String::new());
    let items = match given.take("content") {
        None => Vec::new(),
        Some(Value::String(text)) => vec![json!({"type": "text", "text": text})],
        Some(Value::Array(items)) => items,
        Some(_) => return Err(bad(given.at("content"), "must be a string or an array")),
    };
    for (index, item) in items.into_iter().enumerate() {
        let mut item = Fields::of(format!("{}[{index}]", given.at("content")), item)?;
        let kind = item.text("type")?.unwrap_or_else(|| "text".into());
        match kind.as_str() {
            "text" => {
                let text = item.text("text")?.ok_or_else(|| bad(item.at("text"), "is missing"))?;
                parts.push(json!({"type": "text", "text": text}));
            }
            "thinking" => thoughts.push_str(&item.text("thinking")?.unwrap_or_default()),
            "image_url" => {
                let image = item.take("image_url").ok_or_else(|| bad(item.at("image_url"), "is missing"))?;
                let image = if image.is_string() { json!({ "url": image }) } else { image };
                parts.push(json!({"type": "image_url", "image_url": image}));
            }
            "document" => {
                let document = item.take("document").ok_or_else(|| bad(item.at("document"), "is missing"))?;
                parts.push(json!({"type": "text", "text": document_text(&document)}));
            }
            _ => {
                notes.refuse(item.at("type"), "content is text, image_url, document or thinking")?;
                continue;
            }
        }
        notes.refuse_rest(item)?;
    }
    Ok((parts, thoughts))
}

/// A document as text: its data alone, unless it has an id.
fn document_text(document: &Value) -> String {
    match (&document["id"], &document["data"]) {
        (Value::Null, Value::String(text)) => text.clone(),
        (Value::Null, data @ Value::Object(_)) => data.to_string(),
        _ => document.to_string(),
    }
}
