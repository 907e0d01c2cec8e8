//! Calls on a backend's own paths: with whichever key may be used, and with as much care for what may have been done.

use serde_json::{Value, json};

use super::keys::{keys, refuse, three, three_with};
use crate::it::{raw::Reply, world::World};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn chat(world: &World) -> Reply {
    let body = r#"{"model":"everywhere-1b","messages":[{"role":"user","content":"hi"}]}"#;
    world.send("POST", "/cerebras/v1/chat/completions", &JSON, body.as_bytes())
}

fn predict(world: &World) -> Reply {
    let path = "/replicate/v1/models/black-forest-labs/flux-dev/predictions";
    world.send("POST", path, &JSON, br#"{"input":{"prompt":"a cat"}}"#)
}

/// The keys with which anything reached the router, oldest first.
fn used(world: &World) -> Vec<String> {
    let chats = world.sandbox.journal().into_iter().filter(|entry| entry["backend"].is_string());
    chats.map(|entry| entry["authorization_is"].as_str().unwrap_or("?").to_owned()).collect()
}

#[test]
fn a_refused_key_gives_way_to_the_next_and_is_put_aside() {
    for status in [401, 402, 403, 429] {
        let world = three();
        refuse(&world, "one", status);
        refuse(&world, "two", status);
        for _ in 0..12 {
            let reply = chat(&world);
            assert_eq!(reply.status, 200, "{status}: {}", reply.text());
            if let Some(tried) = reply.header("x-ironbow-tried") {
                assert!(tried.starts_with("cerebras upstream_") || tried.starts_with("cerebras "), "{tried}");
            }
        }
        let refused = keys(&world).iter().filter(|key| *key != "three").count();
        // 402 speaks for both keys of the account; 429 without a time is soon tried again.
        assert!((1..=if status == 429 { 4 } else { 2 }).contains(&refused), "{status}: {:?}", keys(&world));
    }
}

#[test]
fn what_a_key_is_told_here_counts_elsewhere_too() {
    let world = three();
    for key in ["one", "two", "three"] {
        refuse(&world, key, 401);
    }
    let reply = chat(&world);
    assert_eq!(reply.status, 401, "{}", reply.text());
    world.sandbox.clear_faults();
    let shut = |world: &World| {
        let told = world.route("model=huggingface/groq/sandbox/everywhere");
        told["candidates"].as_array().unwrap().iter().filter(|row| row["excluded_because"].is_string()).count()
            + usize::from(told["alone"] == true)
    };
    assert!(shut(&world) > 0, "{}", world.route("model=huggingface/groq/sandbox/everywhere"));
}

#[test]
fn a_passed_call_and_one_by_the_hubs_name_share_what_is_known_of_the_model() {
    let world = three();
    let routed = crate::it::world::ask("huggingface/cerebras/sandbox/everywhere", "hi");
    assert_eq!(world.chat(&routed).status, 200);
    world.fault(&json!({"match": {"backend": "cerebras"}, "fault": {"kind": "status", "status": 500}}));
    assert_eq!(chat(&world).status, 500);
    let told = world.route("model=huggingface/cerebras/sandbox/everywhere");
    let failures = told["recent_failures"].as_array().unwrap();
    assert!(!failures.is_empty(), "{told}");
    assert_eq!(failures[0]["backend"], "cerebras", "{told}");
    let row = &told["candidates"][0];
    assert!(row["failures_per_thousand"].as_u64().unwrap() > 0, "{row}");
}

#[test]
fn told_times_are_kept_and_the_last_words_are_the_backends_own() {
    let world = three();
    for (key, wait) in [("one", "30"), ("two", "9"), ("three", "20")] {
        let fault = json!({"kind": "status", "status": 429, "body": "{\"detail\": \"slow down\"}", "headers": {"retry-after": wait}});
        world.fault(&json!({"match": {"key": key, "area": "routed"}, "fault": fault}));
    }
    let reply = chat(&world);
    assert_eq!((reply.status, reply.text()), (429, "{\"detail\": \"slow down\"}"));
    assert_eq!(reply.header("x-ironbow-attempts"), Some("3"));
    for _ in 0..20 {
        let reply = chat(&world);
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!(reply.status == 429 && wait <= 9, "{}", reply.text());
    }
    assert_eq!(used(&world).len(), 3, "each key was asked once");
}

#[test]
fn a_failure_is_passed_on_and_told_to_the_table_of_health() {
    let world = three();
    world.fault(&json!({"match": {"area": "routed"}, "times": 3, "fault": {"kind": "status", "status": 500, "body": "{\"oh\":1}"}}));
    for _ in 0..3 {
        let reply = chat(&world);
        assert_eq!((reply.status, reply.text()), (500, "{\"oh\":1}"));
    }
    assert_eq!(used(&world).len(), 3, "another key would have met the same backend");
    assert_eq!(chat(&world).status, 200);
    let page = world.get("/metrics");
    let counts = |line: &&str| line.starts_with("ironbow_upstream_attempts_total{") && line.contains("cerebras");
    let lines: Vec<&str> = page.text().lines().filter(counts).collect();
    assert!(lines.iter().any(|line| line.contains("upstream_failed") && line.ends_with(" 3")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("served") && line.ends_with(" 1")), "{lines:?}");
}

#[test]
fn a_connection_that_breaks_before_an_answer_is_tried_again_for_chats_and_never_for_predictions() {
    let world = three();
    let breaks = json!({"match": {"area": "routed", "method": "POST"}, "times": 1, "fault": {"kind": "reset", "before_head": true}});
    world.fault(&breaks);
    let reply = chat(&world);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(used(&world).len(), 2);
    world.sandbox.clear_journal();
    world.fault(&breaks);
    let reply = predict(&world);
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert_eq!(used(&world).len(), 1, "one submit, whatever became of it");
}

#[test]
fn a_prediction_is_looked_for_with_the_key_that_made_it() {
    let world = three();
    world.settings(&json!({"slow_predictions": true}));
    let reply = predict(&world);
    assert!(reply.status < 300, "{}", reply.text());
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    // To the other two it is not there.
    for key in ["one", "two"] {
        let asks = json!({"match": {"key": key, "method": "GET", "path_prefix": "/replicate/v1/predictions"}, "fault": {"kind": "status", "status": 404}});
        world.fault(&asks);
    }
    for round in 0..6 {
        world.sandbox.clear_journal();
        let reply = world.get(&format!("/replicate/v1/predictions/{id}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        if round > 0 {
            assert_eq!(used(&world), ["three"], "it is known where it is");
        }
    }
    let reply = world.get("/replicate/v1/predictions/nothing");
    assert_eq!(reply.status, 404, "{}", reply.text());
    let _: Value = reply.json();
}

#[test]
fn what_is_nowhere_is_looked_for_no_more_often_than_a_call_may_be_sent() {
    let world = three_with(&[("IRONBOW_ROUTING__RETRIES__ATTEMPTS", "2")]);
    let reply = world.get("/replicate/v1/predictions/nothing");
    assert_eq!(reply.status, 404, "{}", reply.text());
    assert_eq!(used(&world).len(), 2);
}

#[test]
fn an_answer_that_was_compressed_unasked_is_not_passed_on() {
    let world = World::plain();
    let raw =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nAAA";
    world.fault(&json!({"match": {"area": "routed"}, "times": 1, "fault": {"kind": "raw", "text": raw}}));
    let reply = chat(&world);
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (502, &json!("upstream_bad_reply")), "{}", reply.text());
}
