//! A stream of Anthropic's as events.

use bytes::Bytes;
use serde_json::Value;
use types::{Result, Usage};

use super::{Told, answer, bad};
use crate::{
    events::Event,
    openai::chat::Finish,
    sse::{Frame, Splitter},
    upstream_error,
};

/// Thinking that is longer is told and not kept for its signature.
const LONGEST_THOUGHT: usize = 1 << 20;

/// A tool call.
#[derive(Debug)]
struct Call {
    /// The number of its block.
    block: u64,
    /// Its arguments as they stood at its beginning; nothing once some of them were told.
    silent: Option<String>,
}

/// One stream under way.
#[derive(Debug, Default)]
pub struct Stream {
    splitter: Splitter,
    created: u64,
    events: u64,
    begun: bool,
    told: Told,
    /// The tool calls so far.
    calls: Vec<Call>,
    /// The block of thinking that is open, gathered.
    thought: Option<Value>,
}

impl Stream {
    /// A stream that has not begun; `created` is when it came, since Anthropic does not say.
    pub fn new(created: u64) -> Self {
        Self { created, ..Self::default() }
    }

    /// Takes bytes as they come.
    ///
    /// # Errors
    /// Anthropic's own error when an event is one; `UpstreamBadReply` when an event cannot be read.
    pub fn push(&mut self, chunk: &Bytes, out: &mut dyn FnMut(Event)) -> Result<()> {
        let mut frames = Vec::new();
        self.splitter.push(chunk, |frame| frames.push(frame)).map_err(|_| bad("an event of the stream is too long"))?;
        frames.iter().try_for_each(|frame| self.frame(frame, out))
    }

    /// The bytes ended.
    ///
    /// # Errors
    /// `UpstreamTruncated` when the end came before the answer's end.
    pub fn end(&mut self, out: &mut dyn FnMut(Event)) -> Result<()> {
        let rest = self.splitter.rest();
        if !self.told.over && !rest.trim_ascii().is_empty() {
            self.frame(&rest, out)?;
        }
        if self.told.over { Ok(()) } else { Err(upstream_error::broke_off(self.events)) }
    }

    /// Whether the end came: nothing that follows matters.
    pub const fn is_closed(&self) -> bool {
        self.told.over
    }

    /// How many events came; what only keeps the connection alive is one too.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// What was used, as was last said.
    pub const fn usage(&self) -> Option<Usage> {
        self.told.usage
    }

    /// Why the answer ended, once that is known.
    pub const fn finish(&self) -> Option<Finish> {
        self.told.finish
    }

    fn frame(&mut self, frame: &[u8], out: &mut dyn FnMut(Event)) -> Result<()> {
        let read = Frame::read(frame);
        let Some(data) = read.data.as_deref().filter(|_| !self.told.over) else { return Ok(()) };
        let said: Value = serde_json::from_slice(data).map_err(|_| bad("an event of the stream is not JSON"))?;
        self.events += 1;
        let kind = said["type"].as_str().unwrap_or_default();
        self.told.take(kind, &said, data)?;
        match kind {
            "message_start" if !self.begun => {
                self.begun = true;
                out(answer::start(&said["message"], self.created));
            }
            "content_block_start" => self.open(&said, out),
            "content_block_delta" => self.delta(&said, out),
            "content_block_stop" => {
                if let Some(block) = self.thought.take() {
                    out(Event::Thought { choice: 0, block });
                }
                // A call without arguments ends without a word of them.
                if let Some((index, call)) = self.call(&said)
                    && let Some(json) = call.silent.take()
                {
                    out(Event::ToolArguments { choice: 0, index, json });
                }
            }
            "message_delta" => {
                if let (true, Some(reason)) = (said["delta"]["stop_reason"].is_string(), self.told.finish) {
                    out(Event::Finish { choice: 0, reason });
                }
            }
            "message_stop" => {
                if let Some(usage) = self.told.usage {
                    out(Event::Usage(usage));
                }
                out(Event::Done);
            }
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, said: &Value, out: &mut dyn FnMut(Event)) {
        let block = &said["content_block"];
        let text = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
        match block["type"].as_str().unwrap_or_default() {
            "text" => tell(text("text"), |text| Event::Text { choice: 0, text }, out),
            "thinking" => {
                self.thought = Some(block.clone());
                tell(text("thinking"), |text| Event::Reasoning { choice: 0, text }, out);
            }
            "redacted_thinking" => self.thought = Some(block.clone()),
            "tool_use" => {
                let index = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
                let input = Some(&block["input"]).filter(|input| input.is_object());
                let silent = Some(input.map_or_else(|| "{}".to_owned(), Value::to_string));
                self.calls.push(Call { block: said["index"].as_u64().unwrap_or_default(), silent });
                out(Event::ToolStart { choice: 0, index, id: text("id"), name: text("name") });
            }
            _ => {}
        }
    }

    fn delta(&mut self, said: &Value, out: &mut dyn FnMut(Event)) {
        let delta = &said["delta"];
        let text = |name: &str| delta[name].as_str().unwrap_or_default().to_owned();
        match delta["type"].as_str().unwrap_or_default() {
            "text_delta" => tell(text("text"), |text| Event::Text { choice: 0, text }, out),
            "thinking_delta" => {
                self.grow("thinking", &text("thinking"));
                tell(text("thinking"), |text| Event::Reasoning { choice: 0, text }, out);
            }
            "signature_delta" => self.grow("signature", &text("signature")),
            "input_json_delta" => {
                let json = text("partial_json");
                let Some((index, call)) = self.call(said).filter(|_| !json.is_empty()) else { return };
                call.silent = None;
                out(Event::ToolArguments { choice: 0, index, json });
            }
            _ => {}
        }
    }

    /// The call of the block that an event is about, with its number.
    fn call(&mut self, said: &Value) -> Option<(u32, &mut Call)> {
        let block = said["index"].as_u64().unwrap_or_default();
        let (index, call) = self.calls.iter_mut().enumerate().find(|(_, call)| call.block == block)?;
        Some((u32::try_from(index).unwrap_or(u32::MAX), call))
    }

    fn grow(&mut self, member: &str, text: &str) {
        let Some(Value::Object(block)) = &mut self.thought else { return };
        if let Value::String(said) = block.entry(member).or_insert_with(|| "".into()) {
            said.push_str(text);
            // Without its whole text a signature is worth nothing: then none is handed out.
            if said.len() > LONGEST_THOUGHT {
                self.thought = None;
            }
        }
    }
}

fn tell(text: String, event: impl FnOnce(String) -> Event, out: &mut dyn FnMut(Event)) {
    if !text.is_empty() {
        out(event(text));
    }
}
