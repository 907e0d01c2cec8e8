//! OpenAI's chat and Anthropic as a backend: a call that is written for it says what the chat said, read by the reader of
//! the other side; an answer of it, whole or streamed, is what it said.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use types::Usage;
use wire::{
    anthropic::backend::{Stream, encode, of_answer},
    events::{Event, Write as _},
    json::Limits,
    openai::chat::{Ask, Call, Finish, Writer},
};

use super::talk::{Line, Said, Talk, said, said_in, talk};
use crate::{anthropic::signature, support::cases};

/// The call as Anthropic gets it, and what it lacks.
fn sent(chat: &Value) -> types::Result<(Value, Vec<String>)> {
    let call = Call::read(chat.to_string().into(), &Limits::default())?;
    let encoded = encode(&call, "claude-opus-4-6", Ask { lenient: false, backend: "anthropic" })?;
    let again = encode(&call, "claude-opus-4-6", Ask { lenient: false, backend: "anthropic" })?;
    assert_eq!(encoded.body.to_bytes(), again.body.to_bytes(), "equal calls are equal bytes");
    let dropped = encoded.dropped.iter().map(|dropped| dropped.member.to_string()).collect();
    Ok((serde_json::from_slice(&encoded.body.to_bytes()).unwrap(), dropped))
}

/// The chat with every thought as Anthropic signed it.
fn signed(mut chat: Value) -> Value {
    for message in chat["messages"].as_array_mut().unwrap() {
        if let Some(thought) = message["reasoning_content"].as_str().map(str::to_owned) {
            let block = json!({"type": "thinking", "thinking": thought, "signature": signature(&thought)});
            message["thinking_blocks"] = json!([block]);
        }
    }
    chat
}

/// The talk as it is without thoughts, and what must be named then.
fn unthought(mut talk: Talk) -> (Talk, Vec<&'static str>) {
    let mut named = Vec::new();
    for exchange in &mut talk.exchanges {
        if !std::mem::take(&mut exchange.model.thought).is_empty() && named.is_empty() {
            named.push("messages.reasoning_content");
        }
    }
    (talk, named)
}

/// A turn that called tools and whose thoughts are not there goes on without thinking; so does one that must call one.
fn goes_on(mut talk: Talk, signed: bool, named: &mut Vec<&'static str>) -> Talk {
    let last = talk.exchanges.last().map(|exchange| &exchange.model);
    let unthought = last.is_some_and(|said| !said.calls.is_empty() && (!signed || said.thought.is_empty()));
    if (unthought || talk.settings.must_call) && talk.settings.effort.take().is_some() {
        named.push("reasoning_effort");
    }
    talk
}

/// An answer as Anthropic writes it whole.
fn message(said: &Said, stop: &str, usage: &Value) -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": blocks(said),
        "stop_reason": stop, "stop_sequence": null, "usage": usage})
}

fn blocks(said: &Said) -> Vec<Value> {
    let mut blocks = Vec::new();
    if !said.thought.is_empty() {
        blocks.push(json!({"type": "thinking", "thinking": said.thought, "signature": "sig"}));
        blocks.push(json!({"type": "redacted_thinking", "data": "hidden"}));
    }
    if !said.text.is_empty() {
        blocks.push(json!({"type": "text", "text": said.text}));
    }
    let call = |call: &super::talk::Call| json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments});
    blocks.extend(said.calls.iter().map(call));
    blocks
}

/// The same as Anthropic streams it.
fn stream(said: &Said, stop: &str, usage: &Value, size: usize) -> String {
    let mut out = String::new();
    let mut event = |event: Value| out += &format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    let mut start = message(&Said::default(), stop, usage);
    start["stop_reason"] = Value::Null;
    start["usage"]["output_tokens"] = 1.into();
    event(json!({"type": "message_start", "message": start}));
    event(json!({"type": "ping"}));
    for (index, block) in blocks(said).into_iter().enumerate() {
        let mut empty = block.clone();
        let (kind, member, whole) = match block["type"].as_str().unwrap() {
            "text" => ("text_delta", "text", block["text"].clone()),
            "thinking" => ("thinking_delta", "thinking", block["thinking"].clone()),
            // Without arguments there is no word of them.
            "tool_use" if block["input"] == json!({}) => ("input_json_delta", "partial_json", "".into()),
            "tool_use" => ("input_json_delta", "partial_json", block["input"].to_string().into()),
            _ => ("", "", "".into()),
        };
        match kind {
            "input_json_delta" => empty["input"] = json!({}),
            "thinking_delta" => (empty["thinking"], empty["signature"]) = ("".into(), "".into()),
            "" => {}
            _ => empty[member] = "".into(),
        }
        event(json!({"type": "content_block_start", "index": index, "content_block": empty}));
        let letters: Vec<char> = whole.as_str().unwrap().chars().collect();
        for piece in letters.chunks(size) {
            let piece: String = piece.iter().collect();
            event(json!({"type": "content_block_delta", "index": index, "delta": {"type": kind, member: piece}}));
        }
        if kind == "thinking_delta" {
            let delta = json!({"type": "signature_delta", "signature": block["signature"]});
            event(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        event(json!({"type": "content_block_stop", "index": index}));
    }
    let delta = json!({"stop_reason": stop, "stop_sequence": null});
    event(json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": usage["output_tokens"]}}));
    event(json!({"type": "message_stop"}));
    out
}

/// Events with neighbouring pieces of one thing put together.
fn joined(events: Vec<Event>) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::new();
    for event in events {
        match (all.last_mut(), event) {
            (Some(Event::ToolArguments { json, .. }), Event::ToolArguments { json: more, .. }) => json.push_str(&more),
            (Some(Event::Text { text, .. }), Event::Text { text: more, .. })
            | (Some(Event::Reasoning { text, .. }), Event::Reasoning { text: more, .. }) => text.push_str(&more),
            (_, event) => all.push(event),
        }
    }
    all
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_chat_becomes_the_call_that_says_the_same(talk in talk(), keeps_blocks in any::<bool>()) {
        let chat = if keeps_blocks { signed(talk.chat()) } else { talk.chat() };
        let (body, dropped) = sent(&chat).map_err(|fault| TestCaseError::fail(format!("{fault}")))?;
        let (wanted, mut named) = if keeps_blocks { (talk, Vec::new()) } else { unthought(talk) };
        let wanted = goes_on(wanted, keeps_blocks, &mut named);
        prop_assert_eq!(dropped, named);
        let mut body = body;
        // What Anthropic calls adaptive is the default here.
        if let Some(members) = body.as_object_mut() {
            members.shift_remove("thinking");
        }
        let heard = crate::anthropic::read_bytes(&body.to_string().into()).map_err(|fault| TestCaseError::fail(format!("{fault}")))?;
        let said: Value = serde_json::from_slice(&heard.chat).unwrap();
        wanted.is_in(&said, super::talk::failing)?;
        let turns = wanted.lines(super::talk::failing).into_iter().filter(|line| !matches!(line, Line::System(_)));
        prop_assert!(turns.count() >= body["messages"].as_array().unwrap().len());
    }

    #[test]
    fn an_answer_is_the_same_whole_and_streamed_and_in_openais_words(
        said in said(),
        stop in prop_oneof![Just("end_turn"), Just("max_tokens"), Just("refusal"), Just("stop_sequence")],
        counts in (0..999_u64, 0..999_u64, 0..999_u64, 0..999_u64),
        size in 1..6_usize,
        chunk in 1..200_usize,
    ) {
        let stop = if said.calls.is_empty() { stop } else { "tool_use" };
        let (input, written, read, output) = counts;
        let usage = json!({"input_tokens": input, "cache_creation_input_tokens": written, "cache_read_input_tokens": read, "output_tokens": output});
        let whole = of_answer(message(&said, stop, &usage).to_string().as_bytes(), 5).unwrap();
        let (mut reading, mut events) = (Stream::new(5), Vec::new());
        for piece in stream(&said, stop, &usage, size).as_bytes().chunks(chunk) {
            reading.push(&Bytes::copy_from_slice(piece), &mut |event| events.push(event)).unwrap();
        }
        reading.end(&mut |event| events.push(event)).unwrap();
        prop_assert_eq!(joined(events), whole.clone());

        let used = Usage { input: input + written + read, output, cached_input: read, reasoning: 0 };
        prop_assert_eq!(reading.usage(), Some(used));
        let answer: Value = serde_json::from_slice(&Writer::new("m", true).whole(&whole).to_bytes()).unwrap();
        prop_assert_eq!(said_in(&answer["choices"][0]["message"]), said.clone());
        let finish = match stop {
            "max_tokens" => Finish::Length,
            "refusal" => Finish::ContentFilter,
            "tool_use" => Finish::ToolCalls,
            _ => Finish::Stop,
        };
        prop_assert_eq!(answer["choices"][0]["finish_reason"].as_str(), Some(finish.name()));
        // What is written is read as what it was made of, blocks that must go back as they are among them.
        let again = wire::events::of_answer(answer.to_string().as_bytes()).unwrap();
        let plain = |events: Vec<Event>| -> (Vec<Event>, Vec<Event>) {
            events.into_iter().filter(|event| !matches!(event, Event::Start { .. })).partition(|event| matches!(event, Event::Thought { .. }))
        };
        prop_assert_eq!(plain(again), plain(whole));
    }
}
