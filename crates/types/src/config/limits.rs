//! How much and how long: the limits' and the timeouts' parts of the document.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Period, Size};

/// How much of everything is accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest body of a request.
    pub body: Size,
    /// All bodies held at once, requests and answers together; when full, new calls are refused with 503.
    pub held_bodies: Size,
    /// How much of the files in one form is held in memory; the rest goes to a temporary file in the system's folder for such files (`TMPDIR`).
    pub form_in_memory: Size,
    /// The largest body sent to Hugging Face on a routed call. Their own limit is 2 MiB; larger calls are refused before anything is sent.
    pub hugging_face_body: Size,
    /// The largest whole answer of a backend.
    pub answer: Size,
    /// How deep arrays and objects may stand inside one another.
    #[schemars(range(min = 8, max = 1024))]
    pub depth: u32,
    /// How many members and elements a body may have in all.
    #[schemars(range(min = 100, max = 100_000_000))]
    pub members: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: Size::mebibytes(32),
            held_bodies: Size::mebibytes(1024),
            form_in_memory: Size::bytes(256 << 10),
            hugging_face_body: Size::mebibytes(2),
            answer: Size::mebibytes(64),
            depth: 128,
            members: 1_000_000,
        }
    }
}

/// How long everything may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// From the call to the first event of a stream.
    pub first_event: Period,
    /// Between two events of a stream. Comments do not count as events.
    pub between_events: Period,
    /// A whole stream.
    pub stream: Period,
    /// A whole answer that is not streamed.
    pub answer: Period,
    /// Opening a connection to a backend, TLS included.
    pub connect: Period,
    /// How long a backend's machine may give no sign of life, or take nothing, while bytes for it wait; then its connection is over.
    pub silence: Period,
    /// How long the addresses of a host that was reached serve on while its name cannot be resolved; `"0s"`: not at all.
    pub addresses: Period,
    /// The body of a backend's error, where its call has the time; what comes later is left out.
    pub refusal: Period,
    /// Receiving the body of a request.
    pub body: Period,
    /// How long running calls may go on after SIGTERM. Streams that still run then end with an error event.
    pub drain: Period,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            first_event: Period::seconds(600),
            between_events: Period::seconds(120),
            stream: Period::seconds(3600),
            answer: Period::seconds(600),
            connect: Period::seconds(2),
            silence: Period::seconds(30),
            addresses: Period::seconds(600),
            refusal: Period::seconds(10),
            body: Period::seconds(60),
            drain: Period::seconds(30),
        }
    }
}
