//! OpenAI's tools as Anthropic's.

use serde_json::{Map, Value, json};
use types::Result;

use super::{call::Writing, take};
use crate::heard::bad;

/// Takes the tools and the choice among them out of a call.
pub(super) fn read(members: &mut Map<String, Value>, writing: &mut Writing<'_>) -> Result<(Vec<Value>, Option<Value>)> {
    let offered = match members.shift_remove("tools") {
        Some(Value::Array(tools)) => tools,
        Some(_) => return Err(bad("tools", "must be an array")),
        None => Vec::new(),
    };
    let choice = members.shift_remove("tool_choice");
    let one = members.shift_remove("parallel_tool_calls") == Some(Value::Bool(false));
    let mut tools = Vec::with_capacity(offered.len());
    for (index, tool) in offered.into_iter().enumerate() {
        tools.extend(one_tool(tool, index, writing)?);
    }
    let mut choice = chosen(choice, &tools, writing)?;
    if tools.is_empty() {
        return Ok((tools, None));
    }
    if one {
        let choice = choice.get_or_insert_with(|| json!({ "type": "auto" }));
        if choice["type"] != "none" {
            choice["disable_parallel_tool_use"] = true.into();
        }
    }
    Ok((tools, choice))
}

fn one_tool(mut tool: Value, index: usize, writing: &mut Writing<'_>) -> Result<Option<Value>> {
    let kind = tool["type"].as_str().unwrap_or_default().to_owned();
    let mark = take(&mut tool, "cache_control");
    if matches!(kind.as_str(), "function" | "custom") {
        writing.unread("tools", &tool, &["type", &kind]);
        let known = ["name", "description", "parameters", "strict", "format"];
        writing.unread(&format!("tools.{kind}"), &tool[kind.as_str()], &known);
    }
    let (mut said, schema) = match kind.as_str() {
        "function" => {
            let mut said = take(&mut tool, "function");
            let schema = match take(&mut said, "parameters") {
                schema @ Value::Object(_) => schema,
                _ => json!({ "type": "object", "properties": {} }),
            };
            (said, schema)
        }
        "custom" if tool["custom"].is_object() => {
            let input =
                json!({ "type": "object", "properties": { "input": { "type": "string" } }, "required": ["input"] });
            (take(&mut tool, "custom"), input)
        }
        // Tools that the vendor of another dialect runs.
        _ => {
            let plain = kind.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
            let shown = if plain && (1..=64).contains(&kind.len()) {
                format!("tools.{kind}")
            } else {
                format!("tools[{index}]")
            };
            writing.took_out(shown);
            return Ok(None);
        }
    };
    let Some(name) = said["name"].as_str() else {
        return Err(bad(format!("tools[{index}].function.name"), "is missing: it must be a string"));
    };
    let mut block = json!({ "name": name });
    if said["description"].is_string() {
        block["description"] = take(&mut said, "description");
    }
    block["input_schema"] = schema;
    if said["strict"] == true {
        block["strict"] = true.into();
    }
    if mark.is_object() {
        block["cache_control"] = mark;
    }
    Ok(Some(block))
}

fn chosen(choice: Option<Value>, tools: &[Value], writing: &mut Writing<'_>) -> Result<Option<Value>> {
    let Some(choice) = choice else { return Ok(None) };
    writing.unread("tool_choice", &choice, &["type", "function", "custom"]);
    for kind in ["function", "custom"] {
        writing.unread(&format!("tool_choice.{kind}"), &choice[kind], &["name"]);
    }
    let name = [&choice["function"]["name"], &choice["custom"]["name"]].into_iter().find_map(Value::as_str);
    Ok(match (choice.as_str(), name) {
        (Some("auto"), _) => Some(json!({ "type": "auto" })),
        (Some("none"), _) => Some(json!({ "type": "none" })),
        (Some("required"), _) if !tools.is_empty() => Some(json!({ "type": "any" })),
        (_, Some(name)) if tools.iter().any(|tool| tool["name"] == name) => {
            Some(json!({ "type": "tool", "name": name }))
        }
        (_, Some(_)) => return Err(bad("tool_choice", "names none of the `tools`")),
        _ => {
            writing.refuse("tool_choice", ": it demands a tool that only another vendor can run")?;
            None
        }
    })
}
