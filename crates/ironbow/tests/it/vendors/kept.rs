//! Responses that OpenAI keeps: who asked for one finds it again by its id, with the key that made it, and nobody else does.

use serde_json::{Value, json};

use super::{OPENAI_KEY, With, World, and, events, from_vendor, last, post, world};
use crate::it::raw::{Exchange, Reply, request};

const MINE: (&str, &str) = ("authorization", "Bearer sk-gateway-mine");
const THEIRS: (&str, &str) = ("authorization", "Bearer sk-gateway-theirs");

/// Two keys of the gateway's own, of which the first one is preferred.
const TWO: &str = "[providers.openai]\nbase_url = \"{sandbox}/direct/openai\"\n\
    keys = [{ name = \"one\", value = \"env:ONE\" }, { name = \"two\", value = \"env:TWO\" }]\n";
const ONE: &str =
    "[providers.openai]\nbase_url = \"{sandbox}/direct/openai\"\nkeys = [{ name = \"two\", value = \"env:TWO\" }]\n";

fn ask(world: &World, who: (&str, &str), more: Value) -> Value {
    let call = and(json!({"model": "gpt-5-mini", "input": "one two"}), more);
    let reply = post(world, "/v1/responses", &[who], &call.to_string());
    assert_eq!(reply.status, 200, "{}", reply.text());
    if call["stream"] == true { events(&reply).pop().unwrap()["response"].clone() } else { reply.json() }
}

fn send(world: &World, method: &str, path: &str, who: (&str, &str)) -> Reply {
    world.send(method, path, &[who], b"")
}

/// What the vendor itself says at a path.
fn vendor_says(world: &World, path: &str) -> Reply {
    let bearer = format!("Bearer {OPENAI_KEY}");
    let headers = [("authorization", bearer.as_str())];
    Exchange::send(world.sandbox.addr, &request("GET", &format!("/direct/openai{path}"), &headers, b"")).reply()
}

fn at(response: &Value) -> String {
    format!("/v1/responses/{}", response["id"].as_str().unwrap())
}

#[test]
fn a_response_that_openai_keeps_is_found_continued_and_deleted_by_who_asked_for_it() {
    let mut world = world();
    for stream in [false, true] {
        let response = ask(&world, MINE, json!({"stream": stream, "metadata": {"round": stream.to_string()}}));
        let at = at(&response);
        for restarted in [false, true] {
            if restarted {
                world.kill_and_restart();
            }
            for path in [
                at.clone(),
                format!("{at}/input_items?order=asc&limit=5"),
                format!("{at}?stream=true&starting_after=2"),
            ] {
                let reply = send(&world, "GET", &path, MINE);
                let sent = last(&world, path.split('?').next().unwrap());
                assert!(
                    sent["authorization"] == "direct key" && sent["target"].as_str().unwrap().ends_with(&path),
                    "{sent}"
                );
                assert_eq!(
                    (reply.status, &reply.body),
                    (200, &vendor_says(&world, &path).body),
                    "{path}: {}",
                    reply.text()
                );
            }
            for (method, path) in [
                ("GET", at.clone()),
                ("DELETE", at.clone()),
                ("POST", format!("{at}/cancel")),
                ("GET", format!("{at}/input_items")),
            ] {
                let reply = send(&world, method, &path, THEIRS);
                let nobody = send(&world, method, &path.replace(&at, "/v1/responses/resp_nobody"), THEIRS);
                assert_eq!(
                    (reply.status, reply.json()["error"]["message"].clone()),
                    (404, nobody.json()["error"]["message"].clone()),
                    "{method} {path}"
                );
            }
        }
        let next = json!({"previous_response_id": response["id"], "stream": stream});
        assert_eq!(ask(&world, MINE, next.clone())["previous_response_id"], response["id"]);
        let before = world.sandbox.journal().len();
        let call = and(json!({"model": "gpt-5-mini", "input": "x"}), next);
        let refused = post(&world, "/v1/responses", &[THEIRS], &call.to_string());
        let error = &refused.json()["error"];
        assert_eq!(
            (refused.status, &error["param"], &error["code"]),
            (404, &json!("previous_response_id"), &json!("previous_response_not_found"))
        );
        assert!(
            !world.sandbox.journal()[before..].iter().any(|entry| entry["operation"] == "responses"),
            "nothing was sent"
        );
        let refused = send(&world, "POST", &format!("{at}/cancel"), MINE);
        assert_eq!(refused.status, 400);
        assert!(
            refused.text().contains("Cannot cancel a synchronous response."),
            "in the vendor's words: {}",
            refused.text()
        );
        let deleted = send(&world, "DELETE", &at, MINE).json();
        assert_eq!(deleted, json!({"id": response["id"], "object": "response", "deleted": true}));
        assert_eq!(send(&world, "GET", &at, MINE).status, 404);
    }
}

#[test]
fn what_is_not_to_be_kept_is_not_noted_and_other_models_cannot_continue_what_is() {
    let world = world();
    let response = ask(&world, MINE, json!({"store": false}));
    assert_eq!(send(&world, "GET", &at(&response), MINE).status, 404);
    let kept = ask(&world, MINE, json!({}));
    for (model, status) in [("huggingface/groq/sandbox/everywhere", 404), ("claude-haiku-4-5", 404)] {
        let call = json!({"model": model, "input": "x", "previous_response_id": kept["id"]});
        let reply = post(&world, "/v1/responses", &[MINE], &call.to_string());
        assert_eq!(
            (reply.status, &reply.json()["error"]["param"]),
            (status, &json!("previous_response_id")),
            "{model}"
        );
    }
    // The other way round: what is kept here is said to OpenAI's model, whose service does not know it.
    let ours = json!({"model": "huggingface/groq/sandbox/everywhere", "input": "first"});
    let ours = post(&world, "/v1/responses", &[MINE], &ours.to_string()).json();
    let next = ask(&world, MINE, json!({"previous_response_id": ours["id"]}));
    assert_eq!(next["output"][0]["content"][0]["text"], "echo: one two");
    let sent: Value = serde_json::from_str(last(&world, "/chat/completions")["body"].as_str().unwrap()).unwrap();
    assert_eq!(sent["messages"].as_array().unwrap().len(), 3, "{sent}");
    assert_eq!(send(&world, "GET", &at(&next), MINE).json()["id"], next["id"], "and is kept here again");
}

#[test]
fn a_response_is_asked_about_with_the_key_that_made_it_only() {
    let env = || vec![("ONE", "sk-sandbox-house-one".to_owned()), ("TWO", "sk-sandbox-house-two".to_owned())];
    let mut world = World::with(With { config: TWO, env: env(), ..With::default() });
    let key = |world: &World, path: &str| last(world, path)["authorization_is"].as_str().unwrap().to_owned();
    // The keys share the calls: sooner or later each has made a response.
    let mut made = std::collections::BTreeMap::new();
    for round in 0.. {
        assert!(round < 100, "one key made them all: {made:?}");
        let response = ask(&world, MINE, json!({"input": format!("round {round}")}));
        made.insert(key(&world, "/v1/responses"), response);
        if made.len() == 2 {
            break;
        }
    }
    for _ in 0..3 {
        for (maker, response) in &made {
            assert_eq!(send(&world, "GET", &at(response), MINE).json()["id"], response["id"]);
            assert_eq!(key(&world, &at(response)), *maker);
            ask(&world, MINE, json!({"previous_response_id": response["id"]}));
            assert_eq!(key(&world, "/v1/responses"), *maker);
        }
    }
    let (first, second) = (&made["sk-sandbox-house-one"], &made["sk-sandbox-house-two"]);
    std::fs::write(world.folder.join("ironbow.toml"), ONE.replace("{sandbox}", &world.sandbox.url())).unwrap();
    world.kill_and_restart();
    assert_eq!(send(&world, "GET", &at(second), MINE).status, 200);
    let gone = send(&world, "GET", &at(first), MINE);
    assert!(gone.status != 200 && gone.text().contains("`one`"), "{}", gone.text());
}

#[test]
fn what_a_response_in_the_background_used_is_counted_once_when_it_is_seen_done() {
    let world = world();
    let tokens = || {
        let page = world.get("/metrics");
        let name = "ironbow_tokens_total{backend=\"openai\",type=\"output\"} ";
        page.text().lines().find_map(|line| line.strip_prefix(name)?.parse::<u64>().ok()).unwrap_or(0)
    };
    let queued = ask(&world, MINE, json!({"background": true}));
    assert_eq!((&queued["status"], tokens()), (&json!("queued"), 0));
    for (status, used) in [("in_progress", false), ("in_progress", false), ("completed", true), ("completed", true)] {
        let seen = send(&world, "GET", &at(&queued), MINE).json();
        assert_eq!(seen["status"], status);
        assert_eq!(tokens(), if used { seen["usage"]["output_tokens"].as_u64().unwrap() } else { 0 });
    }
    let used = tokens();
    // A stream that is told again is not counted again, and one that follows in the background is counted at its end.
    for _ in 0..2 {
        let told = events(&send(&world, "GET", &format!("{}?stream=true", at(&queued)), MINE));
        assert_eq!((&told.last().unwrap()["type"], tokens()), (&json!("response.completed"), used));
    }
    let followed = ask(&world, MINE, json!({"background": true, "input": "to be followed"}));
    let told = events(&send(&world, "GET", &format!("{}?stream=true", at(&followed)), MINE));
    let both = used + told.last().unwrap()["response"]["usage"]["output_tokens"].as_u64().unwrap();
    for _ in 0..3 {
        send(&world, "GET", &at(&followed), MINE);
        assert_eq!(tokens(), both);
    }
    let used = both;
    let cancelled = ask(&world, MINE, json!({"background": true, "input": "another"}));
    let reply = send(&world, "POST", &format!("{}/cancel", at(&cancelled)), MINE);
    assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("cancelled")), "{}", reply.text());
    assert_eq!(send(&world, "GET", &at(&cancelled), MINE).json()["status"], "cancelled");
    assert_eq!(tokens(), used, "nothing was used");
}

#[test]
fn who_brings_the_vendors_key_reaches_all_that_it_opens() {
    const OPEN: &str = "[providers.openai]\nbase_url = \"{sandbox}/direct/openai\"\n";
    let world = World::with(With { config: OPEN, ..With::default() });
    let token = json!({"tokens": [{"name": "the caller's", "value": OPENAI_KEY}]});
    world.settings(&token);
    // Made without the gateway, which knows nothing of it.
    let bearer = format!("Bearer {OPENAI_KEY}");
    let own = ("authorization", bearer.as_str());
    let call = json!({"model": "gpt-5-mini", "input": "one"}).to_string();
    let made = from_vendor(&world, "/direct/openai/v1/responses", own, &call).json();
    let reply = send(&world, "GET", &at(&made), own);
    assert_eq!((reply.status, &reply.json()), (200, &made), "{}", reply.text());
    assert_eq!(last(&world, &at(&made))["authorization_is"], "the caller's");
    let word = ("authorization", "Bearer no-key-of-openai");
    assert_eq!(send(&world, "GET", &at(&made), word).status, 404, "nothing is opened by another word");
    assert_eq!(send(&world, "GET", "/v1/conversations/conv_of_the_vendor", word).status, 404);
    let asked = send(&world, "GET", "/v1/conversations/conv_of_the_vendor/items?limit=3", own);
    assert_eq!(
        last(&world, "/v1/conversations/conv_of_the_vendor/items")["path"],
        "/direct/openai/v1/conversations/conv_of_the_vendor/items"
    );
    assert_eq!(asked.status, 404, "the sandbox has no conversations");
}

#[test]
fn odd_ids_lead_nowhere() {
    let world = world();
    let before = world.sandbox.journal().len();
    for id in ["resp_..", "..", "resp_1%2F..", "resp_1%2e", "resp_1;x", &"r".repeat(300), "resp_%00", "%E2%82%AC"] {
        for path in [
            format!("/v1/responses/{id}"),
            format!("/v1/responses/{id}/input_items"),
            format!("/v1/conversations/{id}"),
        ] {
            let reply = send(&world, "GET", &path, MINE);
            assert_eq!(reply.status, 404, "{path}: {}", reply.text());
        }
        let call = json!({"model": "huggingface/groq/sandbox/everywhere", "input": "x", "previous_response_id": id});
        let reply = post(&world, "/v1/responses", &[MINE], &call.to_string());
        assert_eq!((reply.status, &reply.json()["error"]["param"]), (404, &json!("previous_response_id")), "{id}");
    }
    for wrong in [json!(1), json!([]), json!({"id": "resp_1"}), json!(true)] {
        let call = json!({"model": "huggingface/groq/sandbox/everywhere", "input": "x", "previous_response_id": wrong});
        let reply = post(&world, "/v1/responses", &[MINE], &call.to_string());
        assert_eq!((reply.status, &reply.json()["error"]["param"]), (400, &json!("previous_response_id")), "{wrong}");
    }
    assert!(
        !world.sandbox.journal()[before..]
            .iter()
            .any(|entry| entry["area"] == "direct" && entry["operation"] != "models")
    );
}
