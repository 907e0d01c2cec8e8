//! Tool calls: ids that are strings and unique, arguments that are text, an index for each piece of a stream.

use super::{Fill, Shape, with_comma};
use crate::json::{self, Edits, Kind, Reader, Span, text};

/// The calls of one answer or stream so far.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Calls {
    /// Each call that began, in order.
    begun: Vec<Begun>,
    /// The choices that said already who speaks.
    spoken: Vec<u64>,
    /// The last id that the backend gave, with the choice and index that it belongs to.
    last: Option<(u64, u64, Vec<u8>)>,
}

#[derive(Clone, Debug)]
struct Begun {
    choice: u64,
    index: u64,
    /// The function's name, with its quotes.
    name: Vec<u8>,
    /// Whether some of its arguments came.
    argued: bool,
}

/// Calls beyond this many in one stream are not told apart any more.
const MOST: usize = 4096;

/// One call (or a piece of one) as it stands in the text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Call {
    inside: usize,
    id: Option<(Kind, Span)>,
    /// The id with its name and comma.
    whole_id: Span,
    /// The function's name, and the same with its own name and comma.
    name: Option<(Span, Span)>,
    kind: Option<(Kind, Span)>,
    index: Option<(u64, Span)>,
    arguments: Option<(Kind, Span)>,
    whole: Span,
}

impl Call {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, json::Error> {
        let mut call = Self::default();
        let start = reader.at();
        reader.open_object()?;
        call.inside = reader.at();
        while let Some(name) = reader.next_key()? {
            let kind = reader.peek()?;
            if kind == Kind::Object && name.is(reader.bytes(), "function") {
                reader.open_object()?;
                while let Some(name) = reader.next_key()? {
                    let kind = reader.peek()?;
                    let value = reader.skip()?;
                    if name.is(reader.bytes(), "arguments") {
                        call.arguments = Some((kind, value));
                    } else if kind == Kind::String && name.is(reader.bytes(), "name") {
                        let whole = Span::new(name.outer().start, value.end);
                        call.name = Some((value, with_comma(whole, reader.bytes())));
                    }
                }
                continue;
            }
            let value = reader.skip()?;
            match &*name.raw(reader.bytes()) {
                b"id" => {
                    call.id = Some((kind, value));
                    call.whole_id = with_comma(Span::new(name.outer().start, value.end), reader.bytes());
                }
                b"type" => call.kind = Some((kind, value)),
                b"index" => {
                    let number = std::str::from_utf8(value.of(reader.bytes())).ok();
                    call.index = number.and_then(crate::openai::chat::usage::whole).map(|number| (number, value));
                }
                _ => {}
            }
        }
        call.whole = Span::new(start, reader.at());
        Ok(call)
    }

    /// The id, if it can be used as it is.
    fn usable_id<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        match self.id {
            Some((Kind::String, span)) if span.end - span.start > 2 => Some(span.of(bytes)),
            _ => None,
        }
    }
}

fn is_nothing(arguments: &[u8]) -> bool {
    matches!(arguments, b"\"\"" | b"null")
}

impl Calls {
    /// Whether a call began in this choice.
    pub(super) fn any(&self, choice: u64) -> bool {
        self.begun.iter().any(|call| call.choice == choice)
    }

    /// What a stream must still say of a choice's calls when they are complete: of those without arguments, that these are
    /// an empty object, since clients read them as JSON. Nothing where nothing is missing.
    pub(super) fn unargued(&self, choice: u64) -> Option<String> {
        let unargued = self.begun.iter().filter(|call| call.choice == choice && !call.argued);
        let pieces: Vec<_> = unargued
            .map(|call| format!("{{\"index\":{},\"function\":{{\"arguments\":\"{{}}\"}}}}", call.index))
            .collect();
        (!pieces.is_empty()).then(|| format!("[{}]", pieces.join(",")))
    }

    /// Whether this is the first time that a choice says who speaks: clients that add up strings want to hear it once.
    pub(super) fn speaks_first(&mut self, choice: u64) -> bool {
        let first = !self.spoken.contains(&choice);
        if first && self.spoken.len() < MOST {
            self.spoken.push(choice);
        }
        first
    }

    /// Notes one call or piece of a call, and what must change in it.
    pub(super) fn note(
        &mut self,
        choice: u64,
        call: &Call,
        shape: Shape,
        fill: Fill<'_>,
        bytes: &[u8],
        edits: &mut Edits,
    ) {
        let index = call.index.map_or_else(|| self.place(choice, call, shape, bytes), |(index, _)| index);
        let before = self.begun.iter().find(|begun| (begun.choice, begun.index) == (choice, index));
        let new = before.is_none();
        // Said again, the name would be added to itself by clients that add up pieces.
        let again = call.name.filter(|(name, _)| before.is_some_and(|before| before.name == name.of(bytes)));
        if let Some((_, whole)) = again.filter(|(name, _)| name.end - name.start > 2) {
            edits.remove(whole);
        }
        let mut missing = String::new();
        if new {
            if self.begun.len() < MOST {
                let name = call.name.map(|(name, _)| name.of(bytes).to_vec()).unwrap_or_default();
                self.begun.push(Begun { choice, index, name, argued: false });
            }
            if self.usable_id(choice, index, call, bytes).is_none() {
                let made = self.made_id(fill, choice, index);
                match call.id {
                    Some((_, span)) => edits.replace(span, text::encoded(&made)),
                    None => missing = format!("\"id\":\"{made}\","),
                }
            }
            match call.kind {
                Some((Kind::Null, span)) => edits.replace(span, "\"function\""),
                Some(_) => {}
                None => missing.push_str("\"type\":\"function\","),
            }
        } else if call.usable_id(bytes).is_some() || matches!(call.id, Some((Kind::Number, _))) {
            // The first piece has the id; pieces that follow have none.
            edits.remove(call.whole_id);
        }
        if shape == Shape::Chunk && call.index.is_none() {
            missing.push_str(&format!("\"index\":{index},"));
        }
        if !missing.is_empty() {
            if bytes.get(call.inside..call.whole.end).is_some_and(|rest| rest.trim_ascii_start() == b"}") {
                missing.pop();
            }
            edits.insert(call.inside, missing.into_bytes());
        }
        if call.arguments.is_some_and(|(_, span)| !is_nothing(span.of(bytes)))
            && let Some(begun) = self.begun.iter_mut().find(|begun| (begun.choice, begun.index) == (choice, index))
        {
            begun.argued = true;
        }
        match call.arguments {
            // Clients read the arguments of a whole call as JSON.
            Some((Kind::String | Kind::Null, span)) if shape == Shape::Answer && is_nothing(span.of(bytes)) => {
                edits.replace(span, "\"{}\"");
            }
            Some((Kind::String, _)) | None => {}
            Some((Kind::Null, span)) if new => edits.replace(span, "\"\""),
            Some((Kind::Null, _)) => {}
            Some((_, span)) => edits.replace(span, text::encoded(&String::from_utf8_lossy(span.of(bytes)))),
        }
    }

    /// The call's own id, remembered; nothing when it cannot be used.
    fn usable_id<'a>(&mut self, choice: u64, index: u64, call: &Call, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let id = call.usable_id(bytes)?;
        self.last = Some((choice, index, id.to_vec()));
        Some(id)
    }

    /// Where a call without index belongs: to the one before, unless it brings another id.
    fn place(&self, choice: u64, call: &Call, shape: Shape, bytes: &[u8]) -> u64 {
        let next = self.begun.iter().filter(|call| call.choice == choice).map(|call| call.index + 1).max().unwrap_or(0);
        if shape == Shape::Answer || next == 0 {
            return next;
        }
        match (&self.last, call.usable_id(bytes)) {
            (Some((of, index, last)), Some(id)) if *of == choice && last == id => *index,
            (_, Some(_)) => next,
            (_, None) => next - 1,
        }
    }

    /// An id that no other call of this answer has.
    fn made_id(&self, fill: Fill<'_>, choice: u64, index: u64) -> String {
        let base = fill.id.strip_prefix("chatcmpl-").unwrap_or(fill.id);
        format!("call_{base}_{choice}_{index}")
    }
}
