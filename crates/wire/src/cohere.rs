//! Cohere's door, version 2 of its API: chat and embeddings, in OpenAI's words and back.
//!
//! | Cohere | OpenAI |
//! |---|---|
//! | `p`, `k`, `stop_sequences` | `top_p`, `top_k`, `stop` |
//! | `tool_choice: "REQUIRED"`, `"NONE"` | `"required"`, `"none"` |
//! | `response_format` of type `json_object` with a schema | type `json_schema` |
//! | `tool_plan` of an assistant's message | the message's text |
//! | content of type `thinking` | `reasoning_content` |
//! | documents in a tool's message | their JSON, as the message's text |
//! | `thinking` | `reasoning_effort` |
//!
//! Documents at the top ask for an answer with citations, which no chat can give: they are refused by name. What a model
//! says before it calls tools is content here, never `tool_plan`: a stream cannot know what will follow.

mod embed;
mod messages;
mod write;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{Fault, Result};

use crate::{
    heard::{Fields, Notes, bad, effort, pass_on, tree},
    json::Limits,
    openai,
};

pub use crate::heard::Heard;
pub use embed::{HeardEmbeddings, embeddings};

/// Reads a call of `/v2/chat`. `path_model` is the model that the path names, if it does.
///
/// # Errors
/// `BadRequest` or `UnsupportedParameter`, naming the member.
pub fn read(
    body: &Bytes,
    path_model: Option<&str>,
    headers: &dyn Fn(&str) -> Option<&str>,
    limits: &Limits,
) -> Result<Heard> {
    let mut notes = Notes::of(headers);
    let mut call = Fields::top(tree(body, limits)?);
    let model = model(&mut call, path_model)?;
    let mut chat = Map::new();
    chat.insert("model".into(), model.as_str().into());
    chat.insert("messages".into(), messages::messages(call.take("messages"), &mut notes)?);
    let stream = call.flag("stream")?.unwrap_or(false);
    chat.insert("stream".into(), stream.into());
    if stream {
        chat.insert("stream_options".into(), json!({"include_usage": true}));
    }
    sampling(&mut call, &mut chat);
    tools(&mut call, &mut chat)?;
    format(&mut call, &mut chat, &mut notes)?;
    thinking(&mut call, &mut chat, &mut notes)?;
    only_theirs(&mut call, &mut notes)?;
    pass_on(call, &mut chat, &mut notes)?;
    let chat = Value::Object(chat).to_string().into();
    Ok(Heard { chat, model, writer: Box::new(write::Writer::default()), dropped: notes.dropped() })
}

fn model(call: &mut Fields, path_model: Option<&str>) -> Result<String> {
    let named = call.text("model")?;
    let model = path_model.map(str::to_owned).or(named).filter(|model| !model.is_empty());
    model.ok_or_else(|| bad("model", "is missing; name a model, e.g. \"huggingface/auto/org/name\""))
}

fn sampling(call: &mut Fields, chat: &mut Map<String, Value>) {
    let names = [
        ("max_tokens", "max_completion_tokens"),
        ("stop_sequences", "stop"),
        ("temperature", "temperature"),
        ("seed", "seed"),
        ("frequency_penalty", "frequency_penalty"),
        ("presence_penalty", "presence_penalty"),
        ("k", "top_k"),
        ("p", "top_p"),
    ];
    for (theirs, ours) in names {
        if let Some(value) = call.take(theirs).filter(|value| value.as_array().is_none_or(|list| !list.is_empty())) {
            chat.insert(ours.into(), value);
        }
    }
}

fn tools(call: &mut Fields, chat: &mut Map<String, Value>) -> Result<()> {
    let strict = call.flag("strict_tools")?.unwrap_or(false);
    let mut tools = call.list("tools")?;
    let choice = call.text("tool_choice")?;
    if tools.is_empty() {
        return match choice.as_deref() {
            Some("REQUIRED") => Err(bad("tool_choice", "is REQUIRED, but no tools are given")),
            _ => Ok(()),
        };
    }
    if strict {
        for tool in &mut tools {
            if let Some(function) = tool.get_mut("function").and_then(Value::as_object_mut) {
                function.insert("strict".into(), true.into());
            }
        }
    }
    chat.insert("tools".into(), Value::Array(tools));
    match choice.as_deref() {
        None => {}
        Some("REQUIRED") => {
            chat.insert("tool_choice".into(), "required".into());
        }
        Some("NONE") => {
            chat.insert("tool_choice".into(), "none".into());
        }
        Some(_) => return Err(bad("tool_choice", "must be REQUIRED or NONE, or be left out")),
    }
    Ok(())
}

fn format(call: &mut Fields, chat: &mut Map<String, Value>, notes: &mut Notes) -> Result<()> {
    let Some(mut format) = call.object("response_format")? else { return Ok(()) };
    let kind = format.text("type")?.unwrap_or_default();
    let schema = format.take("json_schema").or_else(|| format.take("schema"));
    match (kind.as_str(), schema) {
        ("text", None) => {}
        ("json_object", None) => {
            chat.insert("response_format".into(), json!({"type": "json_object"}));
        }
        ("json_object", Some(schema)) => {
            let named = json!({"name": "response", "schema": schema});
            chat.insert("response_format".into(), json!({"type": "json_schema", "json_schema": named}));
        }
        _ => return Err(bad("response_format.type", "must be `text` or `json_object`; a schema goes with the latter")),
    }
    notes.refuse_rest(format)
}

fn thinking(call: &mut Fields, chat: &mut Map<String, Value>, notes: &mut Notes) -> Result<()> {
    let Some(mut thinking) = call.object("thinking")? else { return Ok(()) };
    let budget = thinking.whole("token_budget")?;
    let effort = match thinking.text("type")?.as_deref() {
        Some("disabled") => Some("none"),
        Some("enabled") | None => budget.map(|budget| effort(budget.max(0).unsigned_abs())),
        Some(_) => return Err(bad("thinking.type", "must be `enabled` or `disabled`")),
    };
    if let Some(effort) = effort {
        chat.insert("reasoning_effort".into(), effort.into());
    }
    notes.refuse_rest(thinking)
}

/// What only Cohere's own models do.
fn only_theirs(call: &mut Fields, notes: &mut Notes) -> Result<()> {
    for advisory in ["safety_mode", "citation_options", "priority"] {
        if call.take(advisory).is_some() {
            notes.took_out(advisory);
        }
    }
    if !call.list("documents")?.is_empty() {
        let why = "no citations can be made; put the documents into a message or a tool's answer";
        notes.refuse("documents", why)?;
    }
    if call.flag("logprobs")? == Some(true) {
        notes.refuse("logprobs", "they come with ids of tokens, which only the model's own vocabulary has")?;
    }
    if call.flag("raw_prompting")? == Some(true) {
        notes.refuse("raw_prompting", "chats have their model's own template")?;
    }
    Ok(())
}

/// A fault as Cohere's clients expect it: the status, the media type and the body.
pub fn fault(fault: &Fault, request_id: &str) -> (u16, &'static str, Vec<u8>) {
    (openai::fault::status(fault), "application/json", shape(fault, request_id).to_string().into_bytes())
}

fn shape(fault: &Fault, request_id: &str) -> Value {
    let mut said = Map::new();
    said.insert("id".into(), request_id.into());
    said.insert("message".into(), fault.message.as_str().into());
    let kind = fault.code.as_deref().unwrap_or(fault.kind.name());
    said.insert("code".into(), kind.into());
    for (name, value) in
        [("param", &fault.param), ("backend", &fault.backend), ("upstream_request_id", &fault.upstream_request_id)]
    {
        if let Some(value) = value {
            said.insert(name.into(), value.as_str().into());
        }
    }
    Value::Object(said)
}
