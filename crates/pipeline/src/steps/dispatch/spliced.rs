//! Chat and embeddings: one request whose body is the caller's, spliced, and an answer that passes as it came where
//! nothing in it must change.

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;
use http::{Method, header::CONTENT_TYPE};
use net::{AnswerHeaders, Fields, Held, Outgoing, RecvBody};
use types::{Fault, Kind, Operation, Result, SendBody, Sent};
use wire::openai::{chat, embeddings};

use super::{Content, Reply};
use crate::{
    Gateway,
    doors::answer_fault,
    steps::{
        plan::Attempt,
        pump::{Decoder, Live},
        send::{error_body, now, read_fault, send, shown_headers, too_large},
    },
    trail::Trail,
};

/// Sends a chat and reads until there is an answer or the first event of one.
pub(super) async fn chat(
    gateway: &Gateway,
    attempt: &Attempt,
    call: &chat::Call,
    show_usage: bool,
    trail: &mut Trail,
) -> Result<Reply> {
    let codec = attempt.endpoint.codec;
    let encoded = codec.encode_chat(call, &attempt.model, attempt.ask())?;
    let offer = "smaller images or a shorter history";
    let reply = post(gateway, attempt, attempt.target.clone(), encoded.body, offer, trail).await?;
    let headers = shown_headers(&reply.headers);
    let content = if call.stream() {
        if !is_event_stream(&reply.headers) {
            return Err(Box::pin(no_stream(gateway, reply, attempt.deadline)).await);
        }
        let context = chat::StreamContext {
            show_usage,
            id: trail.answer_id(),
            model: attempt.model.as_ref().to_owned(),
            created: now(),
            ..chat::StreamContext::default()
        };
        Content::Stream(begin(attempt, Decoder::of_chat(codec, context), reply.body, trail).await?)
    } else {
        let held = whole(gateway, attempt, reply.body, trail).await?;
        let id = trail.answer_id();
        let context = chat::AnswerContext { id: &id, model: &attempt.model, created: now() };
        let answer = codec.chat_answer(&held.bytes, &context)?;
        (trail.record.usage, trail.record.finish) = (answer.usage, answer.finish);
        Content::Whole(answer.body)
    };
    Ok(Reply { headers, content, dropped: names(encoded.dropped) })
}

/// Sends inputs to embed, in as many calls as the backend's limit wants, and joins what comes back.
pub(super) async fn embeddings(
    gateway: &Gateway,
    attempt: &Attempt,
    call: &embeddings::Call,
    trail: &mut Trail,
) -> Result<Reply> {
    let backend = attempt.endpoint.backend.as_str();
    let Some(dialect) = attempt.endpoint.embeddings() else {
        return Err(providers::refusal::unsupported_by(backend, Operation::Embeddings));
    };
    let calls = match dialect.max_inputs {
        Some(most) if call.inputs() > most => embeddings::split(call, most)?,
        _ => vec![call.clone()],
    };
    let (mut answers, mut dropped, mut headers) = (Vec::with_capacity(calls.len()), Vec::new(), AnswerHeaders::new());
    for call in &calls {
        let encoded = embeddings::encode(call, dialect, &attempt.model, attempt.ask())?;
        dropped = names(encoded.dropped);
        let target = attempt.target.clone();
        let reply = post(gateway, attempt, target, encoded.body, "fewer or shorter inputs", trail).await?;
        headers = shown_headers(&reply.headers);
        let held = whole(gateway, attempt, reply.body, trail).await?;
        answers.push(embeddings::answer(&held.bytes, &embeddings::Context::of(call, &attempt.model))?);
    }
    let answer = embeddings::join(answers)?;
    trail.record.usage = (!answer.estimated).then_some(answer.usage);
    Ok(Reply { headers, content: Content::Whole(answer.body), dropped })
}

/// What was left out, by name.
pub(super) fn names(dropped: Vec<chat::Dropped>) -> Vec<String> {
    dropped.into_iter().map(|dropped| dropped.member.into_owned()).collect()
}

/// Sends a body, if it is no larger than the backend takes.
pub(super) async fn post(
    gateway: &Gateway,
    attempt: &Attempt,
    target: String,
    body: SendBody,
    offer: &str,
    trail: &mut Trail,
) -> Result<net::Reply> {
    if body.len() > attempt.body_limit {
        return Err(too_large(attempt.endpoint.backend.as_str(), body.len(), attempt.body_limit, offer));
    }
    let outgoing = Outgoing { method: Method::POST, target, headers: attempt.headers.clone(), body };
    send(gateway, &attempt.origin, outgoing, attempt.deadline, trail).await
}

/// Reads a whole answer under the gateway's limits.
pub(super) async fn whole(gateway: &Gateway, attempt: &Attempt, body: RecvBody, trail: &mut Trail) -> Result<Held> {
    let held = body.collect(attempt.answer_limit, attempt.deadline, &gateway.0.budget).await.map_err(answer_fault)?;
    trail.record.first_event.get_or_insert_with(net::now);
    Ok(held)
}

/// Reads until the decoder has seen an event.
pub(super) async fn begin(
    attempt: &Attempt,
    mut decoder: Decoder,
    mut body: RecvBody,
    trail: &mut Trail,
) -> Result<Box<Live>> {
    let mut ready = VecDeque::new();
    let mut ended = false;
    while decoder.events() == 0 && !ended {
        match tokio::time::timeout_at(attempt.deadline.into(), body.chunk()).await {
            Err(_) => {
                let text = "The backend sent no first event in time.";
                return Err(Fault::new(Kind::UpstreamTimeout, text).sent(Sent::Yes));
            }
            Ok(Some(Ok(chunk))) => decoder.push(chunk, &mut |bytes: Bytes| ready.push_back(bytes))?,
            Ok(Some(Err(error))) => return Err(read_fault(error)),
            Ok(None) => {
                decoder.end(&mut |bytes: Bytes| ready.push_back(bytes))?;
                ended = true;
            }
        }
    }
    trail.record.first_event = Some(net::now());
    Ok(Box::new(Live {
        body,
        decoder,
        ready,
        ended,
        idle: attempt.idle,
        until: attempt.stream_until,
        mask: attempt.mask.clone(),
        rest: None,
    }))
}

pub(super) fn is_event_stream(headers: &Fields) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"))
}

/// A stream was asked for and something else came with a good status: an error that says so, or a mistake.
pub(super) async fn no_stream(gateway: &Gateway, reply: net::Reply, until: Instant) -> Box<Fault> {
    let text = error_body(gateway, reply.body, until).await;
    match chat::answer(&text, &chat::AnswerContext { id: "", model: "", created: 0 }) {
        Err(fault) if fault.kind != Kind::UpstreamBadReply => fault,
        _ => {
            let kind = reply.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("nothing");
            let kind: String = kind.chars().take(80).collect();
            let text = format!("A stream was asked for; the backend answered with `{kind}`.");
            Fault::new(Kind::UpstreamBadReply, text).sent(Sent::Yes)
        }
    }
}
