//! A short way for the frames that most of a stream is made of: equal but for the text.
//!
//! A frame was read and passes as it is. If the next one has the same bytes before its text and behind it, and the text
//! is a good JSON string, then reading it whole would find the same: it passes too.

use crate::{json, openai::chat::choices::Said, sse::Frame};

/// Longest frame that is kept as an example; longer ones are rare and costly to keep.
const LONGEST: usize = 2048;

/// The bytes around the text of the last frame that passed as it was.
#[derive(Debug, Default)]
pub(super) struct Template {
    before: Vec<u8>,
    behind: Vec<u8>,
}

impl Template {
    /// Whether this frame differs from the example in its text only.
    #[inline]
    pub(super) fn fits(&self, frame: &[u8]) -> bool {
        // `behind` begins with the closing quote, so an empty one fits nothing.
        let Some(inner) = frame.strip_prefix(self.before.as_slice()) else { return false };
        let Some(text) = inner.strip_suffix(self.behind.as_slice()) else { return false };
        !self.behind.is_empty()
            && !text.is_empty()
            && json::text::is_inside(inner, text.len())
            && simdutf8::basic::from_utf8(text).is_ok()
    }

    /// Takes a frame that passes as it is for an example, if it has a text and one line of data.
    pub(super) fn learn(&mut self, frame: &[u8], read: &Frame<'_>, said: &Said) {
        let Some(text) = said.text else { return };
        if frame.len() > LONGEST || !read.in_one_line() {
            return;
        }
        self.before.clear();
        self.before.extend_from_slice(&frame[..read.at + text.start]);
        self.behind.clear();
        self.behind.extend_from_slice(&frame[read.at + text.end..]);
    }
}
