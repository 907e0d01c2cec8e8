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
