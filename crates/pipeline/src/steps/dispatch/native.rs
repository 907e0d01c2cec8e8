//! Calls that pass to a vendor as they came, and calls in OpenAI's chat to a backend that speaks Anthropic's dialect.

use http::HeaderMap;
use types::{Result, SendBody};
use wire::{
    anthropic::backend,
    events::Write as _,
    native,
    openai::chat::{self, Writer},
};

use super::{
    Content, Reply,
    spliced::{begin, is_event_stream, names, no_stream, post, whole},
};
use crate::{
    Gateway,
    steps::{
        plan::Attempt,
        pump::{Decoder, Heard},
        send::{now, shown_headers},
    },
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

/// Asks a backend that speaks Anthropic's dialect for a chat.
pub(super) async fn chat(
    gateway: &Gateway,
    attempt: &Attempt,
    call: &chat::Call,
    show_usage: bool,
    trail: &mut Trail,
) -> Result<Reply> {
    let encoded = backend::encode(call, &attempt.model, attempt.ask())?;
    let reply = post(gateway, attempt, attempt.target.clone(), encoded.body, LESS, trail).await?;
    let headers = shown_headers(&reply.headers);
    let mut write = Writer::new(&attempt.model, show_usage);
    let content = if call.stream() {
        if !is_event_stream(&reply.headers) {
            return Err(no_stream(&reply.headers, reply.body, attempt.deadline).await);
        }
        let decoder = Decoder::Heard(Box::new(Heard::new(backend::Stream::new(now()), Box::new(write))));
        Content::Stream(begin(attempt, decoder, reply.body, trail).await?)
    } else {
        let held = whole(gateway, attempt, reply.body, trail).await?;
        let events = backend::of_answer(&held.bytes, now())?;
        let (mut usage, mut finish) = (None, None);
        for event in &events {
            match event {
                wire::events::Event::Usage(used) => usage = Some(*used),
                wire::events::Event::Finish { reason, .. } => finish = Some(*reason),
                _ => {}
            }
        }
        (trail.record.usage, trail.record.finish) = (usage, finish);
        Content::Whole(write.whole(&events))
    };
    Ok(Reply { headers, content, dropped: names(encoded.dropped) })
}
