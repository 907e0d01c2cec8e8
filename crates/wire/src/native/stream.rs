//! A stream that passes as it is, while usage, the end and errors are read.

use bytes::Bytes;
use serde_json::{Value, json};
use types::{Fault, Kind, Result, Sent, Usage};

use super::{
    Dialect,
    answer::{kept, of_response},
};
use crate::{
    anthropic::{self, backend::Told},
    openai::chat::Finish,
    sse::{Cut, Frame, Splitter},
    upstream_error,
};

/// One stream under way.
#[derive(Debug)]
pub struct Stream {
    dialect: Dialect,
    splitter: Splitter,
    events: u64,
    told: Told,
    kept: Option<String>,
    /// What was used is told for the second time.
    again: bool,
}

impl Stream {
    /// A stream that has not begun.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, splitter: Splitter::default(), events: 0, told: Told::default(), kept: None, again: false }
    }

    /// The stream is told for the second time: what was used was counted before.
    pub const fn told_again(&mut self) {
        self.again = true;
    }

    /// Takes what came and gives `out` what goes to the caller: the same bytes, event by event.
    ///
    /// # Errors
    /// The vendor's error when an event is one: it is written anew, without secrets. What went out before stands.
    pub fn push(&mut self, chunk: &Bytes, out: &mut dyn FnMut(Bytes)) -> Result<()> {
        let (mut at, mut kept, mut passed) = (0, 0, 0);
        let verdict = loop {
            match self.splitter.cut(chunk, &mut at) {
                Ok(Some(Cut::Inside(from, to))) => match self.judge(&chunk[from..to]) {
                    Ok(()) => passed = to,
                    Err(fault) => break Err(fault),
                },
                Ok(Some(Cut::Joined(frame))) => match self.judge(&frame) {
                    Ok(()) => {
                        out(frame);
                        (kept, passed) = (at, at);
                    }
                    Err(fault) => break Err(fault),
                },
                Ok(None) => break Ok(()),
                Err(error) => break Err(bad(&error.to_string())),
            }
        };
        if passed > kept {
            out(chunk.slice(kept..passed));
        }
        verdict
    }

    /// The vendor's bytes ended.
    ///
    /// # Errors
    /// `UpstreamTruncated` when the end came before the answer's end.
    pub fn end(&mut self, out: &mut dyn FnMut(Bytes)) -> Result<()> {
        let rest = self.splitter.rest();
        // A piece of an event is none: a fault that follows would be taken for the rest of it. The last event may lack
        // the blank line that ends it.
        if self.told.over {
            return Ok(());
        }
        let (events, read) = (self.events, self.judge(&rest));
        if self.told.over && read.is_ok() {
            out(rest);
            out(Bytes::from_static(b"\n\n"));
            return Ok(());
        }
        self.events = events;
        Err(upstream_error::broke_off(events))
    }

    /// Writes a fault into the stream, in its dialect; nothing follows it.
    pub fn fault(&self, fault: &Fault, request_id: &str) -> Bytes {
        match self.dialect {
            Dialect::Messages => anthropic::event(fault, request_id).into(),
            Dialect::Responses => {
                let event = json!({
                    "type": "error",
                    "sequence_number": self.events,
                    "code": fault.code.as_deref().unwrap_or("server_error"),
                    "message": fault.message,
                    "param": fault.param,
                });
                format!("event: error\ndata: {event}\n\n").into()
            }
        }
    }

    /// Whether the end came: nothing that follows matters.
    pub const fn is_closed(&self) -> bool {
        self.told.over
    }

    /// How many events came; comments are none, and what Anthropic sends to keep a connection alive is one.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// What was used, as the vendor last said; nothing in a stream that is told again.
    pub const fn usage(&self) -> Option<Usage> {
        if self.again { None } else { self.told.usage }
    }

    /// Why the answer ended, once that is known.
    pub const fn finish(&self) -> Option<Finish> {
        self.told.finish
    }

    /// The id of the response that the vendor keeps, once it is known.
    pub fn kept(&self) -> Option<&str> {
        self.kept.as_deref()
    }

    fn judge(&mut self, frame: &[u8]) -> Result<()> {
        let read = Frame::read(frame);
        let Some(data) = read.data.as_deref() else { return Ok(()) };
        self.events += 1;
        // Most events are text, and their name says so: they are not read.
        let named = read.event.map(|name| String::from_utf8_lossy(name).into_owned());
        if named.as_deref().is_some_and(|name| !tells(name)) {
            return Ok(());
        }
        let said: Value = serde_json::from_slice(data).unwrap_or_default();
        let kind = said["type"].as_str().map(str::to_owned).or(named).unwrap_or_default();
        match self.dialect {
            Dialect::Messages => self.told.take(&kind, &said, data),
            Dialect::Responses => self.response(&kind, &said, data),
        }
    }

    fn response(&mut self, kind: &str, said: &Value, data: &[u8]) -> Result<()> {
        match kind {
            "error" => {
                // Its number goes to what is written in its place.
                self.events -= 1;
                return Err(upstream_error::in_good_status(data));
            }
            "response.created" => self.kept = kept(&said["response"]).map(|kept| kept.id),
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                let told = of_response(&said["response"]);
                self.told = Told { usage: told.usage, finish: told.finish, over: true };
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether an event of this name tells something that must be known.
fn tells(name: &str) -> bool {
    matches!(
        name,
        "error"
            | "message_start"
            | "message_delta"
            | "message_stop"
            | "response.created"
            | "response.completed"
            | "response.incomplete"
            | "response.failed"
            | "response.cancelled"
    )
}

fn bad(detail: &str) -> Box<Fault> {
    let message = "The backend's stream cannot be read: it is not made of this endpoint's events.";
    Fault::new(Kind::UpstreamBadReply, message).sent(Sent::Yes).detail(detail)
}
