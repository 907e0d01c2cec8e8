//! The doors of other dialects, at every backend, whole and streamed. (What each dialect says in detail is tested in `wire`.)

use serde_json::{Value, json};

use super::{
    raw::Reply,
    world::{EVERYWHERE, World},
};

fn post(world: &World, path: &str, body: &Value) -> Reply {
    world.send(
        "POST",
        path,
        &[("content-type", "application/json"), ("x-api-key", "anything")],
        body.to_string().as_bytes(),
    )
}

/// The data of every event of a stream.
fn events(reply: &Reply) -> Vec<Value> {
    let text = reply.text().replace("\r\n", "\n");
    let data = text.split("\n\n").filter_map(|frame| frame.lines().find_map(|line| line.strip_prefix("data: ")));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

const BACKENDS: &[&str] =
    &["hf-inference", "cerebras", "cohere", "fireworks-ai", "groq", "novita", "together", "zai-org"];

#[test]
fn anthropics_door_answers_in_messages() {
    let world = World::plain();
    for backend in BACKENDS {
        let mut body = json!({"model": format!("huggingface/{backend}/{EVERYWHERE}"), "max_tokens": 100, "system": "Be kind.",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi there", "cache_control": {"type": "ephemeral"}}]}]});
        let reply = post(&world, "/anthropic/v1/messages", &body);
        assert_eq!(reply.status, 200, "{backend}: {}", reply.text());
        let said = reply.json();
        assert_eq!(
            (&said["type"], &said["stop_reason"], &said["content"][0]["text"]),
            (&json!("message"), &json!("end_turn"), &json!("echo: hi there"))
        );
        assert!(said["usage"]["input_tokens"].as_u64().unwrap() > 0);
        body["stream"] = json!(true);
        let events = events(&post(&world, "/anthropic/v1/messages", &body));
        let kinds: Vec<_> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
        assert_eq!(
            (kinds.first(), kinds.last()),
            (Some(&"message_start"), Some(&"message_stop")),
            "{backend}: {kinds:?}"
        );
        let text: String = events.iter().filter_map(|e| e["delta"]["text"].as_str()).collect();
        assert_eq!(text, "echo: hi there", "{backend}");
    }
    let tools = json!({"model": format!("huggingface/groq/{EVERYWHERE}"), "max_tokens": 100, "tool_choice": {"type": "any"},
        "tools": [{"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}],
        "messages": [{"role": "user", "content": "call for Paris"}]});
    let said = post(&world, "/anthropic/v1/messages", &tools).json();
    assert_eq!(said["stop_reason"], "tool_use", "{said}");
    let call = said["content"].as_array().unwrap().iter().find(|b| b["type"] == "tool_use").unwrap();
    assert!(call["input"]["city"].as_str().unwrap().contains("Paris"), "{call}");
    let counted = post(&world, "/anthropic/v1/messages/count_tokens", &tools);
    assert!(counted.json()["input_tokens"].as_u64().unwrap() > 5, "{}", counted.text());
    let refused = post(
        &world,
        "/anthropic/v1/messages",
        &json!({"model": "x", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}),
    );
    assert_eq!((refused.status, &refused.json()["type"]), (404, &json!("error")), "{}", refused.text());
}

#[test]
fn what_a_model_thought_comes_back_to_it_after_a_restart_too_and_a_forged_thought_is_refused() {
    let mut world = World::plain();
    let model = format!("huggingface/groq/{EVERYWHERE}");
    let first = json!({"model": model, "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024},
        "messages": [{"role": "user", "content": "hm"}]});
    let said = post(&world, "/anthropic/v1/messages", &first).json();
    assert_eq!(said["content"][0]["type"], "thinking", "{said}");
    let mut again = first.clone();
    again["messages"]
        .as_array_mut()
        .unwrap()
        .extend([json!({"role": "assistant", "content": said["content"]}), json!({"role": "user", "content": "and?"})]);
    world.kill_and_restart();
    for thinking in [said["content"][0]["thinking"].clone(), json!("")] {
        // As it was given out, and as it is kept by those who asked for `display: "omitted"`.
        again["messages"][1]["content"][0]["thinking"] = thinking;
        let reply = post(&world, "/anthropic/v1/messages", &again);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let sent: Value =
            serde_json::from_str(world.upstream_chats().last().unwrap()["body"].as_str().unwrap()).unwrap();
        assert_eq!(sent["messages"][1]["reasoning"], "thinking about: hm", "{sent}");
    }
    again["messages"][1]["content"][0]["signature"] = json!("Zm9yZ2Vk");
    let reply = post(&world, "/anthropic/v1/messages", &again);
    assert_eq!(
        (reply.status, &reply.json()["error"]["type"]),
        (400, &json!("invalid_request_error")),
        "{}",
        reply.text()
    );
}

#[test]
fn the_responses_door_answers_in_items_and_typed_events() {
    let world = World::plain();
    for backend in BACKENDS {
        let mut body = json!({"model": format!("huggingface/{backend}/{EVERYWHERE}"), "input": "hi there", "max_output_tokens": 100});
        let reply = post(&world, "/v1/responses", &body);
        assert_eq!(reply.status, 200, "{backend}: {}", reply.text());
        let said = reply.json();
        assert_eq!(
            (&said["object"], &said["status"], &said["store"]),
            (&json!("response"), &json!("completed"), &json!(true))
        );
        let message = said["output"].as_array().unwrap().iter().find(|item| item["type"] == "message").unwrap();
        assert_eq!(message["content"][0]["text"], "echo: hi there");
        body["stream"] = json!(true);
        let events = events(&post(&world, "/v1/responses", &body));
        let numbers: Vec<_> = events.iter().map(|e| e["sequence_number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
        assert_eq!(events.first().unwrap()["type"], "response.created");
        assert_eq!(events.last().unwrap()["type"], "response.completed", "{backend}");
    }
    let reply = post(
        &world,
        "/v1/responses",
        &json!({"model": format!("huggingface/groq/{EVERYWHERE}"), "input": "x", "previous_response_id": "resp_1"}),
    );
    assert_eq!((reply.status, &reply.json()["error"]["param"]), (404, &json!("previous_response_id")));
}

#[test]
fn googles_door_generates_counts_and_embeds() {
    let world = World::plain();
    for backend in BACKENDS {
        let path = format!("/genai/v1beta/models/huggingface/{backend}/{EVERYWHERE}");
        let body = json!({"contents": [{"role": "user", "parts": [{"text": "hi there"}]}], "generationConfig": {"maxOutputTokens": 100}});
        let reply = post(&world, &format!("{path}:generateContent"), &body);
        assert_eq!(reply.status, 200, "{backend}: {}", reply.text());
        assert_eq!(reply.json()["candidates"][0]["content"]["parts"][0]["text"], "echo: hi there");
        let said = events(&post(&world, &format!("{path}:streamGenerateContent?alt=sse"), &body));
        let text: String =
            said.iter().filter_map(|e| e["candidates"][0]["content"]["parts"][0]["text"].as_str()).collect();
        assert_eq!(text, "echo: hi there", "{backend}");
        let array = post(&world, &format!("{path}:streamGenerateContent"), &body);
        assert!(array.json().is_array(), "{}", array.text());
        assert!(post(&world, &format!("{path}:countTokens"), &body).json()["totalTokens"].as_u64().unwrap() > 0);
    }
    let body = json!({"content": {"parts": [{"text": "embed me"}]}});
    let reply = post(&world, "/genai/v1beta/models/huggingface/scaleway/sandbox/embeds:embedContent", &body);
    assert!(reply.json()["embedding"]["values"].as_array().is_some_and(|v| v.len() > 63), "{}", reply.text());
    let reply = post(
        &world,
        "/genai/v1beta/models/nobody/nothing:generateContent",
        &json!({"contents": [{"parts": [{"text": "x"}]}]}),
    );
    assert_eq!((reply.status, &reply.json()["error"]["status"]), (404, &json!("NOT_FOUND")), "{}", reply.text());
}

#[test]
fn older_completions_are_chats_of_one_message() {
    let world = World::plain();
    let body = json!({"model": format!("huggingface/groq/{EVERYWHERE}"), "prompt": "hi there", "max_tokens": 50});
    let reply = post(&world, "/v1/completions", &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(
        (&reply.json()["object"], &reply.json()["choices"][0]["text"]),
        (&json!("text_completion"), &json!("echo: hi there"))
    );
    let mut streamed = body;
    streamed["stream"] = json!(true);
    let reply = post(&world, "/v1/completions", &streamed);
    let text: String = events(&reply).iter().filter_map(|e| e["choices"][0]["text"].as_str()).collect();
    assert_eq!(text, "echo: hi there");
    assert!(reply.text().ends_with("data: [DONE]\n\n"));
}

#[test]
fn a_stream_that_breaks_ends_with_an_error_in_the_doors_own_words() {
    let world = World::plain();
    world.settings(&json!({"gap_ms": 30}));
    let model = format!("huggingface/groq/{EVERYWHERE}");
    let fault = json!({"times": 1, "fault": {"kind": "stream_error", "after": 2, "message": "GPU on fire"}, "match": {"area": "routed"}});
    for (path, body, sign) in [
        (
            "/anthropic/v1/messages",
            json!({"model": model, "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "a b c d"}]}),
            "event: error",
        ),
        ("/v1/responses", json!({"model": model, "stream": true, "input": "a b c d"}), "response.failed"),
        ("/v1/completions", json!({"model": model, "stream": true, "prompt": "a b c d"}), "\"error\""),
    ] {
        world.fault(&fault);
        let reply = post(&world, path, &body);
        assert!(reply.text().contains("GPU on fire") && reply.text().contains(sign), "{path}: {}", reply.text());
    }
}

#[test]
fn coheres_door_chats_and_embeds() {
    let world = World::plain();
    let mut body = json!({"model": format!("huggingface/groq/{EVERYWHERE}"), "messages": [{"role": "user", "content": "hi there"}]});
    let said = post(&world, "/cohere/v2/chat", &body).json();
    assert_eq!(
        (&said["message"]["content"][0]["text"], &said["finish_reason"]),
        (&json!("echo: hi there"), &json!("COMPLETE")),
        "{said}"
    );
    body["stream"] = json!(true);
    let events = events(&post(&world, "/cohere/v2/chat", &body));
    let kinds: Vec<_> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"message-start"), Some(&"message-end")), "{kinds:?}");
    let body = json!({"model": "huggingface/scaleway/sandbox/embeds", "texts": ["a", "b"], "input_type": "search_document", "embedding_types": ["float"]});
    let said = post(&world, "/cohere/v2/embed", &body).json();
    assert_eq!(said["embeddings"]["float"].as_array().map(Vec::len), Some(2), "{said}");
}

#[test]
fn bedrocks_door_converses_whole_and_in_amazons_framing_and_takes_no_signature() {
    let world = World::plain();
    let path = format!("/bedrock/model/{}", format!("huggingface/groq/{EVERYWHERE}").replace('/', "%2F"));
    let body = json!({"messages": [{"role": "user", "content": [{"text": "hi there"}]}], "inferenceConfig": {"maxTokens": 50}});
    let reply = post(&world, &format!("{path}/converse"), &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["output"]["message"]["content"][0]["text"], "echo: hi there");
    let stream = post(&world, &format!("{path}/converse-stream"), &body);
    assert_eq!(stream.header("content-type"), Some("application/vnd.amazon.eventstream"));
    let text = String::from_utf8_lossy(&stream.body).into_owned();
    assert!(text.contains("messageStart") && text.contains("contentBlockDelta") && text.contains("metadata"), "{text}");
    let headers = [("content-type", "application/json"), ("authorization", "AWS4-HMAC-SHA256 Credential=x")];
    let signed = world.send("POST", &format!("{path}/converse"), &headers, body.to_string().as_bytes());
    assert_eq!(signed.status, 401, "{}", signed.text());
    assert!(signed.header("x-amzn-errortype").is_some() && signed.text().contains("SigV4"), "{}", signed.text());
}

#[test]
fn anthropic_and_google_list_models_and_name_wrong_paths_and_requests_in_their_own_shapes() {
    let world = World::plain();
    let model = format!("huggingface/groq/{EVERYWHERE}");
    let get = |path: &str| world.send("GET", path, &[("x-api-key", "anything")], b"");

    let page = get("/anthropic/v1/models?limit=2");
    assert_eq!(page.header("request-id"), page.header("x-request-id"));
    let page = page.json();
    assert_eq!((page["data"].as_array().unwrap().len(), &page["has_more"]), (2, &json!(true)));
    let next = get(&format!("/anthropic/v1/models?limit=2&after_id={}", page["last_id"].as_str().unwrap())).json();
    assert_ne!(next["first_id"], page["first_id"]);
    let one = get(&format!("/anthropic/v1/models/{model}")).json();
    assert_eq!((&one["type"], &one["id"]), (&json!("model"), &json!(model)));

    let page = get("/genai/v1beta/models?pageSize=2").json();
    assert_eq!(page["models"].as_array().unwrap().len(), 2);
    let token = page["nextPageToken"].as_str().unwrap();
    let next = get(&format!("/genai/v1beta/models?pageSize=2&pageToken={token}")).json();
    assert_ne!(next["models"][0]["name"], page["models"][0]["name"]);
    let one = get(&format!("/genai/v1beta/models/{model}")).json();
    assert_eq!(one["name"], json!(format!("models/{model}")));
    assert!(one["supportedGenerationMethods"].as_array().unwrap().contains(&json!("generateContent")));

    for path in ["/anthropic/v1/nothing", "/anthropic/v1/models/huggingface/groq/o/nobody-has-this"] {
        let wrong = get(path);
        assert_eq!((wrong.status, &wrong.json()["type"]), (404, &json!("error")), "{path}");
        assert!(wrong.header("request-id").is_some(), "{path}");
        assert_eq!(wrong.json()["error"]["type"], "not_found_error", "{path}");
    }
    for path in ["/genai/v9/nothing", "/genai/v1beta/models/huggingface/groq/o/nobody-has-this"] {
        let wrong = get(path);
        assert_eq!((wrong.status, &wrong.json()["error"]["status"]), (404, &json!("NOT_FOUND")), "{path}");
    }
    assert_eq!(get("/anthropic/v1/messages").json()["type"], "error", "a wrong method too");
    assert_eq!(get("/v1/nothing").header("request-id"), None, "OpenAI's SDKs have a header of their own");
}
