//! Vendors' own models in the lists of all three shapes.

use serde_json::{Value, json};

use super::{With, World, world};

fn ids(list: &Value, members: &str, id: &str) -> Vec<String> {
    list[members].as_array().unwrap().iter().map(|model| model[id].as_str().unwrap().to_owned()).collect()
}

#[test]
fn vendors_models_are_listed_where_the_gateway_has_a_key() {
    let mut world = world();
    let list = world.get("/v1/models").json();
    let all = ids(&list, "data", "id");
    for id in ["openai/gpt-4o", "openai/o3", "anthropic/claude-sonnet-4-5", "huggingface/groq/openai/gpt-oss-120b"] {
        assert!(all.iter().any(|listed| listed == id), "{id}");
    }
    assert!(
        !all.iter().any(|id| id.ends_with("sandbox/everywhere") && !id.starts_with("huggingface/")),
        "no name of theirs"
    );
    let one = world.get("/v1/models/openai/gpt-4o").json();
    assert_eq!(
        (&one["id"], &one["owned_by"], &one["created"], &one["operations"], &one["backend_model"]),
        (&json!("openai/gpt-4o"), &json!("openai"), &json!(1_735_689_600), &json!(["chat"]), &json!("gpt-4o"))
    );
    let only = world.get("/v1/models?backend=anthropic").json();
    assert!(ids(&only, "data", "id").iter().all(|id| id.starts_with("anthropic/claude-")), "{only}");
    assert_eq!(only["warnings"], Value::Null, "{only}");
    let theirs = world.get("/anthropic/v1/models?limit=1000").json();
    let claude = theirs["data"].as_array().unwrap().iter().find(|m| m["id"] == "anthropic/claude-sonnet-4-5").unwrap();
    assert_eq!((&claude["created_at"], &claude["max_input_tokens"]), (&json!("2025-01-01T00:00:00Z"), &json!(200_000)));
    let googles = world.get("/genai/v1beta/models?pageSize=1000").json();
    assert!(googles.to_string().contains("openai/gpt-4o"), "{googles}");
    // What is listed can be called.
    for id in ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"] {
        assert_eq!(world.chat(&super::ask(id, "hi")).status, 200, "{id}");
    }
    // How much one takes is known, too: a call may be shortened to it.
    let items = json!([{"role": "user", "content": "old ".repeat(100)}, {"role": "assistant", "content": "answer"}, {"role": "user", "content": "new"}]);
    let call = json!({"model": "anthropic/claude-sonnet-4-5", "input": items, "truncation": "auto", "max_output_tokens": 199_940});
    let reply = super::post(&world, "/v1/responses", &[], &call.to_string());
    assert_eq!((reply.status, reply.header("x-ironbow-dropped")), (200, None), "{}", reply.text());
    let sent: Value = serde_json::from_str(super::last(&world, "/v1/messages")["body"].as_str().unwrap()).unwrap();
    assert_eq!(sent["messages"].as_array().unwrap().len(), 1, "{sent}");
    // A vendor that fails at the start keeps nobody waiting, and what is not known is not listed.
    world.fault(&json!({"match": {"operation": "models", "area": "direct"}, "times": 20, "fault": {"kind": "stall", "before_head": true}}));
    world.kill_and_restart();
    let began = std::time::Instant::now();
    let list = world.get("/v1/models").json();
    assert!(began.elapsed().as_secs() < 10, "a caller waits for a vendor");
    assert!(!ids(&list, "data", "id").iter().any(|id| id.starts_with("openai/")));
}

#[test]
fn without_a_key_no_vendor_is_asked() {
    const OPEN: &str = "[providers.openai]\nbase_url = \"{sandbox}/direct/openai\"\n[providers.anthropic]\nbase_url = \"{sandbox}/direct/anthropic\"\n";
    let world = World::with(With { config: OPEN, ..With::default() });
    let all = ids(&world.get("/v1/models").json(), "data", "id");
    assert!(!all.is_empty() && all.iter().all(|id| id.starts_with("huggingface/")));
    assert!(!world.sandbox.journal().iter().any(|entry| entry["area"] == "direct"));
}
