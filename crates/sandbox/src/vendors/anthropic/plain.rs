//! A call to Anthropic as a plain chat, from which the script is made.

use serde_json::{Value, json};

use crate::ask::text;

pub(super) fn chat(body: &Value) -> Value {
    let mut messages = Vec::new();
    if let Some(system) = body.get("system") {
        messages.push(json!({"role": "system", "content": parts(system)}));
    }
    for message in body.get("messages").and_then(Value::as_array).into_iter().flatten() {
        turn(message, &mut messages);
    }
    let mut chat = json!({"messages": messages, "max_tokens": body.get("max_tokens"), "tools": tools(body)});
    if let Some(stops) = body.get("stop_sequences") {
        chat["stop"] = stops.clone();
    }
    let choice = body.get("tool_choice").unwrap_or(&Value::Null);
    chat["tool_choice"] = match text(choice, "type") {
        Some("any") => json!("required"),
        Some("tool") => json!({"type": "function", "function": {"name": choice.get("name")}}),
        Some("none") => json!("none"),
        _ => json!("auto"),
    };
    if choice.get("disable_parallel_tool_use") == Some(&Value::Bool(true)) {
        chat["parallel_tool_calls"] = json!(false);
    }
    let thinking = body.pointer("/thinking/type").and_then(Value::as_str);
    if matches!(thinking, Some("enabled" | "adaptive")) {
        chat["reasoning_effort"] = json!("high");
    }
    chat
}

fn turn(message: &Value, out: &mut Vec<Value>) {
    let role = text(message, "role").unwrap_or_default();
    let content = message.get("content").unwrap_or(&Value::Null);
    let Value::Array(blocks) = content else {
        out.push(json!({"role": role, "content": content}));
        return;
    };
    let of = |kind: &'static str| blocks.iter().filter(move |block| text(block, "type") == Some(kind));
    if role == "assistant" {
        let call = |block: &Value| {
            let arguments = block.get("input").map(Value::to_string);
            json!({"id": block.get("id"), "function": {"name": block.get("name"), "arguments": arguments}})
        };
        let calls: Vec<Value> = of("tool_use").map(call).collect();
        out.push(json!({"role": role, "content": parts(content), "tool_calls": calls}));
        return;
    }
    for block in of("tool_result") {
        let said = parts(block.get("content").unwrap_or(&Value::Null));
        out.push(json!({"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": said}));
    }
    let rest: Vec<&Value> = blocks.iter().filter(|block| text(block, "type") != Some("tool_result")).collect();
    if !rest.is_empty() {
        out.push(json!({"role": role, "content": parts(&json!(rest))}));
    }
}

/// Blocks as the parts of a chat's message.
fn parts(content: &Value) -> Value {
    let Value::Array(blocks) = content else { return content.clone() };
    let part = |block: &Value| match text(block, "type") {
        Some("text") => Some(json!({"type": "text", "text": block.get("text")})),
        Some("image") => Some(json!({"type": "image_url", "image_url": {"url": url(block)}})),
        Some("document") => Some(json!({"type": "text", "text": document(block)})),
        _ => None,
    };
    Value::Array(blocks.iter().filter_map(part).collect())
}

fn url(block: &Value) -> String {
    let said = |name: &str| block.pointer(&format!("/source/{name}")).and_then(Value::as_str).unwrap_or_default();
    match said("type") {
        "base64" => format!("data:{};base64,{}", said("media_type"), said("data")),
        _ => said("url").to_owned(),
    }
}

fn document(block: &Value) -> String {
    let said = |name: &str| block.pointer(&format!("/source/{name}")).and_then(Value::as_str).unwrap_or_default();
    match said("type") {
        "text" => said("data").to_owned(),
        kind => format!("[document {kind} {}]", said("media_type")),
    }
}

fn tools(body: &Value) -> Vec<Value> {
    let tools = body.get("tools").and_then(Value::as_array);
    let function = |tool: &Value| json!({"type": "function", "function": {"name": tool.get("name"), "parameters": tool.get("input_schema")}});
    tools.into_iter().flatten().filter(|tool| tool.get("input_schema").is_some()).map(function).collect()
}
