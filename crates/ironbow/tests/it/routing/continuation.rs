//! A stream that breaks after its first event is gone on with by another backend, where the operator wants that.

use serde_json::{Value, json};

use super::{count, failing, one_of_three};
use crate::it::world::{EVERYWHERE, FORGIVING, World, and, ask};

/// The text that the sandbox answers with.
const SAID: &str = "one two three four five six seven eight";

/// A world in which the first of these backends has all calls until it fails, and so on.
fn world(backends: &[&str], more: &str) -> World {
    let target = |(priority, name): (usize, &&str)| {
        format!("{{ model = \"huggingface/{name}/{EVERYWHERE}\", priority = {priority} }}")
    };
    let targets = backends.iter().enumerate().map(target).collect::<Vec<_>>().join(", ");
    let config = format!("{FORGIVING}[routing]\n{more}\n[aliases.story]\ntargets = [{targets}]\ncontinuation = true\n");
    World::configured(Box::leak(config.into_boxed_str()))
}

fn story(more: Value) -> Value {
    and(ask("story", SAID), and(json!({"stream": true}), more))
}

/// The text of a stream of chat chunks, put together.
fn text(events: &[Value]) -> String {
    events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect()
}

#[test]
fn another_backend_goes_on_with_a_broken_stream_and_the_reader_cannot_tell() {
    let world = world(&["groq", "cerebras"], "");
    world.settings(&json!({"gap_ms": 2}));
    let whole = format!("echo: {SAID}");
    for fault in [
        json!({"kind": "reset", "after": 4}),
        json!({"kind": "cut", "after": 3}),
        json!({"kind": "truncate", "after": 5}),
        json!({"kind": "truncate", "after": 4, "mid_frame": true}),
        json!({"kind": "stream_error", "after": 4}),
        json!({"kind": "reset", "after": 1}),
    ] {
        world.fault(&failing("groq", &fault));
        for usage in [false, true] {
            let more = if usage { json!({"stream_options": {"include_usage": true}}) } else { json!({}) };
            let reply = world.chat(&story(more));
            let (said, mut events) = (reply.text(), reply.events());
            events.retain(Value::is_object);
            assert_eq!(text(&events), whole, "{fault}: {said}");
            assert!(said.trim_end().ends_with("data: [DONE]"), "{fault}: {said}");
            assert!(events.iter().all(|event| event["id"] == events[0]["id"]), "{fault}: one id: {said}");
            assert!(events.iter().all(|event| event["model"] == events[0]["model"]), "{fault}: one model: {said}");
            assert_eq!(said.matches("\"role\"").count(), 1, "{fault}: {said}");
            let finishes = events.iter().filter(|event| event["choices"][0]["finish_reason"].is_string()).count();
            assert_eq!(finishes, 1, "{fault}: {said}");
            assert_eq!(events.iter().filter(|event| event["usage"].is_object()).count(), usize::from(usage), "{said}");
        }
        world.sandbox.clear_faults();
    }
    let line = world.log_line(|line| line.contains("\"continuations\":1"));
    assert!(line.contains("\"tried\":\"groq upstream_") && line.contains("\"backend\":\"cerebras\""), "{line}");
    assert!(line.contains("\"attempts\":2") && line.contains("\"output_tokens\""), "{line}");
    assert!(world.get("/metrics").text().contains("\nironbow_continuations_total 12\n"));
}

#[test]
fn a_call_counts_as_held_while_somebody_else_may_have_to_be_asked_with_it() {
    let world = world(&["groq", "cerebras"], "");
    world.settings(&json!({"gap_ms": 5000}));
    let held = || {
        let page = world.get("/metrics").text().to_owned();
        let line = page.lines().find(|line| line.starts_with("ironbow_held_body_bytes ")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(held(), 0);
    let mut exchange = world.open(&story(json!({})), &[]);
    exchange.read_until("data: ", 1);
    assert!(held() > 0);
}

#[test]
fn a_silence_is_a_break_too() {
    let world = world(&["groq", "cerebras"], "[timeouts]\nbetween_events = \"300ms\"\n");
    world.fault(&failing("groq", &json!({"kind": "stall", "after": 4})));
    let reply = world.chat(&story(json!({})));
    assert_eq!(text(&reply.events()), format!("echo: {SAID}"), "{}", reply.text());
    let line = world.log_line(|line| line.contains("\"continuations\":1"));
    assert!(line.contains("groq upstream_stalled"), "{line}");
}

#[test]
fn every_door_gets_the_whole_text_from_two_backends() {
    let world = world(&["groq", "cerebras"], "");
    world.settings(&json!({"gap_ms": 2}));
    let message = json!([{"role": "user", "content": SAID}]);
    let calls = [
        ("/anthropic/v1/messages", json!({"model": "story", "max_tokens": 100, "stream": true, "messages": message})),
        ("/v1/responses", json!({"model": "story", "stream": true, "input": SAID})),
        ("/v1/completions", json!({"model": "story", "stream": true, "prompt": SAID})),
        (
            "/genai/v1beta/models/story:streamGenerateContent?alt=sse",
            json!({"contents": [{"role": "user", "parts": [{"text": SAID}]}]}),
        ),
        ("/cohere/v2/chat", json!({"model": "story", "stream": true, "messages": message})),
    ];
    for (path, body) in calls {
        let send = || world.send("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes());
        let whole = texts(&send().events());
        assert!(whole.ends_with("eight"), "{path}: {whole}");
        world.fault(&failing("groq", &json!({"kind": "reset", "after": 4})));
        let reply = send();
        assert_eq!(texts(&reply.events()), whole, "{path}: {}", reply.text());
        assert!(!reply.text().contains("\"error\":{"), "{path}: {}", reply.text());
        world.sandbox.clear_faults();
    }
    assert_eq!(count(&world, "cerebras"), 5);
}

/// All pieces of text in a stream of any dialect.
fn texts(events: &[Value]) -> String {
    let piece = |event: &Value| {
        let at = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        match event["type"].as_str() {
            Some("content_block_delta") => at("/delta/text"),
            Some("response.output_text.delta") => at("/delta"),
            Some("content-delta") => at("/delta/message/content/text"),
            Some(_) => None,
            None => at("/choices/0/text").or_else(|| at("/candidates/0/content/parts/0/text")),
        }
    };
    events.iter().filter_map(piece).collect()
}

#[test]
fn who_cannot_go_on_is_not_asked_and_a_second_break_is_gone_on_with_too() {
    let world = world(&["groq", "together", "cerebras", "novita"], "");
    world.settings(&json!({"gap_ms": 2}));
    world.fault(&failing("groq", &json!({"kind": "reset", "after": 3})));
    world.fault(&failing("cerebras", &json!({"kind": "truncate", "after": 3})));
    let reply = world.chat(&story(json!({"max_tokens": 50})));
    assert_eq!(text(&reply.events()), format!("echo: {SAID}"), "{}", reply.text());
    assert_eq!(count(&world, "together"), 0, "nobody knows that it goes on");
    let chats = world.upstream_chats();
    let sent: Vec<Value> =
        chats.iter().map(|chat| serde_json::from_str(chat["body"].as_str().unwrap()).unwrap()).collect();
    assert_eq!(sent.len(), 3);
    for (again, before) in sent[1..].iter().zip(&sent) {
        let last = |body: &Value| body["messages"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last(again)["role"], "assistant");
        assert!(format!("echo: {SAID}").starts_with(last(again)["content"].as_str().unwrap()));
        assert!(again["max_tokens"].as_u64() < before["max_tokens"].as_u64(), "{again}");
    }
}

#[test]
fn servers_of_ones_own_are_told_to_go_on_as_vllm_wants_it() {
    let world = World::configured(one_of_three("{sandbox}/custom/vllm", "[routing]\ncontinuation = true\n"));
    world.settings(&json!({"gap_ms": 2}));
    world.fault(&json!({"match": {"area": "custom"}, "times": 1, "fault": {"kind": "reset", "after": 4}}));
    let reply = world.chat(&and(ask("first", SAID), json!({"stream": true})));
    assert_eq!(text(&reply.events()), format!("echo: {SAID}"), "{}", reply.text());
    let chats = world.upstream_chats();
    let last: Value = serde_json::from_str(chats.last().unwrap()["body"].as_str().unwrap()).unwrap();
    assert_eq!((&last["continue_final_message"], &last["add_generation_prompt"]), (&json!(true), &json!(false)));
}

#[test]
fn what_is_more_than_text_ends_with_an_error_as_does_what_nobody_goes_on_with() {
    let world = world(&["groq", "cerebras"], "");
    world.settings(&json!({"gap_ms": 2}));
    world.fault(&failing("groq", &json!({"kind": "truncate", "after": 3})));
    let tool = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    for more in [
        json!({"tools": tool}),
        json!({"response_format": {"type": "json_object"}}),
        json!({"reasoning_effort": "low"}),
        json!({"messages": [{"role": "user", "content": SAID}, {"role": "assistant", "content": "echo:"}]}),
    ] {
        let reply = world.chat(&story(more.clone()));
        assert!(reply.events().last().unwrap()["error"]["message"].is_string(), "{more}: {}", reply.text());
    }
    assert_eq!(count(&world, "cerebras"), 0);
    world.fault(&failing("cerebras", &json!({"kind": "status", "status": 503})));
    let reply = world.chat(&story(json!({})));
    let events = reply.events();
    assert_eq!(events.last().unwrap()["error"]["code"], "upstream_truncated", "{}", reply.text());
    assert!(text(&events).starts_with("echo:"));
}

#[test]
fn a_backend_that_begins_anew_is_not_taken_for_one_that_goes_on() {
    let world = world(&["groq", "cerebras"], "");
    let long = "It is a truth universally acknowledged that a single man must be in want of a wife";
    world.settings(&json!({"gap_ms": 2}));
    world.fault(&failing("groq", &json!({"kind": "truncate", "after": 9})));
    let sse = |text: &str| {
        let chunk = json!({"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
        format!("data: {chunk}\n\n")
    };
    let anew = [sse("echo: It is a truth universally denied"), sse(" by all"), "data: [DONE]\n\n".into()].concat();
    world.fault(&failing(
        "cerebras",
        &json!({"kind": "status", "status": 200, "body": anew, "content_type": "text/event-stream"}),
    ));
    let reply = world.chat(&and(ask("story", long), json!({"stream": true})));
    let events = reply.events();
    assert_eq!(events.last().unwrap()["error"]["code"], "upstream_truncated", "{}", reply.text());
    assert!(!reply.text().contains("denied"), "{}", reply.text());
}

#[test]
fn a_caller_who_leaves_while_somebody_else_is_looked_for_ends_that_too() {
    let world = world(&["groq", "cerebras"], "");
    world.settings(&json!({"gap_ms": 2}));
    world.fault(&failing("groq", &json!({"kind": "truncate", "after": 3})));
    world.fault(&failing("cerebras", &json!({"kind": "stall", "before_head": true})));
    let exchange = world.open(&story(json!({})), &[]);
    world.journal_until(std::time::Duration::from_secs(20), |journal| {
        journal.iter().any(|entry| entry["backend"] == "cerebras" && entry["area"] != "hub")
    });
    drop(exchange);
    let line = world.log_line(|line| line.contains("\"fault\":\"client_gone\""));
    assert!(line.contains("groq upstream_truncated"), "{line}");
}
