//! Secrets and prompts never leave by a side door (T26–T28).

use serde_json::json;

use crate::it::world::{EVERYWHERE, TOKEN, With, World, ask};

const PROMPT: &str = "the-secret-prompt-canary";

/// The canary in every spelling that a leak could have.
fn spellings(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
    let url = secret.replace('_', "%5F");
    vec![secret.to_owned(), secret[..12].to_owned(), secret[secret.len() - 12..].to_owned(), hex, url]
}

#[test]
fn no_canary_is_seen_in_answers_headers_logs_or_metrics() {
    let world = World::with(With { env: vec![("IRONBOW_LOG", "trace".into())], ..With::default() });
    let body = ask(&format!("huggingface/groq/{EVERYWHERE}"), PROMPT);
    let mut seen = Vec::new();
    for place in ["header", "error"] {
        for stream in [false, true] {
            world.fault(&json!({"times": 1, "fault": {"kind": "echo_key", "place": place, "status": 401}, "match": {"area": "routed"}}));
            let mut body = body.clone();
            body["stream"] = json!(stream);
            let reply = world.chat(&body);
            seen.push(format!("{:?} {}", reply.headers, reply.text()));
        }
    }
    world.fault(
        &json!({"times": 1, "fault": {"kind": "echo_key", "place": "stream_error"}, "match": {"area": "routed"}}),
    );
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    seen.push(world.chat(&streamed).text().to_owned());
    world.fault(&json!({"times": 1, "fault": {"kind": "reset", "before_head": true}, "match": {"area": "routed"}}));
    seen.push(world.chat(&body).text().to_owned());
    seen.push(world.get("/metrics").text().to_owned());
    seen.push(world.get("/v1/models").text().to_owned());
    world.terminate();
    let (code, log) = world.exit();
    assert_eq!(code, Some(0));
    assert!(log.iter().any(|line| line.contains("request_id")), "the log was read: {log:?}");
    let log = log.join("\n");
    assert!(!log.contains(PROMPT), "a prompt in the log");
    seen.push(log);
    for (n, text) in seen.iter().enumerate() {
        for spelling in spellings(TOKEN) {
            assert!(!text.contains(&spelling), "{n}: {spelling} in {text}");
        }
    }
}

#[test]
fn a_refusals_words_are_kept_without_the_keys_tail_the_account_and_the_inside_of_a_network() {
    let world = World::plain();
    let words = format!(
        "Incorrect API key ****{} of org-Ab12Cd34Ef at http://10.1.2.3:8080 (gpu-7.prod.internal).",
        &TOKEN[TOKEN.len() - 6..]
    );
    let body = json!({"error": {"message": words, "code": "invalid_api_key"}}).to_string();
    world.fault(&json!({"times": 1, "match": {"area": "routed"},
        "fault": {"kind": "status", "status": 401, "body": body, "content_type": "application/json"}}));
    let reply = world.chat(&ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi"));
    let error = &reply.json()["error"];
    assert_eq!((reply.status, &error["type"]), (401, &json!("authentication_error")), "{error}");
    let said = error["message"].as_str().unwrap();
    assert!(said.contains("Incorrect API key"), "{said}");
    for inside in [&TOKEN[TOKEN.len() - 6..], "org-Ab", "10.1.2.3", "gpu-7"] {
        assert!(!reply.text().contains(inside), "{inside} in {said}");
    }
}

#[test]
fn a_backends_own_headers_stay_inside() {
    let world = World::plain();
    let headers = json!({"set-cookie": "a=b", "location": "http://inside/", "server": "secret-server", "x-internal-host": "10.0.0.1", "x-ratelimit-remaining": "7"});
    world.fault(&json!({"times": 1, "fault": {"kind": "headers", "headers": headers}, "match": {"area": "routed"}}));
    let reply = world.chat(&ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi"));
    assert_eq!(reply.header("x-ratelimit-remaining"), Some("7"));
    for name in ["set-cookie", "location", "server", "x-internal-host"] {
        assert_eq!(reply.header(name), None, "{name}");
    }
}
