//! Server-sent events: where frames end, at any split of the bytes, and what is in one.
//!
//! Lines end in LF, CRLF or CR, mixed as they come; a blank line ends a frame. Nothing is decoded that nobody asks for:
//! [`Boundary`] only finds ends, so that frames can be passed on as the bytes they are, and [`Frame`] reads one.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

/// The longest frame that is held while its end has not come: 8 MiB. Frames of text are below a few KiB; the longest
/// that backends really send are pictures in base64 within one chunk, a few MiB.
pub const MAX_FRAME: usize = 8 << 20;

/// Finds ends of frames in bytes that come in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub struct Boundary {
    /// Where in a line the last byte was.
    line: Line,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    /// Nothing but blank lines in this frame so far.
    #[default]
    Blank,
    /// At the start of a line of a frame that has begun.
    Start,
    /// Within a line.
    Within,
    /// Behind a CR that ended a line; a LF may belong to it.
    AfterCr,
    /// Behind the CR of a blank line, in a stream whose lines end in LF: its LF is on the way.
    BlankCr,
}

impl Boundary {
    /// One past the end of the first frame that ends in `bytes[from..]`; remembers where it stood otherwise.
    ///
    /// Blank lines before a frame belong to it.
    pub fn next_end(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(&byte) = bytes.get(at) {
            match (self.line, byte) {
                (Line::Within, _) => {
                    at += memchr::memchr2(b'\n', b'\r', &bytes[at..])?;
                    self.line = if bytes[at] == b'\n' { Line::Start } else { Line::AfterCr };
                    at += 1;
                }
                (Line::Blank, b'\n' | b'\r') => at += 1,
                (Line::AfterCr, b'\n') => {
                    self.line = Line::Start;
                    at += 1;
                }
                (Line::Start, b'\n') => {
                    self.line = Line::Blank;
                    return Some(at + 1);
                }
                (Line::Start, b'\r') => {
                    self.line = Line::BlankCr;
                    at += 1;
                }
                (Line::BlankCr, byte) => {
                    self.line = Line::Blank;
                    return Some(if byte == b'\n' { at + 1 } else { at });
                }
                // Lines that end in CR alone: nothing to wait for.
                (Line::AfterCr, b'\r') => {
                    self.line = Line::Blank;
                    return Some(at + 1);
                }
                (Line::Blank | Line::Start | Line::AfterCr, _) => self.line = Line::Within,
            }
        }
        None
    }
}

/// One frame: a view of its bytes.
#[derive(Clone, Debug, Default)]
pub struct Frame<'a> {
    /// The data; lines are joined with LF. Borrowed when there is one line.
    pub data: Option<Cow<'a, [u8]>>,
    /// Where the data stand in the frame, when there is one line of them.
    pub at: usize,
    /// The event's name.
    pub event: Option<&'a [u8]>,
    /// Whether there is any field at all; a frame without is made of comments and blank lines.
    pub fields: bool,
}

impl<'a> Frame<'a> {
    /// Reads a frame (with or without its last blank line).
    pub fn read(bytes: &'a [u8]) -> Self {
        let mut frame = Self::default();
        let mut at = 0;
        while at < bytes.len() {
            let end = memchr::memchr2(b'\n', b'\r', &bytes[at..]).map_or(bytes.len(), |more| at + more);
            frame.line(bytes, at, end);
            at = end + 1;
        }
        frame
    }

    fn line(&mut self, bytes: &'a [u8], start: usize, end: usize) {
        let line = &bytes[start..end];
        self.fields |= !line.is_empty() && line[0] != b':';
        let value_of = |name: &[u8]| -> Option<usize> {
            let rest = line.strip_prefix(name)?;
            match rest {
                [] => Some(end),
                [b':', b' ', ..] => Some(start + name.len() + 2),
                [b':', ..] => Some(start + name.len() + 1),
                _ => None,
            }
        };
        if let Some(from) = value_of(b"data") {
            let value = &bytes[from..end];
            match &mut self.data {
                None => {
                    self.data = Some(Cow::Borrowed(value));
                    self.at = from;
                }
                Some(data) => {
                    let data = data.to_mut();
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
            }
        } else if let Some(from) = value_of(b"event") {
            self.event = Some(&bytes[from..end]);
        }
    }

    /// Whether the data are one piece of the frame's own bytes.
    pub fn in_one_line(&self) -> bool {
        matches!(self.data, Some(Cow::Borrowed(_)))
    }

    /// Whether the data stand in one line, with the space that many readers look for: they read lines, and what
    /// stands in several, or begins with `data:{`, the standard allows and they do not know.
    pub fn is_plain(&self, frame: &[u8]) -> bool {
        self.in_one_line() && !self.is_squeezed(frame)
    }

    /// Whether no space stands between `data:` and the data. The standard allows it; many readers look for the space.
    pub fn is_squeezed(&self, frame: &[u8]) -> bool {
        self.in_one_line() && self.at > 0 && frame.get(self.at - 1) == Some(&b':')
    }
}

/// Cuts a stream into frames. A frame within one chunk is a slice of it; one across chunks is joined once.
///
/// ```
/// # use bytes::Bytes;
/// let mut splitter = wire::sse::Splitter::default();
/// let mut frames = Vec::new();
/// for chunk in ["data: 1\n", "\ndata:2\r\n\r\n"] {
///     splitter.push(&Bytes::from_static(chunk.as_bytes()), |frame| frames.push(frame))?;
/// }
/// assert_eq!(frames, ["data: 1\n\n", "data:2\r\n\r\n"]);
/// # Ok::<(), wire::sse::TooLong>(())
/// ```
#[derive(Debug)]
pub struct Splitter {
    boundary: Boundary,
    held: BytesMut,
    max_frame: usize,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new(MAX_FRAME)
    }
}

/// A frame passed the bound on its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {0} bytes")]
pub struct TooLong(pub usize);

/// A piece of a chunk, as [`Splitter::cut`] gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A frame that began in an earlier chunk.
    Joined(Bytes),
    /// A frame within the chunk, from and to these offsets.
    Inside(usize, usize),
}

impl Splitter {
    /// A splitter with a bound on the size of one frame.
    pub fn new(max_frame: usize) -> Self {
        Self { boundary: Boundary::default(), held: BytesMut::new(), max_frame }
    }

    /// Takes a chunk and gives every frame that it completes.
    ///
    /// # Errors
    /// When a frame is longer than the bound.
    pub fn push(&mut self, chunk: &Bytes, mut each: impl FnMut(Bytes)) -> Result<(), TooLong> {
        let mut at = 0;
        while let Some(cut) = self.cut(chunk, &mut at)? {
            each(match cut {
                Cut::Joined(frame) => frame,
                Cut::Inside(from, to) => chunk.slice(from..to),
            });
        }
        Ok(())
    }

    /// The next frame that ends in `chunk[*at..]`, moving `at` behind it. When there is none left, holds the rest and
    /// moves `at` to the end.
    ///
    /// # Errors
    /// When a frame is longer than the bound.
    #[inline]
    pub fn cut(&mut self, chunk: &[u8], at: &mut usize) -> Result<Option<Cut>, TooLong> {
        let from = *at;
        let end = self.boundary.next_end(chunk, from);
        let piece = end.unwrap_or(chunk.len());
        if self.held.len() + (piece - from) > self.max_frame {
            return Err(TooLong(self.max_frame));
        }
        *at = piece;
        if end.is_none() {
            self.held.extend_from_slice(&chunk[from..]);
            return Ok(None);
        }
        if self.held.is_empty() {
            return Ok(Some(Cut::Inside(from, piece)));
        }
        self.held.extend_from_slice(&chunk[from..piece]);
        Ok(Some(Cut::Joined(self.held.split().freeze())))
    }

    /// What is held of a frame that has not ended.
    pub fn rest(&mut self) -> Bytes {
        self.held.split().freeze()
    }
}
