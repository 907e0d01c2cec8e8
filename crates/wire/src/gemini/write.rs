//! Answers as Google writes them: whole, as events, or as the items of one array.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{Fault, SendBody, Usage};

use super::{Way, config::Thoughts, fault, thought};
use crate::{
    events::{Event, Write},
    heard::{Gathered, Order, Piece, arguments},
    openai::chat::Finish,
};

/// Writes one answer. A call of a function goes out in one piece, as Google's do.
pub(super) struct Writer {
    way: Way,
    thoughts: Thoughts,
    /// What was said and is not written: open calls, reasons to end.
    held: Gathered,
    items: usize,
    order: Order,
}

impl Writer {
    pub(super) fn new(way: Way, thoughts: Thoughts) -> Self {
        Self { way, thoughts, held: Gathered::default(), items: 0, order: Order::default() }
    }

    /// Parts of one choice as one piece of the stream.
    fn say(&mut self, choice: u32, parts: &[Value], out: &mut dyn FnMut(Bytes)) {
        if parts.is_empty() {
            return;
        }
        let candidate = json!({"content": {"parts": parts, "role": "model"}, "index": choice});
        let item = self.item(vec![candidate], None);
        self.put(&item, out);
    }

    /// Writes what is held of a choice: its open call.
    fn release(&mut self, choice: u32, out: &mut dyn FnMut(Bytes)) {
        let pieces = std::mem::take(&mut self.held.choice(choice).pieces);
        let parts: Vec<Value> = pieces.iter().filter_map(|piece| part(piece, self.thoughts)).collect();
        self.say(choice, &parts, out);
    }

    /// One `GenerateContentResponse`.
    fn item(&self, candidates: Vec<Value>, usage: Option<Usage>) -> Value {
        let mut item = Map::new();
        item.insert("candidates".into(), Value::Array(candidates));
        if let Some(usage) = usage {
            item.insert("usageMetadata".into(), metadata(&usage));
        }
        item.insert("modelVersion".into(), self.held.model.as_str().into());
        item.insert("responseId".into(), self.held.id.as_str().into());
        Value::Object(item)
    }

    /// Frames an item.
    fn put(&mut self, item: &Value, out: &mut dyn FnMut(Bytes)) {
        let frame = match (self.way, self.items) {
            (Way::Events, _) => format!("data: {item}\r\n\r\n"),
            (_, 0) => format!("[{item}\n"),
            (_, _) => format!(",\r\n{item}\n"),
        };
        self.items += 1;
        out(frame.into());
    }

    fn close(&mut self, out: &mut dyn FnMut(Bytes)) {
        if self.way == Way::Array {
            out(Bytes::from_static(if self.items == 0 { b"[]\n" } else { b"]\n" }));
        }
    }

    /// The last piece: why each choice ended, and what was used.
    fn end(&mut self, out: &mut dyn FnMut(Bytes)) {
        for number in self.held.choices.iter().map(|choice| choice.number).collect::<Vec<_>>() {
            self.release(number, out);
        }
        let mut candidates = Vec::new();
        for choice in &self.held.choices {
            let reason = reason(choice.finish, choice.refused);
            candidates.push(json!({
                "content": {"parts": [{"text": ""}], "role": "model"},
                "finishReason": reason,
                "index": choice.number,
            }));
        }
        let item = self.item(candidates, self.held.usage);
        self.put(&item, out);
        self.close(out);
    }

    /// Writes an event whose turn it is.
    fn write(&mut self, event: &Event, out: &mut dyn FnMut(Bytes)) {
        match event {
            Event::Text { choice, .. }
            | Event::Reasoning { choice, .. }
            | Event::Thought { choice, .. }
            | Event::Refusal { choice, .. } => {
                self.release(*choice, out);
                self.held.take(event);
                self.release(*choice, out);
            }
            Event::ToolStart { choice, .. } => {
                self.release(*choice, out);
                self.held.take(event);
            }
            Event::Finish { choice, .. } => {
                self.held.take(event);
                self.release(*choice, out);
            }
            Event::Logprobs { choice, tokens } => {
                self.release(*choice, out);
                let candidate = json!({
                    "content": {"parts": [{"text": ""}], "role": "model"},
                    "logprobsResult": sureness(tokens),
                    "index": choice,
                });
                let item = self.item(vec![candidate], None);
                self.put(&item, out);
            }
            Event::Done => self.end(out),
            Event::Start { .. } | Event::ToolArguments { .. } | Event::Usage(_) => self.held.take(event),
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
        let item = fault::shape(fault, request_id);
        self.put(&item, out);
        self.close(out);
    }

    fn whole(&mut self, events: &[Event]) -> SendBody {
        self.held = Gathered::of(events);
        let mut candidates = Vec::new();
        for choice in &self.held.choices {
            let mut parts: Vec<Value> = choice.pieces.iter().filter_map(|piece| part(piece, self.thoughts)).collect();
            if parts.is_empty() {
                parts.push(json!({"text": ""}));
            }
            let mut candidate = json!({
                "content": {"parts": parts, "role": "model"},
                "finishReason": reason(choice.finish, choice.refused),
                "index": choice.number,
            });
            if !choice.logprobs.is_empty() {
                candidate["logprobsResult"] = sureness(&choice.logprobs);
            }
            candidates.push(candidate);
        }
        SendBody::from(Bytes::from(self.item(candidates, self.held.usage).to_string()))
    }

    fn stream_type(&self) -> &'static str {
        match self.way {
            Way::Events => "text/event-stream",
            Way::Whole | Way::Array => "application/json; charset=UTF-8",
        }
    }
}

fn part(piece: &Piece, thoughts: Thoughts) -> Option<Value> {
    match piece {
        Piece::Text(text) => Some(json!({ "text": text })),
        Piece::Reasoning(text) => (thoughts == Thoughts::Shown).then(|| json!({"text": text, "thought": true})),
        Piece::Signed(block) => (thoughts == Thoughts::Shown)
            .then(|| json!({"text": "", "thought": true, "thoughtSignature": thought::signature(block)})),
        Piece::Tool { id, name, arguments: json, .. } => {
            Some(json!({"functionCall": {"id": id, "name": name, "args": arguments(json)}}))
        }
    }
}

/// Google's word for why an answer ended. A refusal of the model's own is what Google calls safety.
const fn reason(finish: Option<Finish>, refused: bool) -> &'static str {
    match finish {
        Some(Finish::Length) => "MAX_TOKENS",
        Some(Finish::ContentFilter) => "SAFETY",
        Some(Finish::Other) | None => "OTHER",
        Some(Finish::Stop | Finish::ToolCalls | Finish::FunctionCall) => {
            if refused {
                "SAFETY"
            } else {
                "STOP"
            }
        }
    }
}

/// What was used. Google counts thoughts beside the answer, not in it.
fn metadata(usage: &Usage) -> Value {
    let mut said = Map::new();
    said.insert("promptTokenCount".into(), usage.input.into());
    said.insert("candidatesTokenCount".into(), usage.output.saturating_sub(usage.reasoning).into());
    said.insert("totalTokenCount".into(), usage.total().into());
    if usage.cached_input > 0 {
        said.insert("cachedContentTokenCount".into(), usage.cached_input.into());
    }
    if usage.reasoning > 0 {
        said.insert("thoughtsTokenCount".into(), usage.reasoning.into());
    }
    Value::Object(said)
}

/// How sure the model was of its tokens.
fn sureness(tokens: &[Value]) -> Value {
    let one = |token: &Value| json!({"token": token["token"], "logProbability": token["logprob"]});
    let top = |token: &Value| {
        let others = token["top_logprobs"].as_array().into_iter().flatten();
        json!({"candidates": others.map(one).collect::<Vec<_>>()})
    };
    json!({
        "topCandidates": tokens.iter().map(top).collect::<Vec<_>>(),
        "chosenCandidates": tokens.iter().map(one).collect::<Vec<_>>(),
    })
}
