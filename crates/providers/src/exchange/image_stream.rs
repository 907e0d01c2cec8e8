//! fal's streams of pictures: the request, and a decoder of what comes.

use bytes::Bytes;
use http::{
    HeaderValue, Method,
    header::{ACCEPT, CACHE_CONTROL},
};
use serde_json::Value;
use types::{Fault, Kind, Result, Sent, ask::Made};
use wire::{
    sse::{Frame, Splitter},
    upstream_error,
};

use super::{Ask, Dropped, Flow, Model, Send, To, What, Work, answer, bad_reply, body::Leave, edit, image};
use crate::Endpoint;

/// The largest event: a few pictures in base64.
const MAX_EVENT: usize = 64 << 20;

/// The request for a stream of pictures, and what of the call was left out.
///
/// # Errors
/// As [`super::Exchange::begin`].
pub fn request(endpoint: &Endpoint, model: &Model<'_>, work: &Work, ask: Ask<'_>) -> Result<(Send, Vec<Dropped>)> {
    let backend = endpoint.backend.as_str();
    if endpoint.flow() != Some(Flow::FalStream) || !work.is(endpoint.operation) {
        return Err(crate::refusal::unsupported_by(backend, endpoint.operation));
    }
    let mut leave = Leave::new(Ask { backend, ..ask });
    let written = match work {
        Work::Image(ask) => image::write(Flow::FalStream, ask, model, &mut leave),
        Work::Edit(ask) => edit::write(Flow::FalStream, ask, model, &mut leave),
        Work::Speech(_) | Work::Transcription(_) => Err(super::no_codec(Flow::FalStream)),
    }
    .map_err(|fault| fault.backend(backend))?;
    let headers = vec![
        (ACCEPT, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    let to = To::Backend { target: endpoint.target(model.id)? };
    let send = Send { to, method: Method::POST, headers, body: written.body, step: What::Submit, once: false };
    Ok((send, leave.dropped))
}

/// Reads a stream of pictures. Every picture that comes is one more state of what is being made; the last ones are it.
#[derive(Debug)]
pub struct Decoder {
    backend: String,
    splitter: Splitter,
    seen: u64,
}

impl Decoder {
    /// A decoder of a stream of this backend.
    pub fn new(backend: &str) -> Self {
        Self { backend: backend.to_owned(), splitter: Splitter::new(MAX_EVENT), seen: 0 }
    }

    /// Takes bytes as they come and gives the pictures that they complete.
    ///
    /// # Errors
    /// What the backend says went wrong, in its words; `UpstreamBadReply` when an event cannot be read.
    pub fn push(&mut self, chunk: &Bytes, out: &mut impl FnMut(Made)) -> Result<()> {
        let mut frames = Vec::new();
        let cut = self.splitter.push(chunk, |frame| frames.push(frame));
        for frame in frames {
            self.frame(&frame, out).map_err(|fault| fault.backend(self.backend.as_str()))?;
        }
        cut.map_err(|error| {
            bad_reply(format!("The backend's stream cannot be read: {error}.")).backend(self.backend.as_str())
        })
    }

    /// How many pictures came.
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// Checks that anything came at all.
    ///
    /// # Errors
    /// `UpstreamTruncated` when the stream ended without a picture.
    pub fn end(&self) -> Result<()> {
        if self.seen > 0 {
            return Ok(());
        }
        let message = "The backend's stream ended without a picture.";
        Err(Fault::new(Kind::UpstreamTruncated, message).sent(Sent::Yes).backend(self.backend.as_str()))
    }

    fn frame(&mut self, frame: &[u8], out: &mut impl FnMut(Made)) -> Result<()> {
        let frame = Frame::read(frame);
        let Some(data) = frame.data.as_deref() else { return Ok(()) };
        let data = data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let Ok(value) = serde_json::from_slice::<Value>(data) else {
            return Err(bad_reply("The backend's stream has an event that is not JSON."));
        };
        let said = |place: &Value| !place.is_null() && place != "" && *place != Value::Bool(false);
        let pictures = if value["images"].is_array() || value["data"]["images"].is_array() {
            answer::pictures(&value)?
        } else {
            Vec::new()
        };
        if said(&value["error"])
            || frame.event == Some(b"error")
            || pictures.is_empty() && (said(&value["message"]) || said(&value["detail"]))
        {
            return Err(upstream_error::in_good_status(data));
        }
        for picture in pictures {
            self.seen += 1;
            out(picture);
        }
        Ok(())
    }
}
