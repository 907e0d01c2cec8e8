//! Reading a chat call: one scan of the whole body that checks it and notes what later steps need, as spans.
//!
//! Types are checked only of what is judged here; everything else is the backend's to judge.

mod messages;
mod tools;

use bytes::Bytes;
use types::{Fault, Kind as FaultKind, Result};

use super::super::{
    detours,
    envelope::{self, Members, Scanned, duplicate, missing, wrong_type},
};
use crate::json::{Kind, Limits, Reader, Slot, Span, Str, names};

pub use super::super::envelope::Member;

pub(super) use messages::{MessageFlaw, Spot};
pub(super) use tools::{Choice, Format, OddTool, ToolKind};

/// A chat call: the caller's bytes, and what was read from them.
#[derive(Clone, Debug)]
pub struct Call {
    body: Bytes,
    members: Members,
    model: String,
    pub(super) facts: Facts,
}

/// What the scan noted besides the members.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub stream: bool,
    pub usage: Asked,
    pub max_tokens: Option<u64>,
    pub choices: Option<u64>,
    pub messages: usize,
    pub images: usize,
    pub audio: usize,
    pub spots: Vec<Spot>,
    pub tools: usize,
    pub odd_tools: Vec<OddTool>,
    pub choice: Choice,
    pub format: Format,
    /// The last message is the beginning of the answer: the rest is asked for.
    pub goes_on: bool,
}

/// What `stream_options` says about usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Asked {
    /// There are no `stream_options`.
    #[default]
    Nothing,
    /// They do not mention it: to be inserted here; whether other members follow.
    Silent { at: usize, alone: bool },
    /// They say so, here.
    Said { value: Span, yes: bool },
}

impl Call {
    /// Reads a body.
    ///
    /// # Errors
    /// `BadRequest`, naming the member where there is one: no JSON object, a duplicate member, a wrong type of
    /// something that is judged here, `model` or `messages` missing.
    pub fn read(body: Bytes, limits: &Limits) -> Result<Self> {
        let mut call = Self::scan(body, limits)?;
        // One level in the other is still meant; more is not.
        for _ in 0..2 {
            match envelope::flatten(&call.body, &call.members) {
                Some(flat) => call = Self::scan(flat, limits)?,
                None => break,
            }
        }
        match call.member("model") {
            None => match call.detours()?.into_iter().next() {
                Some(first) => call.model = first,
                None => return Err(missing("model", "name a model, e.g. \"huggingface/auto/org/name\"")),
            },
            Some(_) if call.model.is_empty() => {
                return Err(Fault::new(FaultKind::BadRequest, "`model` is empty; name a model.").param("model"));
            }
            Some(_) => {}
        }
        if call.member("messages").is_none() {
            return Err(missing("messages", "send an array of messages"));
        }
        Ok(call)
    }

    fn scan(body: Bytes, limits: &Limits) -> Result<Self> {
        let reader = envelope::reader(&body, *limits)?;
        let mut scan =
            Scan { reader, members: Members::with_capacity(16), model: String::new(), facts: Facts::default() };
        if let Err(trouble) = scan.body() {
            return Err(trouble.told(&body, *limits));
        }
        let Scan { members, model, facts, .. } = scan;
        members.refuse_duplicates(&body)?;
        Ok(Self { members, model, facts, body })
    }

    /// The caller's bytes (with the members of `extra_body` and `extra_params` moved to the top, if there were any).
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The model as the caller named it.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Which models may serve instead, as `models` and `fallbacks` name them.
    ///
    /// # Errors
    /// What is no such list.
    pub fn detours(&self) -> Result<Vec<String>> {
        detours::of_body(&self.body, &self.members, &self.model)
    }

    /// Whether a stream is asked for.
    pub const fn stream(&self) -> bool {
        self.facts.stream
    }

    /// Whether the caller wants to see usage in the stream.
    pub const fn wants_stream_usage(&self) -> bool {
        matches!(self.facts.usage, Asked::Said { yes: true, .. })
    }

    /// The most tokens that may be produced, by either name; the larger if both are given.
    pub const fn max_tokens(&self) -> Option<u64> {
        self.facts.max_tokens
    }

    /// How many choices are asked for.
    pub fn choices(&self) -> u64 {
        self.facts.choices.unwrap_or(1)
    }

    /// How many messages there are.
    pub const fn messages(&self) -> usize {
        self.facts.messages
    }

    /// Whether tools are offered (the older `functions` too).
    pub fn has_tools(&self) -> bool {
        self.facts.tools > 0 || self.member("functions").is_some_and(|m| m.kind == Kind::Array)
    }

    /// Whether a message holds an image.
    pub const fn has_images(&self) -> bool {
        self.facts.images > 0
    }

    /// Whether a message holds sound.
    pub const fn has_audio(&self) -> bool {
        self.facts.audio > 0
    }

    /// Whether the answer must follow a JSON schema.
    pub const fn has_json_schema(&self) -> bool {
        matches!(self.facts.format, Format::Schema { .. })
    }

    /// About how many tokens the call has: rather too few than too many, since calls that do not fit are left out.
    /// Pictures and sound are counted, not measured.
    pub fn estimate(&self) -> u64 {
        let by_length = self.body.len() as u64 / 5;
        let media = (self.facts.images + self.facts.audio) as u64;
        if media == 0 { by_length } else { by_length.min(2000 + 800 * media) }
    }

    /// Which of these members at the top ask for something.
    pub fn demands<'n>(&self, of: &[&'n str]) -> impl Iterator<Item = &'n str> {
        let known = |member: &Member| of.iter().find(|name| member.name.is(&self.body, name)).copied();
        let asks = |member: &Member, name: &str| {
            member.kind != Kind::Null && !super::encode::asks_for_nothing(name, member, &self.body)
        };
        self.members.iter().filter_map(move |member| known(member).filter(|name| asks(member, name)))
    }

    /// The members at the top, in order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member of this name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.index_of(name).map(|index| &self.members[index])
    }

    /// The place of the member of this name.
    #[inline]
    pub(super) fn index_of(&self, name: &str) -> Option<usize> {
        self.members.find(&self.body, name)
    }

    /// Where the member stands among the others.
    pub(super) fn slot(&self, index: usize) -> Slot {
        envelope::slot(&self.members, index)
    }
}

// Members at the top that are judged here.
names!(Known {
    Model = b"model",
    Messages = b"messages",
    Stream = b"stream",
    StreamOptions = b"stream_options",
    MaxTokens = b"max_tokens",
    MaxCompletionTokens = b"max_completion_tokens",
    N = b"n",
    Tools = b"tools",
    ToolChoice = b"tool_choice",
    ResponseFormat = b"response_format",
    ExtraBody = b"extra_body",
    ExtraParams = b"extra_params",
});

/// The scan under way.
struct Scan<'a> {
    reader: Reader<'a>,
    members: Members,
    model: String,
    facts: Facts,
}

impl Scan<'_> {
    fn body(&mut self) -> Scanned {
        envelope::open(&mut self.reader)?;
        while let Some(name) = self.reader.next_key()? {
            let kind = self.reader.peek()?;
            let start = self.reader.at();
            self.value(name, kind)?;
            let member = Member { name, value: Span::new(start, self.reader.at()), kind };
            self.members.push(self.reader.bytes(), member);
        }
        Ok(self.reader.finish()?)
    }

    /// Takes one member's value, noting what it says.
    fn value(&mut self, name: Str, kind: Kind) -> Scanned {
        match (Known::of(&name, self.reader.bytes()), kind) {
            (Known::Model, Kind::String) => {
                let text = self.reader.string()?;
                self.model = self.reader.decode(&text).into_owned();
                return Ok(());
            }
            (Known::Model, _) => return Err(wrong_type("model", "a string", kind).into()),
            (Known::Messages, Kind::Array) => return self.messages(),
            (Known::Messages, _) => return Err(wrong_type("messages", "an array", kind).into()),
            (_, Kind::Null) => {}
            (Known::Stream, Kind::True | Kind::False) => self.facts.stream = kind == Kind::True,
            (Known::Stream, _) => return Err(wrong_type("stream", "a boolean", kind).into()),
            (Known::StreamOptions, Kind::Object) => return self.stream_options(),
            (Known::StreamOptions, _) => return Err(wrong_type("stream_options", "an object", kind).into()),
            (Known::MaxTokens, _) => {
                let limit = self.whole_number("max_tokens", kind)?;
                self.facts.max_tokens = self.facts.max_tokens.max(Some(limit));
                return Ok(());
            }
            (Known::MaxCompletionTokens, _) => {
                let limit = self.whole_number("max_completion_tokens", kind)?;
                self.facts.max_tokens = self.facts.max_tokens.max(Some(limit));
                return Ok(());
            }
            (Known::N, _) => {
                self.facts.choices = Some(self.whole_number("n", kind)?);
                return Ok(());
            }
            (Known::Tools, Kind::Array) => return self.tools(),
            (Known::Tools, _) => return Err(wrong_type("tools", "an array", kind).into()),
            (Known::ToolChoice, _) => return self.tool_choice(kind),
            (Known::ResponseFormat, Kind::Object) => return self.response_format(),
            (Known::ResponseFormat, _) => return Err(wrong_type("response_format", "an object", kind).into()),
            (Known::ExtraBody, _) if kind != Kind::Object => {
                return Err(wrong_type("extra_body", "an object", kind).into());
            }
            (Known::ExtraParams, _) if kind != Kind::Object => {
                return Err(wrong_type("extra_params", "an object", kind).into());
            }
            _ => {}
        }
        self.reader.skip_peeked(kind)?;
        Ok(())
    }

    fn whole_number(&mut self, name: &'static str, kind: Kind) -> Scanned<u64> {
        let wrong = |found: &str| {
            Fault::new(FaultKind::BadRequest, format!("`{name}` must be a whole number, not {found}.")).param(name)
        };
        if kind != Kind::Number {
            return Err(wrong(kind.name()).into());
        }
        if let Some(number) = self.reader.plain_number() {
            return Ok(number);
        }
        let raw = self.reader.skip()?.of(self.reader.bytes());
        let number = std::str::from_utf8(raw).ok().and_then(super::usage::whole);
        match number {
            Some(number) => Ok(number),
            None => Err(wrong(&String::from_utf8_lossy(&raw[..raw.len().min(24)])).into()),
        }
    }

    fn stream_options(&mut self) -> Scanned {
        self.reader.open_object()?;
        let inside = self.reader.at();
        let (mut asked, mut alone) = (None, true);
        while let Some(name) = self.reader.next_key()? {
            alone = false;
            let kind = self.reader.peek()?;
            let value = self.reader.skip_peeked(kind)?;
            if name.is(self.reader.bytes(), "include_usage") {
                if asked.is_some() {
                    return Err(duplicate("stream_options.include_usage").into());
                }
                if !kind.is_bool() && kind != Kind::Null {
                    return Err(wrong_type("stream_options.include_usage", "a boolean", kind).into());
                }
                asked = Some(Asked::Said { value, yes: kind == Kind::True });
            }
        }
        self.facts.usage = asked.unwrap_or(Asked::Silent { at: inside, alone });
        Ok(())
    }
}
