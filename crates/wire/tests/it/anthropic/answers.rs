//! Answers become messages: whole, and as a stream that comes to the same.

use bytes::Bytes;
use serde_json::{Value, json};
use types::{Fault, Kind};
use wire::events::{Event, Reader, Write, of_answer};

use super::{read, same_as_golden, signature};

fn writer(more: &Value) -> Box<dyn Write> {
    let mut body =
        json!({"model": "asked-model", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello there"}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    read(&body.to_string()).unwrap().writer
}

/// Every kind of answer: its name, what the call said, OpenAI's message, the reason of its end.
fn cases() -> Vec<(&'static str, Value, Value, &'static str)> {
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "look", "arguments": arguments}});
    vec![
        ("text", json!({}), json!({"content": "Hello, wörld. \"Quoted\"\n"}), "stop"),
        ("nothing", json!({}), json!({"content": ""}), "stop"),
        (
            "tool",
            json!({}),
            json!({"content": null, "tool_calls": [call("call_1", "{\"where\":\"left {\\\"}\"}")]}),
            "tool_calls",
        ),
        (
            "parallel tools",
            json!({}),
            json!({"content": "I look.", "tool_calls": [call("call_1", "{\"where\":\"left\"}"), call("call_2", "{\"far\":[1,{\"b\":2}]}"), call("call_3", "")]}),
            "tool_calls",
        ),
        ("reasoning", json!({}), json!({"reasoning_content": "Let me add. ", "content": "4"}), "stop"),
        (
            "reasoning with a tool",
            json!({}),
            json!({"reasoning_content": "I must look.", "tool_calls": [call("call_1", "{}")]}),
            "tool_calls",
        ),
        (
            "reasoning omitted",
            json!({"thinking": {"type": "adaptive", "display": "omitted"}}),
            json!({"reasoning_content": "Let me add.", "content": "4"}),
            "stop",
        ),
        (
            "reasoning disabled",
            json!({"thinking": {"type": "disabled"}}),
            json!({"reasoning_content": "Let me add.", "content": "4"}),
            "stop",
        ),
        ("json", json!({}), json!({"content": "{\"z\":1,\"a\":\"x\"}"}), "stop"),
        ("refusal", json!({}), json!({"content": null, "refusal": "I cannot help with that."}), "stop"),
        ("filtered", json!({}), json!({"content": "Well"}), "content_filter"),
        ("length", json!({}), json!({"content": "One two thr"}), "length"),
        (
            "bad arguments",
            json!({}),
            json!({"tool_calls": [call("call_1", "left please"), call("call_2", "null")]}),
            "tool_calls",
        ),
    ]
}

fn answer(message: &Value, finish: &str) -> Value {
    json!({"id": "chatcmpl-9", "object": "chat.completion", "created": 1, "model": "theirs",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 8}, "completion_tokens_details": {"reasoning_tokens": 4}}})
}

/// OpenAI's stream of the same answer, in pieces of three characters.
fn stream(message: &Value, finish: &str) -> String {
    let mut out = String::new();
    let mut chunk = |delta: Value, finish: Value| {
        let said = json!({"id": "chatcmpl-9", "created": 1, "model": "theirs", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        out += &format!("data: {said}\n\n");
    };
    let pieces = |text: &Value| -> Vec<String> {
        let letters: Vec<char> = text.as_str().unwrap_or_default().chars().collect();
        letters.chunks(3).map(|piece| piece.iter().collect()).collect()
    };
    chunk(json!({"role": "assistant", "content": ""}), Value::Null);
    for member in ["reasoning_content", "content", "refusal"] {
        for piece in pieces(&message[member]) {
            chunk(json!({ member: piece }), Value::Null);
        }
    }
    for (index, call) in message["tool_calls"].as_array().into_iter().flatten().enumerate() {
        let name = &call["function"]["name"];
        chunk(
            json!({"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": {"name": name, "arguments": ""}}]}),
            Value::Null,
        );
        for piece in pieces(&call["function"]["arguments"]) {
            chunk(json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}), Value::Null);
        }
    }
    chunk(json!({}), finish.into());
    let usage = answer(message, finish)["usage"].take();
    out + &format!("data: {}\n\ndata: [DONE]\n\n", json!({"id": "chatcmpl-9", "choices": [], "usage": usage}))
}

fn translated(stream: &[&[u8]], writer: &mut dyn Write) -> String {
    let mut reader = Reader::default();
    let mut out = Vec::new();
    for piece in stream {
        reader
            .push(&Bytes::copy_from_slice(piece), &mut |event| {
                writer.event(&event, &mut |bytes| out.extend_from_slice(&bytes));
            })
            .unwrap();
    }
    String::from_utf8(out).unwrap()
}

/// The events of a stream of Anthropic's, each under its own name.
pub(super) fn frames(stream: &str) -> Vec<Value> {
    let frame = |frame: &str| {
        let (name, data) = frame.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
        data
    };
    stream.split_terminator("\n\n").map(frame).collect()
}

/// Gathers a stream as the SDKs do, and checks the order of its events.
pub(crate) fn gathered(stream: &str) -> Value {
    let frames: Vec<_> = frames(stream).into_iter().filter(|frame| frame["type"] != "ping").collect();
    let mut message = frames[0]["message"].clone();
    assert_eq!(frames[0]["type"], "message_start");
    assert!(message["usage"]["input_tokens"].as_u64().unwrap() > 0);
    assert_eq!(frames.last().unwrap()["type"], "message_stop");
    let (mut open, mut json) = (None, String::new());
    for frame in &frames[1..frames.len() - 1] {
        let count = message["content"].as_array().unwrap().len();
        match frame["type"].as_str().unwrap() {
            "content_block_start" => {
                assert!(open.is_none() && frame["index"] == count, "one block after the other");
                message["content"].as_array_mut().unwrap().push(frame["content_block"].clone());
                open = Some(count);
                json.clear();
            }
            "content_block_delta" => {
                assert_eq!(frame["index"], open.unwrap());
                let (delta, block) = (&frame["delta"], &mut message["content"][open.unwrap()]);
                let add = |to: &mut Value, text: &Value| {
                    *to = (to.as_str().unwrap().to_owned() + text.as_str().unwrap()).into();
                };
                match delta["type"].as_str().unwrap() {
                    "text_delta" => add(&mut block["text"], &delta["text"]),
                    "thinking_delta" => add(&mut block["thinking"], &delta["thinking"]),
                    "signature_delta" => block["signature"] = delta["signature"].clone(),
                    "input_json_delta" => json += delta["partial_json"].as_str().unwrap(),
                    other => panic!("{other}"),
                }
            }
            "content_block_stop" => {
                let index = open.take().unwrap();
                assert_eq!(frame["index"], index);
                if message["content"][index]["type"] == "tool_use" {
                    message["content"][index]["input"] = serde_json::from_str(&json).unwrap();
                }
            }
            "message_delta" => {
                assert!(open.is_none());
                for (name, value) in frame["delta"].as_object().unwrap() {
                    message[name] = value.clone();
                }
                message["usage"] = frame["usage"].clone();
            }
            other => panic!("{other}"),
        }
    }
    message
}

#[test]
fn a_stream_comes_to_the_whole_answer_however_it_is_cut() {
    let (mut streams, mut wholes) = (String::new(), String::new());
    for (name, asked, message, finish) in cases() {
        let events = of_answer(answer(&message, finish).to_string().as_bytes()).unwrap();
        let whole: Value = serde_json::from_slice(&writer(&asked).whole(&events).to_bytes()).unwrap();
        let source = stream(&message, finish);
        let out = translated(&[source.as_bytes()], &mut *writer(&asked));
        assert_eq!(gathered(&out), whole, "{name}");
        for cut in 0..source.len() {
            let (left, right) = source.as_bytes().split_at(cut);
            assert_eq!(translated(&[left, right], &mut *writer(&asked)), out, "{name}, cut at {cut}");
        }
        streams += &format!("### {name}\n{out}");
        wholes += &format!("### {name}\n{}\n", serde_json::to_string_pretty(&whole).unwrap());
    }
    same_as_golden("streams.txt", &streams);
    same_as_golden("wholes.txt", &wholes);
}

#[test]
fn usage_is_an_estimate_first_and_the_truth_at_last_cached_tokens_apart() {
    let message = json!({"content": "Hi"});
    let frames = frames(&translated(&[stream(&message, "stop").as_bytes()], &mut *writer(&json!({}))));
    let first = frames[0]["message"]["usage"]["input_tokens"].as_u64().unwrap();
    assert!((5..=20).contains(&first), "{first}");
    let last = frames.iter().find(|frame| frame["type"] == "message_delta").unwrap();
    assert_eq!(
        last["usage"],
        json!({"input_tokens": 12, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 8, "output_tokens": 9,
            "output_tokens_details": {"thinking_tokens": 4}})
    );
}

#[test]
fn without_usage_from_the_backend_the_estimates_stand() {
    let source = stream(&json!({"content": "One two three four."}), "stop");
    let source: String = source.split_inclusive("\n\n").filter(|frame| !frame.contains("usage")).collect();
    let message = gathered(&translated(&[source.as_bytes()], &mut *writer(&json!({}))));
    assert!(message["usage"]["output_tokens"].as_u64().unwrap() > 0);
    assert!(message["usage"]["input_tokens"].as_u64().unwrap() > 0);
}

#[test]
fn a_fault_inside_a_stream_is_an_error_event_and_nothing_follows() {
    let source = stream(&json!({"content": "One two three."}), "stop");
    let begun = &source[..source.len() / 2];
    let mut writer = writer(&json!({}));
    let mut out = translated(&[begun.as_bytes()], &mut *writer);
    let fault = Fault::new(Kind::UpstreamTruncated, "The answer broke off.");
    writer.fault(&fault, "req-1", &mut |bytes| out += std::str::from_utf8(&bytes).unwrap());
    let frames = frames(&out);
    assert_eq!(frames[0]["type"], "message_start");
    let last = frames.last().unwrap();
    assert_eq!(
        (&last["type"], &last["error"]["type"], &last["request_id"]),
        (&json!("error"), &json!("api_error"), &json!("req-1"))
    );
    assert!(frames.iter().all(|frame| frame["type"] != "message_stop"));
}

#[test]
fn what_was_thought_survives_the_round_trip_through_the_caller() {
    let message = json!({"reasoning_content": "Let me add.", "content": "4"});
    for asked in [json!({}), json!({"thinking": {"type": "adaptive", "display": "omitted"}})] {
        let events = of_answer(answer(&message, "stop").to_string().as_bytes()).unwrap();
        let said: Value = serde_json::from_slice(&writer(&asked).whole(&events).to_bytes()).unwrap();
        assert_eq!(said["content"][0]["signature"], signature("Let me add."));
        let replay = json!({"model": "m", "max_tokens": 5, "messages": [
            {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": said["content"]}, {"role": "user", "content": "Sure?"}]});
        let chat: Value = serde_json::from_slice(&read(&replay.to_string()).unwrap().chat).unwrap();
        assert_eq!(
            chat["messages"][1],
            json!({"role": "assistant", "content": "4", "reasoning_content": "Let me add."})
        );
    }
}

#[test]
fn an_event_of_another_choice_is_nobodys() {
    let mut writer = writer(&json!({}));
    let mut out = String::new();
    writer
        .event(&Event::Text { choice: 1, text: "x".into() }, &mut |bytes| out += std::str::from_utf8(&bytes).unwrap());
    assert_eq!(out, "");
}
