//! Blocks follow one another, however the backend mixes them.

use serde_json::{Value, json};
use wire::{events::Event, openai::chat::Finish};

use super::{answers::gathered, read, signature};

fn run(events: Vec<Event>) -> (Value, Value) {
    let call = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}]}"#;
    let start = Event::Start { id: "msg_a".into(), model: "m".into(), created: 1 };
    let ends = [Event::Finish { choice: 0, reason: Finish::Stop }, Event::Done];
    let events: Vec<_> = std::iter::once(start).chain(events).chain(ends).collect();
    let mut writer = read(call).unwrap().writer;
    let mut out = String::new();
    for event in &events {
        writer.event(event, &mut |bytes| out += std::str::from_utf8(&bytes).unwrap());
    }
    let whole = serde_json::from_slice(&read(call).unwrap().writer.whole(&events).to_bytes()).unwrap();
    (gathered(&out), whole)
}

fn begin(index: u32) -> Event {
    Event::ToolStart { choice: 0, index, id: format!("call_{index}"), name: "f".into() }
}

fn arguments(index: u32, json: &str) -> Event {
    Event::ToolArguments { choice: 0, index, json: json.into() }
}

fn text(text: &str) -> Event {
    Event::Text { choice: 0, text: text.into() }
}

fn thought(text: &str) -> Event {
    Event::Reasoning { choice: 0, text: text.into() }
}

#[test]
fn calls_whose_arguments_come_mixed_are_written_one_after_the_other() {
    let (streamed, whole) = run(vec![
        begin(0),
        begin(1),
        arguments(0, "{\"a\":"),
        arguments(1, "{\"b\":\"}"),
        text("Meanwhile"),
        arguments(1, "\"}"),
        text(" text."),
        arguments(0, "1}"),
        begin(2),
        arguments(2, "{}"),
    ]);
    assert_eq!(streamed, whole);
    let tool = |index: u32, input: Value| json!({"type": "tool_use", "id": format!("call_{index}"), "name": "f", "input": input});
    let wanted = json!([
        tool(0, json!({"a": 1})),
        tool(1, json!({"b": "}"})),
        {"type": "text", "text": "Meanwhile text."},
        tool(2, json!({})),
    ]);
    assert_eq!(whole["content"], wanted);
    assert_eq!(whole["stop_reason"], "tool_use");
}

#[test]
fn thinking_between_texts_is_a_block_of_its_own() {
    let (streamed, whole) = run(vec![thought("a"), thought("b"), text("1"), thought("c"), text("2")]);
    assert_eq!(streamed, whole);
    let block = |said: &str| json!({"type": "thinking", "thinking": said, "signature": signature(said)});
    let wanted = json!([block("ab"), {"type": "text", "text": "1"}, block("c"), {"type": "text", "text": "2"}]);
    assert_eq!(whole["content"], wanted);
}

#[test]
fn a_thought_that_its_vendor_keeps_to_itself_is_a_block_without_text_that_comes_back_whole() {
    let redacted = json!({"type": "redacted_thinking", "data": "hidden"});
    let (streamed, whole) = run(vec![Event::Thought { choice: 0, block: redacted.clone() }, text("1")]);
    assert_eq!(streamed, whole);
    assert_eq!(whole["content"][0]["thinking"], "");
    let replay =
        json!({"model": "m", "max_tokens": 5, "messages": [{"role": "assistant", "content": whole["content"]}]});
    let chat: Value = serde_json::from_slice(&read(&replay.to_string()).unwrap().chat).unwrap();
    assert_eq!(chat["messages"][0], json!({"role": "assistant", "content": "1", "thinking_blocks": [redacted]}));
}

#[test]
fn very_long_thinking_goes_on_in_another_block() {
    let piece = "thought ".repeat(1 << 14);
    let (streamed, whole) = run(vec![thought(&piece); 20]);
    assert_eq!(streamed, whole);
    let blocks = whole["content"].as_array().unwrap();
    assert_eq!(blocks.len(), 3);
    let said: String = blocks.iter().map(|block| block["thinking"].as_str().unwrap()).collect();
    assert_eq!(said, piece.repeat(20));
}

#[test]
fn arguments_for_a_call_that_nobody_began_are_left_out() {
    let (streamed, whole) = run(vec![text("x"), arguments(7, "{}")]);
    assert_eq!(streamed, whole);
    assert_eq!(whole["content"], json!([{"type": "text", "text": "x"}]));
}
