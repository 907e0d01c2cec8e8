//! The items of an answer: what they hold, and how they look in the response.

use serde_json::{Map, Value, json};

use super::{
    custom::{Brackets, FreeText},
    thought::Thought,
    tools::Known,
};

/// One item.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) body: Body,
}

/// What an item holds.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// What the model thought: as a summary, or as it was thought; and sealed.
    Reasoning { thought: Thought, summary: bool, sealed: Option<String> },
    /// What it said.
    Message(Vec<Part>),
    /// A function's call.
    Call(Call),
}

/// A part of a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub(super) refusal: bool,
    pub(super) text: String,
    pub(super) logprobs: Vec<Value>,
}

/// A call of a function or of a tool of free text.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) known: Known,
    pub(super) call_id: String,
    pub(super) arguments: String,
    pub(super) brackets: Brackets,
    pub(super) free: FreeText,
}

impl Call {
    pub(super) fn push(&mut self, piece: &str) {
        self.brackets.push(piece);
        if self.known.custom {
            self.free.push(piece);
        } else {
            self.arguments.push_str(piece);
        }
    }

    /// Nothing more comes. A call without arguments has an empty object: callers read JSON.
    pub(super) fn end(&mut self) {
        self.free.end();
        if self.arguments.is_empty() {
            self.arguments.push_str("{}");
        }
    }

    /// What the caller gets to see: arguments, or free text.
    pub(super) fn said(&self) -> &str {
        if self.known.custom { self.free.so_far() } else { &self.arguments }
    }
}

impl Part {
    pub(super) fn shape(&self) -> Value {
        if self.refusal {
            return json!({"type": "refusal", "refusal": self.text});
        }
        json!({"type": "output_text", "annotations": [], "logprobs": self.logprobs, "text": self.text})
    }
}

impl Item {
    /// Whether the item can be closed when another follows.
    pub(super) const fn may_close(&self) -> bool {
        match &self.body {
            Body::Call(call) => call.brackets.whole(),
            Body::Reasoning { .. } | Body::Message(_) => true,
        }
    }

    /// As it is in the response.
    pub(super) fn shape(&self, status: &str) -> Value {
        match &self.body {
            Body::Reasoning { thought: Thought { text, .. }, summary, sealed } => {
                let mut item = json!({"id": self.id, "type": "reasoning", "summary": []});
                if text.is_empty() {
                    // The vendor keeps it to itself.
                } else if *summary {
                    item["summary"] = json!([{"type": "summary_text", "text": text}]);
                } else {
                    item["content"] = json!([{"type": "reasoning_text", "text": text}]);
                }
                if let Some(sealed) = sealed {
                    item["encrypted_content"] = sealed.as_str().into();
                }
                item
            }
            Body::Message(parts) => {
                let content: Vec<Value> = parts.iter().map(Part::shape).collect();
                json!({"id": self.id, "type": "message", "status": status, "role": "assistant", "content": content})
            }
            Body::Call(call) => call_shape(&self.id, status, call, call.said()),
        }
    }

    /// As it is announced, before anything is in it.
    pub(super) fn empty(&self) -> Value {
        const STATUS: &str = "in_progress";
        match &self.body {
            Body::Reasoning { summary: true, .. } => json!({"id": self.id, "type": "reasoning", "summary": []}),
            Body::Reasoning { .. } => json!({"id": self.id, "type": "reasoning", "summary": [], "content": []}),
            Body::Message(_) => {
                json!({"id": self.id, "type": "message", "status": STATUS, "role": "assistant", "content": []})
            }
            Body::Call(call) => call_shape(&self.id, STATUS, call, ""),
        }
    }
}

fn call_shape(id: &str, status: &str, call: &Call, said: &str) -> Value {
    let (kind, member) = if call.known.custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
    let mut item = Map::new();
    item.insert("id".into(), id.into());
    item.insert("type".into(), kind.into());
    item.insert("status".into(), status.into());
    item.insert(member.into(), said.into());
    item.insert("call_id".into(), call.call_id.as_str().into());
    item.insert("name".into(), call.known.name.as_str().into());
    if let Some(namespace) = &call.known.namespace {
        item.insert("namespace".into(), namespace.as_str().into());
    }
    item.into()
}

/// The id of an item: a prefix that says what it is, the response's own letters, and its number.
pub(super) fn id(prefix: &str, response: &str, number: usize) -> String {
    let own = response.strip_prefix("resp_").unwrap_or(response);
    format!("{prefix}_{own}{number:06x}")
}
