//! Items, as the messages of a chat.

use serde_json::{Value, json};
use types::Result;

use super::{
    Sealer, content,
    notes::{Notes, bad, shown},
    thought::Thought,
    tools::Names,
    turns::Turns,
};

/// What reading items needs besides them.
pub(super) struct Items<'a> {
    pub(super) names: &'a Names,
    pub(super) sealer: &'a dyn Sealer,
    pub(super) notes: &'a mut Notes,
    pub(super) turns: Turns,
}

impl Items<'_> {
    /// Takes one item; `param` is its place in the call.
    pub(super) fn take(&mut self, item: &Value, param: &str) -> Result<()> {
        if !item.is_object() {
            return Err(bad(param, "must be an object"));
        }
        self.name_unread(item);
        match kind(item) {
            Some("message") => self.message(item, param),
            Some("function_call") => {
                let arguments = text(item, "arguments", param)?;
                self.call(item, arguments, param)
            }
            Some("custom_tool_call") => {
                let arguments = json!({"input": text(item, "input", param)?}).to_string();
                self.call(item, &arguments, param)
            }
            Some("function_call_output" | "custom_tool_call_output") => self.result(item, param),
            Some("reasoning") => self.reasoning(item, param),
            // Its tools are among the call's.
            Some("additional_tools") => Ok(()),
            Some("item_reference") => {
                let id = shown(item["id"].as_str().unwrap_or_default());
                Err(bad(&format!("{param}.id"), &format!("refers to the item `{id}`, which is not kept here")))
            }
            Some(kind) => {
                let why = format!("items of type `{}` cannot be said in chat", shown(kind));
                self.notes.refuse(param, &why)
            }
            None => Err(bad(&format!("{param}.type"), "is missing: name the item's type")),
        }
    }

    /// Names what an item has besides what is read.
    fn name_unread(&mut self, item: &Value) {
        let own: &[&str] = match kind(item) {
            Some("message") => &["role", "content"],
            Some("function_call") => &["arguments", "call_id", "name", "namespace"],
            Some("custom_tool_call") => &["input", "call_id", "name", "namespace"],
            Some("function_call_output" | "custom_tool_call_output") => &["call_id", "output"],
            Some("reasoning") => &["summary", "content", "encrypted_content"],
            Some("additional_tools") => &["role", "tools"],
            // Refused as a whole.
            _ => return,
        };
        self.notes.unread("input", item, &[&["id", "type", "status"], own].concat());
        if kind(item) == Some("reasoning") {
            for (name, place) in [("summary", "input.summary"), ("content", "input.content")] {
                let parts = item[name].as_array().into_iter().flatten();
                parts.for_each(|part| self.notes.unread(place, part, &["type", "text"]));
            }
        }
    }

    fn message(&mut self, item: &Value, param: &str) -> Result<()> {
        let place = format!("{param}.content");
        match item["role"].as_str() {
            Some("assistant") => {
                let said = content::of_assistant(&item["content"], &place, self.notes)?;
                self.turns.say(&said);
            }
            Some(role @ ("user" | "system" | "developer")) => {
                let said = content::of_user(&item["content"], &place, self.notes)?;
                match (role, text_alone(&said)) {
                    ("user", _) | (_, None) => self.turns.message(role, &said),
                    (role, Some(text)) => self.turns.instruct(role, &text),
                }
            }
            _ => {
                let place = format!("{param}.role");
                return Err(bad(&place, "must be `user`, `assistant`, `system` or `developer`"));
            }
        }
        Ok(())
    }

    fn call(&mut self, item: &Value, arguments: &str, param: &str) -> Result<()> {
        let id = text(item, "call_id", param)?;
        let name = self.names.written(item["namespace"].as_str(), text(item, "name", param)?);
        let arguments = if arguments.is_empty() { "{}" } else { arguments };
        self.turns.call(id, &name, arguments);
        Ok(())
    }

    fn result(&mut self, item: &Value, param: &str) -> Result<()> {
        let id = text(item, "call_id", param)?;
        if !self.turns.called(id) {
            let what = format!("is `{}`, and no call of that id comes before it", shown(id));
            return Err(bad(&format!("{param}.call_id"), &what));
        }
        let (said, pictures) = content::of_tool(&item["output"], &format!("{param}.output"), self.notes)?;
        self.turns.result(id, &said, pictures);
        Ok(())
    }

    /// Reasoning goes back as it was thought: as what was sealed, in full, or as far as the summary says.
    fn reasoning(&mut self, item: &Value, param: &str) -> Result<()> {
        let mut thought = match &item["encrypted_content"] {
            Value::String(sealed) => {
                let opened = Thought::open(self.sealer, sealed);
                if opened.is_none() {
                    let place = format!("{param}.encrypted_content");
                    self.notes.refuse(&place, "it was not sealed here").map_err(|mut fault| {
                        fault.kind = types::Kind::BadRequest;
                        fault.code("invalid_encrypted_content")
                    })?;
                }
                opened.unwrap_or_default()
            }
            Value::Null => Thought::default(),
            _ => return Err(bad(&format!("{param}.encrypted_content"), "must be a string")),
        };
        if thought.is_empty() {
            thought.text = said_openly(item);
        }
        if !thought.is_empty() {
            self.turns.think(thought);
        }
        Ok(())
    }
}

/// What of a reasoning item can be read: what was thought, else its summary.
pub(super) fn said_openly(item: &Value) -> String {
    let thought = texts(&item["content"]);
    if thought.is_empty() { texts(&item["summary"]) } else { thought }
}

/// The type of an item; messages and references may leave it out.
pub(super) fn kind(item: &Value) -> Option<&str> {
    match item["type"].as_str() {
        None if item["role"].is_string() => Some("message"),
        None if item["id"].is_string() => Some("item_reference"),
        kind => kind,
    }
}

fn text<'a>(item: &'a Value, member: &str, param: &str) -> Result<&'a str> {
    item[member].as_str().ok_or_else(|| bad(&format!("{param}.{member}"), "must be a string"))
}

fn texts(parts: &Value) -> String {
    let texts: Vec<&str> = parts.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str()).collect();
    texts.join("\n\n")
}

/// A content that is text only, as one text.
fn text_alone(said: &Value) -> Option<String> {
    if let Some(text) = said.as_str() {
        return Some(text.to_owned());
    }
    let texts: Option<Vec<&str>> = said.as_array()?.iter().map(|part| part["text"].as_str()).collect();
    Some(texts?.join("\n\n"))
}
