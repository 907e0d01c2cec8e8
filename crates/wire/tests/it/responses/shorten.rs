//! Calls that are too long and may be shortened.

use proptest::prelude::*;
use serde_json::{Value, json};
use types::Kind;

use super::{request, told};
use crate::support::cases;

fn body(items: &[Value]) -> Value {
    json!({"model": "m", "truncation": "auto", "instructions": "Be brief.", "max_output_tokens": 100, "input": items})
}

fn messages(chat: &[u8]) -> Vec<Value> {
    serde_json::from_slice::<Value>(chat).unwrap()["messages"].as_array().unwrap().clone()
}

fn shortened(items: &[Value], context: u64) -> Option<Vec<Value>> {
    request(&body(items)).unwrap().shortened(&told(), context).unwrap().map(|chat| messages(&chat))
}

/// About so many tokens.
fn words(number: usize) -> String {
    "word ".repeat(number)
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn assistant(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["content"].as_str().unwrap_or_default().trim_end()).collect()
}

#[test]
fn what_fits_stays_as_it_is_and_of_what_does_not_the_oldest_is_left_out() {
    let (long, short) = (words(300), words(2));
    let items = [user(&long), assistant(&long), user("two"), assistant(&short), user("three")];
    assert_eq!(shortened(&items, 100_000), None);
    assert_eq!(texts(&shortened(&items, 300).unwrap()), ["Be brief.", "two", short.trim_end(), "three"]);
    // The fifth by which an estimate may be wrong is counted.
    let all = request(&body(&items)).unwrap().heard(&told()).unwrap().tokens();
    assert_eq!(shortened(&items, 100 + all * 6 / 5), None);
    assert!(shortened(&items, 100 + all).is_some());
    // What must stay is too much: the backend says so.
    assert_eq!(texts(&shortened(&items, 5).unwrap()), ["Be brief.", "three"]);
}

#[test]
fn a_history_is_shortened_before_the_new_input() {
    let mut next = request(&body(&[user("new")])).unwrap();
    next.compose(vec![user(&words(300)), assistant("old"), user("newer"), assistant("answer")]);
    let chat = next.shortened(&told(), 250).unwrap().unwrap();
    assert_eq!(texts(&messages(&chat)), ["Be brief.", "newer", "answer", "new"]);
}

#[test]
fn it_is_said_in_the_answer_and_another_word_is_refused() {
    let said = |truncation: &Value| {
        let call = json!({"model": "m", "input": "x", "truncation": truncation});
        request(&call).map(|call| call.waiting(&told(), "queued").unwrap()["truncation"].clone())
    };
    assert_eq!(said(&json!("auto")).unwrap(), "auto");
    assert_eq!(said(&json!("disabled")).unwrap(), "disabled");
    assert_eq!(said(&Value::Null).unwrap(), "disabled");
    for wrong in [json!("middle"), json!("AUTO"), json!(""), json!(true), json!(1e300), json!({"type": "auto"})] {
        let fault = said(&wrong).unwrap_err();
        assert_eq!((fault.kind, fault.param.as_deref()), (Kind::BadRequest, Some("truncation")), "{wrong}");
    }
}

/// Something that is said, thought, called or found: 0 to 4, with its length.
fn items(kinds: &[(u8, usize)]) -> Vec<Value> {
    let (mut items, mut open) = (Vec::new(), Vec::new());
    for (at, (kind, length)) in kinds.iter().enumerate() {
        let text = words(*length);
        match kind {
            0 => items.push(user(&format!("{at} {text}"))),
            1 => items.push(assistant(&format!("{at} {text}"))),
            2 => items.push(json!({"role": "developer", "content": format!("rule {at}")})),
            3 => {
                let (id, arguments) = (format!("call_{at}"), json!({"text": text}).to_string());
                items.push(json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}));
                items.push(json!({"type": "function_call", "call_id": id, "name": "f", "arguments": arguments}));
                open.push(id);
            }
            _ => {
                if let Some(id) = open.pop() {
                    items.push(json!({"type": "function_call_output", "call_id": id, "output": text}));
                }
            }
        }
    }
    // A call without a result is no call that a backend takes.
    items.extend(open.iter().map(|id| json!({"type": "function_call_output", "call_id": id, "output": "x"})));
    items.push(user("the last"));
    items
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn whatever_is_left_out_the_rest_is_a_conversation(
        kinds in proptest::collection::vec((0u8..5, 0usize..60), 0..24),
        context in 100u64..2_000,
    ) {
        let items = items(&kinds);
        let all = messages(&request(&body(&items)).unwrap().heard(&told()).unwrap().chat);
        let Some(rest) = shortened(&items, context) else { return Ok(()) };
        prop_assert!(rest.len() < all.len() || rest == all);
        let mut calls = Vec::new();
        for message in &rest {
            for call in message["tool_calls"].as_array().into_iter().flatten() {
                calls.push(call["id"].clone());
            }
            if message["role"] == "tool" {
                prop_assert!(calls.contains(&message["tool_call_id"]), "a result without its call: {:?}", rest);
            }
        }
        let results = rest.iter().filter(|message| message["role"] == "tool").count();
        prop_assert_eq!(results, calls.len());
        let rules = |messages: &[Value]| -> String {
            let rules = messages.iter().filter(|message| matches!(message["role"].as_str(), Some("system" | "developer")));
            rules.map(|rule| rule["content"].as_str().unwrap()).collect::<Vec<_>>().join("\n\n")
        };
        prop_assert_eq!(rules(&rest), rules(&all));
        prop_assert_eq!(&rest.last().unwrap()["content"], "the last");
        let begins = |messages: &[Value]| {
            let first = messages.iter().find(|message| !matches!(message["role"].as_str(), Some("system" | "developer")));
            first.is_some_and(|first| first["role"] == "user")
        };
        prop_assert!(begins(&rest) || !begins(&all), "an answer whose question is gone: {:?}", rest);
    }
}
