//! The reader: one pass over a JSON text that checks the whole grammar and hands out spans.

mod numbers;

use super::{Error, Flaw, Kind, Span, Str, text};

/// The kind of a value by its first byte: one look-up, where which kind comes next is what no processor guesses.
const KINDS: [Option<Kind>; 256] = {
    let mut kinds = [None; 256];
    let mut digit = b'0';
    while digit <= b'9' {
        kinds[digit as usize] = Some(Kind::Number);
        digit += 1;
    }
    kinds[b'-' as usize] = Some(Kind::Number);
    kinds[b'"' as usize] = Some(Kind::String);
    kinds[b'{' as usize] = Some(Kind::Object);
    kinds[b'[' as usize] = Some(Kind::Array);
    kinds[b't' as usize] = Some(Kind::True);
    kinds[b'f' as usize] = Some(Kind::False);
    kinds[b'n' as usize] = Some(Kind::Null);
    kinds
};

/// How deep and how rich a text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Deepest nesting of arrays and objects; 127 at most.
    pub max_depth: usize,
    /// Most members and items in the whole text.
    pub max_members: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_depth: 64, max_members: 1 << 18 }
    }
}

/// Checks that `bytes` is one JSON value and nothing else.
///
/// # Errors
/// The first flaw, with its place.
pub fn validate(bytes: &[u8], limits: Limits) -> Result<(), Error> {
    let mut reader = Reader::new(bytes, limits)?;
    reader.skip()?;
    reader.finish()
}

/// Walks a JSON text. Each method takes one value or one step and leaves the reader behind it.
///
/// ```
/// # use wire::json::{Limits, Reader};
/// let text = br#"{"model":"m","messages":[]}"#;
/// let mut reader = Reader::new(text, Limits::default())?;
/// reader.open_object()?;
/// let mut model = None;
/// while let Some(key) = reader.next_key()? {
///     let value = reader.skip()?;
///     if key.is(text, "model") { model = Some(value); }
/// }
/// reader.finish()?;
/// assert_eq!(model.map(|span| span.of(text)), Some(&br#""m""#[..]));
/// # Ok::<(), wire::json::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// The same as text, where this reader has checked that it is UTF-8.
    text: Option<&'a str>,
    at: usize,
    depth: usize,
    /// Whether the container was opened just now, so that no comma is due.
    fresh: bool,
    members_left: usize,
    max_depth: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`; checks that they are UTF-8 without a byte order mark.
    ///
    /// # Errors
    /// When they are not.
    pub fn new(bytes: &'a [u8], limits: Limits) -> Result<Self, Error> {
        if bytes.first_chunk() == Some(b"\xef\xbb\xbf") {
            return Err(Error::new(0, Flaw::ByteOrderMark));
        }
        let Ok(text) = simdutf8::basic::from_utf8(bytes) else {
            let at = simdutf8::compat::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), |_| 0);
            return Err(Error::new(at, Flaw::Utf8));
        };
        Ok(Self { text: Some(text), ..Self::within(bytes, Span::new(0, bytes.len()), limits) })
    }

    /// A reader of a part of a text that is known to be UTF-8. Offsets stay those of the whole.
    pub fn within(bytes: &'a [u8], part: Span, limits: Limits) -> Self {
        Self {
            bytes: bytes.get(..part.end).unwrap_or(bytes),
            text: None,
            at: part.start,
            depth: 0,
            fresh: false,
            members_left: limits.max_members,
            max_depth: limits.max_depth.min(127),
        }
    }

    /// The text that is read.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// A string that was taken, decoded; borrowed unless there are escapes.
    pub fn decode(&self, string: &Str) -> std::borrow::Cow<'a, str> {
        match self.text.and_then(|text| text.get(string.inner.range())) {
            Some(text) if !string.escaped => text.into(),
            _ => string.decode(self.bytes),
        }
    }

    /// Where the reader stands.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// What kind of value comes next; stands at its first byte afterwards.
    ///
    /// # Errors
    /// When no value can start here.
    #[inline]
    pub fn peek(&mut self) -> Result<Kind, Error> {
        let byte = self.next_byte()?;
        KINDS[usize::from(byte)].ok_or_else(|| self.unexpected())
    }

    /// Takes a string.
    ///
    /// # Errors
    /// When there is none, or it is malformed.
    #[inline]
    pub fn string(&mut self) -> Result<Str, Error> {
        if self.next_byte()? != b'"' {
            return Err(self.unexpected());
        }
        let start = self.at + 1;
        let (end, escaped) = text::end_of_string(self.bytes, start)?;
        self.at = end + 1;
        Ok(Str { inner: Span::new(start, end), escaped })
    }

    /// Goes into an object; [`Reader::next_key`] follows.
    ///
    /// # Errors
    /// When the next value is no object or lies too deep.
    pub fn open_object(&mut self) -> Result<(), Error> {
        self.open(b'{')
    }

    /// Goes into an array; [`Reader::next_item`] follows.
    ///
    /// # Errors
    /// When the next value is no array or lies too deep.
    pub fn open_array(&mut self) -> Result<(), Error> {
        self.open(b'[')
    }

    fn open(&mut self, bracket: u8) -> Result<(), Error> {
        if self.next_byte()? != bracket {
            return Err(self.unexpected());
        }
        if self.depth >= self.max_depth {
            return Err(Error::new(self.at, Flaw::Depth));
        }
        self.at += 1;
        self.depth += 1;
        self.fresh = true;
        Ok(())
    }

    /// The next member's name, the reader then standing before its value, which must be taken; or the object's end.
    ///
    /// # Errors
    /// When the grammar is broken.
    #[inline]
    pub fn next_key(&mut self) -> Result<Option<Str>, Error> {
        if let Some(key) = self.quick_key() {
            return Ok(Some(key));
        }
        self.careful_key()
    }

    /// The next member's name where it is written as nearly all are: short and plain, with a space at most behind the
    /// comma. Otherwise nothing has happened.
    #[inline]
    fn quick_key(&mut self) -> Option<Str> {
        let mut at = self.at;
        if !self.fresh {
            if *self.bytes.get(at)? != b',' {
                return None;
            }
            at += if *self.bytes.get(at + 1)? == b' ' { 2 } else { 1 };
        }
        if *self.bytes.get(at)? != b'"' {
            return None;
        }
        let start = at + 1;
        let end = scan::short_string(self.bytes, start)?;
        if *self.bytes.get(end + 1)? != b':' {
            return None;
        }
        self.members_left = self.members_left.checked_sub(1)?;
        self.fresh = false;
        self.at = end + 2;
        Some(Str { inner: Span::new(start, end), escaped: false })
    }

    fn careful_key(&mut self) -> Result<Option<Str>, Error> {
        if !self.step(b'}')? {
            return Ok(None);
        }
        self.key().map(Some)
    }

    /// Whether another item follows, which must be taken; otherwise the array was left.
    ///
    /// # Errors
    /// When the grammar is broken.
    #[inline]
    pub fn next_item(&mut self) -> Result<bool, Error> {
        self.step(b']')
    }

    fn step(&mut self, close: u8) -> Result<bool, Error> {
        let byte = self.next_byte()?;
        let fresh = std::mem::replace(&mut self.fresh, false);
        if byte == close {
            self.at += 1;
            self.depth = self.depth.saturating_sub(1);
            return Ok(false);
        }
        if !fresh {
            if byte != b',' {
                return Err(self.unexpected());
            }
            self.at += 1;
            // Stands at the next member or item, so that its place can be asked for.
            self.next_byte()?;
        }
        self.count()?;
        Ok(true)
    }

    fn key(&mut self) -> Result<Str, Error> {
        let key = self.string()?;
        if self.next_byte()? != b':' {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(key)
    }

    fn count(&mut self) -> Result<(), Error> {
        match self.members_left.checked_sub(1) {
            Some(left) => self.members_left = left,
            None => return Err(Error::new(self.at, Flaw::Members)),
        }
        Ok(())
    }

    /// Takes one value of any kind, checking all of it.
    ///
    /// # Errors
    /// When the grammar is broken or a limit is passed.
    #[inline]
    pub fn skip(&mut self) -> Result<Span, Error> {
        let kind = self.peek()?;
        self.skip_peeked(kind)
    }

    /// The same where [`Reader::peek`] has just said the kind.
    ///
    /// # Errors
    /// As [`Reader::skip`].
    #[inline]
    pub fn skip_peeked(&mut self, kind: Kind) -> Result<Span, Error> {
        self.fresh = false;
        let start = self.at;
        match kind {
            Kind::String => {
                let (end, _) = text::end_of_string(self.bytes, start + 1)?;
                self.at = end + 1;
            }
            Kind::Number => self.number()?,
            Kind::Null => self.literal(b"null")?,
            Kind::True => self.literal(b"true")?,
            Kind::False => self.literal(b"false")?,
            Kind::Object | Kind::Array => {
                self.at += 1;
                return self.skip_container(start, Some(kind == Kind::Object));
            }
        }
        Ok(Span::new(start, self.at))
    }

    /// The rest of a container that was entered just now.
    fn skip_container(&mut self, start: usize, mut entered: Option<bool>) -> Result<Span, Error> {
        // One bit for each open container, the innermost lowest: 1 is an object.
        let (mut stack, mut open) = (0_u128, 0_usize);
        loop {
            if let Some(is_object) = entered {
                if self.depth + open >= self.max_depth {
                    return Err(Error::new(self.at - 1, Flaw::Depth));
                }
                let close = if is_object { b'}' } else { b']' };
                if self.next_byte()? == close {
                    self.at += 1;
                } else {
                    stack = stack << 1 | u128::from(is_object);
                    open += 1;
                    self.count()?;
                    if is_object {
                        self.key()?;
                    }
                    entered = self.scalar_or_open()?;
                    continue;
                }
            }
            loop {
                if open == 0 {
                    return Ok(Span::new(start, self.at));
                }
                let in_object = stack & 1 == 1;
                match self.next_byte()? {
                    b',' => {
                        self.at += 1;
                        self.count()?;
                        if in_object {
                            self.key()?;
                        }
                        break;
                    }
                    b'}' if in_object => {}
                    b']' if !in_object => {}
                    _ => return Err(self.unexpected()),
                }
                self.at += 1;
                stack >>= 1;
                open -= 1;
            }
            entered = self.scalar_or_open()?;
        }
    }

    /// Takes a scalar, or only the bracket that opens a container (`true`: an object).
    #[inline]
    fn scalar_or_open(&mut self) -> Result<Option<bool>, Error> {
        match self.next_byte()? {
            b'"' => {
                let (end, _) = text::end_of_string(self.bytes, self.at + 1)?;
                self.at = end + 1;
            }
            b'{' => {
                self.at += 1;
                return Ok(Some(true));
            }
            b'[' => {
                self.at += 1;
                return Ok(Some(false));
            }
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            b'-' | b'0'..=b'9' => self.number()?,
            _ => return Err(self.unexpected()),
        }
        Ok(None)
    }

    /// Takes a number that is digits and nothing else, and not very large. Otherwise nothing has happened.
    pub(crate) fn plain_number(&mut self) -> Option<u64> {
        self.next_byte().ok()?;
        let (from, mut at, mut number) = (self.at, self.at, 0_u64);
        let end = loop {
            match self.bytes.get(at)? {
                digit @ b'0'..=b'9' => number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')),
                end => break end,
            }
            at += 1;
        };
        let good = matches!(end, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')
            && (1..=18).contains(&(at - from))
            && (at - from == 1 || self.bytes[from] != b'0');
        if !good {
            return None;
        }
        self.at = at;
        self.fresh = false;
        Some(number)
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Error> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        let same = rest.iter().zip(word).take_while(|(a, b)| a == b).count();
        let flaw = if same == rest.len() { Flaw::Ends } else { Flaw::Unexpected };
        Err(Error::new(self.at + same, flaw))
    }

    fn number(&mut self) -> Result<(), Error> {
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        // `01` and `1x` are caught by whoever reads on: neither can stand where a comma or a bracket is due.
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Error> {
        let (from, mut at) = (self.at, self.at);
        while let Some(b'0'..=b'9') = self.bytes.get(at) {
            at += 1;
        }
        self.at = at;
        if at > from {
            return Ok(());
        }
        let flaw = if self.at == self.bytes.len() { Flaw::Ends } else { Flaw::Number };
        Err(Error::new(self.at, flaw))
    }

    /// Checks that nothing but white space follows.
    ///
    /// # Errors
    /// When something does.
    pub fn finish(&mut self) -> Result<(), Error> {
        match self.next_byte() {
            Err(Error { flaw: Flaw::Ends, .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(Error::new(self.at, Flaw::Trailing)),
        }
    }

    /// Stands at the next byte that is no white space.
    #[inline]
    fn next_byte(&mut self) -> Result<u8, Error> {
        loop {
            match self.bytes.get(self.at) {
                Some(&byte) if byte > b' ' => return Ok(byte),
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(&byte) => return Ok(byte),
                None => return Err(Error::new(self.at, Flaw::Ends)),
            }
        }
    }

    const fn unexpected(&self) -> Error {
        Error::new(self.at, Flaw::Unexpected)
    }
}
