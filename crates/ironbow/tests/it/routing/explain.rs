//! `GET /v1/route` and `ironbow route`: who would serve, and why nobody else; and warnings about models that go.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{TWO, failing};
use crate::it::world::{EVERYWHERE, World, ask};

#[test]
fn the_route_of_a_model_names_everybody_with_terms_state_and_reasons() {
    let world = World::configured(TWO);
    world.prices();
    let told = world.route(&format!("model={EVERYWHERE}&tools=true&max_tokens=100"));
    assert_eq!(
        (&told["object"], &told["operation"], &told["strategy"]),
        (&json!("route"), &json!("chat"), &json!("auto"))
    );
    let rows = told["candidates"].as_array().unwrap();
    assert_eq!(rows.len(), 15, "every chat backend of the mapping");
    let groq = rows.iter().find(|row| row["place"] == "groq").unwrap();
    assert_eq!(groq["backend_model"], "everywhere-instant");
    assert_eq!(groq["price_per_million_tokens"], json!({"input": 0.3, "output": 0.1}));
    assert_eq!(
        (&groq["context_length"], &groq["tools"], &groq["way"]),
        (&json!(131_072), &json!(true), &json!("routed"))
    );
    assert!(groq["worst_price_micros"].as_u64().is_some() && groq["attempt"].as_u64().is_some(), "{groq}");
    assert!(told["data"]["mapping_age_s"].as_u64().is_some());
    assert_eq!(told["attempts"].as_array().unwrap().len(), 15);
    assert!(world.upstream_chats().is_empty(), "a question sends nothing");

    world.fault(&failing("groq", &json!({"kind": "status", "status": 401})));
    assert_eq!(world.chat(&ask("two", "hi")).status, 401, "there is one key only");
    let told = world.route("model=two");
    let because = told["candidates"][0]["excluded_because"].as_str().unwrap();
    assert!(because.contains("the key was refused") && told["alone"] == true, "it is tried all the same: {told}");
    let failure = &told["recent_failures"][0];
    assert_eq!(
        (&failure["backend"], &failure["status"], &failure["key"]),
        (&json!("groq"), &json!(401), &json!("HF_TOKEN"))
    );
    assert!(failure["took_ms"].as_u64().is_some());
}

#[test]
fn a_question_that_cannot_be_answered_says_why() {
    let world = World::plain();
    for (query, status) in [("", 400), ("?model=", 400), ("?model=no/such", 404), ("?model=a/b&operation=cook", 400)] {
        let reply = world.get(&format!("/v1/route{query}"));
        assert_eq!(reply.status, status, "{query}: {}", reply.text());
        assert!(reply.json()["error"]["message"].is_string());
    }
    let told = world.route("model=sandbox/draws");
    assert_eq!(told["operation"], "image", "what the model can be asked for");
}

#[test]
fn the_command_shows_the_route_to_people_and_as_json() {
    let world = World::plain();
    let run = |more: &[&str]| {
        let url = format!("http://{}", world.addr);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ironbow"));
        command.env_clear().args(["route", EVERYWHERE, "--url", &url]).args(more);
        command.output().unwrap()
    };
    let shown = run(&[]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.status.success() && text.contains("groq (key HF_TOKEN)") && text.contains(" 1  "), "{text}");
    let json: Value = serde_json::from_slice(&run(&["--json", "--need", "tools"]).stdout).unwrap();
    assert_eq!(json["candidates"].as_array().unwrap().len(), 15);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ironbow"));
    let nowhere = command.env_clear().args(["route", "a/b", "--url", "http://127.0.0.1:1"]).output().unwrap();
    assert!(!nowhere.status.success() && String::from_utf8_lossy(&nowhere.stderr).contains("no gateway answers"));
}

#[test]
fn a_model_that_a_backend_drops_is_told_before_a_call_meets_it() {
    let world = World::configured("catalog.fresh = \"50ms\"\n");
    assert_eq!(world.chat(&ask(EVERYWHERE, "hi")).status, 200);
    world.settings(&json!({"unlisted": [format!("groq {EVERYWHERE}")]}));
    let until = Instant::now() + Duration::from_secs(20);
    let told = loop {
        let told = world.route(&format!("model={EVERYWHERE}"));
        let warned = told["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty());
        if warned && told["candidates"].as_array().unwrap().iter().all(|row| row["place"] != "groq") {
            break told;
        }
        assert!(Instant::now() < until, "{told}");
    };
    assert!(
        told["warnings"][0].as_str().unwrap().starts_with("groq: `sandbox/everywhere` is not served there"),
        "{told}"
    );
    world.log_line(|line| line.contains("a backend does not serve a model any more") && line.contains("groq"));
    assert!(world.get("/metrics").text().contains("ironbow_dropped_models_total 1"));
    let list = world.get("/v1/models?backend=groq&limit=1").json();
    assert!(list.to_string().contains("is not served there any more"), "{list}");
}
