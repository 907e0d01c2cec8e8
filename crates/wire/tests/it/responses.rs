//! The Responses API at the front door. Golden files: `IRONBOW_GOLDEN=write` writes them anew.

mod answers;
mod caches;
mod calls;
mod kept;
mod round_trip;
mod shorten;

use std::{fs, path::PathBuf, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::Value;
use types::Result;
use wire::{
    events::Event,
    json::Limits,
    openai::{
        chat::Finish,
        responses::{Heard, Request, Sealer, Told},
    },
};

/// Seals by a sum that only a test would trust.
struct Plain;

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte))
}

impl Sealer for Plain {
    fn seal(&self, plain: &[u8]) -> String {
        STANDARD.encode([&[sum(plain)], plain].concat())
    }

    fn open(&self, sealed: &str) -> Option<Vec<u8>> {
        let bytes = STANDARD.decode(sealed).ok()?;
        let (check, plain) = bytes.split_first()?;
        (*check == sum(plain)).then(|| plain.to_vec())
    }
}

pub(crate) fn told() -> Told {
    Told {
        id: "resp_0123456789abcdef".into(),
        created_at: 1_700_000_000,
        now: || 1_700_000_009,
        sealer: Arc::new(Plain),
    }
}

/// The reasoning as the writer seals it.
fn sealed(thought: &str) -> String {
    Plain.seal(&[b"responses reasoning 1\n", thought.as_bytes()].concat())
}

fn request(body: &Value) -> Result<Request> {
    Request::read(&Bytes::from(body.to_string()), None, &|_| None, &Limits::default())
}

fn heard(body: &Value) -> Result<Heard> {
    request(body)?.heard(&told())
}

fn heard_leniently(body: &Value) -> Result<Heard> {
    let body = Bytes::from(body.to_string());
    let lenient = |name: &str| -> Option<&'static str> { (name == "x-ironbow-lenient").then_some("true") };
    Request::read(&body, None, &|name| lenient(name), &Limits::default())?.heard(&told())
}

/// The chat that a call becomes.
fn chat(body: &Value) -> Value {
    serde_json::from_slice(&heard(body).unwrap().chat).unwrap()
}

/// The stream that these events become.
fn stream(heard: &mut Heard, events: &[Event]) -> String {
    let mut out = Vec::new();
    for event in events {
        heard.writer.event(event, &mut |bytes| out.extend_from_slice(&bytes));
    }
    String::from_utf8(out).unwrap()
}

/// The events of a stream, read naively; each has its type in its head, too.
fn read_stream(stream: &str) -> Vec<Value> {
    let mut events = Vec::new();
    for frame in stream.split_terminator("\n\n") {
        let (head, data) = frame.split_once('\n').unwrap();
        let event: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(head.strip_prefix("event: ").unwrap(), event["type"].as_str().unwrap());
        assert_eq!(event["sequence_number"], events.len(), "numbers have no gap");
        events.push(event);
    }
    events
}

fn start() -> Event {
    Event::Start { id: "chatcmpl-1".into(), model: "backend/model".into(), created: 1 }
}

fn text(text: &str) -> Event {
    Event::Text { choice: 0, text: text.into() }
}

fn thought(text: &str) -> Event {
    Event::Reasoning { choice: 0, text: text.into() }
}

fn call(index: u32, id: &str, name: &str) -> Event {
    Event::ToolStart { choice: 0, index, id: id.into(), name: name.into() }
}

fn arguments(index: u32, json: &str) -> Event {
    Event::ToolArguments { choice: 0, index, json: json.into() }
}

/// How every answer ends.
fn ending(reason: Finish) -> [Event; 3] {
    let usage = types::Usage { input: 11, output: 7, cached_input: 4, reasoning: 2 };
    [Event::Finish { choice: 0, reason }, Event::Usage(usage), Event::Done]
}

/// Compares with a golden file, or writes it.
fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/responses").join(name);
    if std::env::var_os("IRONBOW_GOLDEN").is_some_and(|how| how == "write") {
        fs::write(&path, text).unwrap();
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, wanted, "{name}: set IRONBOW_GOLDEN=write to accept");
}
