//! The form in which a job's call is kept: one line of JSON, then the body as it came. No header of the caller's and no key
//! stands in it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use types::{Fault, Kind, Result};

use crate::{
    doors::{Ask, Door, Stored},
    wishes::Wishes,
};

/// The version of the form.
const VERSION: u32 = 1;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    door: Door,
    kind: String,
    base: String,
    lenient: bool,
    timeout_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wishes: Option<Arc<Wishes>>,
}

/// What the headers of a stored call asked for.
pub(super) struct Wished {
    pub(super) lenient: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) wishes: Option<Arc<Wishes>>,
}

/// Writes a call down.
pub(crate) fn write(call: &Stored, ask: &Ask) -> Bytes {
    let head = Head {
        version: VERSION,
        door: call.door,
        kind: call.kind.clone(),
        base: call.base.clone(),
        lenient: ask.lenient,
        timeout_ms: ask.timeout.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        wishes: ask.wishes.clone(),
    };
    let mut written = serde_json::to_vec(&head).unwrap_or_default();
    written.reserve_exact(call.body.len() + 1);
    written.push(b'\n');
    written.extend_from_slice(&call.body);
    written.into()
}

/// Reads a call that was written down.
///
/// # Errors
/// `Internal` when another version wrote it, or it is damaged.
pub(super) fn read(written: &Bytes) -> Result<(Stored, Wished)> {
    let bad = || Fault::new(Kind::Internal, "The job was written down by another version and cannot be read.");
    let end = written.iter().position(|byte| *byte == b'\n').ok_or_else(bad)?;
    let head: Head = serde_json::from_slice(&written[..end]).map_err(|_| bad())?;
    if head.version != VERSION {
        return Err(bad());
    }
    let stored = Stored { door: head.door, kind: head.kind, base: head.base, body: written.slice(end + 1..) };
    let timeout = head.timeout_ms.map(Duration::from_millis);
    Ok((stored, Wished { lenient: head.lenient, timeout, wishes: head.wishes }))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_call_is_read_as_it_was_written() {
        let call = Stored {
            door: Door::Edits,
            kind: "multipart/form-data; boundary=\"a\\nb\"".to_owned(),
            base: "http://localhost:8080".to_owned(),
            body: Bytes::from_static(b"\n\x00{\xff\n"),
        };
        let ask = Ask {
            received: Instant::now(),
            lenient: true,
            timeout: Some(Duration::from_millis(1500)),
            job_until: None,
            wishes: Some(Arc::new(Wishes { fallbacks: vec!["a/b".to_owned()], ..Wishes::default() })),
            headers: None,
        };
        let (read, wished) = read(&write(&call, &ask)).unwrap();
        assert_eq!((read.door, read.kind, read.base, read.body), (call.door, call.kind, call.base, call.body));
        assert_eq!((wished.lenient, wished.timeout, wished.wishes), (true, ask.timeout, ask.wishes));
    }

    #[test]
    fn what_cannot_be_read_is_a_fault() {
        for bad in [&b""[..], b"{}\n", b"no line", b"{\"version\":2}\nbody"] {
            assert!(read(&Bytes::from_static(bad)).is_err());
        }
    }
}
