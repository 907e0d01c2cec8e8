//! An answer in each door's words is the same whole and streamed, whatever pieces the backend's stream comes in; and sent
//! back, it is the message that the model said.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use types::Result;
use wire::{
    bedrock, cohere,
    events::{Write, of_answer},
    gemini,
    heard::Heard,
    json::Limits,
    openai::completions,
};

use super::talk::{Said, said, said_in};
use crate::{
    doors::{Case, strict, written},
    support::cases,
};

/// A door that writes answers.
struct Door {
    read: fn(&Bytes) -> Result<Heard>,
    /// A call that asks for an answer.
    asks: &'static str,
    gather: fn(&[u8]) -> Value,
    /// The call that follows an answer, with the answer in it; nothing where answers are not sent back.
    replay: Option<fn(&Value) -> Value>,
    /// Whether it has a place for a block that another vendor signed.
    signs: bool,
}

const DOORS: &[Door] = &[
    Door {
        read: |body| gemini::read(body, "m", gemini::Way::Events, &strict, &Limits::default()),
        asks: r#"{"contents":"x"}"#,
        gather: |stream| crate::gemini::gather(&crate::doors::data(stream)),
        replay: Some(
            |whole| json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}, whole["candidates"][0]["content"]]}),
        ),
        signs: true,
    },
    Door {
        read: |body| cohere::read(body, None, &strict, &Limits::default()),
        asks: r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#,
        gather: crate::cohere::gather,
        replay: Some(|whole| json!({"model": "m", "messages": [{"role": "user", "content": "x"}, whole["message"]]})),
        signs: false,
    },
    Door {
        read: |body| bedrock::read(body, "m", bedrock::Way::Stream, &strict, &Limits::default()),
        asks: r#"{"messages":[{"role":"user","content":[{"text":"x"}]}]}"#,
        gather: crate::bedrock::gather,
        replay: Some(
            |whole| json!({"messages": [{"role": "user", "content": [{"text": "x"}]}, whole["output"]["message"]]}),
        ),
        signs: true,
    },
    Door {
        read: crate::anthropic::read_bytes,
        asks: r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}]}"#,
        gather: |stream| crate::anthropic::answers::gathered(std::str::from_utf8(stream).unwrap()),
        replay: Some(|whole| {
            json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"},
                {"role": "assistant", "content": whole["content"]}]})
        }),
        signs: true,
    },
    Door {
        read: |body| completions::read(body, None, &strict, &Limits::default()),
        asks: r#"{"model":"m","prompt":"x","stream_options":{"include_usage":true}}"#,
        gather: crate::completions::gather,
        replay: None,
        signs: false,
    },
];

/// The pieces of a text.
fn pieces(text: &str, size: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(size).map(|piece| piece.iter().collect()).collect()
}

/// An answer as a backend streams it: calls one after the other, or their arguments in turns.
fn case(said: &Said, refuses: bool, finish: &'static str, size: usize, in_turns: bool) -> Case {
    let mut deltas = Vec::new();
    deltas.extend(pieces(&said.thought, size).into_iter().map(|piece| json!({"reasoning_content": piece})));
    // A model may refuse in the middle of what it says.
    let pieces_said = pieces(&said.text, size);
    let from = if refuses { pieces_said.len() / 2 } else { pieces_said.len() };
    let member = |index| if index < from { "content" } else { "refusal" };
    deltas.extend(pieces_said.into_iter().enumerate().map(|(index, piece)| json!({ member(index): piece })));
    let start = |index: usize| {
        let call = &said.calls[index];
        json!({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}]})
    };
    let arguments = |index: usize| {
        // Some backends say nothing of no arguments.
        let said = Some(said.calls[index].arguments.to_string()).filter(|json| json != "{}").unwrap_or_default();
        let all = pieces(&said, size).into_iter();
        all.map(move |piece| json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
            .collect::<Vec<_>>()
    };
    let count = said.calls.len();
    if in_turns {
        deltas.extend((0..count).map(start));
        let mut all: Vec<_> = (0..count).map(|index| arguments(index).into_iter()).collect();
        while all.iter().any(|rest| rest.len() > 0) {
            deltas.extend(all.iter_mut().rev().filter_map(Iterator::next));
        }
    } else {
        for index in 0..count {
            deltas.push(start(index));
            deltas.extend(arguments(index));
        }
    }
    Case { name: "generated", deltas, finish: if count > 0 { "tool_calls" } else { finish } }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn an_answer_is_the_same_whole_streamed_and_sent_back(
        said in said(),
        refuses in prop::bool::weighted(0.2),
        finish in prop_oneof![Just("stop"), Just("length"), Just("content_filter")],
        size in 1..6_usize,
        in_turns in any::<bool>(),
        signs in any::<bool>(),
        chunk in 1..200_usize,
    ) {
        let block = json!([{"type": "thinking", "thinking": said.thought, "signature": "s"}]);
        let signed = if signs && !said.thought.is_empty() { block } else { Value::Null };
        let case = case(&said, refuses, finish, size, in_turns);
        let (stream, mut whole): (_, Value) = (case.stream(), serde_json::from_slice(&case.whole()).unwrap());
        if signed.is_array() {
            whole["choices"][0]["message"]["thinking_blocks"] = signed.clone();
        }
        let events = of_answer(whole.to_string().as_bytes()).unwrap();
        for door in DOORS {
            let asks = Bytes::from_static(door.asks.as_bytes());
            let writer = || -> Box<dyn Write> { (door.read)(&asks).unwrap().writer };
            let answer: Value = serde_json::from_slice(&writer().whole(&events).to_bytes()).unwrap();
            let mut out = Vec::new();
            let mut write = writer();
            events.iter().for_each(|event| write.event(event, &mut |bytes| out.extend_from_slice(&bytes)));
            prop_assert_eq!(&(door.gather)(&out), &answer, "{}", door.asks);
            if signed.is_null() {
                let gathered = (door.gather)(&written(&mut *writer(), stream.as_bytes().chunks(chunk)));
                prop_assert_eq!(&gathered, &answer, "{}", door.asks);
            }
            let Some(replay) = door.replay else { continue };
            let again = (door.read)(&replay(&answer).to_string().into()).map_err(|fault| TestCaseError::fail(format!("{fault}")))?;
            let chat: Value = serde_json::from_slice(&again.chat).unwrap();
            let message = &chat["messages"][1];
            prop_assert_eq!(said_in(message), said.clone(), "{}", door.asks);
            prop_assert_eq!(&message["thinking_blocks"], if door.signs { &signed } else { &Value::Null });
        }
    }
}
