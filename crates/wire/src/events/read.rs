//! Reading OpenAI's chat as events: a whole answer, or the chunks of a stream.

mod short;

use bytes::Bytes;
use serde_json::Value;
use types::{Fault, Kind, Result, Sent, Usage};

use super::Event;
use crate::{
    openai::chat::Finish,
    sse::{Frame, Splitter},
};
use short::{only_text, plain_answer};

/// The events of a whole answer, as [`crate::openai::chat::answer()`] gives it.
///
/// # Errors
/// `UpstreamBadReply` when it is no chat answer.
pub fn of_answer(body: &[u8]) -> Result<Vec<Event>> {
    if let Some(events) = plain_answer(body) {
        return Ok(events);
    }
    by_tree(body)
}

fn by_tree(body: &[u8]) -> Result<Vec<Event>> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| bad("the answer is not JSON"))?;
    let mut reading = Reading::default();
    let mut events = Vec::new();
    reading.take(&answer, "message", &mut |event| events.push(event));
    reading.done(&mut |event| events.push(event));
    Ok(events)
}

/// Reads the chunks of a stream, as [`crate::openai::chat::Stream`] gives them.
#[derive(Debug, Default)]
pub struct Reader {
    splitter: Splitter,
    reading: Reading,
}

impl Reader {
    /// Takes bytes as they come.
    ///
    /// # Errors
    /// `UpstreamBadReply` when a chunk cannot be read.
    pub fn push(&mut self, chunk: &Bytes, out: &mut impl FnMut(Event)) -> Result<()> {
        let mut frames = Vec::new();
        self.splitter.push(chunk, |frame| frames.push(frame)).map_err(|_| bad("an event of the stream is too long"))?;
        for frame in frames {
            let read = Frame::read(&frame);
            let Some(data) = read.data.as_deref() else { continue };
            match data.trim_ascii() {
                b"" => {}
                b"[DONE]" => self.reading.done(out),
                json => {
                    if let Some(said) = self.reading.begun.then(|| only_text(json)).flatten() {
                        if let Some((choice, text)) = said {
                            out(Event::Text { choice, text });
                        }
                        continue;
                    }
                    let chunk: Value =
                        serde_json::from_slice(json).map_err(|_| bad("an event of the stream is not JSON"))?;
                    self.reading.take(&chunk, "delta", out);
                }
            }
        }
        Ok(())
    }
}

/// What was read so far.
#[derive(Debug, Default)]
struct Reading {
    begun: bool,
    over: bool,
    /// Tool calls that have begun, by choice and index.
    calls: Vec<(u32, u32)>,
    usage: Option<Usage>,
}

impl Reading {
    /// Takes a whole answer (`part` is `message`) or a chunk (`delta`).
    fn take(&mut self, said: &Value, part: &str, out: &mut impl FnMut(Event)) {
        if !std::mem::replace(&mut self.begun, true) {
            let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
            let created = said["created"].as_u64().unwrap_or_default();
            out(Event::Start { id: text("id"), model: text("model"), created });
        }
        for (position, choice) in said["choices"].as_array().into_iter().flatten().enumerate() {
            let number = choice["index"].as_u64().map_or(position, |index| usize::try_from(index).unwrap_or(0));
            let said = &choice[part];
            let number = u32::try_from(number).unwrap_or(0);
            // Pieces of blocks are of no use: a stream's reasoning is its text.
            match said["thinking_blocks"].as_array().filter(|blocks| part == "message" && !blocks.is_empty()) {
                Some(blocks) => blocks.iter().for_each(|block| thought(number, block, out)),
                None => reasoning(number, said, out),
            }
            self.choice(number, said, out);
            if let Some(tokens) = choice["logprobs"]["content"].as_array().filter(|tokens| !tokens.is_empty()) {
                out(Event::Logprobs { choice: number, tokens: tokens.clone() });
            }
            if let Some(reason) = choice["finish_reason"].as_str() {
                out(Event::Finish { choice: number, reason: Finish::named(reason) });
            }
        }
        if let Some(usage) = usage(&said["usage"]) {
            self.usage = Some(usage);
        }
    }

    fn choice(&mut self, choice: u32, said: &Value, out: &mut impl FnMut(Event)) {
        let text = |name: &str| said[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        match &said["content"] {
            Value::String(text) if !text.is_empty() => out(Event::Text { choice, text: text.clone() }),
            Value::Array(parts) => {
                for text in parts.iter().filter_map(|part| part["text"].as_str()).filter(|text| !text.is_empty()) {
                    out(Event::Text { choice, text: text.to_owned() });
                }
            }
            _ => {}
        }
        if let Some(text) = text("refusal") {
            out(Event::Refusal { choice, text });
        }
        for (position, call) in said["tool_calls"].as_array().into_iter().flatten().enumerate() {
            self.call(choice, position, call, out);
        }
    }

    fn call(&mut self, choice: u32, position: usize, call: &Value, out: &mut impl FnMut(Event)) {
        let index = call["index"].as_u64().and_then(|index| u32::try_from(index).ok());
        let index = index.unwrap_or_else(|| u32::try_from(position).unwrap_or(0));
        if !self.calls.contains(&(choice, index)) {
            self.calls.push((choice, index));
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            out(Event::ToolStart { choice, index, id: text(&call["id"]), name: text(&call["function"]["name"]) });
        }
        if let Some(json) = call["function"]["arguments"].as_str().filter(|json| !json.is_empty()) {
            out(Event::ToolArguments { choice, index, json: json.to_owned() });
        }
    }

    fn done(&mut self, out: &mut impl FnMut(Event)) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        if let Some(usage) = self.usage.take() {
            out(Event::Usage(usage));
        }
        out(Event::Done);
    }
}

fn reasoning(choice: u32, said: &Value, out: &mut impl FnMut(Event)) {
    let text = |name: &str| said[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    if let Some(text) = text("reasoning_content").or_else(|| text("reasoning")) {
        out(Event::Reasoning { choice, text });
    }
}

/// A block of what was thought, as Anthropic gave it.
fn thought(choice: u32, block: &Value, out: &mut impl FnMut(Event)) {
    if let Some(text) = block["thinking"].as_str().filter(|text| !text.is_empty()) {
        out(Event::Reasoning { choice, text: text.to_owned() });
    }
    out(Event::Thought { choice, block: block.clone() });
}

fn usage(said: &Value) -> Option<Usage> {
    let object = said.as_object()?;
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    Some(Usage {
        input: count(object.get("prompt_tokens").unwrap_or(&Value::Null)),
        output: count(object.get("completion_tokens").unwrap_or(&Value::Null)),
        cached_input: count(&said["prompt_tokens_details"]["cached_tokens"]),
        reasoning: count(&said["completion_tokens_details"]["reasoning_tokens"]),
    })
}

fn bad(why: &str) -> Box<Fault> {
    Fault::new(Kind::UpstreamBadReply, format!("The backend's answer cannot be read: {why}.")).sent(Sent::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(events: &[Event]) -> String {
        events
            .iter()
            .filter_map(|e| if let Event::Text { text, .. } = e { Some(text.as_str()) } else { None })
            .collect()
    }

    #[test]
    fn a_stream_at_every_split_gives_the_events_of_the_whole_answer() {
        let stream = concat!(
            "data: {\"id\":\"a\",\"model\":\"m\",\"created\":1,\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"hé\"}}]}\n\n",
            "data: {\"id\":\"a\",\"model\":\"m\",\"created\":1,\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\"\"}}]}}]}\n\n",
            "data: {\"id\":\"a\",\"model\":\"m\",\"created\":1,\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n",
            "data: {\"id\":\"a\",\"model\":\"m\",\"created\":1,\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n",
            "data: [DONE]\n\n",
        );
        let whole = br#"{"id":"a","model":"m","created":1,"choices":[{"index":0,"finish_reason":"tool_calls","message":{"content":"h\u00e9",
            "tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":1}"}}]}}],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
        let wanted = of_answer(whole).unwrap();
        for cut in 0..=stream.len() {
            let mut reader = Reader::default();
            let mut events = Vec::new();
            for piece in [&stream.as_bytes()[..cut], &stream.as_bytes()[cut..]] {
                reader.push(&Bytes::copy_from_slice(piece), &mut |event| events.push(event)).unwrap();
            }
            assert_eq!(text(&events), "hé");
            assert_eq!(events.first(), wanted.first());
            assert_eq!(&events[events.len() - 3..], &wanted[wanted.len() - 3..], "finish, usage, done");
            let arguments: String = events
                .iter()
                .filter_map(|e| if let Event::ToolArguments { json, .. } = e { Some(json.as_str()) } else { None })
                .collect();
            assert_eq!(arguments, "{\"a\":1}");
        }
    }
}
