//! Streams of pictures: each picture that comes is shown as unfinished, the last one once more as finished.

use bytes::Bytes;
use http::Method;
use net::Outgoing;
use providers::exchange::{To, Work, image_stream};
use serde_json::Value;
use types::{Fault, Kind, Result, SendBody, ask::Made};
use wire::openai::images::Events;

use super::{
    Content, Reply,
    spliced::{begin, is_event_stream, names, no_stream},
};
use crate::{
    Gateway,
    steps::{
        plan::Attempt,
        pump::Decoder,
        send::{now, send, shown_headers, too_large},
    },
    trail::Trail,
};

/// Asks for a stream of pictures and reads up to the first.
pub(super) async fn stream(
    gateway: &Gateway,
    attempt: &Attempt,
    work: &Work,
    shown: &Shown,
    trail: &mut Trail,
) -> Result<Reply> {
    let backend = attempt.endpoint.backend.as_str();
    let (request, dropped) = image_stream::request(&attempt.endpoint, &attempt.names(), work, attempt.ask())?;
    let To::Backend { target } = &request.to else {
        return Err(Fault::new(Kind::Internal, "A stream of pictures begins at its backend."));
    };
    if request.body.len() > attempt.body_limit {
        return Err(too_large(backend, request.body.len(), attempt.body_limit, "smaller pictures"));
    }
    let outgoing = Outgoing {
        method: Method::POST,
        target: target.clone(),
        headers: request.dressed(&attempt.endpoint, attempt.dress())?.into(),
        body: request.body.clone(),
    };
    let reply = send(gateway, &attempt.origin, outgoing, attempt.deadline, trail).await?;
    if !is_event_stream(&reply.headers) {
        return Err(no_stream(gateway, reply, attempt.deadline).await);
    }
    let headers = shown_headers(&reply.headers);
    let decoder = Decoder::Pictures(PictureStream::new(backend, shown.clone()));
    let live = begin(attempt, decoder, reply.body, trail).await?;
    Ok(Reply { headers, content: Content::Stream(live), dropped: names(dropped) })
}

/// How a caller wants a stream of pictures shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// Writes the events.
    pub(crate) events: Events,
    /// The most unfinished pictures; none: all that come.
    pub(crate) partial_images: Option<u8>,
}

/// A backend's stream of pictures on its way to the caller's.
pub(crate) struct PictureStream {
    decoder: image_stream::Decoder,
    shown: Shown,
    partials: u64,
    last: Option<Made>,
}

impl PictureStream {
    fn new(backend: &str, shown: Shown) -> Self {
        Self { decoder: image_stream::Decoder::new(backend), shown, partials: 0, last: None }
    }

    pub(crate) fn push(&mut self, chunk: &Bytes, out: &mut impl FnMut(Bytes)) -> Result<()> {
        let most = self.shown.partial_images.map_or(u64::MAX, u64::from);
        let (shown, partials, last) = (&self.shown, &mut self.partials, &mut self.last);
        self.decoder.push(chunk, &mut |made| {
            if *partials < most {
                hand_on(&written(&made, |picture| shown.events.partial(*partials, picture, now())), out);
                *partials += 1;
            }
            *last = Some(made);
        })
    }

    pub(crate) fn end(&mut self, out: &mut impl FnMut(Bytes)) -> Result<()> {
        self.decoder.end()?;
        if let Some(made) = self.last.take() {
            hand_on(&written(&made, |picture| self.shown.events.completed(picture, None, now())), out);
        }
        Ok(())
    }

    pub(crate) const fn events(&self) -> u64 {
        self.decoder.seen()
    }
}

fn hand_on(event: &SendBody, out: &mut impl FnMut(Bytes)) {
    event.pieces().map_while(std::result::Result::ok).for_each(out);
}

/// The event for a picture. One that the backend only names stands as `url` where the base64 would.
fn written(made: &Made, event: impl FnOnce(Bytes) -> SendBody) -> SendBody {
    use base64::Engine as _;
    match made {
        Made::Base64(text) => event(text.clone().into()),
        Made::Bytes(bytes) => event(base64::engine::general_purpose::STANDARD.encode(bytes).into()),
        Made::Url(url) => {
            let named = Value::from(url.as_str()).to_string();
            let text = String::from_utf8_lossy(&event(Bytes::new()).to_bytes()).into_owned();
            text.replacen("\"b64_json\":\"\"", &format!("\"url\":{named}"), 1).into()
        }
    }
}
