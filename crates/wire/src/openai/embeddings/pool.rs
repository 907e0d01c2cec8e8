//! Bare arrays, as feature extraction answers them: one vector per input, by the rules of the module
//! above.

use bytes::Bytes;
use types::{Result, Usage};

use super::{
    answer::{ALL, Answer, Context, usage_text},
    bad_reply,
    call::Encoding,
    item::{base64, no_vector},
    vectors,
};
use crate::json::{self, Edits, Kind, Reader, Span, text};

/// Deepest nesting that has a meaning.
const DEEPEST: usize = 4;

/// Reads a bare array, before which the reader stands.
pub(super) fn answer(reader: Reader<'_>, body: &Bytes, context: &Context<'_>) -> Result<Answer> {
    let groups = groups(reader, context)?;
    if groups.len() != context.inputs {
        return Err(bad_reply(format!("The backend sent {} vectors for {} inputs.", groups.len(), context.inputs)));
    }
    let mut edits = Edits::new();
    let mut at = 0;
    for (index, group) in groups.iter().enumerate() {
        let opening = if index == 0 { "{\"object\":\"list\",\"data\":[" } else { "}," };
        let opening = format!("{opening}{{\"object\":\"embedding\",\"index\":{index},\"embedding\":");
        edits.replace(Span::new(at, group.span.start), opening.into_bytes());
        group.write(index, body, context.wanted, &mut edits)?;
        at = group.span.end;
    }
    let usage = Usage { input: context.call.estimate(), ..Usage::default() };
    let mut closing = b"}],\"model\":".to_vec();
    text::encode(context.model, &mut closing);
    closing.extend_from_slice(format!(",\"usage\":{}}}", usage_text(&usage, true)).as_bytes());
    edits.replace(Span::new(at, body.len()), closing);
    Ok(Answer { body: edits.apply(body), usage, estimated: true })
}

/// What belongs to one input: a vector, or arrays that hold vectors.
struct Group {
    span: Span,
    /// Whether it is a vector as it stands; otherwise it is to be pooled.
    plain: bool,
}

impl Group {
    fn write(&self, index: usize, body: &[u8], wanted: Encoding, edits: &mut Edits) -> Result<()> {
        let written = match (self.plain, wanted) {
            (true, Encoding::Float) => return Ok(()),
            (true, Encoding::Base64) => {
                base64(&mut Reader::within(body, self.span, ALL)).1.ok_or_else(vectors::no_float)?
            }
            (false, _) => {
                let mean = mean(index, body, self.span)?;
                let mut out = Vec::new();
                match wanted {
                    Encoding::Float => vectors::write_floats(mean, &mut out),
                    Encoding::Base64 => vectors::write_base64(&mean, &mut out),
                }
                out
            }
        };
        edits.replace(self.span, written);
        Ok(())
    }
}

/// Cuts the answer into what belongs to each input.
fn groups(mut reader: Reader<'_>, context: &Context<'_>) -> Result<Vec<Group>> {
    let not_json = |error: json::Error| bad_reply("The backend's answer is not JSON.").detail(error.to_string());
    let whole = {
        let mut reader = reader.clone();
        let whole = reader.skip().map_err(not_json)?;
        reader.finish().map_err(not_json)?;
        whole
    };
    let depth = depth(&reader);
    if depth == 1 {
        let count = reader.count_numbers().map_err(|_| no_vector(0))?;
        return if count == 0 { Ok(Vec::new()) } else { Ok(vec![Group { span: whole, plain: true }]) };
    }
    if !(2..=DEEPEST).contains(&depth) {
        return Err(bad_reply("The backend's answer holds no vectors."));
    }
    let rows = rows(&mut reader, depth)?;
    if depth == 2 && !context.listed && context.inputs == 1 && rows.len() != 1 {
        return Ok(vec![Group { span: whole, plain: false }]);
    }
    Ok(rows)
}

/// The items of the outermost array. What is no vector is told from what is no JSON: all of it was checked before.
fn rows(reader: &mut Reader<'_>, depth: usize) -> Result<Vec<Group>> {
    let mut rows = Vec::new();
    let broken = |_| no_vector(0);
    reader.open_array().map_err(broken)?;
    while reader.next_item().map_err(broken)? {
        let start = reader.at();
        let plain = if depth == 2 {
            let index = rows.len();
            let count = reader.count_numbers().ok().filter(|count| *count > 0);
            count.ok_or_else(|| no_vector(index))?;
            true
        } else {
            reader.skip().map_err(broken)?;
            false
        };
        rows.push(Group { span: Span::new(start, reader.at()), plain });
    }
    Ok(rows)
}

/// How many arrays open before the first thing that is none.
fn depth(reader: &Reader<'_>) -> usize {
    let mut reader = reader.clone();
    let mut depth = 0;
    while depth <= DEEPEST && reader.peek() == Ok(Kind::Array) {
        depth += 1;
        if reader.open_array().is_err() || !reader.next_item().unwrap_or(false) {
            break;
        }
    }
    depth
}

/// The mean of all vectors within `span`.
fn mean(index: usize, body: &[u8], span: Span) -> Result<Vec<f32>> {
    let mut reader = Reader::within(body, span, ALL);
    let mut pool = Pool::default();
    pool.add(&mut reader, 0).map_err(|()| no_vector(index))?;
    if pool.vectors == 0 {
        return Err(no_vector(index));
    }
    let count = pool.vectors as f64;
    let mean: Vec<f32> = pool.sums.iter().map(|sum| (sum / count) as f32).collect();
    if mean.iter().any(|float| !float.is_finite()) {
        return Err(no_vector(index));
    }
    Ok(mean)
}

/// Vectors summed up.
#[derive(Default)]
struct Pool {
    sums: Vec<f64>,
    vectors: usize,
}

impl Pool {
    fn add(&mut self, reader: &mut Reader<'_>, depth: usize) -> Result<(), ()> {
        if depth >= DEEPEST {
            return Err(());
        }
        let mut inner = reader.clone();
        inner.open_array().map_err(drop)?;
        if inner.next_item().map_err(drop)? && inner.peek() == Ok(Kind::Array) {
            loop {
                self.add(&mut inner, depth + 1)?;
                if !inner.next_item().map_err(drop)? {
                    break;
                }
            }
            *reader = inner;
            return Ok(());
        }
        self.vector(reader)
    }

    fn vector(&mut self, reader: &mut Reader<'_>) -> Result<(), ()> {
        let (mut at, mut good) = (0, true);
        let (sums, first) = (&mut self.sums, self.vectors == 0);
        let count = reader
            .numbers(|written| {
                let number = std::str::from_utf8(written).ok().and_then(|text| text.parse::<f64>().ok());
                match (number, sums.get_mut(at)) {
                    (Some(number), Some(sum)) => *sum += number,
                    (Some(number), None) if first => sums.push(number),
                    _ => good = false,
                }
                at += 1;
            })
            .map_err(drop)?;
        self.vectors += 1;
        if good && count > 0 && count == self.sums.len() { Ok(()) } else { Err(()) }
    }
}
