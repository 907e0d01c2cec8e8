//! Reading what comes back: in OpenAI's shape, or as bare arrays.
//!
//! One scan counts the vectors, looks at their order and their kind; if they are what was asked for, the very bytes go
//! on. Whatever a backend adds beside the vectors stays.

use bytes::Bytes;
use types::{Result, SendBody, Usage};

use super::{
    bad_reply,
    call::{Call, Encoding},
    item::{self, Item},
    pool,
};
use crate::{
    json::{self, Edits, Kind, Limits, Part, Reader, Span, text},
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
/// Bare arrays become one vector per input, by the rules of [this module](super#bare-arrays).
///
/// # Errors
/// The backend's own error when there is one in a good status; `UpstreamBadReply` when it is no answer to these inputs:
/// too few or too many vectors, an index twice, something that is no number in a vector.
pub fn answer(body: &Bytes, context: &Context<'_>) -> Result<Answer> {
    let not_json = |error: json::Error| bad_reply("The backend's answer is not JSON.").detail(error.to_string());
    let mut reader = Reader::new(body, ALL).map_err(not_json)?;
    if reader.peek().map_err(not_json)? == Kind::Array {
        return pool::answer(reader, body, context);
    }
    let mut said = Said::read(reader, context.wanted).map_err(not_json)?;
    let Some(items) = &mut said.items else {
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
    for (index, item) in items.iter_mut().enumerate() {
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

impl Said {
    /// Reads it. Numbers become base64 on the way if that is what is wanted.
    pub(super) fn read(mut reader: Reader<'_>, wanted: Encoding) -> Result<Self, json::Error> {
        let body = reader.bytes();
        let mut said = Self { alone: true, ..Self::default() };
        reader.open_object()?;
        said.inside = reader.at();
        while let Some(name) = reader.next_key()? {
            said.alone = false;
            let kind = reader.peek()?;
            match (&*name.raw(body), kind) {
                (b"data", Kind::Array) => said.items = Some(item::read(&mut reader, wanted)?),
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
