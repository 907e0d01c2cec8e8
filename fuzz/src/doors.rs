//! The doors of other dialects: a call is refused as the caller's mistake, or becomes a chat that is read like any other.

use bytes::Bytes;
use std::sync::Arc;
use types::{Kind, Result};
use wire::{
    anthropic::Sealer,
    bedrock, cohere, gemini,
    heard::Heard,
    json::Limits,
    openai::{chat, completions, responses},
};

/// Seals nothing that anybody could open.
struct Nothing;

impl Sealer for Nothing {
    fn seal(&self, plain: &[u8]) -> String {
        plain.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn open(&self, sealed: &str) -> Option<Vec<u8>> {
        let digits =
            sealed.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        digits.collect()
    }
}

const LIMITS: Limits = Limits { max_depth: 64, max_members: 10_000 };

/// The body behind a first byte that says whether the caller is lenient.
fn split(data: &[u8]) -> Option<(bool, Bytes)> {
    data.split_first().map(|(choice, body)| (choice & 1 == 1, Bytes::copy_from_slice(body)))
}

fn judge(heard: Result<Heard>) {
    judge_chat(heard.map(|heard| (heard.chat, heard.model)));
}

fn judge_chat(heard: Result<(Bytes, String)>) {
    match heard {
        Err(fault) => {
            let callers = [Kind::BadRequest, Kind::UnsupportedParameter, Kind::UnsupportedOperation, Kind::NotFound];
            assert!(callers.contains(&fault.kind), "{fault:?}");
        }
        Ok((chat, model)) => {
            // Members that a dialect passes on unread are judged where chats are: by name, as the caller's mistake.
            match chat::Call::read(chat, &Limits { max_depth: 127, max_members: usize::MAX }) {
                Ok(call) => assert_eq!(call.model(), model),
                Err(fault) => assert!(fault.kind == Kind::BadRequest && fault.param.is_some(), "{fault:?}"),
            }
        }
    }
}

fn headers(lenient: bool) -> impl for<'n> Fn(&'n str) -> Option<&'n str> {
    move |name| (lenient && name == "x-ironbow-lenient").then_some("true")
}

/// `/anthropic/v1/messages`
pub(crate) fn anthropic(data: &[u8]) {
    let Some((lenient, body)) = split(data) else { return };
    let sealer: Arc<dyn Sealer> = Arc::new(Nothing);
    let headers = |name: &str| (lenient && name == "x-ironbow-lenient").then_some("true");
    judge(wire::anthropic::read(&body, None, &headers, &LIMITS, &sealer));
}

/// `/v1/responses`
pub(crate) fn responses(data: &[u8]) {
    let Some((lenient, body)) = split(data) else { return };
    let told = responses::Told { id: "resp_1".into(), created_at: 0, now: || 0, sealer: Arc::new(Nothing) };
    let read = responses::Request::read(&body, None, &headers(lenient), &LIMITS);
    judge_chat(read.and_then(|request| request.heard(&told)).map(|heard| (heard.chat, heard.model)));
}

/// `/genai/…:generateContent`
pub(crate) fn gemini(data: &[u8]) {
    let Some((lenient, body)) = split(data) else { return };
    judge(gemini::read(&body, "m", gemini::Way::Whole, &headers(lenient), &LIMITS));
}

/// `/cohere/v2/chat`
pub(crate) fn cohere(data: &[u8]) {
    let Some((lenient, body)) = split(data) else { return };
    judge(cohere::read(&body, None, &headers(lenient), &LIMITS));
}

/// `/bedrock/…/converse`
pub(crate) fn bedrock(data: &[u8]) {
    let Some((lenient, body)) = split(data) else { return };
    judge(bedrock::read(&body, "m", bedrock::Way::Whole, &headers(lenient), &LIMITS));
}

/// `/v1/completions`
pub(crate) fn completions(data: &[u8]) {
    let Some((lenient, body)) = split(data) else { return };
    judge(completions::read(&body, None, &headers(lenient), &LIMITS));
}
