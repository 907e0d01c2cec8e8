//! The messages of a call: blocks become OpenAI's messages, in the order that OpenAI's chat wants.
//!
//! * The results of tools come first of what a user's message holds: OpenAI wants them right after the calls. Pictures
//!   in them follow in the user's own message, since a tool's message holds text only.
//! * What was thought goes back as `reasoning_content`, once its signature has been checked.
//! * A result that is an error begins with `Error: `, since OpenAI has no mark for it.

use std::fmt;

use serde_json::{Map, Value, json};
use types::Result;

use super::{
    Sealer,
    content::{self, Part},
    members::{array, distrust, flag, object, text, wrong},
    seal,
};
use crate::heard::Notes;

/// Where a block stands, for messages.
#[derive(Clone, Copy)]
pub(super) struct At {
    message: usize,
    block: usize,
    inner: Option<usize>,
}

impl At {
    pub(super) const fn inside(self, inner: usize) -> Self {
        Self { inner: Some(inner), ..self }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "messages[{}].content[{}]", self.message, self.block)?;
        self.inner.map_or(Ok(()), |inner| write!(f, ".content[{inner}]"))
    }
}

/// The mark of a line that a well-known client puts before its instructions: it differs from call to call, is meant for
/// Anthropic's books only, and would spoil every cache of prompts.
const BOOKKEEPING: &str = "x-anthropic-billing-header:";

/// The system's message, if it says something.
pub(super) fn system(said: Value, notes: &mut Notes) -> Result<Option<Value>> {
    let texts = match said {
        Value::String(text) => vec![text],
        Value::Array(blocks) => {
            let mut texts = Vec::with_capacity(blocks.len());
            for (index, block) in blocks.into_iter().enumerate() {
                let at = format!("system[{index}]");
                let mut block = object(block, &at)?;
                if text(&mut block, "type", &at)? != "text" {
                    return Err(wrong(format_args!("{at}.type"), "must be \"text\""));
                }
                let said = text(&mut block, "text", &at)?;
                notes.unread("system", &block, &["type", "cache_control"]);
                if said.starts_with(BOOKKEEPING) {
                    notes.took_out(at);
                } else {
                    texts.push(said);
                }
            }
            texts
        }
        _ => return Err(wrong("system", "must be a string or an array of text blocks")),
    };
    let texts: Vec<_> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    Ok((!texts.is_empty()).then(|| json!({ "role": "system", "content": texts.join("\n\n") })))
}

/// Reads the messages.
pub(super) fn read(said: Vec<Value>, sealer: &dyn Sealer, notes: &mut Notes, out: &mut Vec<Value>) -> Result<()> {
    if said.is_empty() {
        return Err(wrong("messages", "is empty: send at least one message"));
    }
    for (index, message) in said.into_iter().enumerate() {
        let at = format!("messages[{index}]");
        let mut message = object(message, &at)?;
        let role = text(&mut message, "role", &at)?;
        let blocks = match message.shift_remove("content") {
            Some(Value::String(said)) => vec![json!({ "type": "text", "text": said })],
            Some(Value::Array(blocks)) => blocks,
            _ => return Err(wrong(format_args!("{at}.content"), "must be a string or an array of blocks")),
        };
        match role.as_str() {
            "user" => user(index, blocks, notes, out)?,
            "assistant" => assistant(index, blocks, sealer, notes, out)?,
            "system" => out.extend(system(Value::Array(blocks), notes)?),
            _ => return Err(wrong(format_args!("{at}.role"), "must be \"user\", \"assistant\" or \"system\"")),
        }
        notes.unread("messages", &message, &["role"]);
    }
    Ok(())
}

fn user(message: usize, blocks: Vec<Value>, notes: &mut Notes, out: &mut Vec<Value>) -> Result<()> {
    let mut parts = Vec::with_capacity(blocks.len());
    let mut shown = Vec::new();
    let is_empty = blocks.is_empty();
    let before = out.len();
    for (block, value) in blocks.into_iter().enumerate() {
        let at = At { message, block, inner: None };
        let mut map = object(value, at)?;
        let kind = text(&mut map, "type", at)?;
        content::name_unread(&kind, &map, notes);
        if kind == "tool_result" {
            out.push(tool_result(map, at, &mut shown, notes)?);
        } else {
            content::part(&kind, map, at, notes, &mut parts)?;
        }
    }
    shown.append(&mut parts);
    if !shown.is_empty() || is_empty || out.len() == before {
        out.push(json!({ "role": "user", "content": content::joined(shown) }));
    }
    Ok(())
}

/// A tool's message; the pictures go to `shown`.
fn tool_result(mut map: Map<String, Value>, at: At, shown: &mut Vec<Part>, notes: &mut Notes) -> Result<Value> {
    let id = text(&mut map, "tool_use_id", at)?;
    let is_error = flag(&map, "is_error", at)?;
    let mut parts = Vec::new();
    match map.shift_remove("content") {
        None | Some(Value::Null) => {}
        Some(Value::String(said)) => parts.push(Part::Text(said)),
        Some(blocks) => {
            for (inner, block) in array(blocks, format_args!("{at}.content"))?.into_iter().enumerate() {
                let at = at.inside(inner);
                let mut block = object(block, at)?;
                let kind = text(&mut block, "type", at)?;
                content::name_unread(&kind, &block, notes);
                content::part(&kind, block, at, notes, &mut parts)?;
            }
        }
    }
    let (mut texts, mut rich) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text(text) => texts.push(text),
            other => rich.push(other),
        }
    }
    let mut said = texts.join("\n");
    if !rich.is_empty() {
        if said.is_empty() {
            said.push_str("The result follows in the next message.");
        }
        shown.push(Part::Text(format!("What tool call {id} returned besides text:")));
        shown.append(&mut rich);
    }
    if is_error {
        let tells = said.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("error"));
        if said.is_empty() {
            said.push_str("Error: the tool failed without saying why.");
        } else if !tells {
            said.insert_str(0, "Error: ");
        }
    }
    Ok(json!({ "role": "tool", "tool_call_id": id, "content": said }))
}

fn assistant(
    message: usize,
    blocks: Vec<Value>,
    sealer: &dyn Sealer,
    notes: &mut Notes,
    out: &mut Vec<Value>,
) -> Result<()> {
    let (mut said, mut thought, mut calls) = (None::<String>, String::new(), Vec::new());
    let mut signed = Vec::new();
    for (block, value) in blocks.into_iter().enumerate() {
        let at = At { message, block, inner: None };
        let mut map = object(value, at)?;
        let kind = text(&mut map, "type", at)?;
        content::name_unread(&kind, &map, notes);
        match kind.as_str() {
            "text" => said.get_or_insert_default().push_str(&text(&mut map, "text", at)?),
            "thinking" => {
                let visible = text(&mut map, "thinking", at)?;
                let signature = text(&mut map, "signature", at)?;
                let opened = seal::thought(sealer, &signature);
                match opened.filter(|(sealed, _)| visible.is_empty() || *sealed == visible) {
                    Some((sealed, mut blocks)) => {
                        thought.push_str(&sealed);
                        signed.append(&mut blocks);
                    }
                    None => distrust(notes, format_args!("{at}.signature"), FORGED)?,
                }
            }
            "redacted_thinking" => match seal::thought(sealer, &text(&mut map, "data", at)?) {
                Some((sealed, mut blocks)) => {
                    thought.push_str(&sealed);
                    signed.append(&mut blocks);
                }
                None => distrust(notes, format_args!("{at}.data"), FORGED)?,
            },
            "tool_use" => calls.push(tool_use(map, at)?),
            kind @ ("server_tool_use" | "mcp_tool_use") => {
                notes.refuse(at.to_string(), &format!("it is a {kind} block"))?;
            }
            kind if kind.ends_with("_tool_result") => {
                notes.refuse(at.to_string(), "it is the result of a tool that Anthropic runs itself")?;
            }
            kind => return Err(content::unknown(kind, at)),
        }
    }
    let mut turn = Map::new();
    turn.insert("role".into(), "assistant".into());
    let content = if calls.is_empty() { Some(said.unwrap_or_default()) } else { said };
    turn.insert("content".into(), content.map_or(Value::Null, Value::from));
    if !thought.is_empty() {
        turn.insert("reasoning_content".into(), thought.into());
    }
    if !signed.is_empty() {
        turn.insert("thinking_blocks".into(), signed.into());
    }
    if !calls.is_empty() {
        turn.insert("tool_calls".into(), calls.into());
    }
    out.push(Value::Object(turn));
    Ok(())
}

const FORGED: &str =
    "was not signed by this gateway, or was changed since: send thinking blocks back as they came, or leave them out";

fn tool_use(mut map: Map<String, Value>, at: At) -> Result<Value> {
    let id = text(&mut map, "id", at)?;
    let name = text(&mut map, "name", at)?;
    let input = match map.shift_remove("input") {
        Some(input @ Value::Object(_)) => input.to_string(),
        _ => return Err(wrong(format_args!("{at}.input"), "must be an object")),
    };
    Ok(json!({ "id": id, "type": "function", "function": { "name": name, "arguments": input } }))
}
