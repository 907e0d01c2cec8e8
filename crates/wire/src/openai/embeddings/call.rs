//! Reading an embeddings call: one scan of the whole body.

use bytes::Bytes;
use types::{Fault, Kind as FaultKind, Result};

use super::super::{
    chat::{Member, usage},
    detours,
    envelope::{self, Members, Scanned, missing, wrong_type},
};
use crate::json::{Kind, Limits, Reader, Slot, Span, Str};

/// An embeddings call: the caller's bytes, and what was read from them.
#[derive(Clone, Debug)]
pub struct Call {
    body: Bytes,
    members: Members,
    model: String,
    facts: Facts,
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Arrays of numbers.
    #[default]
    Float,
    /// 32 bit floats, little-endian, in base64.
    Base64,
}

/// What is to be embedded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// One text.
    Text,
    /// A list of texts.
    Texts,
    /// The tokens of one text.
    Tokens,
    /// A list of lists of tokens.
    TokenLists,
}

impl Input {
    /// Whether it is made of tokens.
    pub const fn is_tokens(self) -> bool {
        matches!(self, Self::Tokens | Self::TokenLists)
    }

    /// Whether the caller sent a list of inputs, be it of one.
    pub const fn is_list(self) -> bool {
        matches!(self, Self::Texts | Self::TokenLists)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    /// What stands under `input`, and under `inputs`.
    given: [Option<Given>; 2],
    encoding: Encoding,
    dimensions: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Given {
    span: Span,
    input: Input,
    count: usize,
}

impl Call {
    /// Reads a body. The inputs may stand under `input` or `inputs`, or the same under both.
    ///
    /// # Errors
    /// `BadRequest`, naming the member where there is one.
    pub fn read(body: Bytes, limits: &Limits) -> Result<Self> {
        let mut call = Self::scan(body, limits)?;
        for _ in 0..2 {
            match envelope::flatten(&call.body, &call.members) {
                Some(flat) => call = Self::scan(flat, limits)?,
                None => break,
            }
        }
        if call.model.is_empty()
            && let Some(first) = call.detours()?.into_iter().next()
        {
            call.model = first;
        }
        if call.model.is_empty() {
            return Err(missing("model", "name a model, e.g. \"huggingface/auto/org/name\""));
        }
        match call.facts.given {
            [None, None] => Err(missing("input", "send a text or a list of texts")),
            [Some(one), Some(two)] if one.span.of(&call.body) != two.span.of(&call.body) => {
                let message = "`input` and `inputs` say different things; send one of them.";
                Err(Fault::new(FaultKind::BadRequest, message).param("inputs"))
            }
            _ => Ok(call),
        }
    }

    fn scan(body: Bytes, limits: &Limits) -> Result<Self> {
        let reader = envelope::reader(&body, *limits)?;
        let mut scan =
            Scan { reader, members: Members::with_capacity(8), model: String::new(), facts: Facts::default() };
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

    /// How many vectors are asked for.
    pub fn inputs(&self) -> usize {
        self.given().count
    }

    /// What is to be embedded.
    pub fn input(&self) -> Input {
        self.given().input
    }

    /// How the caller wants the vectors.
    pub const fn encoding(&self) -> Encoding {
        self.facts.encoding
    }

    /// How long the vectors are to be, if the caller says.
    pub const fn dimensions(&self) -> Option<u64> {
        self.facts.dimensions
    }

    /// The members at the top, in order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// How many tokens the inputs may be: tokens as they are counted, a text by its characters, four to a token.
    pub fn estimate(&self) -> u64 {
        let given = self.given();
        let mut reader = Reader::within(&self.body, given.span, Limits { max_depth: 127, max_members: usize::MAX });
        // It was read before: nothing can fail.
        estimate(&mut reader, given.input).unwrap_or(0)
    }

    /// Where the inputs stand.
    pub(super) fn given_span(&self) -> Span {
        self.given().span
    }

    fn given(&self) -> Given {
        let [one, two] = self.facts.given;
        one.or(two).unwrap_or(Given { span: Span::default(), input: Input::Text, count: 0 })
    }

    pub(super) fn slot(&self, index: usize) -> Slot {
        envelope::slot(&self.members, index)
    }
}

fn estimate(reader: &mut Reader<'_>, input: Input) -> std::result::Result<u64, crate::json::Error> {
    let text = |string: Str, bytes: &[u8]| {
        let characters = string.decode(bytes).chars().count() as u64;
        characters.div_ceil(4)
    };
    if input == Input::Text {
        let string = reader.string()?;
        return Ok(text(string, reader.bytes()));
    }
    if input == Input::Tokens {
        return Ok(reader.count_numbers()? as u64);
    }
    let mut sum = 0;
    reader.open_array()?;
    while reader.next_item()? {
        sum += if input == Input::Texts {
            let string = reader.string()?;
            text(string, reader.bytes())
        } else {
            reader.count_numbers()? as u64
        };
    }
    Ok(sum)
}

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

    fn value(&mut self, name: Str, kind: Kind) -> Scanned {
        let bytes = self.reader.bytes();
        match (&*name.raw(bytes), kind) {
            (b"model", Kind::String) => {
                let text = self.reader.string()?;
                self.model = self.reader.decode(&text).into_owned();
                return Ok(());
            }
            (b"model", _) => return Err(wrong_type("model", "a string", kind).into()),
            (b"input", _) => return self.input("input", 0, kind),
            (b"inputs", _) => return self.input("inputs", 1, kind),
            (_, Kind::Null) => {}
            (b"encoding_format", Kind::String) => {
                let text = self.reader.string()?;
                self.facts.encoding = match &*text.raw(bytes) {
                    b"float" => Encoding::Float,
                    b"base64" => Encoding::Base64,
                    _ => {
                        let message = "`encoding_format` must be \"float\" or \"base64\".";
                        return Err(Fault::new(FaultKind::BadRequest, message).param("encoding_format").into());
                    }
                };
                return Ok(());
            }
            (b"encoding_format", _) => return Err(wrong_type("encoding_format", "a string", kind).into()),
            (b"dimensions", _) => {
                let span = self.reader.skip()?;
                let number = std::str::from_utf8(span.of(bytes)).ok().and_then(usage::whole).filter(|n| *n > 0);
                let Some(number) = number else {
                    let message = "`dimensions` must be a whole number above 0.";
                    return Err(Fault::new(FaultKind::BadRequest, message).param("dimensions").into());
                };
                self.facts.dimensions = Some(number);
                return Ok(());
            }
            (b"extra_body", _) if kind != Kind::Object => {
                return Err(wrong_type("extra_body", "an object", kind).into());
            }
            (b"extra_params", _) if kind != Kind::Object => {
                return Err(wrong_type("extra_params", "an object", kind).into());
            }
            _ => {}
        }
        self.reader.skip()?;
        Ok(())
    }

    fn input(&mut self, name: &'static str, place: usize, kind: Kind) -> Scanned {
        let start = self.reader.at();
        let (input, count) = match kind {
            Kind::String => {
                self.reader.string()?;
                (Input::Text, 1)
            }
            Kind::Array => self.list(name)?,
            Kind::Null => {
                self.reader.skip()?;
                return Ok(());
            }
            _ => return Err(wrong_type(name, "a string or an array", kind).into()),
        };
        let span = Span::new(start, self.reader.at());
        // The first of two is kept; duplicates are refused later.
        self.facts.given[place].get_or_insert(Given { span, input, count });
        Ok(())
    }

    fn list(&mut self, name: &str) -> Scanned<(Input, usize)> {
        let empty = |what: String| {
            let message = format!("`{what}` is empty; send at least one text.");
            Fault::new(FaultKind::BadRequest, message).param(what)
        };
        if self.all_tokens().is_some() {
            return Ok((Input::Tokens, 1));
        }
        self.reader.open_array()?;
        let (mut first, mut count) = (None, 0);
        while self.reader.next_item()? {
            let kind = self.reader.peek()?;
            let item = match kind {
                Kind::String => Input::Texts,
                Kind::Number => Input::Tokens,
                Kind::Array => Input::TokenLists,
                _ => return Err(wrong_type(&format!("{name}[{count}]"), "a string or a token", kind).into()),
            };
            if *first.get_or_insert(item) != item {
                let member = format!("{name}[{count}]");
                let message = format!("`{member}` is {}, unlike what comes before it.", kind.name());
                return Err(Fault::new(FaultKind::BadRequest, message).param(member).into());
            }
            if item == Input::TokenLists {
                if self.tokens(name, count)? == 0 {
                    return Err(empty(format!("{name}[{count}]")).into());
                }
            } else if item == Input::Tokens {
                self.token(name, count)?;
            } else {
                self.reader.string()?;
            }
            count += 1;
        }
        match first {
            None => Err(empty(name.to_owned()).into()),
            Some(Input::Tokens) => Ok((Input::Tokens, 1)),
            Some(input) => Ok((input, count)),
        }
    }

    /// Takes an array of nothing but tokens, at least one, if it is that; stands where it stood if not.
    fn all_tokens(&mut self) -> Option<usize> {
        let (mut quick, mut good) = (self.reader.clone(), true);
        let count = quick.numbers(|number| good &= number.iter().all(u8::is_ascii_digit)).ok()?;
        (good && count > 0).then(|| {
            self.reader = quick;
            count
        })
    }

    fn tokens(&mut self, name: &str, index: usize) -> Scanned<usize> {
        if let Some(count) = self.all_tokens() {
            return Ok(count);
        }
        // Something in it is no token: look for it.
        self.reader.open_array()?;
        let mut count = 0;
        while self.reader.next_item()? {
            let kind = self.reader.peek()?;
            if kind != Kind::Number {
                return Err(wrong_type(&format!("{name}[{index}][{count}]"), "a token", kind).into());
            }
            self.token(&format_args!("{name}[{index}]"), count)?;
            count += 1;
        }
        Ok(count)
    }

    fn token(&mut self, list: &(impl std::fmt::Display + ?Sized), index: usize) -> Scanned {
        let token = self.reader.skip()?.of(self.reader.bytes());
        if token.iter().all(u8::is_ascii_digit) {
            return Ok(());
        }
        let member = format!("{list}[{index}]");
        let message = format!("`{member}` must be a token: a whole number that is not negative.");
        Err(Fault::new(FaultKind::BadRequest, message).param(member).into())
    }
}
