//! `GET /v1/models`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::it::world::{EVERYWHERE, World};

fn ids(list: &Value) -> Vec<String> {
    list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_model_of_every_backend_is_listed_by_route() {
    let world = World::plain();
    let list = world.get("/v1/models").json();
    let ids = ids(&list);
    for backend in [
        "hf-inference",
        "cerebras",
        "cohere",
        "featherless-ai",
        "fireworks-ai",
        "groq",
        "novita",
        "nscale",
        "ovhcloud",
        "publicai",
        "scaleway",
        "together",
        "zai-org",
        "baseten",
        "deepinfra",
    ] {
        assert!(ids.contains(&format!("huggingface/{backend}/{EVERYWHERE}")), "{backend}");
    }
    let tasks: BTreeSet<_> = list["data"].as_array().unwrap().iter().filter_map(|m| m["task"].as_str()).collect();
    for task in ["conversational", "text-to-speech", "automatic-speech-recognition", "text-to-image", "image-to-image"]
    {
        assert!(tasks.contains(task), "{task}: {tasks:?}");
    }
    assert!(tasks.contains("feature-extraction") || tasks.contains("sentence-similarity"), "{tasks:?}");
    assert!(!ids.iter().any(|id| id.contains("gpt2")), "only what can be asked for");
    let once: BTreeSet<_> = ids.iter().collect();
    assert_eq!(once.len(), ids.len());
    assert_eq!(list["has_more"], false);
    let groq =
        list["data"].as_array().unwrap().iter().find(|m| m["id"] == format!("huggingface/groq/{EVERYWHERE}")).unwrap();
    assert_eq!(groq["context_length"], 131_072);
    assert_eq!((&groq["pricing"]["input"], &groq["pricing"]["output"]), (&json!("0.3"), &json!("0.1")));
    assert_eq!((&groq["supports_tools"], &groq["object"]), (&json!(true), &json!("model")));
    assert!(list["warnings"].is_null() || list["warnings"].as_array().unwrap().is_empty());
}

#[test]
fn one_model_is_found_with_slashes_raw_or_escaped() {
    let world = World::plain();
    for path in
        [format!("huggingface/groq/{EVERYWHERE}"), format!("huggingface%2Fgroq%2F{}", EVERYWHERE.replace('/', "%2F"))]
    {
        let reply = world.get(&format!("/v1/models/{path}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["id"], format!("huggingface/groq/{EVERYWHERE}"));
    }
    let reply = world.get("/v1/models/huggingface/groq/nobody/nothing");
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (404, &json!("model_not_found")));
}

#[test]
fn a_backend_that_cannot_be_asked_is_named_and_the_rest_is_served() {
    let world = World::plain();
    // One backend's list of the Hub; which one, chance decides.
    world.fault(
        &json!({"times": 1, "fault": {"kind": "status", "status": 500}, "match": {"path_prefix": "/api/models"}}),
    );
    let reply = world.get("/v1/models");
    assert_eq!(reply.status, 200);
    let list = reply.json();
    assert!(!list["warnings"].as_array().unwrap().is_empty(), "{list}");
    assert!(ids(&list).len() > 20);
}

#[test]
fn a_part_is_asked_for_by_backend_and_task_and_page_by_page() {
    let world = World::plain();
    let list = world.get("/v1/models?backend=groq").json();
    assert!(!ids(&list).is_empty() && ids(&list).iter().all(|id| id.starts_with("huggingface/groq/")), "{list}");
    let list = world.get("/v1/models?task=text-to-image").json();
    assert!(!ids(&list).is_empty());
    for model in list["data"].as_array().unwrap() {
        assert_eq!((&model["task"], &model["operations"][0]), (&json!("text-to-image"), &json!("image")), "{model}");
    }
    let whole = ids(&world.get("/v1/models").json());
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let list = world.get(&format!("/v1/models?limit=7{next}")).json();
        seen.extend(ids(&list));
        assert!(seen.len() <= whole.len(), "without end");
        let Some(cursor) = list["next_cursor"].as_str() else { break };
        assert_eq!((&list["has_more"], ids(&list).len()), (&json!(true), 7));
        next = format!("&cursor={cursor}");
    }
    assert_eq!(seen, whole);
    for (query, name) in
        [("limit=0", "limit"), ("task=paint", "task"), ("backend=nobody", "backend"), ("after=x", "after")]
    {
        let reply = world.get(&format!("/v1/models?{query}"));
        assert_eq!((reply.status, &reply.json()["error"]["param"]), (400, &json!(name)), "{}", reply.text());
    }
}

#[test]
fn ten_thousand_models_are_listed_in_bounded_memory_and_paged_without_a_gap() {
    let world = World::plain();
    world.settings(&json!({"extra_models": 10_000}));
    let begun = world.memory();
    let first = world.get("/v1/models");
    assert_eq!(first.status, 200);
    let list = first.json();
    // More than one answer holds: it says so, and where to go on.
    assert_eq!((ids(&list).len(), &list["has_more"]), (10_000, &json!(true)));
    let rest = world.get(&format!("/v1/models?cursor={}", list["next_cursor"].as_str().unwrap())).json();
    let all: BTreeSet<_> = ids(&list).into_iter().chain(ids(&rest)).collect();
    assert_eq!(all.len(), ids(&list).len() + ids(&rest).len());
    assert_eq!((all.iter().filter(|id| id.contains("/extra-")).count(), &rest["has_more"]), (10_000, &json!(false)));
    // The answers are megabytes; they are written as they are read, and the catalogue is held once.
    for _ in 0..10 {
        assert_eq!(world.get("/v1/models").body.len(), first.body.len());
    }
    let grown = world.memory().saturating_sub(begun) >> 20;
    assert!(grown < 48, "{grown} MiB more");
}
