//! Another attempt, before the caller has seen a byte: for every kind of fault, whole and streamed.

use serde_json::{Value, json};

use super::{TWO, backends, count, failing};
use crate::it::world::{EVERYWHERE, FORGIVING, World, and, ask};

/// Every way in which an attempt can fail before its first event, but for those that speak of the key.
fn faults() -> Vec<Value> {
    vec![
        json!({"kind": "status", "status": 429}),
        json!({"kind": "status", "status": 500}),
        json!({"kind": "status", "status": 502}),
        json!({"kind": "status", "status": 503}),
        json!({"kind": "status", "status": 529}),
        json!({"kind": "rate_limited", "retry_after": "20"}),
        json!({"kind": "loading", "estimated_time": 20.0}),
        json!({"kind": "stall", "before_head": true}),
        json!({"kind": "stall", "after": 0}),
        json!({"kind": "comments", "count": 2, "then": "stall"}),
        json!({"kind": "reset", "before_head": true}),
        json!({"kind": "reset", "after": 0}),
        json!({"kind": "cut", "after": 0}),
        json!({"kind": "truncate", "after": 0}),
        json!({"kind": "close"}),
        json!({"kind": "html", "status": 200}),
        json!({"kind": "html", "status": 502}),
        json!({"kind": "huge", "status": 500, "bytes": 3_000_000}),
        json!({"kind": "status", "status": 200, "body": "{\"choices\":"}),
        json!({"kind": "raw", "text": "SPDY is here\r\n\r\n"}),
        json!({"kind": "redirect", "to": "http://elsewhere.invalid/"}),
    ]
}

#[test]
fn every_fault_before_the_first_event_is_followed_by_the_next_backend_whole_and_streamed() {
    let config = format!("{FORGIVING}[routing]\npatience = \"300ms\"\n{TWO}");
    let world = World::configured(Box::leak(config.into_boxed_str()));
    for (fault, stream) in faults().iter().flat_map(|fault| [(fault, false), (fault, true)]) {
        if !stream && fault["kind"] == "comments" {
            continue; // A whole answer has no comments.
        }
        world.fault(&failing("groq", fault));
        // A whole answer may take half of the call's time before another one is asked.
        let time = if stream { "20" } else { "2" };
        let body = and(ask("two", "hi"), json!({"stream": stream}));
        let reply = world.chat_with(&body, &[("x-ironbow-timeout", time)]);
        let said = reply.text();
        assert_eq!(reply.status, 200, "{fault} stream={stream}: {said}");
        assert!(said.contains("echo"), "{fault} stream={stream}: {said}");
        assert_eq!(reply.header("x-ironbow-backend"), Some("together"), "{fault} stream={stream}");
        let tried = reply.header("x-ironbow-tried").unwrap_or_default();
        assert!(tried.starts_with("groq upstream_"), "{fault} stream={stream}: {tried}");
        assert!(reply.header("x-ironbow-attempts").unwrap().parse::<u32>().unwrap() >= 2);
        if stream {
            assert!(said.trim_end().ends_with("[DONE]"), "{fault}: {said}");
        }
        world.sandbox.clear_faults();
    }
    let tried = world.log_line(|line| line.contains("\"tried\""));
    assert!(tried.contains("groq upstream_"), "{tried}");
}

#[test]
fn a_callers_own_mistake_is_told_by_the_first_backend_and_by_nobody_else() {
    let world = World::configured(Box::leak(format!("{FORGIVING}{TWO}").into_boxed_str()));
    for status in [400, 413, 422] {
        world.fault(&failing("groq", &json!({"kind": "status", "status": status})));
        let reply = world.chat(&ask("two", "hi"));
        assert_eq!(reply.status, status, "{}", reply.text());
        world.sandbox.clear_faults();
    }
    assert_eq!(count(&world, "together"), 0);
}

#[test]
fn after_the_first_event_a_stream_ends_with_an_error_and_nobody_else_is_asked() {
    let world = World::configured(Box::leak(format!("{FORGIVING}{TWO}").into_boxed_str()));
    world.settings(&json!({"gap_ms": 20}));
    for fault in [
        json!({"kind": "reset", "after": 2}),
        json!({"kind": "truncate", "after": 2}),
        json!({"kind": "stream_error", "after": 2}),
    ] {
        world.fault(&failing("groq", &fault));
        let reply = world.chat(&and(ask("two", "one two three four"), json!({"stream": true})));
        assert_eq!(reply.status, 200, "{fault}");
        assert!(reply.events().last().unwrap()["error"]["message"].is_string(), "{fault}: {}", reply.text());
        world.sandbox.clear_faults();
    }
    assert_eq!(count(&world, "together"), 0);
    let row = &world.route("model=two")["candidates"][0];
    assert_eq!(row["place"], "groq");
    assert!(row["failures_per_thousand"].as_u64().unwrap() > 500, "a broken stream is a failure: {row}");
}

#[test]
fn a_pinned_call_stays_unless_its_caller_lets_it_go() {
    let world = World::configured(FORGIVING);
    let pinned = ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi");
    world.fault(&failing("groq", &json!({"kind": "status", "status": 500})));
    let reply = world.chat(&pinned);
    assert_eq!((reply.status, reply.header("x-ironbow-backend")), (500, Some("groq")));
    let reply = world.chat_with(&pinned, &[("x-ironbow-failover", "true")]);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_ne!(reply.header("x-ironbow-backend"), Some("groq"));
    assert_eq!(reply.header("x-ironbow-tried"), Some("groq upstream_failed (500)"));
    assert_eq!(world.chat_with(&pinned, &[("x-ironbow-failover", "maybe")]).status, 400);
}

#[test]
fn other_models_serve_where_the_call_names_them_and_the_names_are_never_sent_on() {
    let world = World::configured(FORGIVING);
    let first = format!("huggingface/groq/{EVERYWHERE}");
    let other = "huggingface/cerebras/meta-llama/Llama-3.1-8B-Instruct";
    let body = ask(&first, "hi");
    for asked in [
        and(body.clone(), json!({"fallbacks": [other]})),
        and(body.clone(), json!({"models": [first, other]})),
        and(
            body.clone(),
            json!({"fallbacks": [{"provider": "cerebras", "model": "meta-llama/Llama-3.1-8B-Instruct"}]}),
        ),
        and(body.clone(), json!({"extra_body": {"fallbacks": [other]}})),
    ] {
        world.fault(&failing("groq", &json!({"kind": "status", "status": 503})));
        let reply = world.chat(&asked);
        assert_eq!(reply.status, 200, "{asked}: {}", reply.text());
        assert_eq!(reply.header("x-ironbow-backend"), Some("cerebras"), "{asked}");
        world.sandbox.clear_faults();
        // Well again, the first one serves, and does not see the names either.
        let reply = world.chat(&asked);
        assert_eq!(reply.header("x-ironbow-backend"), Some("groq"), "{asked}: {}", reply.text());
    }
    for chat in world.upstream_chats() {
        let sent = chat["body"].as_str().unwrap();
        assert!(!sent.contains("fallbacks") && !sent.contains("models"), "{sent}");
    }
    world.fault(&failing("groq", &json!({"kind": "status", "status": 503})));
    let reply = world.chat_with(&body, &[("x-ironbow-fallbacks", other)]);
    assert_eq!((reply.status, reply.header("x-ironbow-backend")), (200, Some("cerebras")));
    let reply = world.chat(&and(body.clone(), json!({"fallbacks": [{"model": other, "messages": []}]})));
    assert_eq!((reply.status, &reply.json()["error"]["param"]), (400, &json!("fallbacks[0].messages")));
    let reply = world.chat(&and(body, json!({"fallbacks": "groq"})));
    assert_eq!((reply.status, &reply.json()["error"]["param"]), (400, &json!("fallbacks")));
}

#[test]
fn other_dialects_and_embeddings_fail_over_as_well() {
    let config = format!(
        "{FORGIVING}{TWO}[aliases.vectors]\ntargets = [{{ model = \"huggingface/nebius/sandbox/embeds\", priority = 0 }}, {{ model = \"huggingface/hf-inference/sandbox/embeds\", priority = 1 }}]\n"
    );
    let world = World::configured(Box::leak(config.into_boxed_str()));
    world.settings(&json!({"revived": ["nebius"]}));
    world.fault(&failing("groq", &json!({"kind": "status", "status": 500})));
    let json_body = [("content-type", "application/json")];
    let body = json!({"model": "two", "max_tokens": 20, "messages": [{"role": "user", "content": "hi"}]});
    for stream in [false, true] {
        let body = and(body.clone(), json!({"stream": stream}));
        let reply = world.send("POST", "/anthropic/v1/messages", &json_body, body.to_string().as_bytes());
        assert_eq!((reply.status, reply.header("x-ironbow-backend")), (200, Some("together")), "{}", reply.text());
    }
    let body = json!({"model": "two", "input": "hi", "store": false});
    let reply = world.send("POST", "/v1/responses", &json_body, body.to_string().as_bytes());
    assert_eq!((reply.status, reply.header("x-ironbow-backend")), (200, Some("together")), "{}", reply.text());
    world.fault(&json!({"match": {"backend": "nebius"}, "fault": {"kind": "status", "status": 500}}));
    let body = json!({"model": "vectors", "input": ["hi", "you"]});
    let reply = world.send("POST", "/v1/embeddings", &json_body, body.to_string().as_bytes());
    assert_eq!((reply.status, reply.header("x-ironbow-backend")), (200, Some("hf-inference")), "{}", reply.text());
    assert_eq!(reply.json()["data"].as_array().unwrap().len(), 2);
}

#[test]
fn work_that_may_have_been_taken_on_is_never_submitted_twice() {
    let config = format!(
        "{FORGIVING}[aliases.draws]\ntargets = [{{ model = \"huggingface/fal-ai/sandbox/draws\", priority = 0 }}, {{ model = \"huggingface/replicate/sandbox/draws\", priority = 1 }}]\n"
    );
    let world = World::configured(Box::leak(config.into_boxed_str()));
    let draw = |world: &World| {
        let body = json!({"model": "draws", "prompt": "a fox", "size": "64x64", "response_format": "b64_json"});
        let headers = [("content-type", "application/json")];
        world.send("POST", "/v1/images/generations", &headers, body.to_string().as_bytes())
    };
    // A clear no is followed by the next backend.
    world.fault(&json!({"times": 1, "match": {"backend": "fal-ai", "method": "POST"}, "fault": {"kind": "status", "status": 429}}));
    let reply = draw(&world);
    assert_eq!((reply.status, reply.header("x-ironbow-backend")), (200, Some("replicate")), "{}", reply.text());
    world.sandbox.clear_faults();
    world.sandbox.clear_journal();
    // No answer at all is not: nobody knows what became of it.
    world.fault(
        &json!({"match": {"backend": "fal-ai", "method": "POST"}, "fault": {"kind": "reset", "before_head": true}}),
    );
    let reply = draw(&world);
    assert!(reply.status >= 500, "{}", reply.text());
    let posts = world.sandbox.journal().iter().filter(|entry| entry["method"] == "POST").count();
    assert_eq!(posts, 1, "one submit, wherever it went");
}

#[test]
fn a_late_first_event_is_overtaken_and_the_slower_backend_is_cancelled() {
    let config = format!("{FORGIVING}[routing]\nhedging = true\n{TWO}");
    let world = World::configured(Box::leak(config.into_boxed_str()));
    let body = and(ask("two", "hi"), json!({"stream": true}));
    for _ in 0..25 {
        assert_eq!(world.chat(&body).header("x-ironbow-backend"), Some("groq"));
    }
    world.sandbox.clear_journal();
    world.fault(&json!({"times": 1, "match": {"backend": "groq"}, "fault": {"kind": "stall", "before_head": true}}));
    let reply = world.chat(&body);
    assert_eq!((reply.status, reply.header("x-ironbow-backend")), (200, Some("together")), "{}", reply.text());
    let ended = |all: &[Value]| all.iter().any(|one| one["backend"] == "groq" && one["aborted"] == true);
    let journal = world.journal_until(std::time::Duration::from_secs(10), ended);
    assert!(ended(&journal), "the slower attempt was cancelled");
    assert_eq!(backends(&world), ["groq", "together"]);
    assert!(world.get("/metrics").text().contains("ironbow_hedges_total{won=\"second\"} 1"));
}
