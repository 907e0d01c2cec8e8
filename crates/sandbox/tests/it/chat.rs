//! What every backend answers.

use super::client::{chat, everywhere, sandbox, says, with};
use serde_json::{Value, json};

const LIVE: &[&str] = &[
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
];

#[tokio::test]
async fn every_backend_echoes_routed_and_direct() {
    let running = sandbox();
    for backend in LIVE {
        let (path, model) = everywhere(backend);
        let got = chat(&running, &path, "hf_sandbox", &says(&model, "hello there")).await;
        assert_eq!(got.status, 200, "{backend}: {}", got.text());
        assert_eq!(got.json()["choices"][0]["message"]["content"], "echo: hello there", "{backend}");
        assert_eq!(
            got.json()["usage"],
            json!({"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}),
            "{backend}"
        );
        if *backend == "hf-inference" {
            continue;
        }
        let direct =
            chat(&running, &format!("/direct{path}"), &format!("key-{backend}"), &says(&model, "hello there")).await;
        assert_eq!(direct.body, got.body, "{backend}: the same bytes behind both doors");
    }
}

#[tokio::test]
async fn every_backend_streams_the_same_text() {
    let running = sandbox();
    for backend in LIVE {
        let (path, model) = everywhere(backend);
        let body = with(says(&model, "a b c d e f g"), json!({"stream": true}));
        let got = chat(&running, &path, "hf_sandbox", &body).await;
        assert!(got.whole && got.status == 200, "{backend}");
        assert!(got.header("content-type").unwrap().starts_with("text/event-stream"), "{backend}");
        assert_eq!(got.streamed(), "echo: a b c d e f g", "{backend}");
        let done = got.text().ends_with("data: [DONE]\n\n");
        assert_eq!(done, *backend != "cerebras", "{backend}");
    }
}

#[tokio::test]
async fn usage_stands_where_each_backend_puts_it() {
    let running = sandbox();
    for backend in LIVE {
        let (path, model) = everywhere(backend);
        let unasked = ["cerebras", "cohere", "fireworks-ai", "together", "zai-org"].contains(backend);
        let body = with(says(&model, "hi"), json!({"stream": true}));
        let events = chat(&running, &path, "hf_sandbox", &body).await.events();
        assert_eq!(events.last().unwrap()["usage"].is_object(), unasked, "{backend}");
        let body = with(body, json!({"stream_options": {"include_usage": true}}));
        let events = chat(&running, &path, "hf_sandbox", &body).await.events();
        let last = events.last().unwrap();
        assert_eq!(last["usage"]["total_tokens"], 4, "{backend}");
        assert_eq!(last["choices"].as_array().unwrap().is_empty(), !unasked, "{backend}");
        assert_eq!(events.iter().filter(|event| event["usage"].is_object()).count(), 1, "{backend}");
    }
}

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "get_weather", "parameters":
        {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}}])
}

/// Calls put together from the deltas of a stream: id, name, arguments.
fn called(events: &[Value]) -> Vec<(String, String, String)> {
    let mut calls: Vec<(String, String, String)> = Vec::new();
    let deltas = events.iter().filter_map(|event| event.pointer("/choices/0/delta/tool_calls")?.as_array());
    for delta in deltas.flatten() {
        let at = usize::try_from(delta["index"].as_u64().unwrap()).unwrap();
        if at == calls.len() {
            calls.push(Default::default());
        }
        let text = |pointer: &str| delta.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        calls[at].0 += &text("/id");
        calls[at].1 += &text("/function/name");
        calls[at].2 += &text("/function/arguments");
    }
    calls
}

#[tokio::test]
async fn tool_calls_are_the_same_whole_and_streamed() {
    let running = sandbox();
    for backend in LIVE {
        let (path, model) = everywhere(backend);
        let body = with(says(&model, "call parallel"), json!({"tools": tools()}));
        let whole = chat(&running, &path, "hf_sandbox", &body).await.json();
        let choice = &whole["choices"][0];
        assert_eq!(choice["finish_reason"], "tool_calls", "{backend}");
        let calls = choice["message"]["tool_calls"].as_array().unwrap();
        assert_eq!(calls.len(), 2, "{backend}");
        let events = chat(&running, &path, "hf_sandbox", &with(body, json!({"stream": true}))).await.events();
        for (streamed, call) in called(&events).iter().zip(calls) {
            let arguments: Value = serde_json::from_str(&streamed.2).unwrap();
            assert_eq!(arguments, json!({"city": "call parallel", "days": 7}), "{backend}");
            assert_eq!(streamed.2, call["function"]["arguments"].as_str().unwrap(), "{backend}");
            assert_eq!(
                (streamed.0.as_str(), streamed.1.as_str()),
                (call["id"].as_str().unwrap(), "get_weather"),
                "{backend}"
            );
        }
    }
}

#[tokio::test]
async fn a_tool_result_is_answered_in_words() {
    let running = sandbox();
    let (path, model) = everywhere("groq");
    let body = json!({"model": model, "tools": tools(), "messages": [
        {"role": "user", "content": "call it"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function",
            "function": {"name": "get_weather", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}]});
    let got = chat(&running, &path, "hf_sandbox", &body).await.json();
    assert_eq!(got["choices"][0]["message"]["content"], "tool said: sunny");
}

#[tokio::test]
async fn limits_stops_choices_and_logprobs_are_honoured() {
    let running = sandbox();
    let (path, model) = everywhere("nscale");
    let ask = async |more: Value| chat(&running, &path, "hf_sandbox", &with(says(&model, "a b c"), more)).await.json();
    let cut = ask(json!({"max_tokens": 2})).await;
    assert_eq!(
        (&cut["choices"][0]["message"]["content"], &cut["choices"][0]["finish_reason"]),
        (&json!("echo: a"), &json!("length"))
    );
    assert_eq!(ask(json!({"stop": [" b"]})).await["choices"][0]["message"]["content"], "echo: a");
    assert_eq!(ask(json!({"n": 2})).await["choices"].as_array().unwrap().len(), 2);
    let logged = ask(json!({"logprobs": true, "top_logprobs": 1})).await;
    let tokens = logged["choices"][0]["logprobs"]["content"].as_array().unwrap();
    assert_eq!(tokens.iter().map(|token| token["token"].as_str().unwrap()).collect::<String>(), "echo: a b c");
    assert_eq!(tokens[0]["top_logprobs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn reasoning_is_shown_under_each_backends_own_name() {
    let running = sandbox();
    for (backend, name) in [("groq", "reasoning"), ("novita", "reasoning_content"), ("hf-inference", "reasoning")] {
        let (path, model) = everywhere(backend);
        let body = with(says(&model, "hm"), json!({"reasoning_effort": "low"}));
        let whole = chat(&running, &path, "hf_sandbox", &body).await.json();
        assert_eq!(whole["choices"][0]["message"][name], "thinking about: hm", "{backend}");
        assert_eq!(whole["usage"]["completion_tokens_details"]["reasoning_tokens"], 3, "{backend}");
        let events = chat(&running, &path, "hf_sandbox", &with(body, json!({"stream": true}))).await.events();
        let thought = events.iter().filter_map(|event| event["choices"][0]["delta"][name].as_str()).collect::<String>();
        assert_eq!(thought, "thinking about: hm", "{backend}");
    }
}

#[tokio::test]
async fn images_are_named_by_kind_and_size() {
    let running = sandbox();
    let (path, model) = everywhere("together");
    let body = json!({"model": model, "messages": [{"role": "user", "content": [{"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]});
    let got = chat(&running, &path, "hf_sandbox", &body).await.json();
    let expected = "echo: see [image image/png 3 bytes] [image at https://example.com/a.png]";
    assert_eq!(got["choices"][0]["message"]["content"], expected);
}

#[tokio::test]
async fn a_fixed_number_of_numbered_chunks_comes_on_request() {
    let running = sandbox();
    running.set(&json!({"chunks": 30, "chunk_bytes": 10})).unwrap();
    let (path, model) = everywhere("fireworks-ai");
    let got = chat(&running, &path, "hf_sandbox", &with(says(&model, "x"), json!({"stream": true}))).await;
    let text = got.streamed();
    let words: Vec<&str> = text.split(' ').collect();
    assert_eq!((words.len(), words[0], words[29]), (30, "c1.......", "c30......"));
    let with_text = got.events().iter().filter(|event| event["choices"][0]["delta"]["content"].is_string()).count();
    assert_eq!(with_text, 30);
}

#[tokio::test]
async fn old_tgi_speaks_as_it_did() {
    let running = sandbox();
    running.set(&json!({"old_tgi": true})).unwrap();
    let (path, model) = everywhere("hf-inference");
    let got = chat(&running, &path, "hf_sandbox", &with(says(&model, "hi"), json!({"stream": true}))).await;
    assert!(got.text().starts_with("data:{\"id\":\"\",\"object\":\"text_completion\""), "{}", got.text());
    assert!(!got.text().contains("[DONE]"));
    assert_eq!(got.events().last().unwrap()["choices"][0]["finish_reason"], "eos_token");
    let body = with(says(&model, "call"), json!({"tools": tools()}));
    let whole = chat(&running, &path, "hf_sandbox", &body).await.json();
    let call = &whole["choices"][0]["message"]["tool_calls"][0];
    assert_eq!((&call["id"], &call["function"]["arguments"]["days"]), (&json!(0), &json!(7)));
}

#[tokio::test]
async fn removed_backends_speak_on_their_own_address_and_when_revived() {
    let running = sandbox();
    for (backend, model) in [
        ("hyperbolic", "meta-llama/Llama-3.2-3B-Instruct"),
        ("nebius", "meta-llama/Meta-Llama-3.1-8B-Instruct-fast"),
        ("sambanova", "Meta-Llama-3.1-8B-Instruct"),
        ("nvidia", "meta/llama-3.1-8b-instruct"),
    ] {
        let path = format!("/{backend}/v1/chat/completions");
        let body = with(says(model, "hi"), json!({"stream": true}));
        let direct = chat(&running, &format!("/direct{path}"), &format!("key-{backend}"), &body).await;
        assert_eq!(direct.streamed(), "echo: hi", "{backend}");
        let routed = chat(&running, &path, "hf_sandbox", &body).await;
        assert_eq!(routed.status, 400, "{backend}");
        assert_eq!(routed.json()["error"], format!("Provider {backend} is no longer supported"));
        running.set(&json!({"revived": [backend]})).unwrap();
        assert_eq!(chat(&running, &path, "hf_sandbox", &body).await.streamed(), "echo: hi", "{backend}");
    }
}

#[tokio::test]
async fn the_routers_own_surface_chooses_and_names_the_backend() {
    let running = sandbox();
    for (name, backend) in [
        ("sandbox/everywhere", "cerebras"),
        ("sandbox/everywhere:fastest", "cerebras"),
        ("sandbox/everywhere:cheapest", "groq"),
        ("sandbox/everywhere:preferred", "hf-inference"),
        ("sandbox/everywhere:zai-org", "zai-org"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct:groq", "groq"),
    ] {
        let got = chat(&running, "/v1/chat/completions", "hf_sandbox", &says(name, "hi")).await;
        assert_eq!((got.status, got.header("x-inference-provider")), (200, Some(backend)), "{name}: {}", got.text());
    }
    let got = chat(&running, "/v1/chat/completions", "hf_sandbox", &says("zai-org/GLM-4.5:groq", "hi")).await;
    assert_eq!((got.status, &got.json()["error"]["param"]), (400, &json!("model")));
    assert_eq!(chat(&running, "/v1/chat/completions", "key-groq", &says("sandbox/everywhere", "hi")).await.status, 401);
}

#[tokio::test]
async fn a_script_goes_on_turn_by_turn_and_leaves_side_questions_alone() {
    let running = sandbox();
    let call = json!({"name": "read", "arguments": {"path": "/a"}});
    let script = json!([{"text": "I look.", "tool_calls": [call, call]}, {"tool_calls": [call]}, {"text": "Done."}]);
    running.set(&json!({ "script": script })).unwrap();
    let (path, model) = everywhere("groq");
    let tools = json!([{"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}]);
    let mut messages = vec![json!({"role": "user", "content": "work"})];
    let mut told = Vec::new();
    for _ in 0..4 {
        let body = json!({"model": model, "messages": messages, "tools": tools});
        let got = chat(&running, &path, "hf_sandbox", &body).await;
        let message = got.json()["choices"][0]["message"].clone();
        let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
        told.push((message["content"].as_str().map(str::to_owned), calls.len()));
        messages.push(json!({"role": "assistant", "content": message["content"], "tool_calls": calls}));
        for call in &calls {
            messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "x"}));
        }
        if calls.is_empty() {
            messages.pop();
        }
    }
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(told, [(text("I look."), 2), (None, 1), (text("Done."), 0), (text("Done."), 0)]);
    let streamed = with(says(&model, "work"), json!({"tools": tools, "stream": true}));
    let got = chat(&running, &path, "hf_sandbox", &streamed).await;
    assert_eq!(got.streamed(), "I look.");
    let aside = chat(&running, &path, "hf_sandbox", &says(&model, "title")).await;
    assert_eq!(aside.json()["choices"][0]["message"]["content"], "echo: title");
}
