//! Names and the ways they lead: pinned, automatic, direct, declared; and what the Hub says about each.

use serde_json::{Value, json};

use crate::it::world::{EVERYWHERE, World, ask};

fn paths(world: &World) -> Vec<String> {
    world.upstream_chats().iter().map(|c| c["path"].as_str().unwrap().to_owned()).collect()
}

fn models(world: &World) -> Vec<String> {
    let body = |c: &Value| serde_json::from_str::<Value>(c["body"].as_str().unwrap()).unwrap();
    world.upstream_chats().iter().map(|c| body(c)["model"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn automatic_names_go_to_a_backend_of_the_mapping_by_what_they_ask_for() {
    let world = World::plain();
    world.prices();
    for (asked, backend, sent) in [
        // First, by the router's list: later what was measured counts.
        (format!("huggingface/{EVERYWHERE}:fastest"), "cerebras", "everywhere-1b"),
        (format!("huggingface/auto/{EVERYWHERE}:cheapest"), "groq", "everywhere-instant"),
        (format!("{EVERYWHERE}:preferred"), "hf-inference", EVERYWHERE),
        ("huggingface/openai/gpt-oss-120b:cheapest".to_owned(), "baseten", "openai/gpt-oss-120b"),
    ] {
        let reply = world.chat(&ask(&asked, "hi"));
        assert_eq!(reply.status, 200, "{asked}: {}", reply.text());
        assert_eq!(reply.header("x-ironbow-backend"), Some(backend), "{asked}");
        assert_eq!(models(&world).last().map(String::as_str), Some(sent), "{asked}");
    }
    for asked in [format!("huggingface/auto/{EVERYWHERE}"), "openai/gpt-oss-120b".to_owned()] {
        let reply = world.chat(&ask(&asked, "hi"));
        assert_eq!(reply.status, 200, "{asked}: {}", reply.text());
        assert!(providers::find(reply.header("x-ironbow-backend").unwrap()).is_some(), "{asked}");
    }
    assert!(paths(&world).iter().all(|path| path != "/v1/chat/completions"), "nobody asked the router to choose");
}

#[test]
fn a_suffix_with_a_backends_name_pins_it() {
    let world = World::plain();
    assert_eq!(world.chat(&ask(&format!("{EVERYWHERE}:groq"), "hi")).status, 200);
    assert_eq!(paths(&world), ["/groq/openai/v1/chat/completions"]);
    assert_eq!(models(&world), ["everywhere-instant"]);
}

#[test]
fn names_that_people_already_have_in_their_code_work() {
    let world = World::plain();
    for (asked, sent) in [
        ("huggingface/cerebras/llama-3.1-70b-instruct", "llama-3.1-70b-instruct"),
        ("huggingface/groq/llama-3.2-90b-vision-instruct", "llama-3.2-90b-vision-instruct"),
        ("huggingface/fireworks/mixtral-8x7b-instruct", "mixtral-8x7b-instruct"),
        ("huggingface/cerebras/meta-llama/Llama-3.1-70B-Instruct", "llama-3.1-70b"),
        ("huggingface/groq/meta-llama/Meta-Llama-3.1-8B-Instruct", "llama-3.1-8b-instant"),
    ] {
        let reply = world.chat(&ask(asked, "hi"));
        assert_eq!(models(&world).last().map(String::as_str), Some(sent), "{asked}: {}", reply.text());
        assert_eq!(reply.status, 200, "{asked}: {}", reply.text());
    }
}

#[test]
fn a_name_is_looked_up_once_and_then_remembered() {
    let world = World::plain();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let world = &world;
            scope.spawn(move || {
                assert_eq!(world.chat(&ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi")).status, 200);
            });
        }
    });
    let asked = world.sandbox.journal().iter().filter(|e| e["path"] == format!("/api/models/{EVERYWHERE}")).count();
    assert_eq!(asked, 1);
}

#[test]
fn a_backend_that_does_not_serve_the_model_is_refused_naming_those_that_do() {
    let world = World::plain();
    let reply = world.chat(&ask("huggingface/cohere/deepseek-ai/DeepSeek-V3-0324", "hi"));
    assert_eq!(reply.status, 404, "{}", reply.text());
    let text = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(text.contains("novita") && text.contains("together"), "{text}");
    for (asked, status) in [
        ("huggingface/hf-inference/openai-community/gpt2", 400),
        ("huggingface/auto/nobody/nothing", 404),
        ("nobody/nothing", 404),
        ("huggingface/nosuch/a/b", 404),
        ("gpt-4o", 404),
        ("huggingface/groq/", 400),
        ("", 400),
        ("huggingface/groq/../../x", 400),
    ] {
        let reply = world.chat(&ask(asked, "hi"));
        assert!(reply.status == status || reply.status == 400, "{asked}: {} {}", reply.status, reply.text());
        assert!(reply.json()["error"]["message"].as_str().unwrap().len() > 20);
    }
    assert_eq!(world.upstream_chats().len(), 0, "nothing was sent");
}

#[test]
fn staging_and_failing_models_may_be_called() {
    let world = World::plain();
    for name in ["staging", "failing"] {
        assert_eq!(world.chat(&ask(&format!("huggingface/groq/sandbox/{name}"), "hi")).status, 200, "{name}");
    }
}

#[test]
fn a_backends_own_key_goes_to_its_own_address_only() {
    let world = World::with(crate::it::world::With {
        config: r#"
            [[huggingface.keys]]
            name = "groq's own"
            value = "env:GROQ_KEY"
            backend = "groq"
            [[huggingface.keys]]
            name = "nebius's own"
            value = "env:NEBIUS_KEY"
            backend = "nebius"
            [backends.groq]
            base_url = "{sandbox}/direct/groq"
            [backends.nebius]
            base_url = "{sandbox}/direct/nebius"
        "#,
        env: vec![("GROQ_KEY", "key-groq".into()), ("NEBIUS_KEY", "key-nebius".into())],
        ..Default::default()
    });
    let reply = world.chat(&ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(paths(&world), ["/direct/groq/openai/v1/chat/completions"]);
    let reply = world.chat(&ask("huggingface/nebius/meta-llama/Meta-Llama-3.1-8B-Instruct-fast", "hi"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    for chat in world.upstream_chats() {
        assert_eq!(chat["authorization"], "direct key", "{chat}");
    }
    let reply = world.chat(&ask(&format!("huggingface/together/{EVERYWHERE}"), "hi"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(world.upstream_chats().last().unwrap()["authorization"], "hf");
}

#[test]
fn a_retired_backend_says_so_unless_the_hub_lists_it_again() {
    let world = World::plain();
    for backend in ["hyperbolic", "nebius", "sambanova"] {
        let reply = world.chat(&ask(&format!("huggingface/{backend}/some-model"), "hi"));
        assert!((400..500).contains(&reply.status), "{backend}: {}", reply.text());
        let text = reply.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(text.contains("no longer") && text.contains("key"), "{text}");
    }
    assert_eq!(world.upstream_chats().len(), 0);
    world.settings(&json!({"revived": ["nebius"]}));
    let reply = world.chat(&ask("huggingface/nebius/meta-llama/Llama-3.1-8B-Instruct", "hi"));
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[test]
fn declared_servers_and_aliases_need_no_code() {
    let world = World::configured(
        r#"
        [servers.mine]
        url = "{sandbox}/custom/vllm"
        dialect = "vllm"
        models = ["sandbox/vllm-model"]
        [servers.old]
        url = "{sandbox}/custom/tgi/v1"
        dialect = "tgi"
        models = ["tgi"]
        [aliases]
        "claude-sonnet-4-5" = "huggingface/together/sandbox/everywhere"
        "gpt-4o" = "huggingface/mine/sandbox/vllm-model"
    "#,
    );
    for name in ["huggingface/mine/sandbox/vllm-model", "huggingface/old/tgi", "claude-sonnet-4-5", "gpt-4o"] {
        let reply = world.chat(&ask(name, "hi"));
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        assert_eq!(reply.json()["choices"][0]["message"]["content"], "echo: hi");
    }
    let listed = world.get("/v1/models").json();
    let ids: Vec<_> = listed["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"huggingface/mine/sandbox/vllm-model"), "{ids:?}");
    for chat in world.upstream_chats().iter().filter(|c| c["path"].as_str().unwrap().starts_with("/custom")) {
        assert_eq!(chat["authorization"], "none", "no Hugging Face token goes to a server of one's own");
    }
}

#[test]
fn while_the_hub_is_down_the_router_maps_the_name() {
    let world = World::plain();
    world.fault(&json!({"fault": {"kind": "status", "status": 500}, "match": {"area": "hub"}}));
    let reply = world.chat(&ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(models(&world), [format!("{EVERYWHERE}:groq")]);
}

#[test]
fn a_call_too_large_for_hugging_face_is_refused_with_both_sizes_before_anything_is_sent() {
    let world = World::plain();
    let reply = world.chat(&ask(&format!("huggingface/groq/{EVERYWHERE}"), &"x".repeat(2_097_152)));
    assert_eq!(reply.status, 413, "{}", reply.text());
    let text = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(text.contains("2097152") && text.matches(char::is_numeric).count() >= 14, "{text}");
    assert_eq!(world.upstream_chats().len(), 0);
    let just = world.chat(&ask(&format!("huggingface/groq/{EVERYWHERE}"), &"x".repeat(2_000_000)));
    assert_eq!(just.status, 200);
}

#[test]
fn hosted_tools_and_impossible_members_are_named() {
    let world = World::plain();
    let mut body = ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi");
    body["tools"] = json!([{"type": "web_search"}]);
    body["store"] = json!(true);
    let reply = world.chat(&body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let dropped = reply.header("x-ironbow-dropped").unwrap();
    assert!(dropped.contains("web_search") && dropped.contains("store"), "{dropped}");
    body["tool_choice"] = json!({"type": "web_search"});
    let reply = world.chat(&body);
    assert_eq!(reply.status, 400, "{}", reply.text());
    body["tool_choice"] = json!("auto");
    body["web_search_options"] = json!({});
    assert_eq!(world.chat(&body).status, 400);
    let lenient = world.chat_with(&body, &[("x-ironbow-lenient", "true")]);
    assert_eq!(lenient.status, 200, "{}", lenient.text());
    assert!(lenient.header("x-ironbow-dropped").unwrap().contains("web_search_options"));
}

#[test]
fn a_deployments_name_in_the_path_is_the_model_and_prefixes_change_nothing() {
    let world = World::plain();
    let json = [("content-type", "application/json"), ("api-key", "anything")];
    let path = format!("/openai/deployments/huggingface/groq/{EVERYWHERE}/chat/completions?api-version=2024-10-21");
    for body in [
        r#"{"messages":[{"role":"user","content":"hi"}],"x":1.50}"#,
        r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"x":1.50}"#,
    ] {
        world.send("POST", &path, &json, body.as_bytes());
        let sent = world.upstream_chats().pop().unwrap();
        assert_eq!(sent["path"], "/groq/openai/v1/chat/completions");
        let sent = sent["body"].as_str().unwrap().to_owned();
        assert!(sent.contains("\"everywhere-instant\"") && sent.contains("1.50") && !sent.contains("gpt-4o"), "{sent}");
    }
    // OpenAI's Azure class writes the name like this, and LangChain's says that the model is null.
    let path = path.replace(
        &format!("huggingface/groq/{EVERYWHERE}"),
        &format!("huggingface%2Fgroq%2F{}", EVERYWHERE.replace('/', "%2F")),
    );
    let body = r#"{"messages":[{"role":"user","content":"hi"}],"model": null ,"top_p":0.50}"#;
    let reply = world.send("POST", &path, &json, body.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent = world.upstream_chats().pop().unwrap()["body"].as_str().unwrap().to_owned();
    assert!(sent.contains("\"everywhere-instant\"") && sent.contains("0.50"), "{sent}");
    let reply = world.send("POST", "/openai/deployments/a%2/chat/completions", &json, body.as_bytes());
    assert_eq!(reply.status, 400, "{}", reply.text());
    let body = ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi").to_string();
    for prefix in ["/litellm", "/langchain", "/pydanticai", "/litellm/openai"] {
        let reply = world.send("POST", &format!("{prefix}/v1/chat/completions"), &json, body.as_bytes());
        assert_eq!(reply.status, 200, "{prefix}: {}", reply.text());
    }
}
