//! OpenAI's messages as Anthropic's turns.

use serde_json::{Map, Value, json};
use types::Result;

use super::{call::Writing, take};
use crate::{anthropic::flow, heard::bad};

/// What the messages come to.
#[derive(Default)]
pub(super) struct Turns {
    /// The system's blocks.
    pub(super) system: Vec<Value>,
    /// The turns: user and assistant, never two of one kind in a row.
    pub(super) messages: Vec<Value>,
    /// Whether the last turn of the assistant called tools and does not begin with what was thought.
    pub(super) goes_on_unthought: bool,
}

/// Members of a message that are dealt with elsewhere, or that only an answer has.
const SILENT: &[&str] = &["role", "annotations", "provider_specific_fields"];

pub(super) fn read(said: Value, writing: &mut Writing<'_>) -> Result<Turns> {
    let mut turns = Turns::default();
    let Value::Array(said) = said else { return Err(bad("messages", "must be an array")) };
    for (index, message) in said.into_iter().enumerate() {
        let at = format!("messages[{index}]");
        let Value::Object(mut message) = message else { return Err(bad(at, "must be an object")) };
        let content = message.shift_remove("content").unwrap_or_default();
        match message.get("role").and_then(Value::as_str).unwrap_or_default() {
            "system" | "developer" => {
                let blocks = parts(content, &at, writing)?;
                if turns.messages.is_empty() {
                    turns.system.extend(blocks);
                } else {
                    turns.user(blocks.into_iter().map(marked));
                }
            }
            "user" => turns.user(parts(content, &at, writing)?),
            "tool" => turns.user([result(&mut message, content, &at, writing)?]),
            "assistant" => turns.assistant(&mut message, content, &at, writing)?,
            _ => return Err(bad(format!("{at}.role"), "must be system, developer, user, assistant or tool")),
        }
        writing.unread("messages", &Value::Object(message), SILENT);
    }
    Ok(turns)
}

impl Turns {
    fn user(&mut self, blocks: impl IntoIterator<Item = Value>) {
        self.turn("user", blocks.into_iter().collect());
    }

    /// Adds to the turn of the same role, or begins one.
    fn turn(&mut self, role: &str, mut blocks: Vec<Value>) {
        if blocks.is_empty() {
            return;
        }
        if let Some(last) = self.messages.last_mut().filter(|last| last["role"] == role)
            && let Some(Value::Array(said)) = last.get_mut("content")
        {
            said.append(&mut blocks);
            return;
        }
        self.messages.push(json!({ "role": role, "content": blocks }));
    }

    fn assistant(
        &mut self,
        message: &mut Map<String, Value>,
        content: Value,
        at: &str,
        writing: &mut Writing<'_>,
    ) -> Result<()> {
        // As this gateway hands them out: Anthropic's own blocks, signature and all.
        let mut blocks: Vec<Value> = match message.shift_remove("thinking_blocks") {
            Some(Value::Array(thought)) => thought,
            _ => Vec::new(),
        };
        // By which the blocks of a stream are told apart.
        blocks.iter_mut().filter_map(Value::as_object_mut).for_each(|block| drop(block.shift_remove("index")));
        let thought = !blocks.is_empty();
        for name in ["reasoning_content", "reasoning"] {
            let said = message.shift_remove(name).unwrap_or_default();
            if !thought && !said.is_null() && said != "" {
                writing.took_out(format!("messages.{name}"));
            }
        }
        blocks.extend(parts(content, at, writing)?);
        if let Some(Value::String(refusal)) = message.shift_remove("refusal") {
            blocks.extend(text(&refusal));
        }
        let calls = match message.shift_remove("tool_calls") {
            Some(Value::Array(calls)) => calls,
            _ => Vec::new(),
        };
        self.goes_on_unthought = !thought && !calls.is_empty();
        for (index, mut call) in calls.into_iter().enumerate() {
            writing.unread("messages.tool_calls", &call, &["id", "type", "index", "function", "custom"]);
            writing.unread("messages.tool_calls.function", &call["function"], &["name", "arguments"]);
            writing.unread("messages.tool_calls.custom", &call["custom"], &["name", "input"]);
            let mut said = take(&mut call, "custom");
            let input = if said.is_object() {
                json!({ "input": take(&mut said, "input") })
            } else {
                said = take(&mut call, "function");
                flow::input(said["arguments"].as_str().unwrap_or_default())
            };
            let (id, name) = (take(&mut call, "id"), take(&mut said, "name"));
            if !name.is_string() || !id.is_string() {
                return Err(bad(format!("{at}.tool_calls[{index}]"), "must have an `id` and a name"));
            }
            blocks.push(json!({ "type": "tool_use", "id": id, "name": name, "input": input }));
        }
        self.turn("assistant", blocks);
        Ok(())
    }
}

/// A text block; none for an empty text, which Anthropic refuses.
fn text(said: &str) -> Option<Value> {
    (!said.is_empty()).then(|| json!({ "type": "text", "text": said }))
}

/// What the system says in the middle of a conversation stands in the user's turn.
fn marked(mut block: Value) -> Value {
    if let Some(said) = block["text"].as_str() {
        block["text"] = format!("<system>\n{said}\n</system>").into();
    }
    block
}

fn result(message: &mut Map<String, Value>, content: Value, at: &str, writing: &mut Writing<'_>) -> Result<Value> {
    let id = match message.shift_remove("tool_call_id") {
        Some(id @ Value::String(_)) => id,
        _ => return Err(bad(format!("{at}.tool_call_id"), "is missing: it must be a string")),
    };
    let mut block = json!({ "type": "tool_result", "tool_use_id": id });
    let parts = parts(content, at, writing)?;
    if !parts.is_empty() {
        block["content"] = parts.into();
    }
    Ok(block)
}

/// A message's content as blocks.
fn parts(content: Value, at: &str, writing: &mut Writing<'_>) -> Result<Vec<Value>> {
    match content {
        Value::Null => Ok(Vec::new()),
        Value::String(said) => Ok(text(&said).into_iter().collect()),
        Value::Array(parts) => {
            let mut blocks = Vec::with_capacity(parts.len());
            for (index, part) in parts.into_iter().enumerate() {
                blocks.extend(block(part, &format!("{at}.content[{index}]"), writing)?);
            }
            Ok(blocks)
        }
        _ => Err(bad(format!("{at}.content"), "must be a string or an array of parts")),
    }
}

fn block(mut part: Value, at: &str, writing: &mut Writing<'_>) -> Result<Option<Value>> {
    let own = part["type"].as_str().filter(|kind| matches!(*kind, "text" | "refusal" | "image_url" | "file"));
    if let Some(own) = own.map(str::to_owned) {
        writing.unread("messages.content", &part, &["type", "cache_control", &own]);
        let inner = format!("messages.content.{own}");
        writing.unread(&inner, &part[own.as_str()], &["url", "file_data", "filename", "file_id"]);
    }
    let mut block = match part["type"].as_str().unwrap_or_default() {
        "text" => part["text"].as_str().and_then(text),
        "refusal" => part["refusal"].as_str().and_then(text),
        "image_url" => match part["image_url"]["url"].as_str() {
            Some(url) => Some(json!({ "type": "image", "source": source(url) })),
            None => return Err(bad(format!("{at}.image_url.url"), "must be a string")),
        },
        "file" => match part["file"]["file_data"].as_str() {
            Some(data) => {
                let mut block = json!({ "type": "document", "source": source(data) });
                if let Some(name) = part["file"]["filename"].as_str() {
                    block["title"] = name.into();
                }
                Some(block)
            }
            None => {
                writing.refuse(&format!("{at}.file"), ": files that the service keeps are not reached from here")?;
                None
            }
        },
        "input_audio" => {
            writing.refuse(at, ": sound cannot be sent there")?;
            None
        }
        // A block that is Anthropic's own already.
        "image" | "document" | "tool_result" | "tool_use" | "thinking" | "redacted_thinking" | "search_result" => {
            return Ok(Some(part));
        }
        _ => return Err(bad(format!("{at}.type"), "is a kind of part that is not known here")),
    };
    if let (Some(block), mark @ Value::Object(_)) = (&mut block, take(&mut part, "cache_control")) {
        block["cache_control"] = mark;
    }
    Ok(block)
}

/// An address, or the bytes that a data URI holds.
fn source(url: &str) -> Value {
    let inner = url.strip_prefix("data:").and_then(|rest| rest.split_once(','));
    match inner.and_then(|(head, data)| Some((head.strip_suffix(";base64")?, data))) {
        Some((media, data)) => json!({ "type": "base64", "media_type": media, "data": data }),
        None => json!({ "type": "url", "url": url }),
    }
}
