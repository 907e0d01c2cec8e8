//! A stream that another backend may go on with when it breaks: what was said in it, the call that asks for the rest, and
//! the joint between the two, at which nothing is said twice.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{Fault, Kind as FaultKind, Result, Sent, Usage};

use super::{
    call::{Call, Format},
    usage::whole,
};
use crate::{
    anthropic::tokens,
    events::{self, Event},
    json::{Edits, Kind, Limits, Span, text},
    sse::{Frame, Splitter},
};

/// The longest text that is gone on with, in bytes.
const LONGEST: usize = 1 << 20;
/// A continuation that begins with so many bytes of what was said already is no continuation.
const ALIKE: usize = 24;

/// Follows the chunks of an answer with one choice, as [`super::Stream`] gives them.
#[derive(Debug, Default)]
pub struct Thread {
    reader: events::Reader,
    splitter: Splitter,
    said: String,
    first: Option<First>,
    /// Something else than text came, or too much of it: nobody can go on.
    odd: bool,
    /// Whether this is not the first stream.
    goes_on: bool,
    /// Whether this one began the answer anew.
    anew: bool,
    /// What the streams before this one used.
    before: Usage,
    joint: Option<Joint>,
}

/// What the first chunk said of the answer as a whole.
#[derive(Debug)]
struct First {
    id: String,
    model: String,
    created: u64,
}

/// The beginning of a stream that goes on: held back until it is known how it joins.
#[derive(Debug, Default)]
struct Joint {
    /// The text so far.
    text: String,
    held: Vec<Value>,
}

/// How a stream joins the ones before it.
enum Joins {
    /// That cannot be told yet.
    Perhaps,
    /// Without so many bytes at its beginning, which were said already.
    Without(usize),
    /// It does not: the answer begins anew.
    Not,
}

impl Thread {
    /// Takes chunks and gives `out` what goes to the caller.
    ///
    /// # Errors
    /// `UpstreamBadReply` when a stream that was to go on begins the answer anew.
    pub fn push(&mut self, chunks: Bytes, out: &mut impl FnMut(Bytes)) -> Result<()> {
        if !self.goes_on {
            self.note(&chunks);
            out(chunks);
            return Ok(());
        }
        let mut frames = Vec::new();
        self.splitter.push(&chunks, |frame| frames.push(frame)).map_err(|_| bad("A chunk is too long."))?;
        for frame in frames {
            self.frame(frame, out)?;
        }
        Ok(())
    }

    /// What is still held back: the stream has ended.
    pub fn end(&mut self, out: &mut impl FnMut(Bytes)) {
        if let Some(joint) = self.joint.take() {
            let length = self.white_space(&joint.text);
            self.release(joint, length, out);
        }
    }

    /// Whether another backend can go on with what was said.
    pub const fn may_go_on(&self) -> bool {
        !self.odd
    }

    /// The call that asks for the rest of the answer to `call`; `None` when nothing can be left to say.
    ///
    /// # Errors
    /// As [`Call::read`]: the call has become too large.
    pub fn rest(&self, call: &Call, limits: &Limits) -> Result<Option<Call>> {
        let mut edits = Edits::new();
        let (body, said) = (call.body(), self.said.trim_end());
        if let Some(limit) = call.max_tokens() {
            let Some(left) = limit.checked_sub(tokens::of_text(&self.said)).filter(|left| *left > 0) else {
                return Ok(None);
            };
            for name in ["max_tokens", "max_completion_tokens"] {
                if let Some(member) = call.member(name).filter(|member| member.kind == Kind::Number) {
                    edits.replace(member.value, left.to_string().into_bytes());
                }
            }
        }
        if !said.is_empty()
            && let Some(messages) = call.member("messages")
        {
            let mut message = if call.messages() > 0 { b",".to_vec() } else { Vec::new() };
            message.extend_from_slice(b"{\"role\":\"assistant\",\"content\":");
            text::encode(said, &mut message);
            message.push(b'}');
            edits.insert(messages.value.end - 1, message);
        }
        let mut rest = Call::read(edits.apply(body).to_bytes(), limits)?;
        rest.facts.goes_on = !said.is_empty();
        Ok(Some(rest))
    }

    /// Another stream begins, which goes on with what was said; the one before it used `usage`.
    pub fn next(&mut self, usage: Option<Usage>) {
        if let Some(used) = usage {
            self.before = sum(self.before, used);
        }
        self.goes_on = true;
        self.anew = false;
        self.splitter = Splitter::default();
        self.joint = Some(Joint::default());
    }

    /// What all streams used, as far as their backends said, with `usage` for the one that runs.
    pub fn used(&self, usage: Option<Usage>) -> Option<Usage> {
        if self.before == Usage::default() { usage } else { Some(sum(self.before, usage.unwrap_or_default())) }
    }

    /// Whether the stream that runs began the answer anew, and so does not go on with it.
    pub const fn begins_anew(&self) -> bool {
        self.anew
    }

    /// Remembers what chunks say.
    fn note(&mut self, chunks: &Bytes) {
        let Self { reader, said, first, odd, .. } = self;
        let read = reader.push(chunks, &mut |event| match event {
            Event::Start { id, model, created } => {
                first.get_or_insert(First { id, model, created });
            }
            Event::Text { choice: 0, text } if said.len() + text.len() <= LONGEST => said.push_str(&text),
            Event::Finish { .. } | Event::Usage(_) | Event::Done => {}
            _ => *odd = true,
        });
        *odd |= read.is_err();
    }

    /// Takes a frame of a stream that goes on.
    fn frame(&mut self, frame: Bytes, out: &mut impl FnMut(Bytes)) -> Result<()> {
        let chunk = Frame::read(&frame).data.and_then(|data| serde_json::from_slice::<Value>(&data).ok());
        let Some(Value::Object(mut chunk)) = chunk else {
            // The end, or a comment.
            if frame.starts_with(b"data") {
                self.end(out);
            }
            self.note(&frame);
            out(frame);
            return Ok(());
        };
        self.make_alike(&mut chunk);
        let chunk = Value::Object(chunk);
        let Some(mut joint) = self.joint.take() else {
            self.write(&chunk, out);
            return Ok(());
        };
        let ends = chunk.pointer("/choices/0/finish_reason").is_some_and(Value::is_string);
        joint.text.push_str(content(&chunk).unwrap_or_default());
        joint.held.push(chunk);
        match self.joins(&joint.text) {
            Joins::Perhaps if !ends => self.joint = Some(joint),
            Joins::Perhaps if joint.text.len() < ALIKE => {
                let length = self.white_space(&joint.text);
                self.release(joint, length, out);
            }
            Joins::Without(length) => self.release(joint, length, out),
            Joins::Perhaps | Joins::Not => {
                return Err(bad("The backend began the answer anew instead of going on with it."));
            }
        }
        Ok(())
    }

    /// The white space at the end of what was said. What was sent to be gone on with had none, since some servers take it
    /// away: it may be said once more.
    fn tail(&self) -> &str {
        &self.said[self.said.trim_end().len()..]
    }

    /// How much of it this text begins with.
    fn white_space(&self, text: &str) -> usize {
        let tail = self.tail();
        if text.starts_with(tail) {
            tail.len()
        } else if tail.starts_with(text) {
            text.len()
        } else {
            0
        }
    }

    /// How a stream with this text joins what was said.
    fn joins(&self, text: &str) -> Joins {
        let (said, tail) = (self.said.as_str(), self.tail());
        if said.len() >= ALIKE {
            if text.starts_with(said) {
                return Joins::Without(said.len());
            }
            let alike = said.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
            if alike == text.len() && alike < ALIKE {
                return Joins::Perhaps;
            }
            // One that says everything once more and then goes on is waited for.
            if alike >= ALIKE {
                return if alike == text.len() { Joins::Perhaps } else { Joins::Not };
            }
        }
        if text.is_empty() || (text.len() < tail.len() && tail.starts_with(text)) {
            return Joins::Perhaps;
        }
        Joins::Without(self.white_space(text))
    }

    /// Writes what was held back, without so many bytes of its text.
    fn release(&mut self, joint: Joint, mut length: usize, out: &mut impl FnMut(Bytes)) {
        for mut chunk in joint.held {
            if length > 0
                && let Some(Value::String(text)) = chunk.pointer_mut("/choices/0/delta/content")
            {
                let gone = length.min(text.len());
                length -= gone;
                text.drain(..gone);
            }
            self.write(&chunk, out);
        }
    }

    fn write(&mut self, chunk: &Value, out: &mut impl FnMut(Bytes)) {
        let frame = Bytes::from(format!("data: {chunk}\n\n"));
        self.note(&frame);
        out(frame);
    }

    /// Gives a chunk the names of the first one, and adds what was used before.
    fn make_alike(&self, chunk: &mut Map<String, Value>) {
        if let Some(first) = &self.first {
            chunk.insert("id".into(), json!(first.id));
            chunk.insert("model".into(), json!(first.model));
            chunk.insert("created".into(), json!(first.created));
        }
        if let Some(Value::Object(usage)) = chunk.get_mut("usage") {
            let before = self.before;
            add(usage, "prompt_tokens", before.input);
            add(usage, "completion_tokens", before.output);
            add(usage, "total_tokens", before.total());
            for (details, name, count) in [
                ("prompt_tokens_details", "cached_tokens", before.cached_input),
                ("completion_tokens_details", "reasoning_tokens", before.reasoning),
            ] {
                if let Some(Value::Object(details)) = usage.get_mut(details) {
                    add(details, name, count);
                }
            }
        }
    }
}

impl Call {
    /// Whether another backend could go on with the answer when its stream breaks: one answer in plain text, not begun by
    /// the caller.
    pub fn may_be_gone_on_with(&self) -> bool {
        let says =
            |name: &str| self.member(name).is_some_and(|member| !matches!(member.kind, Kind::Null | Kind::False));
        let plain = |member: &super::Member| {
            let value = serde_json::from_slice::<Value>(member.value.of(self.body())).unwrap_or_default();
            value["type"] == "text" || value.is_null()
        };
        self.stream()
            && self.choices() == 1
            && !self.has_tools()
            && matches!(self.facts.format, Format::Plain)
            && self.member("response_format").is_none_or(plain)
            && !["logprobs", "top_logprobs", "audio", "modalities", "functions", "echo"].into_iter().any(says)
            && !self.ends_with_an_answer()
    }

    /// Whether this call asks for the rest of an answer that is its last message.
    pub const fn goes_on(&self) -> bool {
        self.facts.goes_on
    }

    /// Whether the last message is the assistant's own.
    fn ends_with_an_answer(&self) -> bool {
        let messages = self.member("messages").map_or(Span::new(0, 0), |member| member.value);
        let messages = serde_json::from_slice::<Vec<Value>>(messages.of(self.body())).unwrap_or_default();
        messages.last().is_none_or(|last| last["role"] == "assistant")
    }
}

/// The text of a chunk's only choice.
fn content(chunk: &Value) -> Option<&str> {
    chunk.pointer("/choices/0/delta/content")?.as_str()
}

/// Adds to a count that is there.
fn add(counts: &mut Map<String, Value>, name: &str, more: u64) {
    if let Some(Value::Number(count)) = counts.get_mut(name)
        && let Some(known) = whole(&count.to_string())
    {
        *count = known.saturating_add(more).into();
    }
}

const fn sum(a: Usage, b: Usage) -> Usage {
    Usage {
        input: a.input.saturating_add(b.input),
        output: a.output.saturating_add(b.output),
        cached_input: a.cached_input.saturating_add(b.cached_input),
        reasoning: a.reasoning.saturating_add(b.reasoning),
    }
}

fn bad(what: &str) -> Box<Fault> {
    Fault::new(FaultKind::UpstreamBadReply, what).sent(Sent::Yes)
}
