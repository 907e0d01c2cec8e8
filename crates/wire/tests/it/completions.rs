//! The older completions.

use serde_json::{Value, json};
use wire::{json::Limits, openai::completions};

use super::doors::{self, append, strict};

fn read(body: &bytes::Bytes) -> types::Result<wire::heard::Heard> {
    completions::read(body, None, &strict, &Limits::default())
}

#[test]
fn calls_become_chats() {
    doors::requests("completions", read);
}

#[test]
fn what_cannot_be_said_is_refused_by_name() {
    doors::refusals("completions", |body, headers| completions::read(body, None, headers, &Limits::default()));
}

fn writer() -> Box<dyn wire::events::Write> {
    read(&bytes::Bytes::from_static(br#"{"model":"m","prompt":"x","stream_options":{"include_usage":true}}"#))
        .unwrap()
        .writer
}

#[test]
fn usage_in_a_stream_comes_only_when_asked_for() {
    let stream = doors::cases().remove(0).stream();
    let mut writer = read(&bytes::Bytes::from_static(br#"{"model":"m","prompt":"x"}"#)).unwrap().writer;
    let out = doors::written(&mut *writer, [stream.as_bytes()]);
    assert!(doors::data(&out).iter().all(|chunk| chunk.get("usage").is_none() && chunk["choices"] != json!([])));
}

pub(crate) fn gather(stream: &[u8]) -> Value {
    assert!(stream.ends_with(b"data: [DONE]\n\n"));
    let items = doors::data(stream);
    let mut whole = items[0].clone();
    let mut choice = json!({"index": 0, "text": "", "logprobs": null, "finish_reason": null});
    for item in &items {
        for said in item["choices"].as_array().unwrap() {
            append(&mut choice["text"], &said["text"]);
            if !said["reasoning_content"].is_null() {
                append(&mut choice["reasoning_content"], &said["reasoning_content"]);
            }
            if !said["finish_reason"].is_null() {
                choice["finish_reason"] = said["finish_reason"].clone();
            }
        }
    }
    whole["choices"] = json!([choice]);
    whole["usage"] = items.last().unwrap()["usage"].clone();
    whole
}

#[test]
fn answers_are_the_same_whole_and_as_events() {
    doors::answers("completions", writer, |stream| String::from_utf8(stream.to_vec()).unwrap(), gather);
}

#[test]
fn sureness_is_written_as_it_was() {
    let answer = json!({"id": "chatcmpl-a", "model": "m", "created": 1, "choices": [{"index": 0, "message": {"content": "hé!"},
        "finish_reason": "stop", "logprobs": {"content": [
            {"token": "hé", "logprob": -0.5, "top_logprobs": [{"token": "ho", "logprob": -1.0}]},
            {"token": "!", "logprob": -0.1, "top_logprobs": []}]}}]});
    let whole = writer().whole(&wire::events::of_answer(answer.to_string().as_bytes()).unwrap()).to_bytes();
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    let wanted = json!({"tokens": ["hé", "!"], "token_logprobs": [-0.5, -0.1], "top_logprobs": [{"ho": -1.0}, {}], "text_offset": [0, 2]});
    assert_eq!(whole["choices"][0]["logprobs"], wanted);
    assert_eq!(whole["id"], "cmpl-a");
}

#[test]
fn faults_are_openais() {
    doors::faults("completions", completions::fault);
}
