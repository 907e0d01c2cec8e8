//! Changing a JSON text by splicing: what is not named stays the bytes it was.

use bytes::{BufMut as _, Bytes, BytesMut};
use types::SendBody;

use super::Span;

/// A slice this short is copied beside its neighbours: a segment of its own would cost more than the copy.
const SHORT: usize = 128;

/// A text this short is written anew instead of being cut into segments.
const WHOLE: usize = 4096;
/// So many changes a text usually has at most.
const FEW: usize = 8;
/// What edits usually add.
const ROOM: usize = 128;

/// What stands in a span's place.
#[derive(Clone, Debug)]
pub enum Part {
    /// Words of ours.
    Static(&'static str),
    /// Made for this text.
    Owned(Vec<u8>),
    /// Another place of the same text.
    Original(Span),
}

impl From<&'static str> for Part {
    fn from(text: &'static str) -> Self {
        Self::Static(text)
    }
}

impl From<Vec<u8>> for Part {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Owned(bytes)
    }
}

impl From<Span> for Part {
    fn from(span: Span) -> Self {
        Self::Original(span)
    }
}

/// A set of changes to one text. Spans must not overlap; several inserts at one place keep their order.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    list: Vec<(Span, Part)>,
}

impl Edits {
    /// No changes yet.
    pub const fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// Whether nothing changes.
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Puts `part` in the place of `span`.
    pub fn replace(&mut self, span: Span, part: impl Into<Part>) {
        self.push(span, part.into());
    }

    fn push(&mut self, span: Span, part: Part) {
        if self.list.is_empty() {
            self.list.reserve(FEW);
        }
        self.list.push((span, part));
    }

    /// Puts these parts, in order, in the place of `span`.
    pub fn replace_all(&mut self, span: Span, parts: impl IntoIterator<Item = Part>) {
        let mut span = span;
        for part in parts {
            self.push(span, part);
            span.start = span.end;
        }
    }

    /// Takes `span` out.
    pub fn remove(&mut self, span: Span) {
        self.push(span, Part::Static(""));
    }

    /// Puts `part` before the byte at `at`.
    pub fn insert(&mut self, at: usize, part: impl Into<Part>) {
        self.push(Span::new(at, at), part.into());
    }

    fn sort(&mut self) {
        // Stable: inserts at one place keep their order, and come before what is replaced from there on.
        if self.list.len() > 1 {
            self.list.sort_by_key(|(span, _)| (span.start, span.start != span.end));
        }
        debug_assert!(self.list.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start), "overlapping edits");
    }

    /// The changed text as segments: long unchanged stretches are shared with `text`, not copied.
    pub fn apply(self, text: &Bytes) -> SendBody {
        if self.list.is_empty() {
            return text.clone().into();
        }
        let opening = Vec::with_capacity(Self::room(text));
        self.apply_behind(opening, 0, text)
    }

    /// How much room [`Edits::apply_behind`] uses behind the opening.
    pub const fn room(text: &Bytes) -> usize {
        if text.len() <= WHOLE { text.len() + ROOM } else { ROOM }
    }

    /// The changed text from `from` on, behind `opening`.
    pub fn apply_behind(mut self, mut opening: Vec<u8>, from: usize, text: &Bytes) -> SendBody {
        // What is short goes out in one write, and is copied for it: in one piece right away.
        if text.len() <= WHOLE {
            self.write_from(from, text, &mut opening);
            return opening.into();
        }
        self.sort();
        let mut out = Segments {
            text,
            body: SendBody::with_capacity((2 * self.list.len() + 1).min(32)),
            short: BytesMut::from(&opening[..]),
        };
        let mut at = from;
        for (span, part) in &self.list {
            out.original(Span::new(at, span.start.max(at)));
            match part {
                Part::Static(words) => out.short.put_slice(words.as_bytes()),
                Part::Owned(bytes) => out.short.put_slice(bytes),
                Part::Original(from) => out.original(*from),
            }
            at = span.end.max(at);
        }
        out.original(Span::new(at, text.len()));
        out.finish()
    }

    /// Writes the changed text behind what `out` holds. For short texts.
    pub fn write(self, text: &[u8], out: &mut Vec<u8>) {
        self.write_from(0, text, out);
    }

    fn write_from(mut self, mut at: usize, text: &[u8], out: &mut Vec<u8>) {
        self.sort();
        for (span, part) in &self.list {
            out.extend_from_slice(Span::new(at, span.start.max(at)).of(text));
            match part {
                Part::Static(words) => out.extend_from_slice(words.as_bytes()),
                Part::Owned(bytes) => out.extend_from_slice(bytes),
                Part::Original(from) => out.extend_from_slice(from.of(text)),
            }
            at = span.end.max(at);
        }
        out.extend_from_slice(text.get(at..).unwrap_or_default());
    }
}

/// Segments under way: short pieces gather until a long one comes.
struct Segments<'a> {
    text: &'a Bytes,
    body: SendBody,
    short: BytesMut,
}

impl Segments<'_> {
    fn original(&mut self, span: Span) {
        if span.end.saturating_sub(span.start) < SHORT {
            self.short.put_slice(span.of(self.text));
        } else {
            self.flush();
            self.body.push(self.text.slice(span.range()));
        }
    }

    fn flush(&mut self) {
        if !self.short.is_empty() {
            self.body.push(self.short.split().freeze());
        }
    }

    fn finish(mut self) -> SendBody {
        self.flush();
        self.body
    }
}
