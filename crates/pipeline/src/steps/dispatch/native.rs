//! Calls that pass to a vendor as they came.

use http::Method;
use net::{AnswerHeaders, Outgoing};
use types::{Result, SendBody};
use wire::native;

use super::{
    Content, Reply,
    spliced::{begin, is_event_stream, no_stream, post, whole},
};
use crate::{
    Gateway,
    call::Native,
    elsewhere,
    steps::{
        plan::Attempt,
        pump::Decoder,
        send::{send, shown_headers},
    },
    trail::Trail,
};

/// What a call that is too large should have less of.
const LESS: &str = "smaller images or a shorter history";

/// Passes a call on as it came, but for the model's name, and its answer back.
pub(super) async fn pass(
    gateway: &Gateway,
    attempt: &Attempt,
    native: &Native,
    target: String,
    trail: &mut Trail,
) -> Result<Reply> {
    let call = &native.call;
    let reply = post(gateway, attempt, target, call.encode(&attempt.model), LESS, trail).await?;
    let headers = shown_headers(&reply.headers);
    let content = if call.stream() {
        if !is_event_stream(&reply.headers) {
            return Err(no_stream(gateway, reply, attempt.deadline).await);
        }
        let decoder = Decoder::Native(native::Stream::new(call.dialect()));
        let live = begin(attempt, decoder, reply.body, trail).await?;
        if let (Some(owner), Decoder::Native(stream)) = (&native.owner, &live.decoder)
            && let Some(id) = stream.kept()
        {
            // What it uses is told at the end of the stream.
            elsewhere::note(gateway, owner, attempt, &native::Kept { id: id.to_owned(), open: false }).await;
        }
        Content::Stream(live)
    } else {
        let held = whole(gateway, attempt, reply.body, trail).await?;
        let read = native::answer(call.dialect(), &held.bytes)?;
        (trail.record.usage, trail.record.finish) = (read.usage, read.finish);
        if let (Some(owner), Some(kept)) = (&native.owner, &read.kept) {
            elsewhere::note(gateway, owner, attempt, kept).await;
        }
        Content::Native(held.bytes.into())
    };
    Ok(Reply { headers, content, dropped: Vec::new() })
}

/// Asks about what the vendor keeps.
pub(super) async fn ask(
    gateway: &Gateway,
    attempt: &Attempt,
    (method, target): (Method, String),
    body: SendBody,
    trail: &mut Trail,
) -> Result<Reply> {
    let outgoing = Outgoing { method, target, headers: attempt.headers.clone(), body };
    let reply = send(gateway, &attempt.origin, outgoing, attempt.deadline, trail).await?;
    let headers = shown_headers(&reply.headers);
    let content = if is_event_stream(&reply.headers) {
        let decoder = Decoder::Native(native::Stream::new(native::Dialect::Responses));
        Content::Stream(begin(attempt, decoder, reply.body, trail).await?)
    } else {
        Content::Native(whole(gateway, attempt, reply.body, trail).await?.bytes.into())
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
) -> Result<(AnswerHeaders, SendBody)> {
    let reply = post(gateway, attempt, target, call.encode(&attempt.model), LESS, trail).await?;
    let headers = shown_headers(&reply.headers);
    let held = whole(gateway, attempt, reply.body, trail).await?;
    Ok((headers, held.bytes.into()))
}
