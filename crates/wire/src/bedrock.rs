//! Bedrock's door: `Converse` and `ConverseStream`, in OpenAI's chat and back.
//!
//! | Bedrock | OpenAI |
//! |---|---|
//! | `inferenceConfig` | `max_completion_tokens`, `temperature`, `top_p`, `stop` |
//! | `toolUse`, `toolResult` | `tool_calls`, messages of role `tool`; images of a result in a message of the user behind them |
//! | `toolChoice` `any`, `tool` | `tool_choice` `"required"`, the function's name |
//! | `reasoningContent` | `reasoning_content`; with a signature, or redacted, also `thinking_blocks`, for who wrote them |
//! | `outputConfig.textFormat` | `response_format` |
//! | `additionalModelRequestFields` | members at the top |
//!
//! Streams are the AWS SDKs' own: binary messages with checksums ([`frame`]). Callers show a bearer token, as Bedrock's
//! own keys are; a signature is refused by name ([`refuse_signature`]). Nobody measures `latencyMs`: it is always 0.

mod blocks;
mod fault;
pub mod frame;
mod messages;
mod write;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{Fault, Kind, Result};

use crate::{
    heard::{Fields, Notes, bad, effort, pass_on, tree},
    json::Limits,
};

pub use crate::heard::Heard;
pub use fault::{error_type, fault};

/// How an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Whole: `converse`.
    Whole,
    /// As binary messages: `converse-stream`.
    Stream,
}

/// The model that a path names: `model/{model}/converse`, percent-encoded.
///
/// # Errors
/// `BadRequest` when it is not UTF-8.
pub fn model(segment: &str) -> Result<String> {
    let decoded = percent_encoding::percent_decode_str(segment).decode_utf8();
    Ok(decoded.map_err(|_| bad("modelId", "must be UTF-8"))?.into_owned())
}

/// Refuses an `authorization` header that holds a signature instead of a token.
///
/// # Errors
/// `Unauthenticated`, saying what to do.
pub fn refuse_signature(authorization: Option<&str>) -> Result<()> {
    let signed = authorization.is_some_and(|said| said.trim_start().starts_with("AWS4-"));
    if !signed {
        return Ok(());
    }
    let message = "This call is signed with AWS Signature Version 4 (SigV4), which cannot be checked here. Send a bearer \
                   token: set AWS_BEARER_TOKEN_BEDROCK to your key.";
    Err(Fault::new(Kind::Unauthenticated, message).param("authorization"))
}

/// Reads the body of `converse` or `converse-stream`.
///
/// # Errors
/// `BadRequest` or `UnsupportedParameter`, naming the member.
pub fn read(
    body: &Bytes,
    model: &str,
    way: Way,
    headers: &dyn Fn(&str) -> Option<&str>,
    limits: &Limits,
) -> Result<Heard> {
    let mut notes = Notes::of(headers);
    let mut call = Fields::top(tree(body, limits)?);
    let mut chat = Map::new();
    chat.insert("model".into(), model.into());
    let system = call.list("system")?;
    let messages = messages::messages(system, call.list("messages")?, &mut notes)?;
    chat.insert("messages".into(), messages);
    chat.insert("stream".into(), (way == Way::Stream).into());
    if way == Way::Stream {
        chat.insert("stream_options".into(), json!({"include_usage": true}));
    }
    if let Some(config) = call.object("inferenceConfig")? {
        sampling(config, &mut chat, &mut notes)?;
    }
    if let Some(config) = call.object("toolConfig")? {
        tools(config, &mut chat, &mut notes)?;
    }
    if let Some(config) = call.object("outputConfig")? {
        output(config, &mut chat, &mut notes)?;
    }
    only_theirs(&mut call, &mut notes)?;
    if let Some(more) = call.object("additionalModelRequestFields")? {
        additional(more, &mut chat, &mut notes)?;
    }
    for named in ["modelId", "model"] {
        call.take(named);
    }
    pass_on(call, &mut chat, &mut notes)?;
    let chat = Value::Object(chat).to_string().into();
    let writer = Box::new(write::Writer::default());
    Ok(Heard { chat, model: model.to_owned(), writer, dropped: notes.dropped() })
}

fn sampling(mut config: Fields, chat: &mut Map<String, Value>, notes: &mut Notes) -> Result<()> {
    let names = [
        ("maxTokens", "max_completion_tokens"),
        ("temperature", "temperature"),
        ("topP", "top_p"),
        ("stopSequences", "stop"),
    ];
    for (theirs, ours) in names {
        if let Some(value) = config.take(theirs).filter(|value| value.as_array().is_none_or(|list| !list.is_empty())) {
            chat.insert(ours.into(), value);
        }
    }
    notes.refuse_rest(config)
}

/// Members for the backend itself. They may not say again what stands elsewhere.
fn additional(more: Fields, chat: &mut Map<String, Value>, notes: &mut Notes) -> Result<()> {
    let nothing = Map::new();
    for (path, value) in more.rest() {
        let name = path.strip_prefix("additionalModelRequestFields.").unwrap_or(&path);
        if chat.contains_key(name) || matches!(name, "n" | "stream" | "stream_options" | "messages" | "model") {
            return Err(bad(path, "says what another member of the call says, or what this door cannot answer"));
        }
        // How Anthropic's models at Bedrock are told to think.
        let budget = value["budget_tokens"].as_u64().filter(|_| matches!(name, "thinking" | "reasoning_config"));
        match budget {
            Some(budget) => {
                let said = value.as_object().unwrap_or(&nothing);
                notes.unread(&path, said, &["type", "budget_tokens"]);
                chat.insert("reasoning_effort".into(), effort(budget).into())
            }
            None => chat.insert(name.to_owned(), value),
        };
    }
    Ok(())
}

/// What only Bedrock does.
fn only_theirs(call: &mut Fields, notes: &mut Notes) -> Result<()> {
    for advisory in ["requestMetadata", "performanceConfig", "serviceTier"] {
        if call.take(advisory).is_some() {
            notes.took_out(advisory);
        }
    }
    for (name, why) in [
        ("guardrailConfig", "guardrails live at Bedrock"),
        ("promptVariables", "prompts are not kept here"),
        ("additionalModelResponseFieldPaths", "backends' own members are not carried through this door"),
    ] {
        if call.take(name).is_some() {
            notes.refuse(name, why)?;
        }
    }
    Ok(())
}

fn tools(mut config: Fields, chat: &mut Map<String, Value>, notes: &mut Notes) -> Result<()> {
    let mut functions = Vec::new();
    for (index, tool) in config.list("tools")?.into_iter().enumerate() {
        let mut tool = Fields::of(format!("{}[{index}]", config.at("tools")), tool)?;
        if let Some(spec) = tool.object("toolSpec")? {
            functions.push(function(spec, notes)?);
        }
        // What is left are tools that run at Bedrock, and marks for its cache.
        for (path, _) in tool.rest() {
            notes.took_out(path);
        }
    }
    let choice = match config.object("toolChoice")? {
        Some(choice) => demanded(choice, &functions, notes)?,
        None => None,
    };
    if !functions.is_empty() {
        chat.insert("tools".into(), Value::Array(functions));
        if let Some(choice) = choice {
            chat.insert("tool_choice".into(), choice);
        }
    }
    notes.refuse_rest(config)
}

fn function(mut spec: Fields, notes: &mut Notes) -> Result<Value> {
    let name = spec.text("name")?.ok_or_else(|| bad(spec.at("name"), "is missing"))?;
    let mut function = Map::new();
    function.insert("name".into(), name.into());
    if let Some(description) = spec.text("description")? {
        function.insert("description".into(), description.into());
    }
    if let Some(mut schema) = spec.object("inputSchema")? {
        if let Some(schema) = schema.take("json") {
            function.insert("parameters".into(), schema);
        }
        notes.refuse_rest(schema)?;
    }
    if let Some(strict) = spec.flag("strict")? {
        function.insert("strict".into(), strict.into());
    }
    notes.refuse_rest(spec)?;
    Ok(json!({"type": "function", "function": function}))
}

fn demanded(mut choice: Fields, functions: &[Value], notes: &mut Notes) -> Result<Option<Value>> {
    let (auto, any, tool) = (choice.object("auto")?, choice.object("any")?, choice.object("tool")?);
    notes.refuse_rest(choice)?;
    if let Some(auto) = auto {
        notes.refuse_rest(auto)?;
        return Ok(Some("auto".into()));
    }
    if let Some(any) = any {
        notes.refuse_rest(any)?;
        return if functions.is_empty() {
            let message = "`toolConfig.toolChoice.any` demands a tool, and none is left that could be called.";
            Err(Fault::new(Kind::UnsupportedParameter, message).param("toolConfig.toolChoice.any"))
        } else {
            Ok(Some("required".into()))
        };
    }
    let Some(mut tool) = tool else { return Ok(None) };
    let name = tool.text("name")?.unwrap_or_default();
    if functions.iter().all(|function| function["function"]["name"] != name.as_str()) {
        return Err(bad(tool.at("name"), "names a tool that is not among `toolConfig.tools`"));
    }
    notes.refuse_rest(tool)?;
    Ok(Some(json!({"type": "function", "function": {"name": name}})))
}

fn output(mut config: Fields, chat: &mut Map<String, Value>, notes: &mut Notes) -> Result<()> {
    if let Some(effort) = config.text("effort")? {
        chat.insert("reasoning_effort".into(), effort.into());
    }
    if let Some(mut format) = config.object("textFormat")? {
        format.take("type");
        let mut structure = format.object("structure")?;
        let schema = match &mut structure {
            Some(structure) => structure.object("jsonSchema")?,
            None => None,
        };
        let mut schema = schema.ok_or_else(|| bad(format.at("structure.jsonSchema"), "is missing"))?;
        if let Some(structure) = structure {
            notes.refuse_rest(structure)?;
        }
        let written = match schema.take("schema") {
            Some(Value::String(text)) => serde_json::from_str(&text).ok(),
            other => other,
        };
        let written = written.ok_or_else(|| bad(schema.at("schema"), "must be a JSON schema, written as a text"))?;
        let mut named = Map::new();
        named.insert("name".into(), schema.text("name")?.unwrap_or_else(|| "response".into()).into());
        if let Some(description) = schema.text("description")? {
            named.insert("description".into(), description.into());
        }
        named.insert("schema".into(), written);
        chat.insert("response_format".into(), json!({"type": "json_schema", "json_schema": named}));
        notes.refuse_rest(schema)?;
        notes.refuse_rest(format)?;
    }
    notes.refuse_rest(config)
}
