//! Paths of the router itself, passed on with the gateway's key: for Hugging Face's own clients.

use serde_json::{Value, json};

use crate::it::world::World;

#[test]
fn a_backends_own_path_is_passed_on_byte_for_byte_and_counted() {
    let world = World::plain();
    let body = r#"{"model":"everywhere-1b", "messages":[{"role":"user","content":"hi"}] }"#;
    let json = [("content-type", "application/json"), ("authorization", "Bearer hf_whatever")];
    let reply = world.send("POST", "/cerebras/v1/chat/completions", &json, body.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.text().contains("\"time_info\""), "what came is what is passed on: {}", reply.text());
    let sent = world.upstream_chats().pop().unwrap();
    assert_eq!((sent["path"].as_str(), sent["body"].as_str()), (Some("/cerebras/v1/chat/completions"), Some(body)));
    let streamed = r#"{"model":"everywhere-1b","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
    let reply = world.send("POST", "/cerebras/v1/chat/completions", &json, streamed.as_bytes());
    assert!(reply.text().starts_with("data: ") && !reply.text().contains("[DONE]"), "{}", reply.text());
    let line: Value =
        serde_json::from_str(&world.log_line(|line| line.contains("passage") && line.contains("output_tokens")))
            .unwrap();
    assert_eq!((&line["backend"], &line["route"]), (&json!("cerebras"), &json!("passage")));
}

#[test]
fn refusals_are_masked_and_odd_paths_go_nowhere() {
    let world = World::plain();
    let json = [("content-type", "application/json")];
    for path in ["/cerebras/../groq/x", "/cerebras/%2e%2e/x", "/cerebras//x", "/nobody/v1/chat/completions"] {
        let reply = world.send("POST", path, &json, b"{}");
        assert!((400..500).contains(&reply.status), "{path}: {}", reply.text());
    }
    assert_eq!(world.upstream_chats().len(), 0);
    let reply = world.send("POST", "/cerebras/v1/nothing", &json, b"{}");
    assert_eq!(reply.status, 404, "{}", reply.text());
    assert_eq!(reply.header("x-ironbow-backend"), Some("cerebras"));
    let body = r#"{"model":"everywhere-1b","messages":[{"role":"user","content":"hi"}]}"#;
    world.fault(&json!({"match": {"operation": "chat"}, "times": 1, "fault": {"kind": "echo_key", "place": "error"}}));
    let reply = world.send("POST", "/cerebras/v1/chat/completions", &json, body.as_bytes());
    assert!(reply.status >= 400 && reply.text().contains("[redacted]"), "{}", reply.text());
    assert!(!reply.text().contains("hf_"), "{}", reply.text());
}

#[test]
fn refusals_and_statuses_are_passed_on_in_the_backends_own_words() {
    let world = World::plain();
    let json = [("content-type", "application/json"), ("prefer", "wait")];
    let chat = r#"{"model":"everywhere-1b","messages":[{"role":"user","content":"hi"}]}"#;
    let own = r#"{"detail": ["slow", "down"]}"#;
    let slow = json!({"kind": "status", "status": 429, "body": own, "headers": {"retry-after": "7"}});
    world.fault(&json!({"match": {"operation": "chat"}, "times": 1, "fault": slow}));
    let reply = world.send("POST", "/cerebras/v1/chat/completions", &json, chat.as_bytes());
    assert_eq!((reply.status, reply.text(), reply.header("retry-after")), (429, own, Some("7")));
    assert!(world.get("/metrics").text().contains("ironbow_"), "it is counted all the same");
    let line: Value = serde_json::from_str(&world.log_line(|line| line.contains("passage"))).unwrap();
    assert_eq!((&line["status"], &line["backend"]), (&json!(429), &json!("cerebras")));
    world.settings(&json!({"slow_predictions": true}));
    let picture = br#"{"input":{"prompt":"a cat"}}"#;
    let path = "/replicate/v1/models/black-forest-labs/flux-dev/predictions";
    let reply = world.send("POST", path, &json, picture);
    assert_eq!(reply.status, 202, "{}", reply.text());
}
