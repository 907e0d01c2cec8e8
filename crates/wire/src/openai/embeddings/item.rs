//! One vector of an answer in OpenAI's shape: read, and mended where it is not what was asked for.

use types::{Fault, Result};

use super::{bad_reply, call::Encoding, vectors};
use crate::{
    json::{self, Edits, Kind, Reader, Span, Str},
    openai::chat::usage,
};

/// One item of `data`.
pub(super) struct Item {
    pub whole: Span,
    pub index: Option<u64>,
    pub index_span: Option<Span>,
    embedding: Embedding,
    object: bool,
    /// Where its first member would stand.
    inside: usize,
}

enum Embedding {
    Missing,
    /// Empty, or something else than numbers.
    Odd,
    Numbers,
    /// Numbers in base64; nothing when one of them is no 32 bit float.
    Converted(Span, Option<Vec<u8>>),
    Base64(Str),
}

/// Takes the list of vectors.
pub(super) fn read(reader: &mut Reader<'_>, wanted: Encoding) -> Result<Vec<Item>, json::Error> {
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
            item.members(reader, wanted)?;
        } else {
            reader.skip()?;
        }
        item.whole = Span::new(start, reader.at());
        items.push(item);
    }
    Ok(items)
}

impl Item {
    fn members(&mut self, reader: &mut Reader<'_>, wanted: Encoding) -> Result<(), json::Error> {
        reader.open_object()?;
        while let Some(name) = reader.next_key()? {
            let kind = reader.peek()?;
            match (&*name.raw(reader.bytes()), kind) {
                (b"embedding", Kind::Array) => self.embedding = Embedding::read(reader, wanted)?,
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

    /// Makes it the vector of input `index`, written as `wanted`. To be asked once.
    pub(super) fn mend(&mut self, index: usize, body: &[u8], wanted: Encoding, edits: &mut Edits) -> Result<()> {
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
        match (&mut self.embedding, wanted) {
            (Embedding::Numbers, _) => {}
            (Embedding::Converted(span, base64), _) => {
                edits.replace(*span, base64.take().ok_or_else(vectors::no_float)?);
            }
            (Embedding::Base64(string), Encoding::Base64) => {
                // The length tells enough of what a backend wrote in the encoding that it was asked for.
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
            (Embedding::Odd, _) => return Err(no_vector(index)),
        }
        Ok(())
    }
}

impl Embedding {
    /// Takes an array: a vector, or something odd that is good JSON all the same.
    fn read(reader: &mut Reader<'_>, wanted: Encoding) -> Result<Self, json::Error> {
        let mut whole = reader.clone();
        let start = reader.at();
        let (count, base64) = match wanted {
            Encoding::Float => (reader.count_numbers(), None),
            Encoding::Base64 => base64(reader),
        };
        match count {
            Ok(0) => Ok(Self::Odd),
            Ok(_) if wanted == Encoding::Float => Ok(Self::Numbers),
            Ok(_) => Ok(Self::Converted(Span::new(start, reader.at()), base64)),
            Err(_) => {
                whole.skip()?;
                *reader = whole;
                Ok(Self::Odd)
            }
        }
    }
}

/// Takes an array of numbers and writes them as base64, if all of them are 32 bit floats.
pub(super) fn base64(reader: &mut Reader<'_>) -> (Result<usize, json::Error>, Option<Vec<u8>>) {
    let (mut floats, mut fit) = (Vec::with_capacity(1024), true);
    let count = reader.numbers(|written| match vectors::float(written) {
        Some(float) => floats.push(float),
        None => fit = false,
    });
    let base64 = fit.then(|| {
        let mut out = Vec::new();
        vectors::write_base64(&floats, &mut out);
        out
    });
    (count, base64)
}

pub(super) fn no_vector(index: usize) -> Box<Fault> {
    bad_reply(format!("The backend's vector for input {index} is empty or holds something that is no number."))
}
