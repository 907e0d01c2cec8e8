//! Answers as Cohere writes them: whole, or as events with a name each.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{Fault, SendBody, Usage};

use crate::{
    events::{Event, Write},
    heard::{Gathered, Order, Piece},
    openai::chat::Finish,
};

/// Writes one answer.
#[derive(Default)]
pub(super) struct Writer {
    id: String,
    open: Option<Open>,
    /// Whether the open call has arguments.
    argued: bool,
    /// How many blocks of content and how many calls have begun.
    blocks: u32,
    calls: u32,
    finish: Option<Finish>,
    usage: Option<Usage>,
    order: Order,
}

/// The block that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text(u32),
    Thinking(u32),
    Call { theirs: u32, ours: u32 },
}

impl Writer {
    fn put(kind: &str, mut rest: Value, out: &mut dyn FnMut(Bytes)) {
        let mut event = Map::new();
        event.insert("type".into(), kind.into());
        if let Some(rest) = rest.as_object_mut() {
            event.append(rest);
        }
        out(format!("event: {kind}\ndata: {}\n\n", Value::Object(event)).into());
    }

    fn close(&mut self, out: &mut dyn FnMut(Bytes)) {
        match self.open.take() {
            Some(Open::Text(index) | Open::Thinking(index)) => Self::put("content-end", json!({"index": index}), out),
            Some(Open::Call { ours, .. }) => {
                if !std::mem::take(&mut self.argued) {
                    Self::argue(ours, "{}", out);
                }
                Self::put("tool-call-end", json!({"index": ours}), out);
            }
            None => {}
        }
    }

    /// Text, or thinking, in a block of its own kind.
    fn say(&mut self, kind: &'static str, text: &str, out: &mut dyn FnMut(Bytes)) {
        let index = match self.open {
            Some(Open::Text(index)) if kind == "text" => index,
            Some(Open::Thinking(index)) if kind == "thinking" => index,
            _ => {
                self.close(out);
                let index = self.blocks;
                self.blocks += 1;
                self.open = Some(if kind == "text" { Open::Text(index) } else { Open::Thinking(index) });
                let content = json!({"type": kind, kind: ""});
                let start = json!({"index": index, "delta": {"message": {"content": content}}});
                Self::put("content-start", start, out);
                index
            }
        };
        Self::put("content-delta", json!({"index": index, "delta": {"message": {"content": {kind: text}}}}), out);
    }

    fn call(&mut self, theirs: u32, id: &str, name: &str, out: &mut dyn FnMut(Bytes)) {
        self.close(out);
        let ours = self.calls;
        self.calls += 1;
        self.open = Some(Open::Call { theirs, ours });
        let call = json!({"id": id, "type": "function", "function": {"name": name, "arguments": ""}});
        Self::put("tool-call-start", json!({"index": ours, "delta": {"message": {"tool_calls": call}}}), out);
    }

    fn argue(ours: u32, json: &str, out: &mut dyn FnMut(Bytes)) {
        let call = json!({"function": {"arguments": json}});
        Self::put("tool-call-delta", json!({"index": ours, "delta": {"message": {"tool_calls": call}}}), out);
    }

    fn end(&mut self, error: Option<&str>, out: &mut dyn FnMut(Bytes)) {
        let mut delta = Map::new();
        if let Some(error) = error {
            delta.insert("error".into(), error.into());
            delta.insert("finish_reason".into(), "ERROR".into());
        } else {
            delta.insert("finish_reason".into(), reason(self.finish).into());
        }
        if let Some(usage) = self.usage {
            delta.insert("usage".into(), counted(&usage));
        }
        Self::put("message-end", json!({"id": self.id, "delta": delta}), out);
    }

    /// Writes an event whose turn it is.
    fn write(&mut self, event: &Event, out: &mut dyn FnMut(Bytes)) {
        match event {
            Event::Start { id, .. } => {
                self.id.clone_from(id);
                let message =
                    json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
                Self::put("message-start", json!({"id": id, "delta": {"message": message}}), out);
            }
            Event::Text { choice: 0, text } | Event::Refusal { choice: 0, text } => self.say("text", text, out),
            Event::Reasoning { choice: 0, text } => self.say("thinking", text, out),
            Event::ToolStart { choice: 0, index, id, name } => self.call(*index, id, name, out),
            Event::ToolArguments { choice: 0, index, json } => {
                if let Some(Open::Call { theirs, ours }) = self.open
                    && theirs == *index
                {
                    self.argued = true;
                    Self::argue(ours, json, out);
                }
            }
            Event::Finish { choice: 0, reason } => {
                self.close(out);
                self.finish = Some(*reason);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Done => {
                self.close(out);
                self.end(None, out);
                out(Bytes::from_static(b"data: [DONE]\n\n"));
            }
            // Cohere gives one answer.
            _ => {}
        }
    }
}

impl Write for Writer {
    fn event(&mut self, event: &Event, out: &mut dyn FnMut(Bytes)) {
        let mut order = std::mem::take(&mut self.order);
        order.push(event, &mut |event| self.write(event, out));
        self.order = order;
    }

    fn fault(&mut self, fault: &Fault, request_id: &str, out: &mut dyn FnMut(Bytes)) {
        self.close(out);
        let error = format!("{} (request {request_id})", fault.message);
        self.end(Some(&error), out);
    }

    fn whole(&mut self, events: &[Event]) -> SendBody {
        let mut gathered = Gathered::of(events);
        let said = gathered.choice(0).clone();
        let (mut content, mut calls) = (Vec::new(), Vec::new());
        for piece in &said.pieces {
            match piece {
                Piece::Text(text) => content.push(json!({"type": "text", "text": text})),
                Piece::Reasoning(text) => content.push(json!({"type": "thinking", "thinking": text})),
                // It has no place for another vendor's signature.
                Piece::Signed(_) => {}
                Piece::Tool { id, name, arguments, .. } => {
                    let arguments = if arguments.is_empty() { "{}" } else { arguments };
                    calls.push(
                        json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}),
                    );
                }
            }
        }
        let mut message = Map::new();
        message.insert("role".into(), "assistant".into());
        if !content.is_empty() {
            message.insert("content".into(), Value::Array(content));
        }
        if !calls.is_empty() {
            message.insert("tool_calls".into(), Value::Array(calls));
        }
        let mut answer = Map::new();
        answer.insert("id".into(), gathered.id.as_str().into());
        answer.insert("finish_reason".into(), reason(said.finish).into());
        answer.insert("message".into(), Value::Object(message));
        if let Some(usage) = gathered.usage {
            answer.insert("usage".into(), counted(&usage));
        }
        SendBody::from(Bytes::from(Value::Object(answer).to_string()))
    }
}

const fn reason(finish: Option<Finish>) -> &'static str {
    match finish {
        Some(Finish::Stop) => "COMPLETE",
        Some(Finish::Length) => "MAX_TOKENS",
        Some(Finish::ToolCalls | Finish::FunctionCall) => "TOOL_CALL",
        Some(Finish::ContentFilter | Finish::Other) | None => "ERROR",
    }
}

fn counted(usage: &Usage) -> Value {
    let tokens = json!({"input_tokens": usage.input, "output_tokens": usage.output});
    let mut said = Map::new();
    said.insert("billed_units".into(), tokens.clone());
    said.insert("tokens".into(), tokens);
    if usage.cached_input > 0 {
        said.insert("cached_tokens".into(), usage.cached_input.into());
    }
    Value::Object(said)
}
