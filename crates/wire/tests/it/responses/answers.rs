//! Answers and streams.

use serde_json::{Value, json};
use types::{Fault, Kind};
use wire::{events::Event, openai::chat::Finish};

use super::{arguments, call, ending, golden, heard, read_stream, start, stream, text, thought};

/// A case: its name, what its call has besides model and input, and the events of the answer.
type Case = (&'static str, Value, Vec<Event>);

fn cases() -> Vec<Case> {
    let with = |middle: Vec<Event>, reason: Finish| {
        let mut events = vec![start()];
        events.extend(middle);
        events.extend(ending(reason));
        events
    };
    let refusal = |text: &str| Event::Refusal { choice: 0, text: text.into() };
    let weather = json!({"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}, "strict": false});
    let token = |token: &str| json!({"token": token, "logprob": -0.5, "bytes": null, "top_logprobs": [{"token": token, "logprob": -0.5}]});
    let schema = json!({"type": "json_schema", "name": "answer", "strict": true, "schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false}});
    vec![
        ("text", json!({}), with(vec![text("Hel"), text("lo ☂")], Finish::Stop)),
        ("empty", json!({}), with(vec![], Finish::Stop)),
        ("json", json!({"text": {"format": schema}}), with(vec![text("{\"a\""), text(":1}")], Finish::Stop)),
        (
            "settings",
            json!({
                "instructions": "Be brief.", "temperature": 0.2, "top_p": 0.9, "max_output_tokens": 50, "store": false,
                "metadata": {"k": "v"}, "user": "u", "safety_identifier": "s", "prompt_cache_key": "p", "truncation": "auto",
                "reasoning": {"effort": "low", "summary": "auto"}, "parallel_tool_calls": false, "tools": [weather.clone()],
                "tool_choice": "auto", "previous_response_id": "resp_before", "text": {"verbosity": "low"},
            }),
            with(vec![text("Hi")], Finish::Stop),
        ),
        ("reasoning", json!({}), with(vec![thought("Let me "), thought("think."), text("Done.")], Finish::Stop)),
        (
            "summary",
            json!({"reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"], "store": false}),
            with(vec![thought("Let me "), thought("think."), text("Done.")], Finish::Stop),
        ),
        (
            "tool",
            json!({"tools": [weather.clone()]}),
            with(
                vec![
                    text("I look."),
                    call(0, "call_1", "weather"),
                    arguments(0, "{\"city\""),
                    arguments(0, ":\"Bern\"}"),
                ],
                Finish::ToolCalls,
            ),
        ),
        (
            "parallel",
            json!({"tools": [weather.clone()]}),
            with(
                vec![
                    call(0, "call_1", "weather"),
                    call(1, "call_1", "weather"),
                    arguments(0, "{\"city\":"),
                    arguments(1, "{\"city\":\"Rome\"}"),
                    arguments(0, "\"Bern\"}"),
                    call(2, "", "weather"),
                ],
                Finish::ToolCalls,
            ),
        ),
        (
            "namespace",
            json!({"tools": [{"type": "namespace", "name": "agents", "description": "Agents.", "tools": [{"type": "function", "name": "spawn"}]}]}),
            with(vec![call(0, "call_1", "agents__spawn"), arguments(0, "{}")], Finish::ToolCalls),
        ),
        (
            "custom",
            json!({"tools": [{"type": "custom", "name": "patch", "description": "Patches."}]}),
            with(
                vec![call(0, "call_1", "patch"), arguments(0, "{\"input\":\"a\\"), arguments(0, "nb\"}")],
                Finish::ToolCalls,
            ),
        ),
        ("refusal", json!({}), with(vec![text("Well, "), refusal("I can"), refusal("not.")], Finish::Stop)),
        ("length", json!({"max_output_tokens": 3}), with(vec![thought("Hm."), text("Once up")], Finish::Length)),
        ("filter", json!({}), with(vec![text("Once")], Finish::ContentFilter)),
        (
            "logprobs",
            json!({"include": ["message.output_text.logprobs"], "top_logprobs": 1}),
            with(
                vec![
                    text("Hi"),
                    Event::Logprobs { choice: 0, tokens: vec![token("Hi")] },
                    text("!"),
                    Event::Logprobs { choice: 0, tokens: vec![token("!")] },
                ],
                Finish::Stop,
            ),
        ),
        (
            "signed",
            json!({"include": ["reasoning.encrypted_content"], "store": false, "tools": [weather]}),
            with(
                vec![
                    thought("Let me "),
                    thought("look."),
                    Event::Thought {
                        choice: 0,
                        block: json!({"type": "thinking", "thinking": "Let me look.", "signature": "sig"}),
                    },
                    Event::Thought { choice: 0, block: json!({"type": "redacted_thinking", "data": "hidden"}) },
                    call(0, "call_1", "weather"),
                    arguments(0, "{}"),
                ],
                Finish::ToolCalls,
            ),
        ),
        (
            "redacted",
            json!({"include": ["reasoning.encrypted_content"], "reasoning": {"summary": "auto"}}),
            with(
                vec![
                    Event::Thought { choice: 0, block: json!({"type": "redacted_thinking", "data": "hidden"}) },
                    text("Done."),
                ],
                Finish::Stop,
            ),
        ),
        ("background", json!({"background": true}), with(vec![text("Later.")], Finish::Stop)),
    ]
}

fn body(more: &Value) -> Value {
    let mut body = json!({"model": "asked/model", "input": "Hello"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[test]
fn every_answer_is_as_written_down_and_its_stream_ends_with_it() {
    for (name, more, events) in cases() {
        let mut streaming = heard(&body(&more)).unwrap();
        let stream = stream(&mut streaming, &events);
        golden(&format!("answers/{name}.stream.txt"), &stream);
        let mut whole = heard(&body(&more)).unwrap();
        let answer: Value = serde_json::from_slice(&whole.writer.whole(&events).to_bytes()).unwrap();
        golden(&format!("answers/{name}.json"), &(serde_json::to_string_pretty(&answer).unwrap() + "\n"));
        let events = read_stream(&stream);
        let last = events.last().unwrap();
        assert_eq!(last["type"], format!("response.{}", answer["status"].as_str().unwrap()), "{name}");
        assert_eq!(last["response"], answer, "{name}: plain and streamed");
        let kept = (answer["store"] == true).then_some(&answer);
        assert_eq!(streaming.answered.response(), kept, "{name}: what is kept");
        assert_eq!(whole.answered.response(), kept, "{name}: what is kept");
        assert_eq!(gathered(&events), answer["output"], "{name}: the stream gathered");
    }
}

/// What a client that adds up the deltas comes to; every item is told from beginning to end before the next.
fn gathered(events: &[Value]) -> Value {
    let mut items: Vec<Value> = Vec::new();
    let mut open = false;
    for event in events {
        let kind = event["type"].as_str().unwrap().strip_prefix("response.").unwrap();
        if let Some(index) = event["output_index"].as_u64() {
            let new = kind == "output_item.added";
            assert_eq!(
                usize::try_from(index).unwrap() + usize::from(!new),
                items.len(),
                "one after the other: {event}"
            );
            assert_ne!(new, open, "{event}");
        }
        match kind {
            "output_item.added" => {
                items.push(event["item"].clone());
                open = true;
            }
            "output_item.done" => {
                let mut item = items.last().unwrap().clone();
                for member in ["status", "encrypted_content"] {
                    if !event["item"][member].is_null() {
                        item[member] = event["item"][member].clone();
                    }
                }
                assert_eq!(item, event["item"], "what was added up is what is done");
                *items.last_mut().unwrap() = item;
                open = false;
            }
            _ if open => change(items.last_mut().unwrap(), kind, event),
            _ => {}
        }
    }
    items.into()
}

fn change(item: &mut Value, kind: &str, event: &Value) {
    let index = |name: &str| usize::try_from(event[name].as_u64().unwrap()).unwrap();
    let add = |text: &mut Value| *text = (text.as_str().unwrap().to_owned() + event["delta"].as_str().unwrap()).into();
    match kind {
        "content_part.added" => item["content"].as_array_mut().unwrap().push(event["part"].clone()),
        "content_part.done" => assert_eq!(item["content"][index("content_index")], event["part"]),
        "output_text.delta" => {
            let part = &mut item["content"][index("content_index")];
            add(&mut part["text"]);
            part["logprobs"].as_array_mut().unwrap().extend(event["logprobs"].as_array().unwrap().clone());
        }
        "output_text.done" => assert_eq!(item["content"][index("content_index")]["text"], event["text"]),
        "refusal.delta" => add(&mut item["content"][index("content_index")]["refusal"]),
        "reasoning_text.delta" => add(&mut item["content"][index("content_index")]["text"]),
        "reasoning_summary_part.added" => item["summary"].as_array_mut().unwrap().push(event["part"].clone()),
        "reasoning_summary_text.delta" => add(&mut item["summary"][index("summary_index")]["text"]),
        "function_call_arguments.delta" => add(&mut item["arguments"]),
        "function_call_arguments.done" => assert_eq!(item["arguments"], event["arguments"]),
        "custom_tool_call_input.delta" => add(&mut item["input"]),
        "custom_tool_call_input.done" => assert_eq!(item["input"], event["input"]),
        "refusal.done" | "reasoning_text.done" | "reasoning_summary_text.done" | "reasoning_summary_part.done" => {}
        other => panic!("an event that nobody expects: {other}"),
    }
}

#[test]
fn a_fault_inside_a_stream_fails_the_response() {
    let mut heard = heard(&body(&json!({}))).unwrap();
    let mut out = stream(&mut heard, &[start(), text("Hel")]).into_bytes();
    let fault = Fault::new(Kind::UpstreamTruncated, "The backend's answer ended before it was complete.");
    heard.writer.fault(&fault, "req-1", &mut |bytes| out.extend_from_slice(&bytes));
    let out = String::from_utf8(out).unwrap();
    golden("answers/fault.stream.txt", &out);
    let events = read_stream(&out);
    let [.., error, failed] = events.as_slice() else { panic!("too short") };
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("server_error")));
    assert_eq!(failed["response"]["status"], "failed");
    assert_eq!(failed["response"]["error"]["code"], "server_error");
    assert_eq!(failed["response"]["output"][0]["status"], "incomplete");
    assert_eq!(heard.answered.response(), Some(&failed["response"]));
}

#[test]
fn a_fault_before_anything_is_the_fault_of_openais_door() {
    for kind in Kind::ALL {
        let fault = Fault::new(*kind, "What is wrong.");
        let (status, media, body) = wire::openai::responses::fault(&fault, "req-1");
        assert_eq!((status, media), (wire::openai::fault::status(&fault), "application/json"));
        assert_eq!(body, wire::openai::fault::body(&fault, "req-1"));
    }
}

#[test]
fn a_chats_stream_at_every_split_becomes_the_response_of_its_whole_answer() {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "a", "model": "m", "created": 1, "choices": [choice]}))
    };
    let call = |arguments: &str| json!({"index": 0, "id": "c", "function": {"name": "f", "arguments": arguments}});
    let chat = [
        chunk(json!({"role": "assistant", "reasoning_content": "hé"}), Value::Null),
        chunk(json!({"content": "Ja."}), Value::Null),
        chunk(json!({"tool_calls": [call("{\"a\"")]}), Value::Null),
        chunk(json!({"tool_calls": [call(":1}")]}), json!("tool_calls")),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let message = json!({"content": "Ja.", "reasoning_content": "hé", "tool_calls": [call("{\"a\":1}")]});
    let answer = json!({"id": "a", "model": "m", "created": 1, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
    let events = wire::events::of_answer(answer.to_string().as_bytes()).unwrap();
    let whole = heard(&body(&json!({}))).unwrap().writer.whole(&events).to_bytes();
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    for cut in 0..=chat.len() {
        let mut heard = heard(&body(&json!({}))).unwrap();
        let mut reader = wire::events::Reader::default();
        let mut events = Vec::new();
        for piece in [&chat.as_bytes()[..cut], &chat.as_bytes()[cut..]] {
            reader.push(&bytes::Bytes::copy_from_slice(piece), &mut |event| events.push(event)).unwrap();
        }
        stream(&mut heard, &events);
        assert_eq!(heard.answered.response(), Some(&whole), "cut at {cut}");
    }
}
