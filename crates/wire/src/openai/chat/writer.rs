//! Writing an answer in OpenAI's own chat, from events: for backends that speak another dialect.
//!
//! What a model thought stands in `reasoning_content`; the blocks that Anthropic wants back as they are in
//! `thinking_blocks`, the name that other gateways gave them.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{Fault, SendBody, Usage};

use super::Finish;
use crate::{
    events::{Event, Write},
    openai::fault,
};

/// Writes one answer.
#[derive(Debug)]
pub struct Writer {
    model: String,
    id: String,
    created: u64,
    show_usage: bool,
    /// How many blocks of thought a stream has told.
    thoughts: usize,
}

impl Writer {
    /// A writer of an answer by `model`, as the backend calls it. With `show_usage`, a stream's last chunk tells what
    /// was used.
    pub fn new(model: &str, show_usage: bool) -> Self {
        Self { model: model.to_owned(), id: String::new(), created: 0, show_usage, thoughts: 0 }
    }

    fn begin(&mut self, id: &str, model: &str, created: u64) {
        self.id = if id.starts_with("chatcmpl-") { id.to_owned() } else { format!("chatcmpl-{id}") };
        self.created = created;
        if !model.is_empty() {
            model.clone_into(&mut self.model);
        }
    }

    fn frame(&self, choices: &Value, usage: Option<Value>) -> Bytes {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if self.show_usage {
            chunk["usage"] = usage.unwrap_or_default();
        }
        format!("data: {chunk}\n\n").into()
    }

    fn chunk(&self, choice: u32, delta: &Value, finish: Option<Finish>) -> Bytes {
        let finish = finish.map(word);
        self.frame(&json!([{ "index": choice, "delta": delta, "logprobs": null, "finish_reason": finish }]), None)
    }
}

fn word(finish: Finish) -> &'static str {
    if finish == Finish::Other { "stop" } else { finish.name() }
}

fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total(),
        "prompt_tokens_details": { "cached_tokens": usage.cached_input },
        "completion_tokens_details": { "reasoning_tokens": usage.reasoning },
    })
}

impl Write for Writer {
    fn event(&mut self, event: &Event, out: &mut dyn FnMut(Bytes)) {
        match event {
            Event::Start { id, model, created } => {
                self.begin(id, model, *created);
                out(self.chunk(0, &json!({ "role": "assistant", "content": "" }), None));
            }
            Event::Text { choice, text } => out(self.chunk(*choice, &json!({ "content": text }), None)),
            Event::Reasoning { choice, text } => {
                out(self.chunk(*choice, &json!({ "reasoning_content": text }), None));
            }
            Event::Thought { choice, block } => {
                // Clients that add up pieces tell the items of a list apart by their index.
                let mut block = block.clone();
                block["index"] = self.thoughts.into();
                self.thoughts += 1;
                out(self.chunk(*choice, &json!({ "thinking_blocks": [block] }), None));
            }
            Event::Refusal { choice, text } => out(self.chunk(*choice, &json!({ "refusal": text }), None)),
            Event::ToolStart { choice, index, id, name } => {
                let function = json!({ "name": name, "arguments": "" });
                let call = json!({ "index": index, "id": id, "type": "function", "function": function });
                out(self.chunk(*choice, &json!({ "tool_calls": [call] }), None));
            }
            Event::ToolArguments { choice, index, json } => {
                let call = json!({ "index": index, "function": { "arguments": json } });
                out(self.chunk(*choice, &json!({ "tool_calls": [call] }), None));
            }
            Event::Finish { choice, reason } => out(self.chunk(*choice, &json!({}), Some(*reason))),
            Event::Usage(used) if self.show_usage => out(self.frame(&json!([]), Some(usage(*used)))),
            Event::Usage(_) | Event::Logprobs { .. } => {}
            Event::Done => out(Bytes::from_static(b"data: [DONE]\n\n")),
        }
    }

    fn fault(&mut self, fault: &Fault, request_id: &str, out: &mut dyn FnMut(Bytes)) {
        out(fault::event(fault, request_id).into());
    }

    fn whole(&mut self, events: &[Event]) -> SendBody {
        let mut said = Said::default();
        for event in events {
            if let Event::Start { id, model, created } = event {
                self.begin(id, model, *created);
            }
            said.take(event);
        }
        let finish = said.finish.map(word);
        let used = said.usage.map(usage);
        let choice = json!({ "index": 0, "message": said.message(), "logprobs": null, "finish_reason": finish });
        let mut answer = json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [choice],
        });
        if let Some(used) = used {
            answer["usage"] = used;
        }
        answer.to_string().into()
    }
}

/// A whole answer, gathered.
#[derive(Default)]
struct Said {
    text: String,
    reasoning: String,
    refusal: String,
    thought: Vec<Value>,
    calls: Vec<(String, String, String)>,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl Said {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Text { text, .. } => self.text.push_str(text),
            Event::Reasoning { text, .. } => self.reasoning.push_str(text),
            Event::Refusal { text, .. } => self.refusal.push_str(text),
            Event::Thought { block, .. } => self.thought.push(block.clone()),
            Event::ToolStart { id, name, .. } => self.calls.push((id.clone(), name.clone(), String::new())),
            Event::ToolArguments { index, json, .. } => {
                if let Some(call) = self.calls.get_mut(*index as usize) {
                    call.2.push_str(json);
                }
            }
            Event::Finish { reason, .. } => self.finish = Some(*reason),
            Event::Usage(used) => self.usage = Some(*used),
            Event::Start { .. } | Event::Logprobs { .. } | Event::Done => {}
        }
    }

    fn message(self) -> Map<String, Value> {
        let silent = self.text.is_empty() && (!self.calls.is_empty() || !self.refusal.is_empty());
        let mut message = Map::new();
        message.insert("role".into(), "assistant".into());
        message.insert("content".into(), if silent { Value::Null } else { self.text.into() });
        message.insert("refusal".into(), if self.refusal.is_empty() { Value::Null } else { self.refusal.into() });
        if !self.reasoning.is_empty() {
            message.insert("reasoning_content".into(), self.reasoning.into());
        }
        if !self.thought.is_empty() {
            message.insert("thinking_blocks".into(), self.thought.into());
        }
        if !self.calls.is_empty() {
            let call = |(id, name, arguments)| json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } });
            message.insert("tool_calls".into(), self.calls.into_iter().map(call).collect());
        }
        message
    }
}
