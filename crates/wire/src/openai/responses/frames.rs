//! Events of a stream, numbered.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

/// What an event of some text fits in.
const ROOM: usize = 256;

/// Writes events one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frames {
    next: u64,
    /// Events up to this number are counted and not written.
    after: Option<u64>,
}

impl Frames {
    /// Writes only what comes after this number.
    pub(super) const fn after(after: Option<u64>) -> Self {
        Self { next: 0, after }
    }

    /// Writes events from this number on.
    pub(super) const fn from_number(next: u64) -> Self {
        Self { next, after: None }
    }

    /// Writes one event: `members` stand behind its type and number.
    pub(super) fn write(&mut self, kind: &str, members: Value, out: &mut dyn FnMut(Bytes)) {
        let Some(mut frame) = self.begin(kind) else { return };
        match members {
            Value::Object(members) if !members.is_empty() => {
                let at = frame.len();
                put(&mut frame, &members);
                // Its members go on where the event's own have begun.
                frame[at] = b',';
            }
            _ => frame.push(b'}'),
        }
        end(frame, out);
    }

    /// Writes an event that holds the whole response.
    pub(super) fn response(&mut self, kind: &str, response: &impl Serialize, out: &mut dyn FnMut(Bytes)) {
        let Some(mut frame) = self.begin(kind) else { return };
        frame.extend_from_slice(b",\"response\":");
        put(&mut frame, response);
        frame.push(b'}');
        end(frame, out);
    }

    /// Writes some text of an item's part, as [`Self::write`] would: nearly all events are such.
    pub(super) fn text(&mut self, item: &str, places: [usize; 2], delta: &str, out: &mut dyn FnMut(Bytes)) {
        let Some(mut frame) = self.begin("response.output_text.delta") else { return };
        frame.extend_from_slice(b",\"item_id\":");
        put(&mut frame, item);
        for (name, place) in [(",\"output_index\":", places[0]), (",\"content_index\":", places[1])] {
            frame.extend_from_slice(name.as_bytes());
            put(&mut frame, &place);
        }
        frame.extend_from_slice(b",\"delta\":");
        put(&mut frame, delta);
        frame.extend_from_slice(b",\"logprobs\":[]}");
        end(frame, out);
    }

    /// The beginning of the next event; nothing if it is only counted.
    fn begin(&mut self, kind: &str) -> Option<Vec<u8>> {
        let number = self.next;
        self.next += 1;
        if self.after.is_some_and(|after| number <= after) {
            return None;
        }
        let mut frame = Vec::with_capacity(ROOM);
        for part in ["event: ", kind, "\ndata: {\"type\":\"", kind, "\",\"sequence_number\":"] {
            frame.extend_from_slice(part.as_bytes());
        }
        put(&mut frame, &number);
        Some(frame)
    }
}

/// Writes a value. Into memory, and with names that are strings, that cannot fail.
fn put<T: Serialize + ?Sized>(frame: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(frame, value);
}

fn end(mut frame: Vec<u8>, out: &mut dyn FnMut(Bytes)) {
    frame.extend_from_slice(b"\n\n");
    out(frame.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_is_told_in_the_very_bytes_that_the_general_way_writes() {
        let (mut short, mut long) = (Frames::default(), Frames::default());
        for delta in ["a", "\"q\" \\ \n\u{8}\u{1f}", "☂", ""] {
            let (mut ours, mut theirs) = (Bytes::new(), Bytes::new());
            short.text("msg_1", [2, 30], delta, &mut |bytes| ours = bytes);
            let members =
                json!({"item_id": "msg_1", "output_index": 2, "content_index": 30, "delta": delta, "logprobs": []});
            long.write("response.output_text.delta", members, &mut |bytes| theirs = bytes);
            assert_eq!(ours, theirs);
        }
    }
}
