//! Reading what comes back: in OpenAI's shape, or as bare arrays.
//!
//! One scan counts the vectors, looks at their order and their kind; if they are what was asked for, the very bytes go
//! on. Whatever a backend adds beside the vectors stays.

use bytes::Bytes;
use types::{Result, SendBody, Usage};

use super::{
    bad_reply,
    call::{Call, Encoding},
    pool, vectors,
};
use crate::{
    json::{self, Edits, Kind, Limits, Part, Reader, Span, Str, text},
    openai::chat::usage,
    upstream_error,
};

/// What was asked for, as far as an answer must match it.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// How the caller wants the vectors.
    pub wanted: Encoding,
    /// How many inputs were sent.
    pub inputs: usize,
    /// Whether they were sent as a list.
    pub listed: bool,
    /// The model's name, where the backend's answer has none.
    pub model: &'a str,
    /// The call, for an estimate where the backend counts no tokens.
    pub call: &'a Call,
}

impl<'a> Context<'a> {
    /// What `call` asks for.
    pub fn of(call: &'a Call, model: &'a str) -> Self {
        Self { wanted: call.encoding(), inputs: call.inputs(), listed: call.input().is_list(), model, call }
    }
}

/// An answer as the caller gets it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The body; the backend's own bytes if nothing had to change.
    pub body: SendBody,
    /// What was used.
    pub usage: Usage,
    /// Whether `usage` is an estimate, which the body then says: `"estimated": true`.
    pub estimated: bool,
}

pub(super) const ALL: Limits = Limits { max_depth: 127, max_members: usize::MAX };

/// Reads an answer.
///
/// Bare arrays become one vector per input, as [`pool`] says.
///
/// # Errors
/// The backend's own error when there is one in a good status; `UpstreamBadReply` when it is no answer to these inputs:
/// too few or too many vectors, an index twice, something that is no number in a vector.
pub fn answer(body: &Bytes, context: &Context<'_>) -> Result<Answer> {
    let not_json = |error: json::Error| bad_reply("The backend's answer is not JSON.").detail(error.to_string());
    let kind = Reader::new(body, ALL).and_then(|mut reader| reader.peek()).map_err(not_json)?;
    if kind == Kind::Array {
        return pool::answer(body, context);
    }
    let said = Said::read(body).map_err(not_json)?;
    let Some(items) = &said.items else {
        return Err(if said.error || upstream_error::speaks_of_one(body) {
            upstream_error::in_good_status(body)
        } else {
            bad_reply("The backend's answer holds no `data`.")
        });
    };
    let in_order = count_and_order(items, context.inputs)?;
    if !in_order {
        let sorted = sorted(body, items).to_bytes();
        return answer(&sorted, context);
    }
    let mut edits = Edits::new();
    for (index, item) in items.iter().enumerate() {
        item.mend(index, body, context.wanted, &mut edits)?;
    }
    let (usage, estimated) = said.fill(body, context, &mut edits);
    Ok(Answer { body: edits.apply(body), usage, estimated })
}

/// Checks that there is one vector for each input; whether they stand in order.
fn count_and_order(items: &[Item], inputs: usize) -> Result<bool> {
    if items.len() != inputs {
        return Err(bad_reply(format!("The backend sent {} vectors for {inputs} inputs.", items.len())));
    }
    if items.iter().enumerate().all(|(at, item)| item.index.is_none_or(|index| index == at as u64)) {
        return Ok(true);
    }
    let mut seen = vec![false; inputs];
    for item in items {
        let place = item.index.and_then(|index| seen.get_mut(usize::try_from(index).ok()?));
        if place.is_none_or(|seen| std::mem::replace(seen, true)) {
            return Err(bad_reply("The backend's vectors have indices that do not match the inputs."));
        }
    }
    Ok(false)
}

/// The same answer with its vectors in the order of their indices, which are complete.
fn sorted(body: &Bytes, items: &[Item]) -> SendBody {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|at| items[*at].index);
    let mut edits = Edits::new();
    for (item, from) in items.iter().zip(order) {
        edits.replace(item.whole, Part::Original(items[from].whole));
    }
    edits.apply(body)
}

/// What an answer in OpenAI's shape says.
#[derive(Default)]
pub(super) struct Said {
    pub items: Option<Vec<Item>>,
    pub usage: Option<Counted>,
    object: bool,
    model: bool,
    error: bool,
    /// Where the first member would stand.
    inside: usize,
    /// Whether there is a member.
    alone: bool,
    /// A `usage` or `model` that says nothing.
    hollow: [Option<Span>; 2],
}

/// Tokens that a backend counted, and where it says so.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    pub usage: Usage,
    pub span: Span,
}

/// One vector of an answer.
pub(super) struct Item {
    pub whole: Span,
    pub index: Option<u64>,
    pub index_span: Option<Span>,
    embedding: Embedding,
    object: bool,
    inside: usize,
}

#[derive(Clone, Copy)]
enum Embedding {
    Missing,
    Odd,
    Numbers { span: Span, count: usize },
    Base64(Str),
}

impl Said {
    pub(super) fn read(body: &[u8]) -> Result<Self, json::Error> {
        let mut reader = Reader::new(body, ALL)?;
        let mut said = Self { alone: true, ..Self::default() };
        reader.open_object()?;
        said.inside = reader.at();
        while let Some(name) = reader.next_key()? {
            said.alone = false;
            let kind = reader.peek()?;
            match (&*name.raw(body), kind) {
                (b"data", Kind::Array) => said.items = Some(items(&mut reader)?),
                (b"usage", Kind::Object) => match counted(&mut reader)? {
                    (Some(usage), span) => said.usage = Some(Counted { usage, span }),
                    (None, span) => said.hollow[0] = Some(span),
                },
                (b"usage", _) => said.hollow[0] = Some(reader.skip()?),
                (b"model", Kind::String) => {
                    let text = reader.string()?;
                    said.model = text.inner.start < text.inner.end;
                    said.hollow[1] = (!said.model).then(|| text.outer());
                }
                (b"model", _) => said.hollow[1] = Some(reader.skip()?),
                (b"object", Kind::String) => {
                    said.object = true;
                    reader.skip()?;
                }
                (b"error", Kind::Null) => {
                    reader.skip()?;
                }
                (b"error", _) => {
                    said.error = true;
                    reader.skip()?;
                }
                _ => {
                    reader.skip()?;
                }
            }
        }
        reader.finish()?;
        Ok(said)
    }

    /// Fills in what the schema wants and the backend does not say; gives the usage and whether it is an estimate.
    fn fill(&self, body: &[u8], context: &Context<'_>, edits: &mut Edits) -> (Usage, bool) {
        let mut opening = Vec::new();
        if !self.object {
            opening.extend_from_slice(b"\"object\":\"list\",");
        }
        if !self.model {
            match self.hollow[1] {
                Some(span) => edits.replace(span, text::encoded(context.model)),
                None => write_model(context.model, &mut opening),
            }
        }
        let (usage, estimated) = match self.usage {
            Some(counted) => (counted.usage, false),
            None => {
                let usage = Usage { input: context.call.estimate(), ..Usage::default() };
                let written = usage_text(&usage, true);
                match self.hollow[0] {
                    Some(span) => edits.replace(span, written.into_bytes()),
                    None => opening.extend_from_slice(format!("\"usage\":{written},").as_bytes()),
                }
                (usage, true)
            }
        };
        if !opening.is_empty() {
            // `data` is there: a member always follows.
            debug_assert!(!self.alone && body.get(self.inside) != Some(&b'}'));
            edits.insert(self.inside, opening);
        }
        (usage, estimated)
    }
}

fn write_model(model: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"model\":");
    text::encode(model, out);
    out.push(b',');
}

/// The usage object.
pub(super) fn usage_text(usage: &Usage, estimated: bool) -> String {
    let mark = if estimated { ",\"estimated\":true" } else { "" };
    format!("{{\"prompt_tokens\":{0},\"total_tokens\":{0}{mark}}}", usage.input)
}

/// Takes a usage object. It says nothing when it names neither count.
fn counted(reader: &mut Reader<'_>) -> Result<(Option<Usage>, Span), json::Error> {
    let start = reader.at();
    let (mut prompt, mut total) = (None, None);
    reader.open_object()?;
    while let Some(name) = reader.next_key()? {
        let known = name.raw(reader.bytes());
        let value = reader.skip()?.of(reader.bytes());
        let number = || std::str::from_utf8(value).ok().and_then(usage::whole);
        match &*known {
            b"prompt_tokens" => prompt = number(),
            b"total_tokens" => total = number(),
            _ => {}
        }
    }
    let input = prompt.or(total);
    Ok((input.map(|input| Usage { input, ..Usage::default() }), Span::new(start, reader.at())))
}

fn items(reader: &mut Reader<'_>) -> Result<Vec<Item>, json::Error> {
    let mut items = Vec::new();
    reader.open_array()?;
    while reader.next_item()? {
        let kind = reader.peek()?;
        let start = reader.at();
        let mut item = Item {
            whole: Span::default(),
            index: None,
            index_span: None,
            embedding: Embedding::Missing,
            object: false,
            inside: start + 1,
        };
        if kind == Kind::Object {
            item.read(reader)?;
        } else {
            reader.skip()?;
        }
        item.whole = Span::new(start, reader.at());
        items.push(item);
    }
    Ok(items)
}

impl Item {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), json::Error> {
        reader.open_object()?;
        while let Some(name) = reader.next_key()? {
            let kind = reader.peek()?;
            match (&*name.raw(reader.bytes()), kind) {
                (b"embedding", Kind::Array) => self.embedding = embedding(reader)?,
                (b"embedding", Kind::String) => self.embedding = Embedding::Base64(reader.string()?),
                (b"embedding", _) => {
                    self.embedding = Embedding::Odd;
                    reader.skip()?;
                }
                (b"index", _) => {
                    let span = reader.skip()?;
                    self.index = std::str::from_utf8(span.of(reader.bytes())).ok().and_then(usage::whole);
                    self.index_span = Some(span);
                }
                (b"object", Kind::String) => {
                    self.object = true;
                    reader.skip()?;
                }
                _ => {
                    reader.skip()?;
                }
            }
        }
        Ok(())
    }

    /// Makes it the vector of input `index`, written as `wanted`.
    fn mend(&self, index: usize, body: &[u8], wanted: Encoding, edits: &mut Edits) -> Result<()> {
        let mut opening = String::new();
        if !self.object {
            opening += "\"object\":\"embedding\",";
        }
        match (self.index, self.index_span) {
            (Some(_), _) => {}
            (None, Some(span)) => edits.replace(span, index.to_string().into_bytes()),
            (None, None) => opening += &format!("\"index\":{index},"),
        }
        if !opening.is_empty() {
            edits.insert(self.inside, opening.into_bytes());
        }
        match (self.embedding, wanted) {
            (Embedding::Numbers { count: 1.., .. }, Encoding::Float) => {}
            (Embedding::Numbers { span, count: count @ 1.. }, Encoding::Base64) => {
                edits.replace(span, base64_of(body, span, count)?);
            }
            (Embedding::Base64(string), Encoding::Base64) => {
                if vectors::count_in_base64(string.inner.of(body)).is_none() {
                    vectors::from_base64(&string.raw(body))?;
                }
            }
            (Embedding::Base64(string), Encoding::Float) => {
                let mut out = Vec::new();
                vectors::write_floats(vectors::from_base64(&string.raw(body))?, &mut out);
                edits.replace(string.outer(), out);
            }
            (Embedding::Missing, _) => {
                return Err(bad_reply(format!("`data[{index}]` of the backend's answer has no `embedding`.")));
            }
            (Embedding::Numbers { .. } | Embedding::Odd, _) => return Err(no_vector(index)),
        }
        Ok(())
    }
}

pub(super) fn no_vector(index: usize) -> Box<types::Fault> {
    bad_reply(format!("The backend's vector for input {index} is empty or holds something that is no number."))
}

/// Takes an array: a vector, or something odd that is good JSON all the same.
fn embedding(reader: &mut Reader<'_>) -> Result<Embedding, json::Error> {
    let mut whole = reader.clone();
    let start = reader.at();
    match reader.numbers(|_| {}) {
        Ok(count) => Ok(Embedding::Numbers { span: Span::new(start, reader.at()), count }),
        Err(_) => {
            whole.skip()?;
            *reader = whole;
            Ok(Embedding::Odd)
        }
    }
}

/// The vector at `span` as base64.
pub(super) fn base64_of(body: &[u8], span: Span, count: usize) -> Result<Vec<u8>> {
    let mut floats = Vec::with_capacity(count);
    let mut trouble = None;
    let mut reader = Reader::within(body, span, ALL);
    let _ = reader.numbers(|written| match vectors::float(written) {
        Ok(float) => floats.push(float),
        Err(fault) => trouble = Some(fault),
    });
    if let Some(fault) = trouble {
        return Err(fault);
    }
    let mut out = Vec::new();
    vectors::write_base64(&floats, &mut out);
    Ok(out)
}
