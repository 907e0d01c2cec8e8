//! Tools and the choice among them.
//!
//! A tool of the caller's own is a function. Tools that Anthropic names but the caller runs (a shell, an editor, a
//! memory) become functions with the schema that the model is trained on there. Tools that Anthropic runs itself are
//! taken out and named, unless one of them must be called.

use serde_json::{Map, Value, json};
use types::Result;

use super::{
    members::{array, flag, object, text, wrong},
    request::one_at_a_time,
};
use crate::heard::Notes;

/// What is offered.
#[derive(Default)]
pub(super) struct Offered {
    /// As OpenAI's functions, in order.
    pub(super) functions: Vec<Value>,
    /// The names of the tools that were taken out.
    hosted: Vec<String>,
}

pub(super) fn read(tools: Option<Value>, notes: &mut Notes) -> Result<Offered> {
    let mut offered = Offered::default();
    let Some(tools) = tools else { return Ok(offered) };
    for (index, tool) in array(tools, "tools")?.into_iter().enumerate() {
        let at = format!("tools[{index}]");
        let mut tool = object(tool, &at)?;
        let kind = match tool.get("type") {
            None | Some(Value::Null) => "custom".to_owned(),
            Some(_) => text(&mut tool, "type", &at)?,
        };
        if kind == "custom" {
            offered.functions.push(function(tool, &at, notes)?);
        } else if let Some((name, description, schema)) = known(&kind) {
            let name = tool.get("name").and_then(Value::as_str).unwrap_or(name);
            offered.functions.push(json!({
                "type": "function",
                "function": { "name": name, "description": description, "parameters": schema },
            }));
        } else {
            offered.hosted.push(tool.get("name").and_then(Value::as_str).unwrap_or(&kind).to_owned());
            notes.took_out(at);
        }
    }
    Ok(offered)
}

/// Members of a tool that are carried over, or that mean nothing to a backend.
const SAID: &[&str] =
    &["type", "name", "description", "input_schema", "strict", "cache_control", "eager_input_streaming"];

fn function(mut tool: Map<String, Value>, at: &str, notes: &mut Notes) -> Result<Value> {
    let mut function = Map::new();
    function.insert("name".into(), text(&mut tool, "name", at)?.into());
    if tool.get("description").is_some_and(|said| !said.is_null()) {
        function.insert("description".into(), text(&mut tool, "description", at)?.into());
    }
    match tool.shift_remove("input_schema") {
        Some(schema @ Value::Object(_)) => function.insert("parameters".into(), schema),
        _ => return Err(wrong(format_args!("{at}.input_schema"), "must be an object: a JSON schema")),
    };
    if flag(&tool, "strict", at)? {
        function.insert("strict".into(), true.into());
    }
    for (name, said) in &tool {
        let silent = said.is_null() || *said == false || *said == json!(["direct"]);
        if !silent && !SAID.contains(&name.as_str()) {
            let shown: String = name.chars().filter(|c| c.is_ascii_graphic()).take(60).collect();
            notes.took_out(format!("{at}.{shown}"));
        }
    }
    Ok(json!({ "type": "function", "function": function }))
}

/// What `tool_choice` comes to, and whether only one tool may be called at a time.
pub(super) fn choice(said: Option<Value>, offered: &Offered, notes: &mut Notes) -> Result<(Option<Value>, bool)> {
    let Some(said) = said else { return Ok((None, false)) };
    let mut said = object(said, "tool_choice")?;
    let one = one_at_a_time(&said)?;
    notes.unread("tool_choice", &said, &["type", "name", "disable_parallel_tool_use"]);
    let is_empty = offered.functions.is_empty();
    let choice = match text(&mut said, "type", "tool_choice")?.as_str() {
        "auto" => Some(json!("auto")),
        "none" => Some(json!("none")),
        "any" if is_empty && offered.hosted.is_empty() => {
            return Err(wrong("tool_choice", "wants a tool to be called, and there are no `tools`"));
        }
        "any" if is_empty => {
            notes.refuse("tool_choice", "it wants a tool that Anthropic runs itself to be called")?;
            None
        }
        "any" => Some(json!("required")),
        "tool" => {
            let name = text(&mut said, "name", "tool_choice")?;
            if offered.functions.iter().any(|tool| tool["function"]["name"] == *name) {
                Some(json!({ "type": "function", "function": { "name": name } }))
            } else if offered.hosted.contains(&name) {
                notes.refuse("tool_choice", "it wants a tool that Anthropic runs itself to be called")?;
                None
            } else {
                return Err(wrong("tool_choice.name", "is none of the names of `tools`"));
            }
        }
        _ => return Err(wrong("tool_choice.type", "must be \"auto\", \"any\", \"tool\" or \"none\"")),
    };
    Ok((choice.filter(|_| !is_empty), one))
}

/// Name, description and schema of a tool that Anthropic defines and the caller runs.
fn known(kind: &str) -> Option<(&'static str, &'static str, Value)> {
    let (family, version) = kind.rsplit_once('_')?;
    if !version.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let string = json!({ "type": "string" });
    let number = json!({ "type": "integer" });
    Some(match family {
        "bash" => (
            "bash",
            "Runs a command in a shell that stays open between calls.",
            json!({
                "type": "object",
                "properties": {
                    "command": { "type": "string", "description": "The command to run. Needed unless `restart` is true." },
                    "restart": { "type": "boolean", "description": "Start the shell afresh." },
                },
            }),
        ),
        "text_editor" => (
            if version < "20250429" { "str_replace_editor" } else { "str_replace_based_edit_tool" },
            "Views, creates and edits text files.",
            json!({
                "type": "object",
                "properties": {
                    "command": { "type": "string", "enum": ["view", "create", "str_replace", "insert"] },
                    "path": { "type": "string", "description": "Absolute path of a file or folder." },
                    "file_text": string, "old_str": string, "new_str": string, "insert_text": string,
                    "insert_line": number,
                    "view_range": { "type": "array", "items": number },
                },
                "required": ["command", "path"],
            }),
        ),
        "memory" => (
            "memory",
            "Keeps notes in files below /memories between conversations.",
            json!({
                "type": "object",
                "properties": {
                    "command": { "type": "string", "enum": ["view", "create", "str_replace", "insert", "delete", "rename"] },
                    "path": string, "old_path": string, "new_path": string,
                    "file_text": string, "old_str": string, "new_str": string, "insert_text": string,
                    "insert_line": number,
                    "view_range": { "type": "array", "items": number },
                },
                "required": ["command"],
            }),
        ),
        _ => return None,
    })
}
