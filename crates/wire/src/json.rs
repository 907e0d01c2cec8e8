//! JSON as bytes: read once, validated, with spans instead of a tree; changed by splicing.
//!
//! * [`Reader`] walks a text front to back and checks the whole grammar on the way. Nothing is allocated.
//! * [`Edits`] replaces, removes and inserts spans, and gives back segments of the original.
//! * [`text`] has what one needs of strings: find their end, decode, encode.
//!
//! Lone surrogates written as escapes (`"\ud800"`) are good JSON by its grammar and pass as they are; a decoded copy
//! has U+FFFD in their place. Duplicate members are the business of whoever walks an object.

mod edit;
mod names;
mod object;
mod read;
pub mod text;

pub use edit::{Edits, Part};
pub(crate) use names::names;
pub use object::{Slot, TakeOut};
pub use read::{Limits, Reader, validate};

use std::{fmt, ops::Range};

/// A range of bytes in a JSON text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The span from `start` up to, not including, `end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The bytes of this span; empty when it does not fit.
    pub fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// As a range.
    pub const fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Moved right by `by` bytes.
    #[must_use]
    pub const fn shifted(self, by: usize) -> Self {
        Self { start: self.start + by, end: self.end + by }
    }
}

/// What kind of value starts here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// Whether it is `true` or `false`.
    pub const fn is_bool(self) -> bool {
        matches!(self, Self::True | Self::False)
    }

    /// With an article, for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::True | Self::False => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// A string in the text: its span without the quotes, and whether it holds escapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Str {
    /// Between the quotes.
    pub inner: Span,
    /// Whether a backslash occurs in it.
    pub escaped: bool,
}

impl Str {
    /// With the quotes.
    pub const fn outer(&self) -> Span {
        Span { start: self.inner.start.saturating_sub(1), end: self.inner.end + 1 }
    }

    /// Whether the decoded string equals `text`.
    #[inline]
    pub fn is(&self, bytes: &[u8], text: &str) -> bool {
        if self.escaped {
            return text::decode(self.inner.of(bytes)) == text;
        }
        self.inner.end - self.inner.start == text.len() && self.inner.of(bytes) == text.as_bytes()
    }

    /// The decoded bytes; borrowed unless there are escapes. For matching against known names.
    #[inline]
    pub fn raw<'a>(&self, bytes: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        let raw = self.inner.of(bytes);
        if self.escaped { text::decode(raw).into_bytes().into() } else { raw.into() }
    }

    /// The decoded string; borrowed unless there are escapes.
    pub fn decode<'a>(&self, bytes: &'a [u8]) -> std::borrow::Cow<'a, str> {
        let raw = self.inner.of(bytes);
        if self.escaped {
            return text::decode(raw).into();
        }
        // It is: the reader has checked it.
        std::str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Into::into)
    }
}

/// Why a text is no good JSON, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Offset of the first byte that is wrong.
    pub at: usize,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What can be wrong with a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It ends too early.
    Ends,
    /// A byte that cannot stand here.
    Unexpected,
    /// Something follows the value.
    Trailing,
    /// A byte order mark.
    ByteOrderMark,
    /// Not UTF-8.
    Utf8,
    /// A control character in a string.
    Control,
    /// An escape that JSON does not know.
    Escape,
    /// A malformed number.
    Number,
    /// Nested too deeply.
    Depth,
    /// Too many members and items.
    Members,
}

impl Error {
    pub(crate) const fn new(at: usize, flaw: Flaw) -> Self {
        Self { at, flaw }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.flaw {
            Flaw::Ends => "it ends too early",
            Flaw::Unexpected => "unexpected character",
            Flaw::Trailing => "something follows the value",
            Flaw::ByteOrderMark => "it starts with a byte order mark",
            Flaw::Utf8 => "it is not UTF-8",
            Flaw::Control => "a control character in a string must be escaped",
            Flaw::Escape => "unknown escape in a string",
            Flaw::Number => "malformed number",
            Flaw::Depth => "it is nested too deeply",
            Flaw::Members => "it has too many members",
        };
        write!(f, "{what} (byte {})", self.at)
    }
}

impl std::error::Error for Error {}
