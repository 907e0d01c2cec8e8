//! Writing an answer as a message, whole or as a stream of events.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
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
    prompt: Prompt,
    thinking: Thinking,
    sealer: Arc<dyn Sealer>,
    flow: Flow,
    end: End,
    pinged: bool,
}

/// How many tokens the prompt is likely to have, until the truth is known.
pub(super) enum Prompt {
    /// So many: a stream says so at its begin.
    Tokens(u64),
    /// To be counted from OpenAI's chat: the end of a whole answer mostly knows the truth.
    Chat(Bytes),
}

impl Prompt {
    fn tokens(&self) -> u64 {
        match self {
            Self::Tokens(tokens) => *tokens,
            Self::Chat(chat) => serde_json::from_slice(chat).map_or(0, |chat| tokens::of_chat(&chat)),
        }
    }
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
    /// The backend says.
    counted: bool,
}

impl Writer {
    /// A writer of an answer by `model`, as the caller named it, to a prompt.
    pub(super) fn new(model: &str, prompt: Prompt, thinking: Thinking, sealer: Arc<dyn Sealer>) -> Self {
        Self {
            model: model.to_owned(),
            prompt,
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
                self.end.count(text);
                self.flow.say(Part::Text, text, sink);
            }
            Event::Refusal { choice: 0, text } => {
                self.end.count(text);
                self.end.refusal.push_str(text);
                self.flow.say(Part::Text, text, sink);
            }
            Event::Reasoning { choice: 0, text } => {
                self.end.count(text);
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
                self.end.count(json);
                self.flow.say(Part::Tool(*index), json, sink);
            }
            Event::Finish { choice: 0, reason } => self.end.reason = Some(*reason),
            Event::Usage(usage) => self.end.usage = Some(*usage),
            Event::Done => self.flow.end(sink),
            // Other choices cannot be asked for.
            _ => {}
        }
    }

    /// The message up to its content, which follows.
    fn open(&self, id: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"id":"#);
        json::text::encode(&message_id(id), out);
        out.extend_from_slice(br#","type":"message","role":"assistant","model":"#);
        json::text::encode(&self.model, out);
        out.extend_from_slice(br#","content":["#);
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

    /// Takes a text into the estimate.
    fn count(&mut self, text: &str) {
        if !self.counted {
            self.output += tokens::of_text(text);
        }
    }

    /// Why the answer ended: one member more, where there is something to tell.
    fn details(&self) -> Option<String> {
        let explanation = (!self.refusal.is_empty()).then_some(self.refusal.as_str());
        let details = || json!({ "type": "refusal", "category": null, "explanation": explanation });
        (self.stop_reason() == "refusal").then(|| format!(r#","stop_details":{}"#, details()))
    }

    fn usage(&self, prompt: &Prompt) -> String {
        usage(&self.usage.unwrap_or_else(|| Usage { input: prompt.tokens(), output: self.output, ..Usage::default() }))
    }
}

fn usage(usage: &Usage) -> String {
    let Usage { cached_input, output, reasoning, .. } = *usage;
    let input = usage.input.saturating_sub(cached_input);
    let more = match reasoning {
        0 => String::new(),
        _ => format!(r#","output_tokens_details":{{"thinking_tokens":{reasoning}}}"#),
    };
    format!(
        r#"{{"input_tokens":{input},"cache_creation_input_tokens":0,"cache_read_input_tokens":{cached_input},"output_tokens":{output}{more}}}"#
    )
}

impl Write for Writer {
    fn event(&mut self, event: &Event, out: &mut dyn FnMut(Bytes)) {
        if let Event::Start { id, .. } = event {
            let mut start = b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":".to_vec();
            self.open(id, &mut start);
            let likely = usage(&Usage { input: self.prompt.tokens(), ..Usage::default() });
            for part in [r#"],"stop_reason":null,"stop_sequence":null,"usage":"#, &likely, "}}\n\n"] {
                start.extend_from_slice(part.as_bytes());
            }
            out(start.into());
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
            let (reason, details) = (self.end.stop_reason(), self.end.details().unwrap_or_default());
            let usage = self.end.usage(&self.prompt);
            let delta = format!(
                r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}","stop_sequence":null{details}}},"usage":{usage}}}"#
            );
            out(frame("message_delta", &delta));
            out(frame("message_stop", r#"{"type":"message_stop"}"#));
        }
    }

    fn fault(&mut self, fault: &Fault, request_id: &str, out: &mut dyn FnMut(Bytes)) {
        out(fault::event(fault, request_id).into());
    }

    fn whole(&mut self, events: &[Event]) -> SendBody {
        let (sealer, shown) = (Arc::clone(&self.sealer), self.thinking);
        self.end.counted = events.iter().any(|event| matches!(event, Event::Usage(_)));
        let id = events.iter().find_map(|event| if let Event::Start { id, .. } = event { Some(&**id) } else { None });
        let mut out = Vec::with_capacity(512);
        self.open(id.unwrap_or_default(), &mut out);
        let (mut held, mut first) = (String::new(), true);
        for event in events {
            self.take(event, &mut |step| match step {
                Step::Open { .. } => held.clear(),
                Step::Delta { text, .. } => held.push_str(text),
                Step::Close { what, thought, signed, .. } => {
                    if !std::mem::take(&mut first) {
                        out.push(b',');
                    }
                    match what {
                        What::Text => {
                            out.extend_from_slice(br#"{"type":"text","text":"#);
                            json::text::encode(&held, &mut out);
                            out.push(b'}');
                        }
                        What::Thinking => {
                            let visible = if shown == Thinking::Shown { thought } else { "" };
                            let signature = seal::sign(&*sealer, thought, signed);
                            let block = json!({ "type": "thinking", "thinking": visible, "signature": signature });
                            out.extend_from_slice(block.to_string().as_bytes());
                        }
                        What::Tool { id, name, .. } => {
                            let block = json!({ "type": "tool_use", "id": id, "name": name, "input": input(&held) });
                            out.extend_from_slice(block.to_string().as_bytes());
                        }
                    }
                }
            });
        }
        let (reason, details) = (self.end.stop_reason(), self.end.details().unwrap_or_default());
        let usage = self.end.usage(&self.prompt);
        let end = [r#"],"stop_reason":""#, reason, r#"","stop_sequence":null,"usage":"#, &usage, &details, "}"];
        end.into_iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        out.into()
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
