//! Clients add up the chunks of a chat's stream by the rule of OpenAI's Python library: strings are joined, items of lists
//! are told apart by their `index`. What they come to is the plain answer.

use serde_json::{Map, Value};

use super::{CASES, asking, dialects, pair::Pair};
use crate::doors::Door;

/// Adds a piece to what is there.
fn add(sum: &mut Map<String, Value>, piece: &Map<String, Value>) {
    for (name, more) in piece {
        match sum.get_mut(name) {
            None | Some(Value::Null) => {
                sum.insert(name.clone(), more.clone());
            }
            Some(there) => match (there, more) {
                (there, more) if name == "index" || name == "type" => *there = more.clone(),
                (Value::String(there), Value::String(more)) => there.push_str(more),
                (Value::Object(there), Value::Object(more)) => add(there, more),
                (Value::Array(there), Value::Array(more)) => {
                    for item in more {
                        let index =
                            item["index"].as_u64().unwrap_or_else(|| panic!("an item of `{name}` has no index"));
                        match there.get_mut(usize::try_from(index).unwrap()) {
                            None => there.push(item.clone()),
                            Some(there) => add(there.as_object_mut().unwrap(), item.as_object().unwrap()),
                        }
                    }
                }
                // Numbers are added; nobody reads those sums.
                (Value::Number(_), Value::Number(_)) | (_, Value::Null) => {}
                (there, more) => panic!("`{name}` is {there} and {more}"),
            },
        }
    }
}

/// The message that a stream adds up to, and why it ended.
fn added(stream: &str) -> (Map<String, Value>, Value) {
    let (mut sum, mut finish) = (Map::new(), Value::Null);
    let data = stream.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    for chunk in data.filter(|data| *data != "[DONE]") {
        let chunk: Value = serde_json::from_str(chunk).unwrap();
        for choice in chunk["choices"].as_array().unwrap() {
            add(&mut sum, choice["delta"].as_object().unwrap());
            if choice["finish_reason"].is_string() {
                finish = choice["finish_reason"].clone();
            }
        }
    }
    (sum, finish)
}

/// What a message says, without what only one of the two ways has.
fn meant(mut message: Map<String, Value>) -> Map<String, Value> {
    for name in ["tool_calls", "thinking_blocks"] {
        for item in message.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten() {
            item.as_object_mut().unwrap().shift_remove("index");
        }
    }
    message
        .retain(|_, value| !value.is_null() && *value != "" && value.as_array().is_none_or(|items| !items.is_empty()));
    message.sort_keys();
    message
}

#[test]
fn a_client_that_adds_up_a_chat_comes_to_the_plain_answer() {
    let asked = asking::read("chat");
    let mut compared = 0;
    for dialect in dialects::all().iter().filter(|dialect| matches!(dialect.spoken, dialects::Spoken::Codec(_))) {
        let pair = Pair { door: Door::Chat, dialect };
        for case in CASES.into_iter().filter(|case| asked.contains_key(*case)) {
            let (plain, streamed) = (dialects::said(dialect, case, false), dialects::said(dialect, case, true));
            let call = &asked[case].call;
            let heard = pair.send(call, true, true).unwrap().heard;
            let stream = String::from_utf8(pair.run(heard, streamed.body.chunks(50)).unwrap()).unwrap();
            let (message, finish) = added(&stream);
            assert_eq!(message["role"], "assistant", "{}: {case}", dialect.name);
            // What was recorded is not the same answer twice.
            if plain.source.starts_with("recorded") || streamed.source.starts_with("recorded") {
                continue;
            }
            let whole: Value =
                serde_json::from_slice(&pair.whole(pair.send(call, false, true).unwrap(), &plain).unwrap()).unwrap();
            let whole = &whole["choices"][0];
            let written = whole["message"].as_object().unwrap().clone();
            // One is written twice by hand, a little otherwise.
            if plain.source.split('/').next() == streamed.source.split('/').next() {
                assert_eq!(meant(message), meant(written), "{}: {case}", dialect.name);
            }
            assert_eq!(finish, whole["finish_reason"], "{}: {case}", dialect.name);
            compared += 1;
        }
    }
    assert!(compared > 60, "{compared}");
}
