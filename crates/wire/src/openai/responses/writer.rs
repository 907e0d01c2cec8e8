//! Writing an answer: items are gathered from events, and a stream is what is new in them.
//!
//! Items are told strictly one after the other, as OpenAI's own server does. A backend may mix the arguments of several
//! calls: then the first is told as it comes, and the others when it is complete.

mod tell;

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{Fault, Kind, SendBody, Usage};

use super::{
    Answered, Told,
    custom::{Brackets, FreeText},
    frames::Frames,
    items::{self, Body, Call, Item, Part},
    thought::Thought,
    tools::{Known, Names},
};
use crate::{
    events::{Event, Write},
    openai::chat::Finish,
};

pub(super) use tell::Teller;

/// How the answer is to be written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ways {
    /// Reasoning as a summary.
    pub(super) summary: bool,
    /// Reasoning sealed.
    pub(super) sealed: bool,
    /// How sure the model was of its tokens.
    pub(super) logprobs: bool,
}

/// Writes the answer of one call.
pub struct Writer {
    response: Map<String, Value>,
    told: Told,
    names: Names,
    ways: Ways,
    answered: Answered,
    /// Somebody wants the whole response when it is over.
    kept: bool,
    items: Vec<Item>,
    /// Where the calls are among the items, by the number that the answer gives them.
    calls: HashMap<u32, usize>,
    call_ids: HashSet<String>,
    teller: Teller,
    begun: bool,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("id", &self.told.id).field("items", &self.items.len()).finish_non_exhaustive()
    }
}

impl Writer {
    pub(super) fn new(response: Map<String, Value>, told: Told, names: Names, ways: Ways, answered: Answered) -> Self {
        let kept = response.get("store") == Some(&Value::Bool(true));
        Self {
            response,
            kept,
            told,
            names,
            ways,
            answered,
            items: Vec::new(),
            calls: HashMap::new(),
            call_ids: HashSet::new(),
            teller: Teller::new(Frames::default()),
            begun: false,
            finish: None,
            usage: None,
        }
    }

    /// Takes what an event says into the items.
    fn gather(&mut self, event: &Event) {
        match event {
            Event::Start { model, .. } if !model.is_empty() => {
                self.response.insert("model".into(), model.as_str().into());
            }
            Event::Reasoning { choice: 0, text } => self.think(|thought| thought.text.push_str(text)),
            Event::Thought { choice: 0, block } => self.think(|thought| thought.blocks.push(block.clone())),
            Event::Text { choice: 0, text } => self.say(false, text, std::iter::empty()),
            Event::Refusal { choice: 0, text } => self.say(true, text, std::iter::empty()),
            Event::Logprobs { choice: 0, tokens } if self.ways.logprobs => {
                self.say(false, "", tokens.iter().map(logprob));
            }
            Event::ToolStart { choice: 0, index, id, name } => self.call(*index, id, name),
            Event::ToolArguments { choice: 0, index, json } => {
                if let Some(position) = self.calls.get(index)
                    && !self.teller.is_over(*position)
                    && let Some(Item { body: Body::Call(call), .. }) = self.items.get_mut(*position)
                {
                    call.push(json);
                }
            }
            Event::Finish { choice: 0, reason } => self.finish = Some(*reason),
            Event::Usage(usage) => self.usage = Some(*usage),
            _ => {}
        }
    }

    /// What is being thought.
    fn think(&mut self, more: impl FnOnce(&mut Thought)) {
        if !matches!(self.items.last(), Some(Item { body: Body::Reasoning { .. }, .. })) {
            let body = Body::Reasoning { thought: Thought::default(), summary: self.ways.summary, sealed: None };
            self.push("rs", body);
        }
        if let Some(Item { body: Body::Reasoning { thought, .. }, .. }) = self.items.last_mut() {
            more(thought);
        }
    }

    /// Adds to the message that is being said.
    fn say(&mut self, refusal: bool, text: &str, logprobs: impl Iterator<Item = Value>) {
        if !matches!(self.items.last(), Some(Item { body: Body::Message(_), .. })) {
            self.push("msg", Body::Message(Vec::new()));
        }
        let Some(Item { body: Body::Message(parts), .. }) = self.items.last_mut() else { return };
        if parts.last().is_none_or(|part| part.refusal != refusal) {
            parts.push(Part { refusal, ..Part::default() });
        }
        if let Some(part) = parts.last_mut() {
            part.text.push_str(text);
            part.logprobs.extend(logprobs);
        }
    }

    fn call(&mut self, index: u32, id: &str, name: &str) {
        let unknown = || Known { written: name.to_owned(), name: name.to_owned(), namespace: None, custom: false };
        let known = self.names.find(name).cloned().unwrap_or_else(unknown);
        // An id is what a result is matched by: it must be there, once.
        let call_id = if id.is_empty() || !self.call_ids.insert(id.to_owned()) {
            items::id("call", &self.told.id, self.items.len())
        } else {
            id.to_owned()
        };
        let prefix = if known.custom { "ctc" } else { "fc" };
        self.calls.insert(index, self.items.len());
        let (brackets, free) = (Brackets::default(), FreeText::default());
        self.push(prefix, Body::Call(Call { known, call_id, arguments: String::new(), brackets, free }));
    }

    fn push(&mut self, prefix: &str, body: Body) {
        let id = items::id(prefix, &self.told.id, self.items.len());
        self.items.push(Item { id, body });
    }

    /// Seals the reasoning of items that are about to end.
    fn seal(&mut self, all: bool) {
        if !self.ways.sealed {
            return;
        }
        let end = if all { self.items.len() } else { self.items.len().saturating_sub(1) };
        for item in &mut self.items[..end] {
            if let Body::Reasoning { thought, sealed, .. } = &mut item.body
                && sealed.is_none()
            {
                *sealed = Some(thought.seal(self.told.sealer.as_ref()));
            }
        }
    }

    /// What its vendor signed and the answer does not show, sealed.
    fn hidden(&self) -> Vec<(String, String)> {
        let seal = |item: &Item| match &item.body {
            Body::Reasoning { thought, sealed: None, .. } if !thought.blocks.is_empty() => {
                Some((item.id.clone(), thought.seal(self.told.sealer.as_ref())))
            }
            _ => None,
        };
        self.items.iter().filter_map(seal).collect()
    }

    /// Makes the response what it is when nothing more comes.
    fn end(&mut self) {
        self.seal(true);
        for item in &mut self.items {
            if let Body::Call(call) = &mut item.body {
                call.end();
            }
        }
        let cut = match self.finish {
            Some(Finish::Length) => Some("max_output_tokens"),
            Some(Finish::ContentFilter) => Some("content_filter"),
            _ => None,
        };
        let status = if cut.is_some() { "incomplete" } else { "completed" };
        if let Some(reason) = cut {
            self.response.insert("incomplete_details".into(), json!({"reason": reason}));
        }
        self.close(status);
    }

    fn close(&mut self, status: &str) {
        let output = self.output(status);
        self.response.insert("status".into(), status.into());
        if status == "completed" {
            // A clock that was put back makes nothing end before it began.
            self.response.insert("completed_at".into(), (self.told.now)().max(self.told.created_at).into());
        }
        self.note_keeping();
        self.response.insert("output".into(), output);
        if let Some(usage) = &self.usage {
            self.response.insert("usage".into(), usage_shape(usage));
        }
        if self.kept {
            let stored = self.response.get("store") == Some(&Value::Bool(true));
            let hidden = if stored { self.hidden() } else { Vec::new() };
            self.answered.set(Value::Object(self.response.clone()), hidden);
        }
    }

    /// The response as a value, while it is told.
    fn tell(&mut self, told: impl FnOnce(&mut Self, &Value)) {
        let response = Value::Object(std::mem::take(&mut self.response));
        told(self, &response);
        if let Value::Object(response) = response {
            self.response = response;
        }
    }

    /// The items as they are; what was cut off is the last.
    fn output(&self, status: &str) -> Value {
        let last = self.items.len().saturating_sub(1);
        let shape = |(index, item): (usize, &Item)| {
            item.shape(if status != "completed" && index == last { "incomplete" } else { "completed" })
        };
        self.items.iter().enumerate().map(shape).collect()
    }

    fn begin(&mut self, out: &mut dyn FnMut(Bytes)) {
        if !std::mem::replace(&mut self.begun, true) {
            self.note_keeping();
            self.teller.begin(&self.response, out);
        }
    }

    /// What is not kept says so.
    fn note_keeping(&mut self) {
        if self.answered.is_unkept() {
            self.response.insert("store".into(), false.into());
        }
    }
}

impl Write for Writer {
    fn event(&mut self, event: &Event, out: &mut dyn FnMut(Bytes)) {
        if self.ways.logprobs && matches!(event, Event::Text { .. }) {
            // Text is told together with what follows it: how sure the model was of it.
            self.teller.advance(&self.items, out);
            self.gather(event);
            return;
        }
        self.gather(event);
        match event {
            Event::Start { .. } => self.begin(out),
            Event::Done => {
                self.begin(out);
                self.end();
                self.tell(|this, response| this.teller.finish(&this.items, response, out));
            }
            _ => {
                self.seal(false);
                self.teller.advance(&self.items, out);
            }
        }
    }

    fn fault(&mut self, fault: &Fault, _request_id: &str, out: &mut dyn FnMut(Bytes)) {
        self.begin(out);
        let error = error_shape(fault);
        self.response.insert("error".into(), error);
        self.close("failed");
        self.tell(|this, response| this.teller.fail(response, fault.param.as_deref(), out));
    }

    fn whole(&mut self, events: &[Event]) -> SendBody {
        for event in events {
            self.gather(event);
        }
        self.end();
        serde_json::to_vec(&self.response).unwrap_or_default().into()
    }
}

/// The error of a response that failed, with one of the codes that OpenAI's responses have.
pub(super) fn error_shape(fault: &Fault) -> Value {
    let code = match fault.kind {
        Kind::UpstreamRateLimited => "rate_limit_exceeded",
        Kind::ContextLength => "context_length_exceeded",
        Kind::UpstreamPayment => "insufficient_quota",
        Kind::BadRequest | Kind::UnsupportedParameter | Kind::UpstreamRejected => "invalid_prompt",
        _ => "server_error",
    };
    json!({"code": code, "message": fault.message})
}

fn usage_shape(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": usage.cached_input},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total(),
    })
}

/// A token's probability as this API writes it: `bytes` is a list always.
fn logprob(token: &Value) -> Value {
    let one = |token: &Value| {
        let text = token["token"].as_str().unwrap_or_default();
        let bytes = match &token["bytes"] {
            Value::Array(bytes) => bytes.clone(),
            _ => text.bytes().map(Value::from).collect(),
        };
        json!({"token": text, "bytes": bytes, "logprob": token["logprob"].as_f64().unwrap_or(0.0)})
    };
    let mut shape = one(token);
    shape["top_logprobs"] = token["top_logprobs"].as_array().into_iter().flatten().map(one).collect();
    shape
}
