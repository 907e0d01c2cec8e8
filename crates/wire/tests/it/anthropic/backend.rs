//! Anthropic as a backend: what a chat becomes, and what its answers become.

use super::same_as_golden;
use bytes::Bytes;
use serde_json::{Value, json};
use types::{Kind, Usage};
use wire::{
    anthropic::backend::{Stream, encode, of_answer},
    events::{Event, Write as _},
    json::Limits,
    openai::chat::{Ask, Call, Finish, Writer},
};

fn encoded(mut body: Value, model: &str, lenient: bool) -> types::Result<(Value, Vec<String>)> {
    body["model"] = "anthropic/x".into();
    let call = Call::read(Bytes::from(body.to_string()), &Limits::default())?;
    let encoded = encode(&call, model, Ask { lenient, backend: "anthropic" })?;
    let dropped = encoded.dropped.iter().map(|dropped| dropped.member.to_string()).collect();
    Ok((serde_json::from_slice(&encoded.body.to_bytes()).unwrap(), dropped))
}

#[test]
fn a_chat_with_everything_becomes_a_call_to_messages() {
    let body = json!({
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "developer", "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}}]},
            {"role": "assistant", "content": "", "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}], "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
                {"id": "b", "type": "function", "function": {"name": "f", "arguments": ""}},
                {"id": "c", "type": "custom", "custom": {"name": "g", "input": "free"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "one"},
            {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "two"}]},
            {"role": "tool", "tool_call_id": "c", "content": ""},
            {"role": "user", "content": "and?"},
            {"role": "system", "content": "Now in French."},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true}},
            {"type": "function", "function": {"name": "bare"}},
            {"type": "custom", "custom": {"name": "g"}},
            {"type": "web_search"}],
        "tool_choice": "auto", "parallel_tool_calls": false, "stop": "x", "user": "u", "temperature": 0.5, "top_k": 4,
        "max_completion_tokens": 9000, "reasoning_effort": "medium", "stream": true, "stream_options": {"include_usage": true},
        "store": true, "n": 1, "logprobs": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}, "strict": true}},
    });
    let (mut old, dropped) = encoded(body.clone(), "claude-sonnet-4-5", false).unwrap();
    assert_eq!(dropped, ["messages.content.image_url.detail", "tools.web_search", "store"]);
    same_as_golden("backend-call.json", &(serde_json::to_string_pretty(&old).unwrap() + "\n"));
    let (mut new, _) = encoded(body, "claude-opus-4-6", false).unwrap();
    assert_eq!(
        (new["thinking"].take(), &new["output_config"]["effort"]),
        (json!({"type": "adaptive"}), &json!("medium"))
    );
    assert_eq!(old["thinking"].take(), json!({"type": "enabled", "budget_tokens": 4500}));
}

#[test]
fn what_anthropic_cannot_do_is_refused_by_name_or_left_out_when_that_is_allowed() {
    let hi = json!([{"role": "user", "content": "hi"}]);
    for (member, value) in [
        ("n", json!(2)),
        ("logprobs", json!(true)),
        ("frequency_penalty", json!(0.5)),
        ("logit_bias", json!({"1": 2})),
        ("response_format", json!({"type": "json_object"})),
        ("modalities", json!(["text", "audio"])),
        ("tool_choice", json!({"type": "web_search"})),
    ] {
        let mut body = json!({"messages": hi});
        body[member] = value;
        let fault = encoded(body.clone(), "claude-opus-4-6", false).unwrap_err();
        assert_eq!((fault.kind, fault.param.as_deref()), (Kind::UnsupportedParameter, Some(member)));
        let (sent, dropped) = encoded(body, "claude-opus-4-6", true).unwrap();
        assert!(sent.get(member).is_none() && dropped == [member], "{sent} {dropped:?}");
    }
    for bad in [
        json!([1]),
        json!([{"role": "user", "content": [1]}]),
        json!([{"role": "user", "content": 3}]),
        json!([{"role": "tool", "content": "x"}]),
        json!([{"role": "robot", "content": "x"}]),
        json!([{"role": "assistant", "tool_calls": [3]}]),
    ] {
        assert_eq!(encoded(json!({"messages": bad}), "m", true).unwrap_err().kind, Kind::BadRequest, "{bad}");
    }
}

#[test]
fn a_model_that_must_call_a_tool_does_not_think_and_that_is_named() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    for choice in [json!("required"), json!({"type": "function", "function": {"name": "f"}})] {
        let body = json!({"messages": [{"role": "user", "content": "x"}], "tools": tools, "tool_choice": choice,
            "reasoning_effort": "high"});
        let (sent, dropped) = encoded(body, "claude-sonnet-4-5", false).unwrap();
        assert!(sent.get("thinking").is_none() && sent["tool_choice"].is_object());
        assert_eq!(dropped, ["reasoning_effort"]);
    }
}

#[test]
fn what_is_for_the_gateway_and_what_a_message_has_besides_does_not_reach_anthropic() {
    let body = json!({"models": ["a"], "fallbacks": ["b"], "messages": [
        {"role": "user", "name": "ada", "content": "x"},
        {"role": "assistant", "content": "y", "audio": {"id": "a"}, "annotations": [], "function_call": null},
        {"role": "user", "name": "bob", "content": "z"}]});
    let (sent, dropped) = encoded(body, "claude-opus-4-6", false).unwrap();
    assert!(sent.get("models").is_none() && sent.get("fallbacks").is_none(), "{sent}");
    assert_eq!(dropped, ["messages.name", "messages.audio"]);
}

#[test]
fn a_turn_that_goes_on_without_its_thought_goes_on_without_thinking() {
    let call = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let body = json!({"messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "y"}], "reasoning_effort": "high"});
    let (sent, dropped) = encoded(body, "claude-sonnet-4-5", false).unwrap();
    assert!(sent.get("thinking").is_none());
    assert_eq!(dropped, ["messages.reasoning_content", "reasoning_effort"]);
}

const STREAM: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-x\",\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":4,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n",
    "event: ping\ndata: {\"type\": \"ping\"}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"s1\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"h\u{e9}\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{}}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"x\\\":\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"1}\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":2}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":7}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

const WHOLE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[
    {"type":"thinking","thinking":"hm","signature":"s1"},{"type":"text","text":"hé"},{"type":"tool_use","id":"t1","name":"f","input":{"x":1}}],
    "stop_reason":"tool_use","usage":{"input_tokens":10,"cache_read_input_tokens":4,"output_tokens":7}}"#;

/// Events with neighbouring pieces of one thing put together.
fn joined(events: Vec<Event>) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::new();
    for event in events {
        match (all.last_mut(), event) {
            (Some(Event::ToolArguments { json, .. }), Event::ToolArguments { json: more, .. }) => json.push_str(&more),
            (Some(Event::Text { text, .. }), Event::Text { text: more, .. }) => text.push_str(&more),
            (_, event) => all.push(event),
        }
    }
    all
}

#[test]
fn a_stream_at_every_split_tells_what_the_whole_answer_tells() {
    let wanted = of_answer(WHOLE.as_bytes(), 5).unwrap();
    assert_eq!(wanted[wanted.len() - 2], Event::Usage(Usage { input: 14, output: 7, cached_input: 4, reasoning: 0 }));
    assert_eq!(wanted[wanted.len() - 3], Event::Finish { choice: 0, reason: Finish::ToolCalls });
    for cut in 0..=STREAM.len() {
        let (mut stream, mut events) = (Stream::new(5), Vec::new());
        for piece in [&STREAM.as_bytes()[..cut], &STREAM.as_bytes()[cut..]] {
            stream.push(&Bytes::copy_from_slice(piece), &mut |event| events.push(event)).unwrap();
        }
        stream.end(&mut |event| events.push(event)).unwrap();
        assert_eq!(joined(events), wanted, "cut at {cut}");
    }
}

#[test]
fn the_events_make_an_answer_of_openais_chat_whole_and_streamed() {
    let events = of_answer(WHOLE.as_bytes(), 5).unwrap();
    let whole: Value = serde_json::from_slice(&Writer::new("m", true).whole(&events).to_bytes()).unwrap();
    let (mut writer, mut told) = (Writer::new("m", true), String::new());
    for event in &events {
        writer.event(event, &mut |bytes| told.push_str(std::str::from_utf8(&bytes).unwrap()));
    }
    same_as_golden("backend-answer.txt", &format!("{}\n\n{told}", serde_json::to_string_pretty(&whole).unwrap()));
    // What was written is read as what it was made of; only what has no place there is gone.
    let again = wire::events::of_answer(whole.to_string().as_bytes()).unwrap();
    let plain = |events: Vec<Event>| -> Vec<Event> {
        events.into_iter().filter(|e| !matches!(e, Event::Start { .. } | Event::Thought { .. })).collect()
    };
    assert_eq!(plain(again), plain(events));
}

#[test]
fn an_answer_that_is_none_is_a_bad_reply() {
    for bad in ["", "3", "{}", "<html>"] {
        assert_eq!(of_answer(bad.as_bytes(), 0).unwrap_err().kind, Kind::UpstreamBadReply, "{bad}");
    }
    let mut stream = Stream::new(0);
    assert!(stream.push(&Bytes::from_static(b"data: nonsense\n\n"), &mut |_| {}).is_err());
    assert_eq!(Stream::new(0).end(&mut |_| {}).unwrap_err().kind, Kind::UpstreamTruncated);
}
