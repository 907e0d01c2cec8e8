//! A stream of chunks: frames pass as they came unless they must change, while usage, finish and errors are read.
//!
//! What the caller is promised, whatever the backend does: every chunk has OpenAI's shape; usage is shown if it was
//! asked for, once, in one last chunk without choices, and never otherwise; a good stream ends with `[DONE]`; a stream
//! that breaks ends with an error. So a chunk of usage is held until the end is known, and the end is written only
//! when it is.

mod template;

use bytes::Bytes;
use types::{Fault, Kind as FaultKind, Result, Sent, Usage};

use self::template::Template;
use super::choices::{self, Calls, Fill, Finish, Said, Shape};
use crate::{
    json::{self, Edits, Limits, Reader, Span, TakeOut, text},
    sse::{Cut, Frame, MAX_FRAME, Splitter},
    upstream_error,
};

const DONE: &[u8] = b"data: [DONE]\n\n";
const LIMITS: Limits = Limits { max_depth: 127, max_members: usize::MAX };

/// What a stream must know besides its bytes.
#[derive(Clone, Debug)]
pub struct StreamContext {
    /// Whether the caller asked for usage.
    pub show_usage: bool,
    /// An id of our own, e.g. `chatcmpl-…`, for a backend that gives none.
    pub id: String,
    /// The model's name, for a backend that does not say it.
    pub model: String,
    /// Seconds since 1970, likewise.
    pub created: u64,
    /// The longest frame; [`MAX_FRAME`] if nothing speaks against it.
    pub max_frame: usize,
}

impl Default for StreamContext {
    fn default() -> Self {
        Self { show_usage: false, id: String::new(), model: String::new(), created: 0, max_frame: MAX_FRAME }
    }
}

/// One stream under way.
#[derive(Debug)]
pub struct Stream {
    context: StreamContext,
    splitter: Splitter,
    state: State,
}

impl Stream {
    /// A stream that has not begun.
    pub fn new(context: StreamContext) -> Self {
        let splitter = Splitter::new(context.max_frame);
        Self { context, splitter, state: State::default() }
    }

    /// Takes what came and gives `out` what goes to the caller, in order.
    ///
    /// # Errors
    /// The backend's error when a frame holds one; `UpstreamBadReply` when a frame cannot be read. What went out before
    /// stands.
    pub fn push(&mut self, chunk: Bytes, out: &mut impl FnMut(Bytes)) -> Result<()> {
        // What may pass as it is lies in `kept..passed`.
        let (mut at, mut kept, mut passed) = (0, 0, 0);
        let verdict = loop {
            let cut = match self.splitter.cut(&chunk, &mut at) {
                Ok(Some(cut)) => cut,
                Ok(None) => break Ok(()),
                Err(error) => break Err(bad_frame(&error.to_string())),
            };
            let judged = match cut {
                Cut::Inside(from, to) => {
                    let mark = self.state.byte_order_mark(&chunk[from..to]);
                    kept += mark;
                    let judged = self.state.judge(&self.context, &chunk[from + mark..to]);
                    if let Ok(Verdict::Keep) = judged {
                        passed = to;
                        continue;
                    }
                    judged
                }
                Cut::Joined(mut frame) => {
                    let _ = frame.split_to(self.state.byte_order_mark(&frame));
                    match self.state.judge(&self.context, &frame) {
                        Ok(Verdict::Keep) => Ok(Verdict::Replace(frame)),
                        other => other,
                    }
                }
            };
            if passed > kept {
                out(chunk.slice(kept..passed));
            }
            (kept, passed) = (at, at);
            match judged {
                Ok(verdict) => self.state.follow(verdict, &self.context, out),
                Err(fault) => break Err(fault),
            }
        };
        if kept == 0 && passed == chunk.len() && passed > 0 {
            out(chunk);
        } else if passed > kept {
            out(chunk.slice(kept..passed));
        }
        verdict
    }

    /// The backend's bytes ended: writes the end of a good stream.
    ///
    /// # Errors
    /// `UpstreamTruncated` when the end came before the answer's end.
    pub fn end(&mut self, out: &mut impl FnMut(Bytes)) -> Result<()> {
        let mut rest = self.splitter.rest();
        if !self.state.closed && !rest.trim_ascii().is_empty() {
            let _ = rest.split_to(self.state.byte_order_mark(&rest));
            match self.state.judge(&self.context, &rest) {
                Ok(Verdict::Keep) => {
                    out(rest);
                    out(Bytes::from_static(b"\n\n"));
                }
                Ok(verdict) => self.state.follow(verdict, &self.context, out),
                // A frame that broke off; after the finish it is a stray tail.
                Err(fault) if fault.kind == FaultKind::UpstreamBadReply => {}
                Err(fault) => return Err(fault),
            }
        }
        if self.state.closed {
            return Ok(());
        }
        if self.state.finish.is_none() {
            return Err(upstream_error::broke_off(self.state.events));
        }
        self.state.close(&self.context, out);
        Ok(())
    }

    /// Whether the caller is shown what was used.
    pub const fn shows_usage(&self) -> bool {
        self.context.show_usage
    }

    /// Whether an event was decoded (comments are none).
    pub const fn seen_first_event(&self) -> bool {
        self.state.events > 0
    }

    /// How many events were decoded.
    pub const fn events(&self) -> u64 {
        self.state.events
    }

    /// Whether text, reasoning or a tool call came.
    pub const fn seen_content(&self) -> bool {
        self.state.content
    }

    /// What was used, as the backend last said.
    pub const fn usage(&self) -> Option<Usage> {
        self.state.used
    }

    /// Why the answer ended, once that is known.
    pub const fn finish(&self) -> Option<Finish> {
        self.state.finish
    }

    /// Whether the end was written: nothing that follows matters.
    pub const fn is_closed(&self) -> bool {
        self.state.closed
    }
}

/// What was read so far.
#[derive(Debug, Default)]
struct State {
    calls: Calls,
    events: u64,
    content: bool,
    finish: Option<Finish>,
    used: Option<Usage>,
    /// The text of the last usage object, for the chunk at the end.
    usage_text: Vec<u8>,
    /// The beginning of a chunk of this stream, up to the choices, once one was read.
    opening: Option<Vec<u8>>,
    /// The backend's own last chunk of usage, held until the end.
    held: Option<Bytes>,
    /// Whether the end was written.
    closed: bool,
    /// Whether the first frame was looked at for a byte order mark.
    begun: bool,
    template: Template,
}

/// What becomes of a frame.
enum Verdict {
    Keep,
    Swallow,
    Replace(Bytes),
    /// The backend said that it is done, and something stands out that goes before that.
    Close,
}

impl State {
    /// How many bytes of a byte order mark stand before the first frame.
    fn byte_order_mark(&mut self, frame: &[u8]) -> usize {
        let first = !std::mem::replace(&mut self.begun, true);
        if first && frame.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }
    }

    fn follow(&mut self, verdict: Verdict, context: &StreamContext, out: &mut impl FnMut(Bytes)) {
        match verdict {
            Verdict::Keep | Verdict::Swallow => {}
            Verdict::Replace(frame) => out(frame),
            Verdict::Close => self.close(context, out),
        }
    }

    /// Writes the end: usage if it is to be shown, then `[DONE]`.
    fn close(&mut self, context: &StreamContext, out: &mut impl FnMut(Bytes)) {
        if self.owes_usage(context) {
            out(self.held.take().unwrap_or_else(|| self.usage_chunk(context)));
        }
        out(Bytes::from_static(DONE));
        self.closed = true;
    }

    fn owes_usage(&self, context: &StreamContext) -> bool {
        context.show_usage && self.used.is_some()
    }

    /// A last chunk with the usage that came with others.
    fn usage_chunk(&self, context: &StreamContext) -> Bytes {
        let mut chunk = b"data: ".to_vec();
        match &self.opening {
            Some(opening) => chunk.extend_from_slice(opening),
            None => chunk.extend_from_slice(&opening(&Said::default(), b"", context)),
        }
        chunk.extend_from_slice(b",\"choices\":[],\"usage\":");
        chunk.extend_from_slice(&self.usage_text);
        chunk.extend_from_slice(b"}\n\n");
        chunk.into()
    }

    /// Reads one frame and decides what becomes of it.
    fn judge(&mut self, context: &StreamContext, frame: &[u8]) -> Result<Verdict> {
        if self.closed {
            return Ok(Verdict::Swallow);
        }
        if self.template.fits(frame) {
            self.events += 1;
            return Ok(Verdict::Keep);
        }
        let read = Frame::read(frame);
        let Some(data) = &read.data else {
            // A comment passes; a frame with a name and no data would be taken for an empty event.
            return Ok(if read.fields { Verdict::Swallow } else { Verdict::Keep });
        };
        let text = data.trim_ascii();
        if text.is_empty() {
            return Ok(Verdict::Swallow);
        }
        if text.starts_with(b"[DONE]") {
            if self.owes_usage(context) {
                return Ok(Verdict::Close);
            }
            self.closed = true;
            return Ok(if read.is_plain(frame) && **data == *b"[DONE]" {
                Verdict::Keep
            } else {
                Verdict::Replace(Bytes::from_static(DONE))
            });
        }
        if read.event == Some(b"error") {
            return Err(upstream_error::in_good_status(text));
        }
        self.chunk(context, frame, &read, data)
    }

    fn chunk(&mut self, context: &StreamContext, frame: &[u8], read: &Frame<'_>, data: &[u8]) -> Result<Verdict> {
        let fill = Fill { id: &context.id, model: &context.model, created: context.created };
        let mut edits = Edits::new();
        let unreadable = |error: json::Error| bad_frame(&format!("an event is not JSON: {error}"));
        let mut reader = Reader::new(data, LIMITS).map_err(unreadable)?;
        let said = choices::read(&mut reader, Shape::Chunk, fill, &mut self.calls, &mut edits).map_err(unreadable)?;
        let end = reader.at();
        if let Err(error) = reader.finish() {
            // A quote astray behind the chunk was seen in the wild.
            if !data[end..].iter().all(|b| *b == b'"' || b.is_ascii_whitespace()) {
                return Err(unreadable(error));
            }
            edits.remove(Span::new(end, data.len()));
        }
        if said.error || (said.choices.is_none() && said.usage.is_none() && upstream_error::speaks_of_one(data)) {
            return Err(upstream_error::in_good_status(data));
        }
        if said.empty {
            return Ok(Verdict::Swallow);
        }
        self.events += 1;
        self.content |= said.content;
        self.finish = said.finish.or(self.finish);
        if self.opening.is_none() {
            self.opening = Some(opening(&said, data, context));
        }
        let only_usage = self.usage(&said, data, context, &mut edits);
        if only_usage && !context.show_usage {
            return Ok(Verdict::Swallow);
        }
        if edits.is_empty() && !only_usage && read.is_plain(frame) {
            self.template.learn(frame, read, &said);
            return Ok(Verdict::Keep);
        }
        let changed = rewrite(frame, read, data, edits);
        if only_usage {
            self.held = Some(changed);
            return Ok(Verdict::Swallow);
        }
        Ok(Verdict::Replace(changed))
    }

    /// Notes usage; takes it out of a chunk that has choices. Says whether usage is all that the chunk is for.
    fn usage(&mut self, said: &Said, data: &[u8], context: &StreamContext, edits: &mut Edits) -> bool {
        let Some((slot, value)) = said.usage else { return false };
        self.used = Some(said.used);
        self.held = None;
        self.usage_text.clear();
        self.usage_text.extend(value.of(data).iter().map(|b| if *b == b'\n' { b' ' } else { *b }));
        if said.choices.unwrap_or(0) == 0 {
            return true;
        }
        if context.show_usage {
            // As OpenAI has it: every chunk but the last says null.
            edits.replace(value, "null");
        } else {
            edits.remove(TakeOut::default().span(&slot));
        }
        false
    }
}

/// `{"id":…,"object":…,"created":…,"model":…` as the stream's chunks have them.
fn opening(said: &Said, data: &[u8], context: &StreamContext) -> Vec<u8> {
    let own = |text: Option<json::Str>, else_: &str| match text {
        Some(found) if found.inner.start < found.inner.end && found.outer().of(data).starts_with(b"\"") => {
            found.outer().of(data).to_vec()
        }
        _ => text::encoded(else_),
    };
    let created = match said.created {
        Some(span) if span.of(data).iter().all(u8::is_ascii_digit) => span.of(data).to_vec(),
        _ => context.created.to_string().into_bytes(),
    };
    [
        b"{\"id\":".as_slice(),
        &own(said.id, &context.id),
        b",\"object\":\"chat.completion.chunk\",\"created\":",
        &created,
        b",\"model\":",
        &own(said.model, &context.model),
    ]
    .concat()
}

/// The frame with its data changed. Data of several lines become one.
fn rewrite(frame: &[u8], read: &Frame<'_>, data: &[u8], edits: Edits) -> Bytes {
    let mut out = Vec::with_capacity(frame.len() + 96);
    if read.in_one_line() {
        out.extend_from_slice(&frame[..read.at]);
        if read.is_squeezed(frame) {
            out.push(b' ');
        }
        edits.write(data, &mut out);
        out.extend_from_slice(&frame[read.at + data.len()..]);
        // The stream's last frame may have come without its blank line.
        if !out.ends_with(b"\n\n") && !out.ends_with(b"\n\r\n") && !out.ends_with(b"\r\r") {
            out.extend_from_slice(b"\n\n");
        }
    } else {
        out.extend_from_slice(b"data: ");
        let from = out.len();
        edits.write(data, &mut out);
        // Between lines of JSON a line break is white space; within a string it cannot stand.
        out[from..].iter_mut().filter(|b| **b == b'\n').for_each(|b| *b = b' ');
        out.extend_from_slice(b"\n\n");
    }
    out.into()
}

fn bad_frame(detail: &str) -> Box<Fault> {
    let message = "The backend's stream cannot be read: it is not made of chat chunks.";
    Fault::new(FaultKind::UpstreamBadReply, message).sent(Sent::Yes).detail(detail)
}
