//! Servers of the operator's own: found, checked, and asked for a model that they have.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::it::world::{EVERYWHERE, World, ask};

/// Asks until `good` is content with the answer about a model's route.
fn route_until(world: &World, query: &str, good: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let reply = world.get(&format!("/v1/route?{query}"));
        if reply.status == 200 && good(&reply.json()) {
            return reply.json();
        }
        assert!(Instant::now() < until, "{}", reply.text());
        std::thread::yield_now();
    }
}

#[test]
fn an_own_server_that_has_a_model_of_the_hub_is_one_of_those_who_serve_it() {
    let world = World::configured(
        "routing.own_servers_first = true\n[servers.mine]\nurl = \"{sandbox}/custom/vllm\"\ndialect = \"vllm\"\n\
         models = [\"meta-llama/Llama-3.1-8B-Instruct\"]\n",
    );
    let body = ask("meta-llama/Llama-3.1-8B-Instruct", "hi");
    let reply = world.chat(&body);
    assert_eq!((reply.status, reply.header("x-ironbow-backend")), (200, Some("mine")), "{}", reply.text());
    world.fault(&json!({"match": {"area": "custom", "operation": "chat"}, "fault": {"kind": "status", "status": 500}}));
    let reply = world.chat(&body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_ne!(reply.header("x-ironbow-backend"), Some("mine"), "the Hub's backends stand behind it");
    assert_eq!(reply.header("x-ironbow-tried"), Some("mine upstream_failed (500)"));
}

#[test]
fn a_server_that_is_asked_for_its_models_serves_them_by_their_names() {
    let world = World::configured(
        "[servers.vllm]\nurl = \"{sandbox}/custom/vllm/v1\"\ndialect = \"vllm\"\n\
         [servers.tgi]\nurl = \"{sandbox}/custom/tgi\"\ndialect = \"tgi\"\n\
         [servers.llama]\nurl = \"{sandbox}/custom/llamacpp\"\ndialect = \"llamacpp\"\n",
    );
    for (server, model) in [("vllm", "sandbox/vllm-model"), ("tgi", "sandbox/tgi")] {
        let found = route_until(&world, &format!("model={model}"), |told| {
            told["candidates"].as_array().unwrap().iter().any(|row| row["place"] == server)
        });
        assert_eq!(found["candidates"][0]["own_server"], true, "{found}");
        assert_eq!(found["candidates"][0]["checked"]["answers"], true, "{found}");
        let reply = world.chat(&ask(model, "hi"));
        assert_eq!((reply.status, reply.header("x-ironbow-backend")), (200, Some(server)), "{}", reply.text());
    }
    let list = world.get("/v1/models?backend=vllm").json();
    let ids: Vec<&str> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"huggingface/vllm/sandbox/vllm-model"), "{ids:?}");
}

#[test]
fn a_server_that_is_gone_is_not_asked_and_is_found_again() {
    let world = World::configured(
        "routing.own_servers_first = true\n[servers.mine]\nurl = \"{sandbox}/custom/vllm\"\ndialect = \"vllm\"\n\
         models = [\"sandbox/everywhere\"]\ncheck_every = \"20ms\"\n",
    );
    let state = |told: &Value| {
        let rows = told["candidates"].as_array().unwrap();
        rows.iter().find(|row| row["place"] == "mine").map(|row| row["checked"]["answers"].clone())
    };
    let query = format!("model={EVERYWHERE}");
    world.fault(&json!({"match": {"area": "custom"}, "fault": {"kind": "close"}}));
    route_until(&world, &query, |told| {
        state(told) == Some(json!(false)) && !told["attempts"][0].as_str().unwrap().starts_with("mine")
    });
    world.log_line(|line| line.contains("a server of your own does not answer"));
    let reply = world.chat(&ask(EVERYWHERE, "hi"));
    assert_ne!((reply.status, reply.header("x-ironbow-backend")), (200, Some("mine")), "{}", reply.text());
    world.sandbox.clear_faults();
    route_until(&world, &query, |told| state(told) == Some(json!(true)));
    world.log_line(|line| line.contains("a server of your own answers again"));
}

#[test]
fn a_name_that_nobody_resolves_and_a_port_where_nobody_listens_are_faults_of_their_own_and_others_serve() {
    for url in ["http://nothing.invalid:8000", "http://127.0.0.1:1"] {
        let config = format!(
            "routing.own_servers_first = true\n[servers.mine]\nurl = \"{url}\"\ndialect = \"vllm\"\ncheck_every = \"0s\"\nmodels = [\"{EVERYWHERE}\"]\n"
        );
        let world = World::configured(Box::leak(config.into_boxed_str()));
        let reply = world.chat(&ask(EVERYWHERE, "hi"));
        assert_eq!(reply.status, 200, "{url}: {}", reply.text());
        assert_eq!(reply.header("x-ironbow-tried"), Some("mine upstream_unreachable"), "{url}");
    }
}
