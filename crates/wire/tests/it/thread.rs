//! An answer that one backend begins and another one ends.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use wire::{
    json::Limits,
    openai::chat::{Ask, Call, Dialect, Prefill, Thread, encode},
};

use crate::support::data_lines;

fn chunk(id: &str, delta: &Value, finish: Option<&str>) -> Bytes {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
    let chunk = json!({"id": id, "object": "chat.completion.chunk", "created": 7, "model": id, "choices": [choice]});
    format!("data: {chunk}\n\n").into()
}

fn text(id: &str, content: &str) -> Bytes {
    chunk(id, &json!({"content": content}), None)
}

fn call(body: &Value) -> Call {
    Call::read(body.to_string().into(), &Limits::default()).unwrap()
}

fn plain() -> Value {
    json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]})
}

/// What comes of these texts of a first stream, which breaks off, and of these of a second one.
fn joined(first: &[&str], second: &[&str]) -> Result<String, String> {
    let mut thread = Thread::default();
    let mut out = Vec::new();
    for content in first {
        thread.push(text("one", content), &mut |bytes| out.extend_from_slice(&bytes)).unwrap();
    }
    thread.next(None);
    for content in second {
        let pushed = thread.push(text("two", content), &mut |bytes| out.extend_from_slice(&bytes));
        pushed.map_err(|fault| fault.message.clone())?;
    }
    thread.end(&mut |bytes| out.extend_from_slice(&bytes));
    let chunks = data_lines(&out).into_iter().map(|line| serde_json::from_str::<Value>(&line).unwrap());
    Ok(chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect())
}

#[test]
fn the_rest_follows_what_was_said_and_nothing_is_said_twice() {
    let long = "It was the best of times, it was the worst of times";
    for (first, second, whole) in [
        (&["Hel"][..], &["lo"][..], "Hello"),
        (&["One, ", "two,"], &[" three"], "One, two, three"),
        // White space at the end of what was sent may be said once more, or not.
        (&["One, "], &[" two"], "One, two"),
        (&["One, "], &["two"], "One, two"),
        (&["a\n\n"], &["\n", "\nb"], "a\n\nb"),
        // Some servers say everything once more before they go on.
        (&[long], &["It was the best", " of times, it was the worst of times", ", it"], &format!("{long}, it")),
        (&[long], &[&format!("{long}, it")], &format!("{long}, it")),
        (&[long], &["It was", " not."], &format!("{long}It was not.")),
        (&[long, " "], &["It"], &format!("{long} It")),
        (&[], &["Hello"], "Hello"),
        (&["Hello"], &[], "Hello"),
    ] {
        assert_eq!(joined(first, second).unwrap(), whole, "{first:?} {second:?}");
    }
}

#[test]
fn an_answer_that_begins_anew_is_no_continuation() {
    let long = "It was the best of times, it was the worst of times";
    let told = joined(&[long], &["It was the best of ", "times, and I liked it"]).unwrap_err();
    assert!(told.contains("anew"), "{told}");
}

#[test]
fn the_whole_answer_has_the_names_of_the_first_chunk_and_the_usage_of_all_streams() {
    let mut thread = Thread::default();
    let mut out = Vec::new();
    thread.push(text("one", "a"), &mut |bytes| out.extend_from_slice(&bytes)).unwrap();
    thread.next(Some(types::Usage { input: 3, output: 1, cached_input: 2, reasoning: 0 }));
    let last = json!({"id": "two", "object": "chat.completion.chunk", "created": 9, "model": "two", "choices": [], "more": 1.50,
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "prompt_tokens_details": {"cached_tokens": 1}, "queue_time": 0.25}});
    for bytes in [text("two", "b"), chunk("two", &json!({}), Some("stop")), format!("data: {last}\n\n").into()] {
        thread.push(bytes, &mut |bytes| out.extend_from_slice(&bytes)).unwrap();
    }
    thread.push("data: [DONE]\n\n".into(), &mut |bytes| out.extend_from_slice(&bytes)).unwrap();
    let lines = data_lines(&out);
    assert_eq!(lines.last().unwrap(), "[DONE]");
    let chunks: Vec<Value> = lines[..lines.len() - 1].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for chunk in &chunks {
        assert_eq!((&chunk["id"], &chunk["model"], &chunk["created"]), (&json!("one"), &json!("one"), &json!(7)));
    }
    let last = &chunks[chunks.len() - 1];
    assert_eq!(
        last["usage"],
        json!({"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11, "prompt_tokens_details": {"cached_tokens": 3}, "queue_time": 0.25})
    );
    assert_eq!(last["more"], 1.5);
    assert_eq!(thread.used(None).unwrap().total(), 4);
    assert_eq!(thread.used(Some(types::Usage { input: 1, ..types::Usage::default() })).unwrap().total(), 5);
    assert_eq!(Thread::default().used(None), None);
}

#[test]
fn only_one_plain_answer_can_be_gone_on_with() {
    assert!(call(&plain()).may_be_gone_on_with());
    let with = |more: Value| {
        let mut body = plain();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call(&body).may_be_gone_on_with()
    };
    for good in [
        json!({"n": 1}),
        json!({"tools": []}),
        json!({"response_format": {"type": "text"}}),
        json!({"logprobs": false}),
    ] {
        assert!(with(good.clone()), "{good}");
    }
    for bad in [
        json!({"stream": false}),
        json!({"n": 2}),
        json!({"tools": [{"type": "function", "function": {"name": "f"}}]}),
        json!({"response_format": {"type": "json_object"}}),
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}}),
        json!({"logprobs": true}),
        json!({"modalities": ["text", "audio"]}),
        json!({"messages": []}),
        json!({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "He"}]}),
    ] {
        assert!(!with(bad.clone()), "{bad}");
    }
}

#[test]
fn whoever_thought_or_called_a_tool_cannot_be_gone_on_with() {
    for delta in [
        json!({"reasoning_content": "hm"}),
        json!({"refusal": "no"}),
        json!({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
    ] {
        let mut thread = Thread::default();
        thread.push(text("one", "a"), &mut drop).unwrap();
        assert!(thread.may_go_on());
        thread.push(chunk("one", &delta, None), &mut drop).unwrap();
        assert!(!thread.may_go_on(), "{delta}");
    }
}

#[test]
fn the_call_for_the_rest_has_the_beginning_and_what_is_left_of_the_limit() {
    let mut thread = Thread::default();
    thread.push(text("one", "Hello \"you\" "), &mut drop).unwrap();
    let mut body = plain();
    body["max_tokens"] = json!(100);
    body["unknown"] = json!({"a": [1.0, null]});
    let rest = thread.rest(&call(&body), &Limits::default()).unwrap().unwrap();
    assert!(rest.goes_on());
    let said: Value = serde_json::from_slice(rest.body()).unwrap();
    let left = said["max_tokens"].as_u64().unwrap();
    assert!((90..100).contains(&left), "{left}");
    assert_eq!(said["unknown"], body["unknown"]);
    assert_eq!(
        said["messages"],
        json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello \"you\""}])
    );
    body["max_tokens"] = json!(1);
    assert!(thread.rest(&call(&body), &Limits::default()).unwrap().is_none(), "nothing is left to say");
}

#[test]
fn a_call_for_the_rest_is_written_for_those_who_can_go_on_and_refused_for_others() {
    let mut thread = Thread::default();
    thread.push(text("one", "Hello"), &mut drop).unwrap();
    let rest = thread.rest(&call(&plain()), &Limits::default()).unwrap().unwrap();
    let written = |prefill| {
        let dialect = Dialect { prefill, ..Dialect::COMPATIBLE };
        let encoded = encode(&rest, &dialect, "theirs", Ask { lenient: false, backend: "b" })?;
        Ok::<Value, Box<types::Fault>>(serde_json::from_slice(&encoded.body.to_bytes()).unwrap())
    };
    let fault = written(Prefill::Unsupported).unwrap_err();
    assert_eq!((fault.kind, fault.sent), (types::Kind::UnsupportedOperation, types::Sent::No));
    assert_eq!(written(Prefill::LastMessage).unwrap()["add_generation_prompt"], Value::Null);
    let flagged = written(Prefill::Flags).unwrap();
    assert_eq!((&flagged["add_generation_prompt"], &flagged["continue_final_message"]), (&json!(false), &json!(true)));
    assert_eq!(flagged["messages"][1]["content"], "Hello");
    // Where nothing was said yet, anybody can answer.
    let nothing = Thread::default().rest(&call(&plain()), &Limits::default()).unwrap().unwrap();
    assert!(!nothing.goes_on());
}

proptest! {
    #![proptest_config(crate::support::cases(400))]

    /// A server that goes on exactly where what it was sent ends, whether or not it says all of that once more.
    #[test]
    fn an_answer_cut_anywhere_is_whole_again(whole in "[ab \n\"é\u{1F308}]{0,60}", at: prop::sample::Index, size in 1..9_usize, echoes: bool) {
        let cut = whole.floor_char_boundary(at.index(whole.len() + 1));
        let sent = whole[..cut].trim_end().len();
        let alike = whole.bytes().zip(whole[sent..].bytes()).take_while(|(a, b)| a == b).count();
        let echoes = echoes && cut >= 24 && sent == cut;
        prop_assume!(echoes || alike < 24);
        let pieces = |text: &str| -> Vec<String> {
            let letters: Vec<char> = text.chars().collect();
            letters.chunks(size).map(|piece| piece.iter().collect()).collect()
        };
        let (first, second) = (pieces(&whole[..cut]), pieces(if echoes { &whole } else { &whole[sent..] }));
        let [first, second] = [&first, &second].map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert_eq!(joined(&first, &second).unwrap(), whole);
    }
}
