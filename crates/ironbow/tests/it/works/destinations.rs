//! Nothing in a call chooses whom the gateway asks: neither a model's name nor a member nor a header.

use serde_json::{Value, json};

use super::{assets::Trap, sound::form};
use crate::it::{raw::Reply, world::World};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Model names that try to leave their place in a path.
const NASTY: &[&str] = &[
    "../../v1/models",
    "a/../../b",
    "a/..",
    "./a/b",
    "a//b",
    "/a/b",
    "a/b/",
    "a/b?x=1",
    "a/b?_subdomain=queue&y",
    "a/b#c",
    "a/b;c",
    "a/b%2f..%2fc",
    "a/%2e%2e/c",
    "a\\b",
    "a/b\\..\\c",
    "a/b c",
    "a/b\r\nx-injected: 1",
    "a/b\u{0}c",
    "a/b\u{7f}",
    "a/ü",
    "http://127.0.0.1:{p}/x",
    "https://127.0.0.1:{p}",
    "//127.0.0.1:{p}/x",
    "@127.0.0.1:{p}/x",
    "user@127.0.0.1:{p}/x",
    "127.0.0.1:{p}/x",
    "file:///etc/passwd",
    "a/b:..",
    "a/b:../../x",
    "..",
    ".",
    "%2e%2e",
];

fn call(world: &World, operation: &str, model: &str) -> Reply {
    let body = match operation {
        "speech" => json!({"model": model, "input": "hi", "voice": "af_alloy"}),
        "transcription" => {
            // A line end in a form's field is part of its text.
            let (kind, body) = form(&[("model", model)], Some(("a.wav", "audio/wav", &super::sound::wav())));
            return world.send("POST", "/v1/audio/transcriptions", &[("content-type", &kind)], &body);
        }
        "embeddings" => json!({"model": model, "input": "hi"}),
        "stream" => json!({"model": model, "prompt": "hi", "stream": true}),
        _ => json!({"model": model, "prompt": "hi"}),
    };
    let path = match operation {
        "speech" => "/v1/audio/speech",
        "embeddings" => "/v1/embeddings",
        _ => "/v1/images/generations",
    };
    world.send("POST", path, &[JSON], body.to_string().as_bytes())
}

#[test]
fn no_models_name_leaves_its_place_in_a_path() {
    let world = World::plain();
    let trap = Trap::new();
    for (backend, operations) in [
        ("hf-inference", &["embeddings", "speech", "transcription", "image"][..]),
        ("fal-ai", &["speech", "transcription", "image", "stream"]),
        ("replicate", &["speech", "transcription", "image"]),
        ("wavespeed", &["image"]),
        ("together", &["embeddings", "image"]),
    ] {
        for nasty in NASTY {
            for operation in operations {
                let model = format!("huggingface/{backend}/{}", nasty.replace("{p}", &trap.port().to_string()));
                let before = world.sandbox.journal().len();
                let reply = call(&world, operation, &model);
                assert!((400..500).contains(&reply.status), "{operation} {model:?}: {} {}", reply.status, reply.text());
                assert!(!trap.was_asked(), "{operation} {model:?}");
                for entry in &world.sandbox.journal()[before..] {
                    let path = entry["path"].as_str().unwrap();
                    // The catalogue renews the router's list whenever it likes.
                    let list = path == "/v1/models" && entry["method"] == "GET";
                    let own = list || path.starts_with(&format!("/{backend}/")) || path.starts_with("/api/models");
                    let plain = !path.contains("..") && !path.contains("//") && !path.contains('#');
                    assert!(own && plain, "{operation} {model:?} asked for {path}");
                    assert!(entry["headers"]["x-injected"].is_null(), "{entry}");
                }
            }
        }
    }
}

#[test]
fn neither_members_nor_headers_choose_a_destination() {
    let world = World::plain();
    let trap = Trap::new();
    let there = format!("http://127.0.0.1:{}", trap.port());
    let members: Vec<Value> =
        ["base_url", "api_base", "api_base_url", "endpoint", "endpoint_url", "url", "host", "proxy"]
            .iter()
            .map(|name| json!({*name: there}))
            .collect();
    let headers = ["x-base-url", "x-custom-host", "x-portkey-custom-host", "x-forwarded-host", "helicone-target-url"];
    for model in ["huggingface/fal-ai/sandbox/draws", "huggingface/hf-inference/sandbox/draws"] {
        for member in &members {
            let body = crate::it::world::and(json!({"model": model, "prompt": "hi"}), member.clone());
            let body = [body.clone(), json!({"model": model, "prompt": "hi", "extra_params": member})];
            for body in body {
                world.send("POST", "/v1/images/generations", &[JSON], body.to_string().as_bytes());
                assert!(!trap.was_asked(), "{body}");
            }
        }
        for header in headers {
            let body = json!({"model": model, "prompt": "hi"}).to_string();
            let reply = world.send("POST", "/v1/images/generations", &[JSON, (header, &there)], body.as_bytes());
            assert_eq!(reply.status, 200, "{header}: {}", reply.text());
            assert!(!trap.was_asked(), "{header}");
        }
    }
}
