//! Calls that pass to a vendor as they came.

use http::HeaderMap;
use types::{Result, SendBody};
use wire::native;

use super::{
    Content, Reply,
    spliced::{begin, is_event_stream, no_stream, post, whole},
};
use crate::{
    Gateway,
    steps::{plan::Attempt, pump::Decoder, send::shown_headers},
    trail::Trail,
};

/// What a call that is too large should have less of.
const LESS: &str = "smaller images or a shorter history";

/// Passes a call on as it came, but for the model's name, and its answer back.
pub(super) async fn pass(
    gateway: &Gateway,
    attempt: &Attempt,
    call: &native::Call,
    target: String,
    trail: &mut Trail,
) -> Result<Reply> {
    let reply = post(gateway, attempt, target, call.encode(&attempt.model), LESS, trail).await?;
    let headers = shown_headers(&reply.headers);
    let content = if call.stream() {
        if !is_event_stream(&reply.headers) {
            return Err(no_stream(&reply.headers, reply.body, attempt.deadline).await);
        }
        let decoder = Decoder::Native(native::Stream::new(call.dialect()));
        Content::Stream(begin(attempt, decoder, reply.body, trail).await?)
    } else {
        let held = whole(gateway, attempt, reply.body, trail).await?;
        let read = native::answer(call.dialect(), &held.bytes)?;
        (trail.record.usage, trail.record.finish) = (read.usage, read.finish);
        Content::Native(held.bytes.into())
    };
    Ok(Reply { headers, content, dropped: Vec::new() })
}

/// Has the tokens of a call counted.
pub(super) async fn count(
    gateway: &Gateway,
    attempt: &Attempt,
    call: &native::Call,
    target: String,
    trail: &mut Trail,
) -> Result<(HeaderMap, SendBody)> {
    let reply = post(gateway, attempt, target, call.encode(&attempt.model), LESS, trail).await?;
    let headers = shown_headers(&reply.headers);
    let held = whole(gateway, attempt, reply.body, trail).await?;
    Ok((headers, held.bytes.into()))
}
