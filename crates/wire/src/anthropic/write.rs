//! Writing an answer as a message, whole or as a stream of events.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{Fault, SendBody, Usage};

use super::{
    Sealer, fault,
    flow::{Flow, Part, Step, What, input},
    seal,
    thinking::Thinking,
    tokens,
};
use crate::{
    events::{Event, Write},
    json,
    openai::chat::Finish,
};

/// Writes one answer.
pub struct Writer {
    model: String,
    /// An estimate of the prompt's tokens, until the truth is known.
    input: u64,
    thinking: Thinking,
    sealer: Arc<dyn Sealer>,
    flow: Flow,
    end: End,
    pinged: bool,
}

/// What is known of the answer's end.
#[derive(Default)]
struct End {
    reason: Option<Finish>,
    called: bool,
    refusal: String,
    usage: Option<Usage>,
    /// An estimate of the answer's tokens, should the backend not say.
    output: u64,
}

impl Writer {
    /// A writer of an answer by `model`, as the caller named it, to a prompt of about `input` tokens.
    pub(super) fn new(model: &str, input: u64, thinking: Thinking, sealer: Arc<dyn Sealer>) -> Self {
        Self {
            model: model.to_owned(),
            input,
            thinking,
            sealer,
            flow: Flow::default(),
            end: End::default(),
            pinged: false,
        }
    }

    /// Takes what an event says into blocks; notes what it says of the end.
    fn take(&mut self, event: &Event, sink: &mut dyn FnMut(Step<'_>)) {
        match event {
            Event::Text { choice: 0, text } => {
                self.end.output += tokens::of_text(text);
                self.flow.say(Part::Text, text, sink);
            }
            Event::Refusal { choice: 0, text } => {
                self.end.output += tokens::of_text(text);
                self.end.refusal.push_str(text);
                self.flow.say(Part::Text, text, sink);
            }
            Event::Reasoning { choice: 0, text } => {
                self.end.output += tokens::of_text(text);
                if self.thinking != Thinking::Hidden {
                    self.flow.say(Part::Thinking, text, sink);
                }
            }
            Event::Thought { choice: 0, block } if self.thinking != Thinking::Hidden => self.flow.sign(block, sink),
            Event::ToolStart { choice: 0, index, id, name } => {
                self.end.called = true;
                self.flow.begin(*index, id, name, sink);
            }
            Event::ToolArguments { choice: 0, index, json } => {
                self.end.output += tokens::of_text(json);
                self.flow.say(Part::Tool(*index), json, sink);
            }
            Event::Finish { choice: 0, reason } => self.end.reason = Some(*reason),
            Event::Usage(usage) => self.end.usage = Some(*usage),
            Event::Done => self.flow.end(sink),
            // Other choices cannot be asked for.
            _ => {}
        }
    }

    fn start(&self, id: &str) -> Value {
        let usage = json!({
            "input_tokens": self.input,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        });
        json!({
            "id": message_id(id),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage,
        })
    }
}

impl End {
    fn stop_reason(&self) -> &'static str {
        if !self.refusal.is_empty() {
            return "refusal";
        }
        match self.reason {
            Some(Finish::Length) => "max_tokens",
            Some(Finish::ContentFilter) => "refusal",
            Some(Finish::ToolCalls | Finish::FunctionCall) => "tool_use",
            _ if self.called => "tool_use",
            _ => "end_turn",
        }
    }

    /// The members that tell why the answer ended.
    fn stop(&self) -> Map<String, Value> {
        let mut stop = Map::new();
        let reason = self.stop_reason();
        stop.insert("stop_reason".into(), reason.into());
        stop.insert("stop_sequence".into(), Value::Null);
        if reason == "refusal" {
            let explanation = (!self.refusal.is_empty()).then_some(self.refusal.as_str());
            stop.insert(
                "stop_details".into(),
                json!({ "type": "refusal", "category": null, "explanation": explanation }),
            );
        }
        stop
    }

    fn usage(&self, estimate: u64) -> Value {
        let usage = self.usage.unwrap_or(Usage { input: estimate, output: self.output, ..Usage::default() });
        let mut said = json!({
            "input_tokens": usage.input.saturating_sub(usage.cached_input),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": usage.cached_input,
            "output_tokens": usage.output,
        });
        if usage.reasoning > 0 {
            said["output_tokens_details"] = json!({ "thinking_tokens": usage.reasoning });
        }
        said
    }
}

impl Write for Writer {
    fn event(&mut self, event: &Event, out: &mut dyn FnMut(Bytes)) {
        if let Event::Start { id, .. } = event {
            let start = json!({ "type": "message_start", "message": self.start(id) });
            out(frame("message_start", &start.to_string()));
            return;
        }
        let (sealer, shown) = (Arc::clone(&self.sealer), self.thinking);
        let mut pinged = self.pinged;
        self.take(event, &mut |step| {
            step_frames(&step, &*sealer, shown, out);
            if !std::mem::replace(&mut pinged, true) {
                out(frame("ping", r#"{"type":"ping"}"#));
            }
        });
        self.pinged = pinged;
        if *event == Event::Done {
            let delta =
                json!({ "type": "message_delta", "delta": self.end.stop(), "usage": self.end.usage(self.input) });
            out(frame("message_delta", &delta.to_string()));
            out(frame("message_stop", r#"{"type":"message_stop"}"#));
        }
    }

    fn fault(&mut self, fault: &Fault, request_id: &str, out: &mut dyn FnMut(Bytes)) {
        out(fault::event(fault, request_id).into());
    }

    fn whole(&mut self, events: &[Event]) -> SendBody {
        let (sealer, shown) = (Arc::clone(&self.sealer), self.thinking);
        let mut message = self.start("");
        let mut content = Vec::new();
        let mut held = String::new();
        for event in events {
            if let Event::Start { id, .. } = event {
                message = self.start(id);
            }
            self.take(event, &mut |step| match step {
                Step::Open { .. } => held.clear(),
                Step::Delta { text, .. } => held.push_str(text),
                Step::Close { what, thought, signed, .. } => content.push(match what {
                    What::Text => json!({ "type": "text", "text": held }),
                    What::Thinking => {
                        let visible = if shown == Thinking::Shown { thought } else { "" };
                        json!({ "type": "thinking", "thinking": visible, "signature": seal::sign(&*sealer, thought, signed) })
                    }
                    What::Tool { id, name, .. } => {
                        json!({ "type": "tool_use", "id": id, "name": name, "input": input(&held) })
                    }
                }),
            });
        }
        message["content"] = content.into();
        for (name, value) in self.end.stop() {
            message[name] = value;
        }
        message["usage"] = self.end.usage(self.input);
        message.to_string().into()
    }
}

/// The events of one step.
fn step_frames(step: &Step<'_>, sealer: &dyn Sealer, shown: Thinking, out: &mut dyn FnMut(Bytes)) {
    match step {
        Step::Open { index, what } => {
            let block = match what {
                What::Text => json!({ "type": "text", "text": "" }),
                What::Thinking => json!({ "type": "thinking", "thinking": "", "signature": "" }),
                What::Tool { id, name, .. } => json!({ "type": "tool_use", "id": id, "name": name, "input": {} }),
            };
            let start = json!({ "type": "content_block_start", "index": index, "content_block": block });
            out(frame("content_block_start", &start.to_string()));
        }
        Step::Delta { index, what, text } => match what {
            What::Text => out(delta(*index, "text_delta", "text", text)),
            What::Thinking if shown == Thinking::Shown => out(delta(*index, "thinking_delta", "thinking", text)),
            What::Thinking => {}
            What::Tool { .. } => out(delta(*index, "input_json_delta", "partial_json", text)),
        },
        Step::Close { index, what, thought, signed } => {
            if **what == What::Thinking {
                out(delta(*index, "signature_delta", "signature", &seal::sign(sealer, thought, signed)));
            }
            out(frame("content_block_stop", &format!(r#"{{"type":"content_block_stop","index":{index}}}"#)));
        }
    }
}

fn delta(index: usize, kind: &str, member: &str, text: &str) -> Bytes {
    let mut out = Vec::with_capacity(text.len() + 160);
    let index = index.to_string();
    for part in [
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":",
        &index,
        ",\"delta\":{\"type\":\"",
        kind,
        "\",\"",
        member,
        "\":",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
    json::text::encode(text, &mut out);
    out.extend_from_slice(b"}}\n\n");
    out.into()
}

fn frame(event: &str, data: &str) -> Bytes {
    format!("event: {event}\ndata: {data}\n\n").into()
}

/// The backend's id as an id of a message.
fn message_id(id: &str) -> String {
    let id = id.strip_prefix("chatcmpl-").unwrap_or(id);
    let kept: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(80).collect();
    if kept.starts_with("msg_") { kept } else { format!("msg_{kept}") }
}
