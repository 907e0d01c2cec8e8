//! What Anthropic refuses, in its words: unknown members, blocks in wrong places, results without calls, bad signatures.

use serde_json::Value;

use super::super::bad;
use super::emit;
use crate::ask::{Ask, text};
use crate::chat::errors::{Kind, Refusal};

type Checked = Result<(), Refusal>;

/// Members of a call.
const MEMBERS: &[&str] = &[
    "cache_control",
    "inference_geo",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "output_config",
    "service_tier",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// Members that a beta header switches on.
const BETA: &[&str] = &["container", "context_management", "mcp_servers", "output_format", "speed"];

/// Those that counting takes.
const COUNTED: &[&str] =
    &["cache_control", "messages", "model", "output_config", "system", "thinking", "tool_choice", "tools"];

pub(super) fn check(body: &Value, ask: &Ask, counted: bool) -> Checked {
    let Value::Object(members) = body else { return bad("body", "Input should be an object") };
    let beta = ask.header("anthropic-beta").is_some();
    for name in members.keys().map(String::as_str) {
        let known = if counted { COUNTED.contains(&name) } else { MEMBERS.contains(&name) };
        if !(known || beta && BETA.contains(&name)) {
            return bad(name, "Extra inputs are not permitted");
        }
    }
    if text(body, "model").is_none() {
        return bad("model", "Field required");
    }
    if !counted {
        limits(body)?;
    }
    system(body.get("system"))?;
    tools(body)?;
    thinking(body)?;
    messages(body)
}

fn limits(body: &Value) -> Checked {
    match body.get("max_tokens").map(Value::as_u64) {
        None => return bad("max_tokens", "Field required"),
        Some(Some(1..)) => {}
        Some(_) => return bad("max_tokens", "Input should be greater than or equal to 1"),
    }
    for name in ["temperature", "top_p"] {
        let within = |value: &Value| value.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number));
        if body.get(name).is_some_and(|value| !within(value)) {
            return bad(name, "Input should be between 0 and 1");
        }
    }
    if body.get("stream").is_some_and(|stream| !stream.is_boolean()) {
        return bad("stream", "Input should be a valid boolean");
    }
    if let Some(stops) = body.get("stop_sequences") {
        let texts = stops.as_array().is_some_and(|stops| stops.iter().all(Value::is_string));
        if !texts {
            return bad("stop_sequences", "Input should be a valid list of strings");
        }
    }
    if let Some(metadata) = body.get("metadata") {
        let known =
            |map: &serde_json::Map<String, Value>| map.iter().all(|(name, id)| name == "user_id" && id.is_string());
        if !metadata.as_object().is_some_and(known) {
            return bad("metadata", "Extra inputs are not permitted");
        }
    }
    Ok(())
}

fn system(system: Option<&Value>) -> Checked {
    match system {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) => {
            for (at, block) in blocks.iter().enumerate() {
                said(block, &format!("system.{at}"))?;
            }
            Ok(())
        }
        Some(_) => bad("system", "Input should be a valid string or list of text blocks"),
    }
}

/// A text block, not empty.
fn said(block: &Value, at: &str) -> Checked {
    match (text(block, "type"), text(block, "text")) {
        (Some("text"), Some("")) => bad(at, "text content blocks must be non-empty"),
        (Some("text"), Some(_)) => Ok(()),
        _ => bad(at, "Input should be a text block"),
    }
}

fn tools(body: &Value) -> Checked {
    let none = Vec::new();
    let tools = match body.get("tools") {
        None => &none,
        Some(Value::Array(tools)) => tools,
        Some(_) => return bad("tools", "Input should be a valid list"),
    };
    for (at, tool) in tools.iter().enumerate() {
        let kind = text(tool, "type").unwrap_or("custom");
        let known = ["bash_", "text_editor_", "memory_", "web_search_", "web_fetch_", "code_execution_", "computer_"];
        if kind != "custom" && !known.iter().any(|known| kind.starts_with(known)) {
            return bad(
                &format!("tools.{at}"),
                format!("Input tag '{kind}' found using 'type' does not match any of the expected tags"),
            );
        }
        let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if !text(tool, "name").is_some_and(|name| (1..=128).contains(&name.len()) && plain(name)) {
            return bad(&format!("tools.{at}.name"), "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'");
        }
        if kind == "custom" && tool.pointer("/input_schema/type").and_then(Value::as_str) != Some("object") {
            return bad(&format!("tools.{at}.custom.input_schema.type"), "Input should be 'object'");
        }
    }
    let Some(choice) = body.get("tool_choice") else { return Ok(()) };
    let named = |name: &str| tools.iter().any(|tool| text(tool, "name") == Some(name));
    match text(choice, "type") {
        Some("auto" | "none") => Ok(()),
        Some("any") if !tools.is_empty() => Ok(()),
        Some("tool") if text(choice, "name").is_some_and(named) => Ok(()),
        Some("any" | "tool") => bad("tool_choice", "Tool not found in provided tools"),
        _ => bad("tool_choice", "Input tag does not match any of the expected tags: 'auto', 'any', 'tool', 'none'"),
    }
}

fn thinking(body: &Value) -> Checked {
    let Some(thinking) = body.get("thinking") else { return Ok(()) };
    match text(thinking, "type") {
        Some("disabled" | "adaptive") => Ok(()),
        Some("enabled") => match thinking.get("budget_tokens").and_then(Value::as_u64) {
            Some(budget) if budget < 1024 => {
                bad("thinking.enabled.budget_tokens", "Input should be greater than or equal to 1024")
            }
            Some(budget) if body.get("max_tokens").and_then(Value::as_u64).is_some_and(|most| most <= budget) => {
                bad("max_tokens", "`max_tokens` must be greater than `thinking.budget_tokens`")
            }
            Some(_) => Ok(()),
            None => bad("thinking.enabled.budget_tokens", "Field required"),
        },
        _ => bad("thinking", "Input tag does not match any of the expected tags: 'enabled', 'disabled', 'adaptive'"),
    }
}

fn messages(body: &Value) -> Checked {
    let Some(messages) = body.get("messages").and_then(Value::as_array) else {
        return bad("messages", "Field required");
    };
    if messages.is_empty() {
        return bad("messages", "at least one message is required");
    }
    let thinks = matches!(body.pointer("/thinking/type").and_then(Value::as_str), Some("enabled"));
    let mut owed: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let role = text(message, "role").unwrap_or_default();
        if !matches!(role, "user" | "assistant") {
            return bad(&format!("messages.{at}.role"), "Input should be 'user' or 'assistant'");
        }
        let blocks: &[Value] = match message.get("content") {
            Some(Value::String(text)) if text.is_empty() => {
                return bad(&format!("messages.{at}"), "all messages must have non-empty content");
            }
            Some(Value::String(_)) => &[],
            Some(Value::Array(blocks)) if !blocks.is_empty() => blocks,
            _ => return bad(&format!("messages.{at}.content"), "Field required"),
        };
        results(at, role, blocks, &owed)?;
        for (inner, one) in blocks.iter().enumerate() {
            block(one, role, &format!("messages.{at}.content.{inner}"))?;
        }
        owed = blocks.iter().filter(|b| text(b, "type") == Some("tool_use")).filter_map(|b| text(b, "id")).collect();
        let first = blocks.first().and_then(|block| text(block, "type")).unwrap_or_default();
        if thinks && !owed.is_empty() && !matches!(first, "thinking" | "redacted_thinking") {
            let message = format!(
                "Expected `thinking` or `redacted_thinking`, but found `{first}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block"
            );
            return bad(&format!("messages.{at}.content.0.type"), message);
        }
    }
    if let [.., last] = messages.as_slice()
        && !owed.is_empty()
        && text(last, "role") == Some("assistant")
    {
        return unanswered(messages.len() - 1, &owed);
    }
    Ok(())
}

/// Every call is answered right behind it, and nothing else is answered.
fn results(at: usize, role: &str, blocks: &[Value], owed: &[&str]) -> Checked {
    let answers: Vec<&str> = blocks
        .iter()
        .filter(|b| text(b, "type") == Some("tool_result"))
        .filter_map(|b| text(b, "tool_use_id"))
        .collect();
    let missing: Vec<&str> = owed.iter().copied().filter(|id| !answers.contains(id)).collect();
    if !missing.is_empty() {
        return unanswered(at.saturating_sub(1), &missing);
    }
    match answers.iter().find(|id| role != "user" || !owed.contains(id)) {
        Some(id) => bad(
            &format!("messages.{at}.content"),
            format!(
                "unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            ),
        ),
        None => Ok(()),
    }
}

fn unanswered(at: usize, ids: &[&str]) -> Checked {
    bad(
        &format!("messages.{at}"),
        format!(
            "`tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
            ids.join(", ")
        ),
    )
}

fn block(block: &Value, role: &str, at: &str) -> Checked {
    match (text(block, "type").unwrap_or_default(), role) {
        ("text", _) => said(block, at),
        ("image" | "document", "user") => source(block, at),
        ("search_result", "user") => Ok(()),
        ("tool_result", "user") => match block.get("content") {
            None | Some(Value::String(_)) => Ok(()),
            Some(Value::Array(inner)) => inner.iter().try_for_each(|one| match text(one, "type") {
                Some("text") => said(one, at),
                Some("image" | "document") => source(one, at),
                _ => bad(at, "Input should be a text, image or document block"),
            }),
            Some(_) => bad(at, "content: Input should be a valid string or list"),
        },
        ("tool_use", "assistant") => {
            let good = block.get("input").is_some_and(Value::is_object) && text(block, "name").is_some();
            if good && text(block, "id").is_some() {
                Ok(())
            } else {
                bad(at, "tool_use: id, name and input are required")
            }
        }
        ("thinking", "assistant") => {
            let thought = text(block, "thinking").unwrap_or_default();
            if text(block, "signature") == Some(&emit::signature(thought)) {
                Ok(())
            } else {
                bad(at, "Invalid `signature` in `thinking` block")
            }
        }
        ("redacted_thinking", "assistant") if text(block, "data").is_some() => Ok(()),
        (kind, _) => bad(at, format!("Input tag '{kind}' found using 'type' does not match any of the expected tags")),
    }
}

fn source(block: &Value, at: &str) -> Checked {
    let has = |name: &str| block.pointer(&format!("/source/{name}")).is_some_and(Value::is_string);
    let good = match block.pointer("/source/type").and_then(Value::as_str) {
        Some("base64" | "text") => has("media_type") && has("data"),
        Some("url") => has("url"),
        Some("file") => has("file_id"),
        _ => false,
    };
    if good { Ok(()) } else { Err(Refusal::new(Kind::Malformed, format!("{at}.source: Field required")).about(at)) }
}
