//! The messages of a chat, gathered from items: what one turn of the assistant says in several items is one message.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::thought::Thought;

/// The messages so far, and the assistant's turn under way.
#[derive(Debug, Default)]
pub(super) struct Turns {
    messages: Vec<Value>,
    turn: Turn,
    /// Pictures that tools gave: chat's tool messages hold text only, so they follow as a message of their own.
    pictures: Vec<Value>,
    calls: HashSet<String>,
}

#[derive(Debug, Default)]
struct Turn {
    thought: Thought,
    text: String,
    calls: Vec<Value>,
}

impl Turns {
    /// Instructions. Those at the very beginning become one message: many models take no second.
    pub(super) fn instruct(&mut self, role: &str, text: &str) {
        self.close();
        let leading = match self.messages.as_mut_slice() {
            [only] if matches!(only["role"].as_str(), Some("system" | "developer")) => Some(only),
            _ => None,
        };
        if let Some(only) = leading
            && let Some(before) = only["content"].as_str()
        {
            only["content"] = format!("{before}\n\n{text}").into();
            if role == "system" {
                only["role"] = role.into();
            }
            return;
        }
        self.messages.push(json!({"role": role, "content": text}));
    }

    /// A message that is not the assistant's.
    pub(super) fn message(&mut self, role: &str, content: &Value) {
        self.close();
        self.messages.push(json!({"role": role, "content": content}));
    }

    /// The assistant's words.
    pub(super) fn say(&mut self, text: &str) {
        self.show_pictures();
        if self.turn.calls.is_empty() && !self.turn.text.is_empty() {
            self.end_turn();
        }
        self.turn.text.push_str(text);
    }

    /// The assistant's thoughts: they come before what it says and calls.
    pub(super) fn think(&mut self, thought: Thought) {
        self.show_pictures();
        if self.turn.calls.is_empty() && !self.turn.text.is_empty() {
            self.end_turn();
        }
        let so_far = &mut self.turn.thought;
        if !so_far.text.is_empty() {
            so_far.text.push('\n');
        }
        so_far.text.push_str(&thought.text);
        so_far.blocks.extend(thought.blocks);
    }

    /// The assistant's call of a function.
    pub(super) fn call(&mut self, id: &str, name: &str, arguments: &str) {
        self.show_pictures();
        self.calls.insert(id.to_owned());
        self.turn.calls.push(json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}));
    }

    /// Whether such a call was made.
    pub(super) fn called(&self, id: &str) -> bool {
        self.calls.contains(id)
    }

    /// What a function gave back.
    pub(super) fn result(&mut self, id: &str, text: &str, pictures: Vec<Value>) {
        self.end_turn();
        self.messages.push(json!({"role": "tool", "tool_call_id": id, "content": text}));
        self.pictures.extend(pictures);
    }

    /// All messages.
    pub(super) fn done(mut self) -> Vec<Value> {
        self.close();
        self.messages
    }

    fn close(&mut self) {
        self.end_turn();
        self.show_pictures();
    }

    fn show_pictures(&mut self) {
        if !self.pictures.is_empty() {
            let pictures = std::mem::take(&mut self.pictures);
            self.messages.push(json!({"role": "user", "content": pictures}));
        }
    }

    fn end_turn(&mut self) {
        let Turn { thought, text, calls } = std::mem::take(&mut self.turn);
        if thought.is_empty() && text.is_empty() && calls.is_empty() {
            return;
        }
        let mut message = Map::new();
        message.insert("role".into(), "assistant".into());
        let silent = text.is_empty() && !calls.is_empty();
        message.insert("content".into(), if silent { Value::Null } else { text.into() });
        if !thought.text.is_empty() {
            message.insert("reasoning_content".into(), thought.text.into());
        }
        if !thought.blocks.is_empty() {
            message.insert("thinking_blocks".into(), thought.blocks.into());
        }
        if !calls.is_empty() {
            message.insert("tool_calls".into(), calls.into());
        }
        self.messages.push(message.into());
    }
}
