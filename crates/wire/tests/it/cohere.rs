//! Cohere's door.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use wire::{cohere, json::Limits};

use super::doors::{self, append, lenient, strict};

fn read(body: &Bytes) -> types::Result<wire::heard::Heard> {
    cohere::read(body, None, &strict, &Limits::default())
}

#[test]
fn calls_become_chats() {
    doors::requests("cohere", read);
}

#[test]
fn what_cannot_be_said_is_refused_by_name() {
    doors::refusals("cohere", |body, headers| cohere::read(body, None, headers, &Limits::default()));
}

fn writer() -> Box<dyn wire::events::Write> {
    read(&Bytes::from_static(br#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#)).unwrap().writer
}

/// As Cohere's documentation tells to gather a stream. Blocks begin and end in order.
pub(crate) fn gather(stream: &[u8]) -> Value {
    assert!(stream.ends_with(b"data: [DONE]\n\n"));
    let (mut content, mut calls, mut answer, mut open) = (Vec::<Value>::new(), Vec::<Value>::new(), json!({}), false);
    for event in doors::data(stream) {
        let said = &event["delta"]["message"];
        match event["type"].as_str().unwrap() {
            "message-start" => answer["id"] = event["id"].clone(),
            "content-start" => {
                assert!(!std::mem::replace(&mut open, true) && event["index"] == content.len());
                content.push(said["content"].clone());
            }
            "content-delta" => {
                let block = content.last_mut().unwrap();
                let kind = block["type"].as_str().unwrap().to_owned();
                append(&mut block[&kind], &said["content"][&kind]);
            }
            "tool-call-start" => {
                assert!(!std::mem::replace(&mut open, true) && event["index"] == calls.len());
                calls.push(said["tool_calls"].clone());
            }
            "tool-call-delta" => {
                append(
                    &mut calls.last_mut().unwrap()["function"]["arguments"],
                    &said["tool_calls"]["function"]["arguments"],
                );
            }
            "content-end" | "tool-call-end" => assert!(std::mem::replace(&mut open, false)),
            "message-end" => {
                answer["finish_reason"] = event["delta"]["finish_reason"].clone();
                answer["usage"] = event["delta"]["usage"].clone();
            }
            other => panic!("{other}"),
        }
    }
    let mut message = Map::new();
    message.insert("role".into(), "assistant".into());
    if !content.is_empty() {
        message.insert("content".into(), content.into());
    }
    if !calls.is_empty() {
        message.insert("tool_calls".into(), calls.into());
    }
    answer["message"] = message.into();
    answer
}

#[test]
fn answers_are_the_same_whole_and_as_events() {
    doors::answers("cohere", writer, |stream| String::from_utf8(stream.to_vec()).unwrap(), gather);
}

#[test]
fn faults_are_as_written_down() {
    doors::faults("cohere", cohere::fault);
}

#[test]
fn embeddings_come_and_go() {
    let read =
        |body: Value, headers| cohere::embeddings(&Bytes::from(body.to_string()), None, headers, &Limits::default());
    let call = read(
        json!({"model": "m", "texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float", "base64"], "output_dimension": 2}),
        &strict,
    );
    let call = call.unwrap();
    assert_eq!(call.call, r#"{"model":"m","input":["a","b"],"encoding_format":"float","dimensions":2}"#);
    assert_eq!(call.dropped, ["input_type"]);
    let answer =
        br#"{"data":[{"index":0,"embedding":[0.10,1]},{"index":1,"embedding":[2,3]}],"usage":{"prompt_tokens":4}}"#;
    let text = String::from_utf8(call.answer(answer, "req-1").unwrap()).unwrap();
    assert!(text.contains(r#""float":[[0.10,1],[2,3]]"#), "numbers stay as they are written: {text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["embeddings"]["base64"], json!(["zczMPQAAgD8=", "AAAAQAAAQEA="]));
    assert_eq!(answer["meta"]["billed_units"]["input_tokens"], 4);
    assert_eq!(answer["texts"], json!(["a", "b"]));
    let call = read(json!({"model": "m", "inputs": [{"content": [{"type": "text", "text": "a"}]}]}), &strict).unwrap();
    assert_eq!(call.call, r#"{"model":"m","input":["a"],"encoding_format":"float"}"#);
    for (wrong, member) in [
        (json!({"model": "m", "texts": ["a"], "embedding_types": ["int8"]}), "embedding_types"),
        (json!({"model": "m", "images": ["data:image/png;base64,AAAA"]}), "images"),
        (json!({"model": "m"}), "texts"),
        (json!({"texts": ["a"]}), "model"),
    ] {
        assert_eq!(read(wrong, &strict).unwrap_err().param.as_deref(), Some(member));
    }
    assert!(read(json!({"model": "m", "texts": ["a"], "embedding_types": ["int8"]}), &lenient).is_ok());
}
