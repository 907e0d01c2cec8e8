//! Answers as Bedrock writes them: whole, or as binary messages.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{Fault, SendBody, Usage};

use super::{fault, frame};
use crate::{
    events::{Event, Write},
    heard::{Gathered, Order, Piece, arguments},
    openai::chat::Finish,
};

/// Writes one answer.
#[derive(Default)]
pub(super) struct Writer {
    open: Option<Open>,
    /// Whether the open call has arguments.
    argued: bool,
    blocks: u32,
    refused: bool,
    order: Order,
}

/// The block that is being written, always the last one begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Redacted,
    Call(u32),
}

impl Writer {
    fn put(kind: &str, payload: &Value, out: &mut dyn FnMut(Bytes)) {
        out(frame::event(kind, payload.to_string().as_bytes()));
    }

    /// The number of the open block.
    const fn index(&self) -> u32 {
        self.blocks.saturating_sub(1)
    }

    /// Opens a block of this kind unless it is open.
    fn open(&mut self, kind: Open, out: &mut dyn FnMut(Bytes)) {
        if self.open != Some(kind) {
            self.close(out);
            self.open = Some(kind);
            self.blocks += 1;
        }
    }

    fn close(&mut self, out: &mut dyn FnMut(Bytes)) {
        if matches!(self.open, Some(Open::Call(_))) && !self.argued {
            self.delta(&json!({"toolUse": {"input": "{}"}}), out);
        }
        self.argued = false;
        if self.open.take().is_some() {
            Self::put("contentBlockStop", &json!({"contentBlockIndex": self.index()}), out);
        }
    }

    fn delta(&self, delta: &Value, out: &mut dyn FnMut(Bytes)) {
        Self::put("contentBlockDelta", &json!({"contentBlockIndex": self.index(), "delta": delta}), out);
    }

    /// Writes an event whose turn it is.
    fn write(&mut self, event: &Event, out: &mut dyn FnMut(Bytes)) {
        match event {
            Event::Start { .. } => Self::put("messageStart", &json!({"role": "assistant"}), out),
            Event::Text { choice: 0, text } | Event::Refusal { choice: 0, text } => {
                self.refused |= matches!(event, Event::Refusal { .. });
                self.open(Open::Text, out);
                self.delta(&json!({"text": text}), out);
            }
            Event::Reasoning { choice: 0, text } => {
                self.open(Open::Thinking, out);
                self.delta(&json!({"reasoningContent": {"text": text}}), out);
            }
            Event::Thought { choice: 0, block } => {
                let (kind, delta) = signed(block);
                self.open(kind, out);
                self.delta(&json!({ "reasoningContent": delta }), out);
                self.close(out);
            }
            Event::ToolStart { choice: 0, index, id, name } => {
                self.open(Open::Call(*index), out);
                let start = json!({"toolUse": {"toolUseId": id, "name": name}});
                Self::put("contentBlockStart", &json!({"contentBlockIndex": self.index(), "start": start}), out);
            }
            Event::ToolArguments { choice: 0, index, json } if self.open == Some(Open::Call(*index)) => {
                self.argued = true;
                self.delta(&json!({"toolUse": {"input": json}}), out);
            }
            Event::Finish { choice: 0, reason } => {
                self.close(out);
                Self::put("messageStop", &json!({"stopReason": stop(Some(*reason), self.refused)}), out);
            }
            Event::Usage(usage) => {
                Self::put("metadata", &json!({"usage": counted(usage), "metrics": {"latencyMs": 0}}), out);
            }
            // Bedrock gives one answer, and says nothing at the end.
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
        let message = format!("{} (request {request_id})", fault.message);
        let kind = fault::in_stream(fault);
        let mut said = Map::new();
        said.insert("message".into(), message.into());
        if kind == "modelStreamErrorException" {
            said.insert("originalStatusCode".into(), crate::openai::fault::status(fault).into());
            said.insert("originalMessage".into(), fault.message.as_str().into());
        }
        out(frame::exception(kind, Value::Object(said).to_string().as_bytes()));
    }

    fn whole(&mut self, events: &[Event]) -> SendBody {
        let mut gathered = Gathered::of(events);
        let said = gathered.choice(0).clone();
        let mut content: Vec<Value> = Vec::new();
        for piece in &said.pieces {
            let block = match piece {
                Piece::Text(text) => json!({ "text": text }),
                Piece::Reasoning(text) => json!({"reasoningContent": {"reasoningText": {"text": text}}}),
                Piece::Signed(block) => match signed(block) {
                    (Open::Redacted, redacted) => json!({ "reasoningContent": redacted }),
                    (_, said) => {
                        let unsigned = |last: &mut Value| last["reasoningContent"]["reasoningText"].is_object();
                        let mut thought = content.pop_if(unsigned).unwrap_or_default();
                        thought["reasoningContent"]["reasoningText"]["signature"] = said["signature"].clone();
                        thought
                    }
                },
                Piece::Tool { id, name, arguments: json, .. } => {
                    json!({"toolUse": {"toolUseId": id, "name": name, "input": arguments(json)}})
                }
            };
            content.push(block);
        }
        let answer = json!({
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": stop(said.finish, said.refused),
            "usage": counted(&gathered.usage.unwrap_or_default()),
            "metrics": {"latencyMs": 0},
        });
        SendBody::from(Bytes::from(answer.to_string()))
    }

    fn stream_type(&self) -> &'static str {
        "application/vnd.amazon.eventstream"
    }
}

/// What a signed block of thought adds to the text that was told: its signature, or that what was thought is secret.
fn signed(block: &Value) -> (Open, Value) {
    let text = |name: &str| block[name].as_str().unwrap_or_default();
    if block["type"] == "redacted_thinking" {
        return (Open::Redacted, json!({ "redactedContent": STANDARD.encode(text("data")) }));
    }
    (Open::Thinking, json!({ "signature": text("signature") }))
}

const fn stop(finish: Option<Finish>, refused: bool) -> &'static str {
    match finish {
        Some(Finish::Length) => "max_tokens",
        Some(Finish::ToolCalls | Finish::FunctionCall) => "tool_use",
        Some(Finish::ContentFilter) => "content_filtered",
        Some(Finish::Stop | Finish::Other) | None => {
            if refused {
                "content_filtered"
            } else {
                "end_turn"
            }
        }
    }
}

/// What was used. Bedrock counts what was read from a cache beside the prompt, not in it.
fn counted(usage: &Usage) -> Value {
    let mut said = Map::new();
    said.insert("inputTokens".into(), usage.input.saturating_sub(usage.cached_input).into());
    said.insert("outputTokens".into(), usage.output.into());
    said.insert("totalTokens".into(), usage.total().into());
    if usage.cached_input > 0 {
        said.insert("cacheReadInputTokens".into(), usage.cached_input.into());
    }
    Value::Object(said)
}
