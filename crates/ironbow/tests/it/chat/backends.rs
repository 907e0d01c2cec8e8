//! Every backend, routed and on its own address, × {plain, stream, tools, parallel tools, JSON schema, vision, reasoning, length}.

use serde_json::{Value, json};

use providers::TABLE;
use types::Operation;

use crate::it::world::{EVERYWHERE, With, World, and, ask};

/// Every backend that Hugging Face routes chat to, as callers may write it.
pub(super) const LIVE: &[&str] = &[
    "hf-inference",
    "cerebras",
    "cohere",
    "featherless-ai",
    "featherless",
    "fireworks-ai",
    "fireworks",
    "groq",
    "novita",
    "nscale",
    "ovhcloud",
    "ovhcloud-ai-endpoints",
    "publicai",
    "public-ai",
    "scaleway",
    "together",
    "togetherai",
    "zai-org",
    "z-ai",
    "zai",
    "baseten",
    "deepinfra",
];

fn at(backend: &str, text: &str) -> Value {
    ask(&format!("huggingface/{backend}/{EVERYWHERE}"), text)
}

fn weather() -> Value {
    json!([{"type": "function", "function": {"name": "get_weather", "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}])
}

/// A stream put together as an SDK does: message and finish reason of each choice, and the usage.
pub(super) fn gather(events: &[Value]) -> (Value, Option<Value>) {
    assert_eq!(events.last(), Some(&json!("[DONE]")), "{events:?}");
    let (mut text, mut reasoning, mut calls, mut finish, mut usage) =
        (String::new(), String::new(), Vec::<Value>::new(), Value::Null, None);
    for chunk in &events[..events.len() - 1] {
        assert_eq!(chunk["object"], "chat.completion.chunk", "{chunk}");
        assert!(chunk["id"].as_str().is_some_and(|id| !id.is_empty()), "{chunk}");
        assert!(chunk["created"].is_u64() && chunk["model"].is_string(), "{chunk}");
        assert_eq!(chunk["id"], events[0]["id"], "one id for the whole stream");
        if chunk["usage"].is_object() {
            assert!(usage.replace(chunk["usage"].clone()).is_none(), "usage twice");
            assert_eq!(chunk["choices"], json!([]), "usage stands in a chunk of its own");
        }
        for choice in chunk["choices"].as_array().unwrap() {
            let delta = &choice["delta"];
            text.push_str(delta["content"].as_str().unwrap_or(""));
            reasoning.push_str(delta["reasoning_content"].as_str().or(delta["reasoning"].as_str()).unwrap_or(""));
            for call in delta["tool_calls"].as_array().unwrap_or(&Vec::new()) {
                let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
                if calls.len() <= index {
                    calls.push(json!({"id": call["id"], "name": call["function"]["name"], "arguments": ""}));
                }
                let more = call["function"]["arguments"].as_str().unwrap_or("");
                let so_far = calls[index]["arguments"].as_str().unwrap().to_owned();
                calls[index]["arguments"] = json!(so_far + more);
            }
            if !choice["finish_reason"].is_null() {
                finish = choice["finish_reason"].clone();
            }
        }
    }
    (json!({"text": text, "reasoning": reasoning, "calls": calls, "finish": finish}), usage)
}

/// The same of a whole answer.
pub(super) fn meaning(answer: &Value) -> Value {
    assert_eq!(answer["object"], "chat.completion", "{answer}");
    assert!(answer["id"].as_str().is_some_and(|id| !id.is_empty()), "{answer}");
    assert!(answer["usage"]["total_tokens"].is_u64(), "{answer}");
    let choice = &answer["choices"][0];
    let message = &choice["message"];
    let calls = message["tool_calls"].as_array().cloned().unwrap_or_default().into_iter().map(
        |call| json!({"id": call["id"], "name": call["function"]["name"], "arguments": call["function"]["arguments"]}),
    );
    json!({
        "text": message["content"].as_str().unwrap_or(""),
        "reasoning": message["reasoning_content"].as_str().or(message["reasoning"].as_str()).unwrap_or(""),
        "calls": calls.collect::<Vec<_>>(),
        "finish": choice["finish_reason"],
    })
}

/// What each backend that is not routed calls a model of its own in the sandbox.
const OWN_MODELS: &[(&str, &str)] = &[
    ("hyperbolic", "meta-llama/Llama-3.2-3B-Instruct"),
    ("nebius", "meta-llama/Meta-Llama-3.1-8B-Instruct-fast"),
    ("sambanova", "Meta-Llama-3.1-8B-Instruct"),
    ("clarifai", "openai/chat-completion/models/gpt-oss-120b"),
    ("nvidia", "meta/llama-3.1-8b-instruct"),
    ("openai", "gpt-4o-mini"),
];

/// A gateway with each backend's own key, and the names of a model at every backend that has an address of its own.
pub(super) fn direct() -> (World, Vec<(&'static str, String)>) {
    let (mut config, mut env, mut names) = (String::new(), Vec::new(), Vec::new());
    for backend in TABLE.iter().filter(|backend| backend.can(Operation::Chat) && backend.direct.is_some()) {
        let id = backend.id;
        let variable: &'static str = format!("KEY_{}", id.replace('-', "_").to_uppercase()).leak();
        config += &format!("[[huggingface.keys]]\nname = \"{id}\"\nvalue = \"env:{variable}\"\nbackend = \"{id}\"\n");
        config += &format!("[backends.{id}]\nbase_url = \"{{sandbox}}/direct/{id}\"\n");
        env.push((variable, format!("key-{id}")));
        let own = OWN_MODELS.iter().find(|(name, _)| *name == id).map_or(EVERYWHERE, |(_, own)| own);
        // With one slash, the name of a backend that is never routed is an organisation's on the Hub.
        let never_routed = !backend.is_routable();
        names.push((
            id,
            if never_routed { format!("huggingface/auto/{own}:{id}") } else { format!("huggingface/{id}/{own}") },
        ));
    }
    assert!(names.len() >= 19, "{names:?}");
    (World::with(With { config: config.leak(), env, without_token: true }), names)
}

/// Asks for a whole answer and for a stream of the same, at every backend on either way; both must mean the same.
fn everywhere(call: &Value, check: impl Fn(&str, &Value)) {
    let routed =
        LIVE.iter().map(|backend| (*backend, format!("huggingface/{backend}/{EVERYWHERE}"))).collect::<Vec<_>>();
    let (own, direct) = direct();
    for (world, area, names) in [(World::plain(), "routed", routed), (own, "direct", direct)] {
        at_each(&world, &names, call, &check);
        assert!(world.upstream_chats().iter().all(|chat| chat["area"] == area));
    }
}

fn at_each(world: &World, names: &[(&str, String)], call: &Value, check: impl Fn(&str, &Value)) {
    for (backend, model) in names {
        let body = and(call.clone(), json!({"model": model}));
        let reply = world.chat(&body);
        assert_eq!(reply.status, 200, "{backend}: {}", reply.text());
        assert!(reply.complete);
        let whole = meaning(&reply.json());
        check(backend, &whole);
        let streamed = and(body, json!({"stream": true, "stream_options": {"include_usage": true}}));
        let reply = world.chat(&streamed);
        assert_eq!(reply.status, 200, "{backend}: {}", reply.text());
        assert!(reply.header("content-type").unwrap().starts_with("text/event-stream"));
        let (gathered, usage) = gather(&reply.events());
        assert_eq!(gathered, whole, "{backend}: stream and whole answer differ");
        assert!(usage.is_some_and(|u| u["total_tokens"].is_u64()), "{backend}: usage was asked for");
    }
}

#[test]
fn text_arrives_whole_and_streamed_from_every_backend_by_every_alias() {
    everywhere(&at("", "say ünïcödé 🌈 \"quoted\" \\ twice"), |backend, said| {
        assert_eq!(said["text"], "echo: say ünïcödé 🌈 \"quoted\" \\ twice", "{backend}");
        assert_eq!(said["finish"], "stop", "{backend}");
    });
}

#[test]
fn a_tool_call_arrives_with_string_id_and_string_arguments() {
    everywhere(
        &and(at("", "please call for Paris"), json!({"tools": weather(), "tool_choice": "required"})),
        |backend, said| {
            assert_eq!(said["finish"], "tool_calls", "{backend}");
            let call = &said["calls"][0];
            assert!(call["id"].is_string() && call["name"] == "get_weather", "{backend}: {call}");
            let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
            assert!(arguments["city"].as_str().unwrap().contains("Paris"), "{backend}: {arguments}");
        },
    );
}

#[test]
fn parallel_tool_calls_stay_apart() {
    let body = and(at("", "call in parallel"), json!({"tools": weather(), "parallel_tool_calls": true}));
    everywhere(&body, |backend, said| {
        let calls = said["calls"].as_array().unwrap();
        assert_eq!(calls.len(), 2, "{backend}");
        assert_ne!(calls[0]["id"], calls[1]["id"], "{backend}");
    });
}

#[test]
fn a_tool_result_reaches_the_model() {
    let mut body = and(at("", "call"), json!({"tools": weather()}));
    body["messages"].as_array_mut().unwrap().extend([
        json!({"role": "assistant", "content": null, "refusal": null, "annotations": [], "audio": null, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"}}]}),
        json!({"role": "tool", "tool_call_id": "c1", "content": "rain"}),
    ]);
    everywhere(&body, |backend, said| assert_eq!(said["text"], "tool said: rain", "{backend}"));
}

#[test]
fn a_json_schema_is_honoured_in_each_backends_own_dialect() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["city", "n"], "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {"name": "place", "strict": true, "schema": schema}});
    everywhere(&and(at("", "where?"), json!({"response_format": format})), |backend, said| {
        let value: Value =
            serde_json::from_str(said["text"].as_str().unwrap()).unwrap_or_else(|e| panic!("{backend}: {e}: {said}"));
        assert!(value["city"].is_string() && value["n"].is_i64(), "{backend}: {value}");
    });
}

#[test]
fn pictures_reach_the_model() {
    let parts = json!([{"type": "text", "text": "what is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]);
    let body = json!({"messages": [{"role": "user", "content": parts}]});
    everywhere(&body, |backend, said| {
        assert_eq!(said["text"], "echo: what is it? [image image/png 8 bytes]", "{backend}");
    });
}

#[test]
fn reasoning_is_kept() {
    let body = and(at("", "hm"), json!({"reasoning_effort": "low"}));
    everywhere(&body, |backend, said| assert_eq!(said["reasoning"], "thinking about: hm", "{backend}"));
}

#[test]
fn every_way_to_say_how_much_is_said_to_the_backend_in_its_own() {
    for member in ["max_tokens", "max_completion_tokens"] {
        everywhere(&and(at("", "one two three four"), json!({member: 2})), |backend, said| {
            assert_eq!((&said["text"], &said["finish"]), (&json!("echo: one"), &json!("length")), "{backend} {member}");
        });
    }
}

#[test]
fn what_only_openai_understands_offends_no_backend() {
    let body = json!({
        "messages": [{"role": "developer", "content": "be kind"}, {"role": "user", "content": "hi", "name": null}],
        "store": true, "service_tier": "auto", "metadata": {"a": "b"}, "user": "u1", "prompt_cache_key": "k",
        "safety_identifier": "s", "temperature": null, "tools": null, "seed": 7, "stop": null, "top_p": 0.5,
    });
    everywhere(&body, |backend, said| assert_eq!(said["text"], "echo: hi", "{backend}"));
}

#[test]
fn usage_is_shown_in_a_stream_only_to_who_asked() {
    let world = World::plain();
    for backend in LIVE {
        let reply = world.chat(&and(at(backend, "hi there"), json!({"stream": true})));
        let events = reply.events();
        let (said, usage) = gather(&events);
        assert_eq!((said["text"].as_str(), usage), (Some("echo: hi there"), None), "{backend}");
        assert!(!reply.text().contains("prompt_tokens"), "{backend}: {}", reply.text());
    }
}

#[test]
fn the_model_goes_first_and_under_the_backends_own_name() {
    let world = World::plain();
    let mut body = serde_json::Map::new();
    body.insert("messages".into(), json!([{"role": "user", "content": "hi"}]));
    body.insert("temperature".into(), json!(0));
    body.insert("model".into(), json!(format!("huggingface/fireworks/{EVERYWHERE}")));
    assert_eq!(world.chat(&Value::Object(body)).status, 200);
    let chats = world.upstream_chats();
    assert_eq!(chats[0]["path"], "/fireworks-ai/inference/v1/chat/completions");
    let sent = chats[0]["body"].as_str().unwrap();
    assert!(sent.starts_with(r#"{"model":"accounts/fireworks/models/everywhere-v1p0","#), "{sent}");
    assert_eq!(sent.matches("\"model\"").count(), 1);
}

#[test]
fn unknown_members_survive_both_ways_byte_for_byte() {
    let world = World::plain();
    let raw = format!(
        r#"{{"model":"huggingface/groq/{EVERYWHERE}","messages":[{{"role":"user","content":"hi","x":1.50}}],"x_new": {{"deep":[1e2, 1.0,"\u00e9"]}} }}"#
    );
    let reply = world.send("POST", "/v1/chat/completions", &[("content-type", "application/json")], raw.as_bytes());
    // groq refuses unknown members, if it is strict about them; what counts is what was sent.
    let sent = world.upstream_chats()[0]["body"].as_str().unwrap().to_owned();
    assert!(sent.contains(r#""x_new": {"deep":[1e2, 1.0,"\u00e9"]}"#) && sent.contains(r#""x":1.50"#), "{sent}");
    assert!(reply.status == 200 || reply.status == 400, "{}", reply.text());
    let reply = world.chat(&at("cerebras", "hi"));
    assert!(reply.text().contains("\"time_info\":{\"queue_time\":9.163e-05"), "{}", reply.text());
}
