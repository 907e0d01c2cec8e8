//! Telling items as events, one item after the other.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::super::{
    frames::Frames,
    items::{Body, Call, Item, Part},
    thought::Thought,
};

/// How much of the items was told.
#[derive(Clone, Debug)]
pub(in super::super) struct Teller {
    frames: Frames,
    /// The item that is being told; all before it are over.
    front: usize,
    announced: bool,
    /// The part of the item that is being told.
    part: usize,
    part_open: bool,
    /// How many bytes and tokens of the part were told.
    bytes: usize,
    tokens: usize,
}

impl Teller {
    pub(in super::super) const fn new(frames: Frames) -> Self {
        Self { frames, front: 0, announced: false, part: 0, part_open: false, bytes: 0, tokens: 0 }
    }

    /// Whether this item was told to its end.
    pub(in super::super) const fn is_over(&self, position: usize) -> bool {
        position < self.front
    }

    /// The response begins; one in the background is queued first.
    pub(in super::super) fn begin(&mut self, response: &Map<String, Value>, out: &mut dyn FnMut(Bytes)) {
        if response.get("background") == Some(&Value::Bool(true)) {
            let with = |status: &str| {
                let mut response = response.clone();
                response.insert("status".into(), status.into());
                Value::Object(response)
            };
            self.queue(&with("queued"), out);
            self.frames.response("response.in_progress", &with("in_progress"), out);
            return;
        }
        self.frames.response("response.created", response, out);
        self.frames.response("response.in_progress", response, out);
    }

    /// A response in the background is there, and waits.
    pub(in super::super) fn queue(&mut self, response: &Value, out: &mut dyn FnMut(Bytes)) {
        self.frames.response("response.created", response, out);
        self.frames.response("response.queued", response, out);
    }

    /// Tells what is new, and ends items that another follows.
    pub(in super::super) fn advance(&mut self, items: &[Item], out: &mut dyn FnMut(Bytes)) {
        while let Some(item) = items.get(self.front) {
            self.tell(item, out);
            if self.front + 1 == items.len() || !item.may_close() {
                break;
            }
            self.close(item, &item.shape("completed"), out);
        }
    }

    /// Tells the rest, and the end.
    pub(in super::super) fn finish(&mut self, items: &[Item], response: &Value, out: &mut dyn FnMut(Bytes)) {
        while let Some(item) = items.get(self.front) {
            self.tell(item, out);
            let shape = response["output"][self.front].clone();
            self.close(item, &shape, out);
        }
        let status = response["status"].as_str().unwrap_or("completed");
        self.frames.response(&format!("response.{status}"), response, out);
    }

    /// Tells that it went wrong, or was called off: for that, OpenAI's streams have no event of their own.
    pub(in super::super) fn fail(&mut self, response: &Value, param: Option<&str>, out: &mut dyn FnMut(Bytes)) {
        if response["status"] == "cancelled" {
            let error = json!({"code": "response_cancelled", "message": "The response was cancelled.", "param": null});
            self.frames.write("error", error, out);
            return;
        }
        let error = &response["error"];
        let error = json!({"code": error["code"], "message": error["message"], "param": param});
        self.frames.write("error", error, out);
        self.frames.response("response.failed", response, out);
    }

    fn tell(&mut self, item: &Item, out: &mut dyn FnMut(Bytes)) {
        if !self.announced {
            self.announced = true;
            let added = json!({"output_index": self.front, "item": item.empty()});
            self.frames.write("response.output_item.added", added, out);
        }
        match &item.body {
            Body::Reasoning { thought, summary, .. } => self.tell_reasoning(item, &thought.text, *summary, out),
            Body::Message(parts) => {
                while let Some(part) = parts.get(self.part) {
                    self.tell_part(item, part, out);
                    if self.part + 1 == parts.len() {
                        break;
                    }
                    self.close_part(item, part, out);
                }
            }
            Body::Call(call) => {
                if let Some(delta) = self.fresh(call.said()) {
                    let kind = format!("response.{}.delta", call_words(call).0);
                    let event = json!({"item_id": item.id, "output_index": self.front, "delta": delta});
                    self.frames.write(&kind, event, out);
                }
            }
        }
    }

    fn tell_reasoning(&mut self, item: &Item, text: &str, summary: bool, out: &mut dyn FnMut(Bytes)) {
        let (part_kind, delta_kind) = if summary {
            ("response.reasoning_summary_part.added", "response.reasoning_summary_text.delta")
        } else {
            ("response.content_part.added", "response.reasoning_text.delta")
        };
        if text.is_empty() {
            return;
        }
        if !std::mem::replace(&mut self.part_open, true) {
            let event = self.of_reasoning(item, summary, "part", thought(summary, ""));
            self.frames.write(part_kind, event, out);
        }
        if let Some(delta) = self.fresh(text) {
            let event = self.of_reasoning(item, summary, "delta", delta.into());
            self.frames.write(delta_kind, event, out);
        }
    }

    fn tell_part(&mut self, item: &Item, part: &Part, out: &mut dyn FnMut(Bytes)) {
        if !std::mem::replace(&mut self.part_open, true) {
            let empty = Part { refusal: part.refusal, ..Part::default() };
            let event = self.of_part(item, "part", empty.shape());
            self.frames.write("response.content_part.added", event, out);
        }
        let logprobs = part.logprobs.get(self.tokens..).unwrap_or_default();
        let delta = self.fresh(&part.text);
        if delta.is_none() && logprobs.is_empty() {
            return;
        }
        self.tokens = part.logprobs.len();
        if !part.refusal && logprobs.is_empty() {
            return self.frames.text(&item.id, [self.front, self.part], delta.unwrap_or_default(), out);
        }
        let mut event = self.of_part(item, "delta", delta.unwrap_or_default().into());
        if part.refusal {
            self.frames.write("response.refusal.delta", event, out);
        } else {
            event["logprobs"] = logprobs.into();
            self.frames.write("response.output_text.delta", event, out);
        }
    }

    fn close_part(&mut self, item: &Item, part: &Part, out: &mut dyn FnMut(Bytes)) {
        if part.refusal {
            let event = self.of_part(item, "refusal", part.text.as_str().into());
            self.frames.write("response.refusal.done", event, out);
        } else {
            let mut event = self.of_part(item, "text", part.text.as_str().into());
            event["logprobs"] = part.logprobs.as_slice().into();
            self.frames.write("response.output_text.done", event, out);
        }
        let event = self.of_part(item, "part", part.shape());
        self.frames.write("response.content_part.done", event, out);
        self.part += 1;
        self.part_open = false;
        (self.bytes, self.tokens) = (0, 0);
    }

    fn close(&mut self, item: &Item, shape: &Value, out: &mut dyn FnMut(Bytes)) {
        match &item.body {
            Body::Reasoning { thought: Thought { text, .. }, .. } if text.is_empty() => {}
            Body::Reasoning { thought: Thought { text, .. }, summary, .. } => {
                let (text_kind, part_kind) = if *summary {
                    ("response.reasoning_summary_text.done", "response.reasoning_summary_part.done")
                } else {
                    ("response.reasoning_text.done", "response.content_part.done")
                };
                let event = self.of_reasoning(item, *summary, "text", text.as_str().into());
                self.frames.write(text_kind, event, out);
                let event = self.of_reasoning(item, *summary, "part", thought(*summary, text));
                self.frames.write(part_kind, event, out);
            }
            Body::Message(parts) => {
                if let Some(part) = parts.get(self.part) {
                    self.close_part(item, part, out);
                }
            }
            Body::Call(call) => {
                let (words, member) = call_words(call);
                let mut event = json!({"item_id": item.id, "output_index": self.front});
                event[member] = call.said().into();
                if !call.known.custom {
                    event["name"] = call.known.name.as_str().into();
                }
                self.frames.write(&format!("response.{words}.done"), event, out);
            }
        }
        let done = json!({"output_index": self.front, "item": shape});
        self.frames.write("response.output_item.done", done, out);
        *self = Self { front: self.front + 1, ..Self::new(self.frames) };
    }

    /// The text that was not told yet.
    fn fresh<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let fresh = text.get(self.bytes..).filter(|fresh| !fresh.is_empty())?;
        self.bytes = text.len();
        Some(fresh)
    }

    fn of_part(&self, item: &Item, member: &str, value: Value) -> Value {
        let mut event = json!({"item_id": item.id, "output_index": self.front, "content_index": self.part});
        event[member] = value;
        event
    }

    fn of_reasoning(&self, item: &Item, summary: bool, member: &str, value: Value) -> Value {
        let index = if summary { "summary_index" } else { "content_index" };
        let mut event = json!({"item_id": item.id, "output_index": self.front});
        event[index] = 0.into();
        event[member] = value;
        event
    }
}

fn thought(summary: bool, text: &str) -> Value {
    json!({"type": if summary { "summary_text" } else { "reasoning_text" }, "text": text})
}

/// How the events of a call are named, and the member that holds the whole.
const fn call_words(call: &Call) -> (&'static str, &'static str) {
    if call.known.custom { ("custom_tool_call_input", "input") } else { ("function_call_arguments", "arguments") }
}
