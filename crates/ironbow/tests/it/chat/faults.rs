//! What a caller reads when a backend refuses, fails, or is not there.

use serde_json::{Value, json};

use super::backends::LIVE;
use crate::it::world::{EVERYWHERE, FORGIVING, World, ask};

fn at(backend: &str) -> Value {
    ask(&format!("huggingface/{backend}/{EVERYWHERE}"), "hi")
}

fn groq() -> Value {
    at("groq")
}

/// The name of a backend that goes by others too.
fn backend_of(alias: &'static str) -> &'static str {
    providers::find(alias).unwrap().id
}

fn routed(fault: &Value) -> Value {
    json!({"times": 1, "fault": fault, "match": {"area": "routed"}})
}

#[test]
fn a_backends_status_and_words_are_kept_in_openais_shape() {
    // Each caller brings a key, so that what is said of it concerns nobody else.
    let world = World::configured("huggingface.caller_keys = \"always\"\n");
    for (status, kind) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "insufficient_quota"),
        (403, "permission_error"),
        (422, "invalid_request_error"),
        (429, "rate_limit"),
        (500, "server_error"),
        (502, "server_error"),
    ] {
        for (alias, stream) in LIVE.iter().flat_map(|alias| [(alias, false), (alias, true)]) {
            world.fault(&routed(&json!({"kind": "status", "status": status, "body": format!("{{\"error\":{{\"message\":\"words of {status}\"}}}}"), "content_type": "application/json", "headers": {"x-request-id": "up-123"}})));
            let mut body = at(alias);
            body["stream"] = json!(stream);
            let reply = world.chat_with(&body, &[("authorization", "Bearer hf_of_a_caller")]);
            assert_eq!(reply.status, status, "{alias}: {}", reply.text());
            let error = &reply.json()["error"];
            assert!(error["message"].as_str().unwrap().contains(&format!("words of {status}")), "{error}");
            assert!(error["type"].as_str().unwrap().contains(kind), "{status}: {error}");
            assert_eq!(error["backend"], backend_of(alias), "{error}");
            assert_eq!(error["upstream_request_id"], "up-123");
            assert_eq!(error["request_id"].as_str(), reply.header("x-request-id"));
            assert_eq!(reply.header("x-ironbow-upstream-request-id"), Some("up-123"));
        }
    }
}

#[test]
fn retry_after_is_passed_on_for_429_and_for_nothing_that_is_well() {
    let world = World::plain();
    world.fault(&routed(&json!({"kind": "rate_limited", "retry_after": "7"})));
    let reply = world.chat(&groq());
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("7")));
    let reply = world.chat(&ask(&format!("huggingface/together/{EVERYWHERE}"), "hi"));
    assert_eq!((reply.status, reply.header("retry-after")), (200, None), "together sends it on success");
}

#[test]
fn a_loading_model_is_waited_for() {
    let world = World::plain();
    world
        .fault(&json!({"times": 2, "fault": {"kind": "loading", "estimated_time": 0.05}, "match": {"area": "routed"}}));
    let reply = world.chat(&groq());
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(world.upstream_chats().len(), 3);
    world
        .fault(&json!({"times": 3, "fault": {"kind": "loading", "estimated_time": 0.05}, "match": {"area": "routed"}}));
    let reply = world.chat(&groq());
    assert_eq!((reply.status, reply.header("retry-after").is_some()), (503, true), "{}", reply.text());
    assert_eq!(world.upstream_chats().len(), 6);
}

#[test]
fn a_caller_who_asked_for_less_time_is_not_kept_waiting_for_a_loading_model() {
    let world = World::plain();
    world.fault(&routed(&json!({"kind": "loading", "estimated_time": 40.0})));
    let reply = world.chat_with(&groq(), &[("x-ironbow-timeout", "5")]);
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("40")));
    world.fault(&routed(&json!({"kind": "stall", "before_head": true})));
    let reply = world.chat_with(&groq(), &[("x-ironbow-timeout", "0.2")]);
    assert_eq!(reply.status, 504, "{}", reply.text());
    assert_eq!(world.chat_with(&groq(), &[("x-ironbow-timeout", "soon")]).status, 400);
}

#[test]
fn a_model_that_moved_is_found_again() {
    let world = World::plain();
    assert_eq!(world.chat(&groq()).status, 200);
    world.fault(
        &json!({"fault": {"kind": "remap", "model": EVERYWHERE, "to": "everywhere-v2"}, "match": {"backend": "groq"}}),
    );
    assert_eq!(world.chat(&groq()).status, 200);
    let chats = world.upstream_chats();
    assert_eq!(chats.len(), 3, "one that was right, one with the old name, one with the new");
    assert!(chats[2]["body"].as_str().unwrap().contains("everywhere-v2"));
}

#[test]
fn answers_that_cannot_be_read_are_the_backends_fault() {
    let world = World::configured(FORGIVING);
    for fault in [
        json!({"kind": "html", "status": 200}),
        json!({"kind": "html", "status": 502}),
        json!({"kind": "status", "status": 200, "body": "[1,2]"}),
        json!({"kind": "status", "status": 200, "body": "{\"choices\":"}),
        json!({"kind": "content_length", "delta": 50}),
        json!({"kind": "reset", "before_head": true}),
        json!({"kind": "close"}),
        json!({"kind": "raw", "text": "SPDY is here\r\n\r\n"}),
    ] {
        for (backend, stream) in LIVE.iter().flat_map(|backend| [(backend, false), (backend, true)]) {
            if stream && fault["kind"] == "content_length" {
                continue; // A stream is whole with its last event, whatever was announced.
            }
            // Again and again, since a connection that breaks before any byte is followed by tries on others.
            world.fault(&json!({"times": 9, "fault": fault, "match": {"area": "routed"}}));
            let mut body = at(backend);
            body["stream"] = json!(stream);
            let reply = world.chat(&body);
            let said = reply.text();
            assert!(matches!(reply.status, 502 | 504), "{backend} {fault} stream={stream}: {} {said}", reply.status);
            assert!(reply.json()["error"]["message"].is_string());
            world.sandbox.clear_faults();
        }
    }
    assert_eq!(world.chat(&groq()).status, 200, "the gateway is well after all of it");
}

#[test]
fn an_endless_error_is_not_read_to_its_end() {
    let world = World::plain();
    world.fault(&routed(&json!({"kind": "huge", "status": 500, "bytes": 20_000_000})));
    let reply = world.chat(&groq());
    assert_eq!(reply.status, 500);
    assert!(reply.body.len() < 10_000, "{} bytes", reply.body.len());
}

#[test]
fn a_backend_that_is_not_there_is_named() {
    let world =
        World::configured("[servers.mine]\nurl = \"http://127.0.0.1:1/v1\"\ndialect = \"openai\"\nmodels = [\"m\"]\n");
    let reply = world.chat(&ask("huggingface/mine/m", "hi"));
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert_eq!(reply.json()["error"]["backend"], "mine");
}

#[test]
fn what_a_backend_cannot_do_is_refused_before_anything_is_sent() {
    let world = World::plain();
    let reply = world.chat(&ask("huggingface/fal-ai/black-forest-labs/FLUX.1-dev", "hi"));
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(reply.json()["error"]["code"], "unsupported_operation");
    assert_eq!(world.upstream_chats().len(), 0);
}
