//! Answers and chunks of a stream have the same bones: this reads them, and notes what must change.

mod calls;

pub(super) use calls::Calls;

use types::Usage;

use super::usage;
use crate::json::{self, Edits, Kind, Reader, Slot, Span, Str, names, text};

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model was done.
    Stop,
    /// A limit of tokens was reached.
    Length,
    /// Tools are to be called.
    ToolCalls,
    /// A function is to be called (the older way).
    FunctionCall,
    /// A filter stopped it.
    ContentFilter,
    /// A reason that OpenAI does not know, passed on as it is.
    Other,
}

impl Finish {
    /// The reason, and how OpenAI spells it where the backend spells it otherwise.
    fn read(word: &[u8], called_tools: bool) -> (Self, Option<&'static str>) {
        match word {
            b"stop" if called_tools => (Self::ToolCalls, Some("\"tool_calls\"")),
            b"eos" | b"eos_token" if called_tools => (Self::ToolCalls, Some("\"tool_calls\"")),
            b"stop" => (Self::Stop, None),
            b"eos" | b"eos_token" => (Self::Stop, Some("\"stop\"")),
            b"length" => (Self::Length, None),
            b"tool_calls" => (Self::ToolCalls, None),
            b"function_call" => (Self::FunctionCall, None),
            b"content_filter" => (Self::ContentFilter, None),
            _ => (Self::Other, None),
        }
    }

    /// The reason of OpenAI's word for it.
    pub fn named(word: &str) -> Self {
        Self::read(word.as_bytes(), false).0
    }

    /// OpenAI's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::FunctionCall => "function_call",
            Self::ContentFilter => "content_filter",
            Self::Other => "other",
        }
    }
}

/// Whole answers have a `message` in each choice, chunks a `delta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Answer,
    Chunk,
}

impl Shape {
    const fn object(self) -> &'static str {
        match self {
            Self::Answer => "chat.completion",
            Self::Chunk => "chat.completion.chunk",
        }
    }
}

/// What is filled in where the backend says nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill<'a> {
    pub id: &'a str,
    pub model: &'a str,
    pub created: u64,
}

/// What one answer or chunk said.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    /// How many choices; nothing when there is no such member.
    pub choices: Option<usize>,
    pub finish: Option<Finish>,
    /// Whether there was text, reasoning or a call in it.
    pub content: bool,
    /// Usage that is an object: where it stands.
    pub usage: Option<(Slot, Span)>,
    pub used: Usage,
    /// An error stands in it.
    pub error: bool,
    /// It has no member at all.
    pub empty: bool,
    /// Whether it says who speaks.
    pub role: bool,
    /// The text of the only choice's `content`, when that is a string and nothing else of note is said.
    pub text: Option<Span>,
    /// `id`, `model` and `created` as they stand.
    pub id: Option<Str>,
    pub model: Option<Str>,
    pub created: Option<Span>,
}

// What of an answer is judged, of a choice, and of its message.
names!(Top { Id = b"id", Model = b"model", Created = b"created", Object = b"object", Choices = b"choices", Usage = b"usage", Error = b"error" });
names!(OfChoice { FinishReason = b"finish_reason", Index = b"index", Delta = b"delta", Message = b"message", Error = b"error" });
names!(OfMessage { Role = b"role", ToolCalls = b"tool_calls", Content = b"content" });

/// Reads the object that comes next and notes in `edits` what must change.
///
/// # Errors
/// When it is no JSON object.
pub(super) fn read(
    reader: &mut Reader<'_>,
    shape: Shape,
    fill: Fill<'_>,
    calls: &mut Calls,
    edits: &mut Edits,
) -> Result<Said, json::Error> {
    let mut said = Said::default();
    let mut object = None;
    let mut slot = Slot::default();
    let mut usage_is_last = false;
    reader.open_object()?;
    let inside = reader.at();
    while let Some(name) = reader.next_key()? {
        slot.whole.start = name.outer().start;
        if slot.ordinal == 0 {
            slot.before = slot.whole.start;
        }
        if let (true, Some((usage, _))) = (usage_is_last, &mut said.usage) {
            usage.next = Some(slot.whole.start);
        }
        usage_is_last = false;
        let kind = reader.peek()?;
        match (Top::of(&name, reader.bytes()), kind) {
            (Top::Id, Kind::String) => said.id = Some(reader.string()?),
            (Top::Model, Kind::String) => said.model = Some(reader.string()?),
            (Top::Created, Kind::Number) => said.created = Some(reader.skip_peeked(kind)?),
            (Top::Object, Kind::String) => object = Some(reader.string()?),
            (Top::Id | Top::Model | Top::Created | Top::Object, _) => {
                replace_odd(reader, &name, shape, fill, edits, &mut said)?;
            }
            (Top::Choices, Kind::Array) => said.choices = Some(choices(reader, shape, fill, calls, edits, &mut said)?),
            (Top::Usage, Kind::Object) => {
                let start = reader.at();
                said.used = usage::read(reader)?;
                slot.whole.end = reader.at();
                said.usage = Some((slot, Span::new(start, slot.whole.end)));
                usage_is_last = true;
            }
            (Top::Error, Kind::String | Kind::Object | Kind::Array) => {
                let value = reader.skip()?.of(reader.bytes());
                said.error |= !matches!(value, b"\"\"" | b"{}" | b"[]");
            }
            _ => {
                reader.skip_peeked(kind)?;
            }
        }
        slot.whole.end = reader.at();
        slot.before = slot.whole.end;
        slot.ordinal += 1;
    }
    let bytes = reader.bytes();
    match object {
        Some(word) if word.is(bytes, shape.object()) => {}
        Some(word) if word.is(bytes, "error") => said.error = true,
        Some(word) => edits.replace(word.outer(), text::encoded(shape.object())),
        None => {}
    }
    said.empty = slot.ordinal == 0;
    if said.choices != Some(1) || said.usage.is_some() || said.finish.is_some() || said.role {
        said.text = None;
    }
    if !said.empty && !said.error {
        fill_in(&said, object.is_some(), inside, shape, fill, edits);
    }
    Ok(said)
}

/// `id`, `model`, `created` or `object` with a value of the wrong kind.
fn replace_odd(
    reader: &mut Reader<'_>,
    name: &Str,
    shape: Shape,
    fill: Fill<'_>,
    edits: &mut Edits,
    said: &mut Said,
) -> Result<(), json::Error> {
    let kind = reader.peek()?;
    let value = reader.skip()?;
    let mark = Some(Str { inner: value, escaped: false });
    match &*name.raw(reader.bytes()) {
        b"id" => {
            // A number names the answer as well as a string does.
            let id = String::from_utf8_lossy(value.of(reader.bytes()));
            edits.replace(value, text::encoded(if kind == Kind::Number { &id } else { fill.id }));
            said.id = mark;
        }
        b"model" => {
            edits.replace(value, text::encoded(fill.model));
            said.model = mark;
        }
        b"created" => {
            edits.replace(value, fill.created.to_string().into_bytes());
            said.created = Some(value);
        }
        _ => edits.replace(value, text::encoded(shape.object())),
    }
    Ok(())
}

/// What every answer has, where the backend left it out.
fn fill_in(said: &Said, has_object: bool, inside: usize, shape: Shape, fill: Fill<'_>, edits: &mut Edits) {
    let mut missing = Vec::new();
    let mut add = |name: &str, value: &[u8]| {
        missing.extend_from_slice(name.as_bytes());
        missing.extend_from_slice(value);
        missing.push(b',');
    };
    match said.id {
        None => add("\"id\":", &text::encoded(fill.id)),
        Some(id) if id.inner.start == id.inner.end => edits.replace(id.outer(), text::encoded(fill.id)),
        Some(_) => {}
    }
    if !has_object {
        add("\"object\":", &text::encoded(shape.object()));
    }
    if said.created.is_none() {
        add("\"created\":", fill.created.to_string().as_bytes());
    }
    if said.model.is_none() {
        add("\"model\":", &text::encoded(fill.model));
    }
    if said.choices.is_none() && shape == Shape::Chunk {
        add("\"choices\":", b"[]");
    }
    if !missing.is_empty() {
        edits.insert(inside, missing);
    }
}

fn choices(
    reader: &mut Reader<'_>,
    shape: Shape,
    fill: Fill<'_>,
    calls: &mut Calls,
    edits: &mut Edits,
    said: &mut Said,
) -> Result<usize, json::Error> {
    let mut count = 0;
    reader.open_array()?;
    while reader.next_item()? {
        if reader.peek()? == Kind::Object {
            choice(reader, shape, fill, count, calls, edits, said)?;
        } else {
            reader.skip()?;
        }
        count += 1;
    }
    Ok(count)
}

fn choice(
    reader: &mut Reader<'_>,
    shape: Shape,
    fill: Fill<'_>,
    ordinal: usize,
    calls: &mut Calls,
    edits: &mut Edits,
    said: &mut Said,
) -> Result<(), json::Error> {
    let (mut finish, mut index, mut list): (Option<Str>, _, _) = (None, None, Vec::new());
    let mut delta = Told::default();
    reader.open_object()?;
    let inside = reader.at();
    let mut members = 0;
    while let Some(name) = reader.next_key()? {
        members += 1;
        let kind = reader.peek()?;
        match (OfChoice::of(&name, reader.bytes()), kind) {
            (OfChoice::FinishReason, Kind::String) => finish = Some(reader.string()?),
            (OfChoice::Index, Kind::Number) => index = usage::number(reader)?,
            (OfChoice::Delta | OfChoice::Message, Kind::Object) => {
                delta = message(reader, shape, edits, said, &mut list)?;
            }
            (OfChoice::Error, Kind::Object) => {
                reader.skip()?;
                said.error = true;
            }
            _ => {
                reader.skip_peeked(kind)?;
            }
        }
    }
    if index.is_none() && members > 0 {
        edits.insert(inside, format!("\"index\":{ordinal},").into_bytes());
    }
    let place = index.unwrap_or(ordinal as u64);
    if let (Shape::Chunk, Some(role)) = (shape, delta.role) {
        said.role = true;
        if !calls.speaks_first(place) {
            edits.remove(role);
            delta.members -= 1;
        }
    }
    let calls_came = !list.is_empty();
    for call in list {
        calls.note(place, &call, shape, fill, reader.bytes(), edits);
    }
    if let Some(word) = finish {
        let (reason, spelt) = Finish::read(&word.raw(reader.bytes()), calls.any(place));
        said.finish = Some(reason);
        if let (Shape::Chunk, Finish::ToolCalls, false, true) = (shape, reason, calls_came, delta.inside > 0)
            && let Some(missing) = calls.unargued(place)
        {
            match delta.no_calls {
                Some(nothing) => edits.replace(nothing, missing.into_bytes()),
                None => {
                    let comma = if delta.members > 0 { "," } else { "" };
                    edits.insert(delta.inside, format!("\"tool_calls\":{missing}{comma}").into_bytes());
                }
            }
        }
        if let Some(spelt) = spelt {
            edits.replace(word.outer(), spelt);
        }
    }
    Ok(())
}

/// Where something stands in a message or delta.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// Who speaks, should that have to go.
    role: Option<Span>,
    /// Just inside of it.
    inside: usize,
    /// How many members it has, or 0 when there is no message.
    members: usize,
    /// A list of tool calls that holds none, or null.
    no_calls: Option<Span>,
}

/// Takes a message or delta; gathers its tool calls, and notes whether anything of substance is in it.
fn message(
    reader: &mut Reader<'_>,
    shape: Shape,
    edits: &mut Edits,
    said: &mut Said,
    list: &mut Vec<calls::Call>,
) -> Result<Told, json::Error> {
    reader.open_object()?;
    let (inside, mut has_content, mut members) = (reader.at(), false, 0);
    let (mut role, mut no_calls) = (None, None);
    while let Some(name) = reader.next_key()? {
        members += 1;
        let kind = reader.peek()?;
        match (OfMessage::of(&name, reader.bytes()), kind) {
            (OfMessage::Role, _) => {
                let value = reader.skip_peeked(kind)?;
                role = Some(Span::new(name.outer().start, value.end));
            }
            (OfMessage::ToolCalls, Kind::Null) => no_calls = Some(reader.skip()?),
            (OfMessage::ToolCalls, Kind::Array) => {
                let (start, before) = (reader.at(), list.len());
                reader.open_array()?;
                while reader.next_item()? {
                    if reader.peek()? == Kind::Object {
                        list.push(calls::Call::read(reader)?);
                        said.content = true;
                    } else {
                        reader.skip()?;
                    }
                }
                no_calls = (list.len() == before).then(|| Span::new(start, reader.at()));
            }
            // Older TGI streams one call without a list around it.
            (OfMessage::ToolCalls, Kind::Object) => {
                edits.insert(reader.at(), "[");
                list.push(calls::Call::read(reader)?);
                edits.insert(reader.at(), "]");
                said.content = true;
            }
            (OfMessage::Content, kind) => {
                has_content = true;
                let value = reader.skip_peeked(kind)?;
                if kind == Kind::String && value.end - value.start > 2 {
                    said.content = true;
                    said.text = Some(Span::new(value.start + 1, value.end - 1));
                } else {
                    said.content |= matches!(kind, Kind::Array | Kind::Object);
                }
            }
            (_, Kind::String) => {
                let text = reader.string()?;
                said.content |= text.inner.start < text.inner.end;
            }
            _ => {
                reader.skip_peeked(kind)?;
            }
        }
    }
    if shape == Shape::Answer && !has_content {
        edits.insert(inside, if members == 0 { "\"content\":null" } else { "\"content\":null," });
    }
    let role = role.map(|role| with_comma(role, reader.bytes()));
    Ok(Told { role, inside, members, no_calls })
}

/// A member of an object with the comma that goes with it, when nothing else goes from the object.
fn with_comma(member: Span, bytes: &[u8]) -> Span {
    let behind = bytes.get(member.end..).unwrap_or_default();
    let blanks = behind.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    if behind.get(blanks) == Some(&b',') {
        return Span::new(member.start, member.end + blanks + 1);
    }
    let before = bytes.get(..member.start).unwrap_or_default().trim_ascii_end();
    let start = if before.ends_with(b",") { before.len() - 1 } else { member.start };
    Span::new(start, member.end)
}
