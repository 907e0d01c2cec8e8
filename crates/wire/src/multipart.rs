//! `multipart/form-data` (RFC 7578): a parser that takes bytes as they come, a form for what fits into memory, a writer.
//!
//! The parser holds back at most one part's head and knows how much of a delimiter it has seen; everything else passes
//! as slices of what came in. It is strict where lenience lets two readers see two forms: lines end in CRLF, a delimiter
//! stands alone on its line, a part says its name once.

mod form;
mod head;
mod write;

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;
use types::{Fault, Kind, Result};

pub use form::{Content, Field, Files, Form, InMemory};
pub use head::{Head, boundary};
pub use write::{Attachment, write};

/// How much a form may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most parts.
    pub parts: usize,
    /// Most bytes of one part's head.
    pub part_head: usize,
    /// Most bytes of a part that is no file.
    pub field_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { parts: 200, part_head: 8 << 10, field_bytes: 1 << 20 }
    }
}

/// What the parser found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A part begins.
    PartBegin(Head),
    /// Some of its bytes, none of them of a delimiter.
    Data(Bytes),
    /// It is complete.
    PartEnd,
    /// The form is complete; whatever follows is ignored.
    End,
}

/// The longest run of white space behind a delimiter.
const PADDING: usize = 256;

/// The parser.
#[derive(Debug)]
pub struct Parser {
    /// CRLF, two dashes, the boundary.
    delimiter: Bytes,
    finder: Finder<'static>,
    limits: Limits,
    state: State,
    head: BytesMut,
    parts: usize,
    /// Bytes that the part may still bring, if it is no file.
    left: Option<usize>,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first delimiter; so many of its bytes were seen.
    Preamble(usize),
    /// Within a part; so many bytes of the delimiter were seen.
    Data(usize),
    /// Behind a delimiter; so many bytes of padding were seen.
    Behind(usize),
    /// Behind a delimiter and a dash.
    Dash,
    /// Behind a delimiter and a CR.
    Return,
    /// In a part's head.
    Head,
    /// Behind the end.
    End,
}

impl Parser {
    /// A parser for forms with this boundary, which [`boundary`] reads from the content type.
    pub fn new(boundary: &str, limits: Limits) -> Self {
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        let finder = Finder::new(&delimiter).into_owned();
        Self {
            delimiter: delimiter.into(),
            finder,
            limits,
            // The first delimiter may stand at the very start, as if a line had ended before it.
            state: State::Preamble(2),
            head: BytesMut::new(),
            parts: 0,
            left: None,
            name: String::new(),
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// `BadRequest` when they are no good form or pass a limit; the parser is of no use afterwards.
    pub fn push(&mut self, mut chunk: Bytes, out: &mut impl FnMut(Event)) -> Result<()> {
        while !chunk.is_empty() {
            match self.state {
                State::Preamble(seen) | State::Data(seen) => self.content(&mut chunk, seen, out)?,
                State::Behind(padding) => {
                    self.state = match chunk[0] {
                        b'-' if padding == 0 => State::Dash,
                        b' ' | b'\t' if padding < PADDING => State::Behind(padding + 1),
                        b'\r' => State::Return,
                        _ => return Err(malformed("a delimiter does not stand alone on its line")),
                    };
                    let _ = chunk.split_to(1);
                }
                State::Dash => {
                    if chunk[0] != b'-' {
                        return Err(malformed("a delimiter does not stand alone on its line"));
                    }
                    self.state = State::End;
                    out(Event::End);
                }
                State::Return => {
                    if chunk[0] != b'\n' {
                        return Err(malformed("lines must end in CR and LF"));
                    }
                    let _ = chunk.split_to(1);
                    self.begin()?;
                }
                State::Head => self.head(&mut chunk, out)?,
                State::End => return Ok(()),
            }
        }
        Ok(())
    }

    /// Checks that the form was complete.
    ///
    /// # Errors
    /// `BadRequest` when its last delimiter is missing.
    pub fn finish(&self) -> Result<()> {
        match self.state {
            State::End => Ok(()),
            State::Preamble(_) => Err(malformed("the boundary that the content type names does not occur in it")),
            _ => Err(malformed("it ends before its last delimiter")),
        }
    }

    /// Takes bytes of a part or of the preamble, up to a delimiter if there is one. `seen` bytes of it came before.
    fn content(&mut self, chunk: &mut Bytes, seen: usize, out: &mut impl FnMut(Event)) -> Result<()> {
        if seen > 0 {
            let rest = &self.delimiter[seen..];
            let same = chunk.iter().zip(rest).take_while(|(a, b)| a == b).count();
            if same == rest.len() {
                let _ = chunk.split_to(same);
                self.delimited(out);
            } else if same == chunk.len() {
                chunk.clear();
                self.see(seen + same);
            } else {
                // No delimiter after all. A new one cannot begin within what was seen: only its first byte is a CR.
                self.data(self.delimiter.slice(..seen), out)?;
                self.see(0);
            }
            return Ok(());
        }
        if let Some(at) = self.finder.find(chunk) {
            let data = chunk.split_to(at);
            let _ = chunk.split_to(self.delimiter.len());
            self.data(data, out)?;
            self.delimited(out);
            return Ok(());
        }
        let tail = chunk.len().saturating_sub(self.delimiter.len() - 1);
        let held = memchr::memrchr(b'\r', &chunk[tail..])
            .map(|at| tail + at)
            .filter(|at| self.delimiter.starts_with(&chunk[*at..]))
            .unwrap_or(chunk.len());
        let data = chunk.split_to(held);
        self.see(chunk.len());
        chunk.clear();
        self.data(data, out)
    }

    fn see(&mut self, seen: usize) {
        self.state = match self.state {
            State::Preamble(_) => State::Preamble(seen),
            _ => State::Data(seen),
        };
    }

    fn data(&mut self, data: Bytes, out: &mut impl FnMut(Event)) -> Result<()> {
        if data.is_empty() || matches!(self.state, State::Preamble(_)) {
            return Ok(());
        }
        if let Some(left) = &mut self.left {
            match left.checked_sub(data.len()) {
                Some(less) => *left = less,
                None => {
                    let message = format!("`{}` is longer than {} bytes.", self.name, self.limits.field_bytes);
                    return Err(Fault::new(Kind::BadRequest, message).param(self.name.clone()));
                }
            }
        }
        out(Event::Data(data));
        Ok(())
    }

    fn delimited(&mut self, out: &mut impl FnMut(Event)) {
        if !matches!(self.state, State::Preamble(_)) {
            out(Event::PartEnd);
        }
        self.state = State::Behind(0);
    }

    fn begin(&mut self) -> Result<()> {
        self.parts += 1;
        if self.parts > self.limits.parts {
            let message = format!("The form has more than {} parts.", self.limits.parts);
            return Err(Fault::new(Kind::BadRequest, message));
        }
        self.head.clear();
        self.state = State::Head;
        Ok(())
    }

    /// Gathers a part's head up to its blank line.
    fn head(&mut self, chunk: &mut Bytes, out: &mut impl FnMut(Event)) -> Result<()> {
        let before = self.head.len();
        let room = self.limits.part_head.saturating_sub(before);
        self.head.extend_from_slice(&chunk[..chunk.len().min(room)]);
        let from = before.saturating_sub(3);
        let end = match memchr::memmem::find(&self.head[from..], b"\r\n\r\n") {
            // A head without a line is a blank line only.
            _ if self.head.starts_with(b"\r\n") => Some(2),
            Some(at) => Some(from + at + 4),
            None => None,
        };
        let Some(end) = end else {
            if chunk.len() > room {
                let message = format!("The head of a part is longer than {} bytes.", self.limits.part_head);
                return Err(Fault::new(Kind::BadRequest, message));
            }
            chunk.clear();
            return Ok(());
        };
        let _ = chunk.split_to(end - before);
        let head = Head::read(&self.head[..end])?;
        self.left = (!head.is_file()).then_some(self.limits.field_bytes);
        self.name.clone_from(&head.name);
        self.state = State::Data(0);
        out(Event::PartBegin(head));
        Ok(())
    }
}

fn malformed(why: &str) -> Box<Fault> {
    Fault::new(Kind::BadRequest, format!("The body is no valid multipart form: {why}."))
}
