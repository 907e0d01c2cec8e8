//! Events of a stream, numbered.

use bytes::Bytes;
use serde_json::{Map, Value};

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
        let number = self.next;
        self.next += 1;
        if self.after.is_some_and(|after| number <= after) {
            return;
        }
        let mut event = Map::new();
        event.insert("type".into(), kind.into());
        event.insert("sequence_number".into(), number.into());
        if let Value::Object(members) = members {
            event.extend(members);
        }
        out(Bytes::from(format!("event: {kind}\ndata: {}\n\n", Value::Object(event))));
    }
}
