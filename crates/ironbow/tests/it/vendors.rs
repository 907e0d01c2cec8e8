//! Vendors' own models: native passage byte for byte where door and vendor agree, translation where they do not.

mod kept;
mod listed;
mod thoughts;

use serde_json::{Value, json};

use super::{
    raw::Reply,
    world::{With, World, and, ask},
};

const KEYS: &str = r#"
[providers.anthropic]
base_url = "{sandbox}/direct/anthropic"
keys = [{ name = "house", value = "env:THE_ANTHROPIC_KEY" }]

[providers.openai]
base_url = "{sandbox}/direct/openai"
environment_key = true
"#;

const ANTHROPIC_KEY: &str = "sk-ant-sandbox-house-0123456789";
const OPENAI_KEY: &str = "sk-sandbox-house-0123456789";

fn world() -> World {
    let env = vec![("THE_ANTHROPIC_KEY", ANTHROPIC_KEY.to_owned()), ("OPENAI_API_KEY", OPENAI_KEY.to_owned())];
    World::with(With { config: KEYS, env, ..With::default() })
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn post(world: &World, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    world.send("POST", path, &[&[JSON], headers].concat(), body.as_bytes())
}

/// What the sandbox itself answers at a vendor's address.
fn from_vendor(world: &World, path: &str, key: (&str, &str), body: &str) -> Reply {
    let headers = [JSON, key, ("anthropic-version", "2023-06-01")];
    let raw = super::raw::request("POST", path, &headers, body.as_bytes());
    super::raw::Exchange::send(world.sandbox.addr, &raw).reply()
}

fn last(world: &World, path: &str) -> Value {
    let at = |entry: &Value| entry["path"].as_str().is_some_and(|p| p.ends_with(path));
    world.sandbox.journal().into_iter().rfind(at).unwrap_or_else(|| panic!("nothing came to {path}"))
}

/// How many calls there were; what is asked of the Hub behind the scenes is none.
fn calls(journal: Vec<Value>) -> usize {
    journal.into_iter().filter(|entry| entry["area"] != "hub" && entry["operation"] != "models").count()
}

fn header(entry: &Value, name: &str) -> Option<String> {
    let pairs = entry["headers"].as_array().unwrap();
    pairs.iter().find(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap().to_owned())
}

/// The data of every event of a stream.
fn events(reply: &Reply) -> Vec<Value> {
    let text = reply.text();
    let data = text.split("\n\n").filter_map(|frame| frame.lines().find_map(|line| line.strip_prefix("data: ")));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn messages(model: &str, text: &str) -> Value {
    json!({"model": model, "max_tokens": 4000, "messages": [{"role": "user", "content": text}]})
}

const MESSAGES: &str = "/anthropic/v1/messages";

#[test]
fn anthropics_messages_pass_to_anthropic_byte_for_byte_whole_and_streamed() {
    let world = world();
    for stream in [false, true] {
        // Odd spacing, an order of its own, an escape: all of it arrives.
        let body = format!(
            "{{ \"max_tokens\":50,\n\"messages\": [ {{\"role\":\"user\",\"content\":\"h\\u00e9 there\"}} ],\"stream\":{stream} ,\"thinking\":{{\"type\":\"adaptive\"}},\"model\" : \"claude-sonnet-4-5\"}}"
        );
        let beta = [("anthropic-version", "2023-06-01"), ("anthropic-beta", "a-1,b-2"), ("x-api-key", "whatever")];
        let reply = post(&world, MESSAGES, &beta, &body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let sent = last(&world, "/v1/messages");
        assert_eq!(sent["body"], json!(body), "what came is what went");
        assert_eq!(header(&sent, "anthropic-beta").as_deref(), Some("a-1,b-2"));
        assert_eq!(header(&sent, "authorization"), None);
        assert_eq!(sent["authorization"], "direct key");
        let vendor = from_vendor(&world, "/direct/anthropic/v1/messages", ("x-api-key", ANTHROPIC_KEY), &body);
        assert_eq!(reply.body, vendor.body, "what came back is what the vendor sent");
        assert!(reply.header("request-id").is_some());
        let line = world.log_line(|line| line.contains("\"route\":\"messages\""));
        let line: Value = serde_json::from_str(&line).unwrap();
        let said = line.to_string();
        assert!(said.contains("\"output_tokens\"") && said.contains("\"finish_reason\":\"stop\""), "{said}");
    }
}

#[test]
fn only_the_models_name_is_replaced() {
    let world = world();
    let body =
        r#"{"model":"anthropic/claude-haiku-4-5" , "max_tokens":9,"messages":[{"role":"user","content":"a b"}]}"#;
    assert_eq!(post(&world, MESSAGES, &[], body).status, 200);
    let sent = last(&world, "/v1/messages");
    assert_eq!(sent["body"], json!(body.replace("anthropic/claude", "claude")));
    assert_eq!(header(&sent, "anthropic-version").as_deref(), Some("2023-06-01"), "the version of those who say none");
}

#[test]
fn a_vendors_tools_and_thoughts_come_back_to_it_unchanged() {
    let world = world();
    let tools = json!([{"name": "look", "input_schema": {"type": "object", "properties": {"x": {"type": "string"}}}}]);
    let thinking = json!({"type": "enabled", "budget_tokens": 1024});
    let mut body = and(messages("claude-opus-4-6", "call it"), json!({"tools": tools, "thinking": thinking}));
    let said = post(&world, MESSAGES, &[], &body.to_string()).json();
    assert_eq!((&said["stop_reason"], &said["content"][0]["type"]), (&json!("tool_use"), &json!("thinking")), "{said}");
    let call = said["content"][1].clone();
    let turns = body["messages"].as_array_mut().unwrap();
    turns.push(json!({"role": "assistant", "content": said["content"]}));
    turns.push(
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": "42"}]}),
    );
    let reply = post(&world, MESSAGES, &[], &body.to_string());
    assert_eq!(reply.status, 200, "a signature of Anthropic's is Anthropic's to judge: {}", reply.text());
    body["messages"][1]["content"][0]["signature"] = json!("forged");
    let reply = post(&world, MESSAGES, &[], &body.to_string());
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("Invalid `signature`"), "in Anthropic's own words: {}", reply.text());
}

#[test]
fn anthropic_counts_tokens_of_its_own_models() {
    let world = world();
    let body = json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "one two three"}]});
    let reply = post(&world, "/anthropic/v1/messages/count_tokens", &[], &body.to_string());
    assert_eq!(reply.text(), r#"{"input_tokens":4}"#);
    assert_eq!(last(&world, "/count_tokens")["body"], json!(body.to_string()));
    let other = and(body, json!({"model": "huggingface/groq/x"}));
    let before = calls(world.sandbox.journal());
    assert_eq!(post(&world, "/anthropic/v1/messages/count_tokens", &[], &other.to_string()).status, 200);
    assert_eq!(calls(world.sandbox.journal()), before, "for all others nothing is sent");
}

#[test]
fn anthropics_errors_keep_their_words_and_statuses() {
    let body = messages("claude-sonnet-4-5", "hi").to_string();
    for (status, kind) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (404, "not_found_error"),
        (429, "rate_limit_error"),
        (529, "overloaded_error"),
        (500, "api_error"),
    ] {
        let world = world();
        world.fault(
            &json!({"match": {"operation": "messages"}, "times": 20, "fault": {"kind": "status", "status": status, "headers": {"retry-after": "7"}}}),
        );
        let reply = post(&world, MESSAGES, &[], &body);
        assert_eq!((reply.status, &reply.json()["error"]["type"]), (status, &json!(kind)), "{}", reply.text());
        assert!(reply.json()["request_id"].as_str().unwrap().starts_with("req_"));
    }
    let world = world();
    world.fault(
        &json!({"match": {"operation": "messages"}, "times": 20, "fault": {"kind": "echo_key", "place": "error"}}),
    );
    let reply = post(&world, MESSAGES, &[], &body);
    assert!(!reply.text().contains("house-0123456789"), "{}", reply.text());
}

#[test]
fn a_vendors_stream_that_breaks_ends_with_an_error_event_of_the_dialect() {
    let world = world();
    let body = and(messages("claude-sonnet-4-5", "one two three four"), json!({"stream": true})).to_string();
    world.fault(&json!({"match": {"operation": "messages"}, "times": 20, "fault": {"kind": "stream_error", "after": 0, "shape": "anthropic"}}));
    let reply = post(&world, MESSAGES, &[], &body);
    assert_eq!(
        (reply.status, &reply.json()["error"]["type"]),
        (529, &json!("overloaded_error")),
        "before anything was promised"
    );
    let world = self::world();
    world.settings(&json!({"gap_ms": 30}));
    world.fault(&json!({"match": {"operation": "messages"}, "times": 1, "fault": {"kind": "stream_error", "after": 4, "shape": "anthropic", "message": "Overloaded"}}));
    let reply = post(&world, MESSAGES, &[], &body);
    let told = events(&reply);
    let error = told.last().unwrap_or_else(|| panic!("{} {}", reply.status, reply.text()));
    assert_eq!((&error["type"], &error["error"]["type"]), (&json!("error"), &json!("overloaded_error")), "{error}");
    for fault in [json!({"kind": "truncate", "after": 5, "mid_frame": true}), json!({"kind": "cut", "after": 5})] {
        world.fault(&json!({"match": {"operation": "messages"}, "times": 1, "fault": fault}));
        let reply = post(&world, MESSAGES, &[], &body);
        let text = reply.text();
        let error: Value = serde_json::from_str(text.rsplit("data: ").next().unwrap().trim()).unwrap();
        assert_eq!(error["type"], "error", "{fault}: {text}");
    }
    let responses = json!({"model": "gpt-4o", "input": "one two three", "stream": true}).to_string();
    world.fault(&json!({"match": {"operation": "responses"}, "times": 1, "fault": {"kind": "truncate", "after": 5}}));
    let told = events(&post(&world, "/v1/responses", &[], &responses));
    let error = told.last().unwrap();
    assert_eq!((&error["type"], &error["sequence_number"]), (&json!("error"), &json!(5)), "{error}");
}

#[test]
fn openais_responses_pass_to_openai_with_everything_that_only_openai_can_do() {
    let world = world();
    let before = post(&world, "/v1/responses", &[], r#"{"input":"before","model":"gpt-5-mini"}"#).json();
    let before = before["id"].as_str().unwrap();
    for stream in [false, true] {
        let body = format!(
            r#"{{"input":"find it", "model":"gpt-5-mini","tools":[{{"type":"web_search"}}],"previous_response_id":"{before}","store":true,"include":["reasoning.encrypted_content"],"reasoning":{{"effort":"low"}},"stream":{stream}}}"#
        );
        let headers = [("openai-organization", "org-mine"), ("openai-beta", "responses=v1")];
        let reply = post(&world, "/v1/responses", &headers, &body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let sent = last(&world, "/v1/responses");
        assert_eq!(sent["body"], json!(body));
        assert_eq!(header(&sent, "openai-organization").as_deref(), Some("org-mine"));
        assert_eq!(header(&sent, "openai-beta").as_deref(), Some("responses=v1"));
        let bearer = format!("Bearer {OPENAI_KEY}");
        let vendor = from_vendor(&world, "/direct/openai/v1/responses", ("authorization", &bearer), &body);
        assert_eq!(reply.body, vendor.body);
        assert!(reply.text().contains("web_search_call"));
        let line = world.log_line(|line| line.contains("\"route\":\"responses\""));
        assert!(line.contains("\"input_tokens\"") && line.contains("\"finish_reason\":\"stop\""), "{line}");
    }
}

#[test]
fn openais_chat_and_embeddings_go_to_openai() {
    let world = world();
    let body = r#"{"model":"gpt-4o-mini","messages" : [ {"role":"developer","content":"x"},{"role":"user","content":"hi"}],"store":true,"metadata":{"a":"b"}}"#;
    let reply = post(&world, "/v1/chat/completions", &[("openai-project", "p")], body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent = last(&world, "/v1/chat/completions");
    assert_eq!(sent["path"], "/direct/openai/v1/chat/completions");
    assert_eq!(sent["body"], json!(body));
    assert_eq!(header(&sent, "openai-project").as_deref(), Some("p"));
    let bearer = format!("Bearer {OPENAI_KEY}");
    let vendor = from_vendor(&world, "/direct/openai/v1/chat/completions", ("authorization", &bearer), body);
    assert_eq!(reply.body, vendor.body);
    let body =
        r#"{"model":"openai/text-embedding-3-small","input":["a","b"],"encoding_format":"base64","dimensions":8}"#;
    let reply = post(&world, "/v1/embeddings", &[], body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(last(&world, "/v1/embeddings")["body"], json!(body.replace("openai/text", "text")));
}

#[test]
fn what_the_hub_knows_stays_a_model_of_the_hub() {
    let world = world();
    assert_eq!(world.chat(&ask("openai/gpt-oss-120b", "hi")).status, 200);
    let asked = last(&world, "/chat/completions");
    assert!(asked["backend"] != "openai" && asked["authorization"] == "hf", "{asked}");
    let none = World::plain();
    for model in ["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gpt-4o"] {
        let reply = none.chat(&ask(model, "hi"));
        assert_eq!(reply.status, 404, "{}", reply.text());
        assert!(none.upstream_chats().is_empty());
    }
}

#[test]
fn openais_chat_reaches_anthropic_by_translation() {
    let world = world();
    let tools = json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {"x": {"type": "string"}}}}}]);
    let body =
        and(ask("claude-haiku-4-5", "call it"), json!({"tools": tools, "reasoning_effort": "low", "store": true}));
    let reply = world.chat(&body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("x-ironbow-dropped"), Some("store"));
    let whole = reply.json();
    let message = whole["choices"][0]["message"].clone();
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(message["tool_calls"][0]["function"]["name"], "look");
    assert_eq!(message["reasoning_content"], "thinking about: call it");
    assert!(
        whole["usage"]["prompt_tokens"].as_u64().unwrap() > 0
            && whole["usage"]["completion_tokens"].as_u64().unwrap() > 0
    );
    let streamed = and(body.clone(), json!({"stream": true, "stream_options": {"include_usage": true}}));
    let reply = world.chat(&streamed);
    let told = events(&reply);
    assert!(reply.text().ends_with("data: [DONE]\n\n"));
    let arguments: String = told
        .iter()
        .filter_map(|e| e["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str())
        .collect();
    assert_eq!(json!(arguments), message["tool_calls"][0]["function"]["arguments"]);
    assert_eq!(told.last().unwrap()["usage"], whole["usage"]);
    // The thought goes back with its signature, so that Anthropic takes the call's result.
    let mut again = body;
    let id = message["tool_calls"][0]["id"].clone();
    let turns = again["messages"].as_array_mut().unwrap();
    turns.extend([message, json!({"role": "tool", "tool_call_id": id, "content": "42"})]);
    let reply = world.chat(&again);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["choices"][0]["message"]["content"], "tool said: 42");
    again["messages"][1].as_object_mut().unwrap().remove("thinking_blocks");
    let reply = world.chat(&again);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let dropped = reply.header("x-ironbow-dropped").unwrap();
    assert!(dropped.contains("reasoning_effort"), "without its thought the turn goes on without thinking: {dropped}");
    world.settings(&json!({"gap_ms": 30}));
    world.fault(&json!({"match": {"operation": "messages"}, "times": 1, "fault": {"kind": "stream_error", "after": 4, "shape": "anthropic"}}));
    let reply = world.chat(&streamed);
    let error = events(&reply).pop().unwrap_or_else(|| panic!("{} {}", reply.status, reply.text()));
    assert!(error["error"]["message"].is_string(), "an error in OpenAI's shape");
}

#[test]
fn every_other_door_reaches_both_vendors() {
    let world = world();
    let reply = post(&world, MESSAGES, &[], &messages("gpt-4o", "hi there").to_string());
    assert_eq!(reply.json()["content"][0]["text"], "echo: hi there", "{}", reply.text());
    assert_eq!(last(&world, "/chat/completions")["backend"], "openai");
    let responses = json!({"model": "claude-sonnet-4-5", "input": "hi there", "stream": true});
    let told = events(&post(&world, "/v1/responses", &[], &responses.to_string()));
    let done = told.last().unwrap();
    assert_eq!(
        (&done["type"], &done["response"]["output"][0]["content"][0]["text"]),
        (&json!("response.completed"), &json!("echo: hi there")),
        "{done}"
    );
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "hi there"}]}]}).to_string();
    let reply = post(&world, "/genai/v1beta/models/claude-sonnet-4-5:generateContent", &[], &gemini);
    assert_eq!(reply.json()["candidates"][0]["content"]["parts"][0]["text"], "echo: hi there", "{}", reply.text());
}

#[test]
fn a_callers_own_key_is_used_on_loopback_and_only_where_it_is_allowed() {
    const OPEN: &str = "[providers.anthropic]\nbase_url = \"{sandbox}/direct/anthropic\"\n";
    const SHUT: &str = "[providers.anthropic]\nbase_url = \"{sandbox}/direct/anthropic\"\ncaller_keys = \"never\"\n";
    let body = messages("claude-3-5-sonnet-20241022", "hi").to_string();
    let open = World::with(With { config: OPEN, ..With::default() });
    open.settings(&json!({"tokens": [{"name": "the caller's", "value": "sk-ant-of-the-caller"}]}));
    for key in [("x-api-key", "sk-ant-of-the-caller"), ("authorization", "Bearer sk-ant-of-the-caller")] {
        let reply = post(&open, MESSAGES, &[key], &body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(last(&open, "/v1/messages")["authorization_is"], "the caller's");
    }
    let shut = World::with(With { config: SHUT, ..With::default() });
    for (world, key) in [(&open, "hf_not_for_anthropic"), (&open, "sk-other"), (&shut, "sk-ant-of-the-caller")] {
        let before = calls(world.sandbox.journal());
        let reply = post(world, MESSAGES, &[("x-api-key", key)], &body);
        assert_eq!((reply.status, &reply.json()["error"]["type"]), (404, &json!("not_found_error")));
        assert!(
            reply.text().contains("[aliases]") && reply.text().contains("claude-3-5-sonnet-20241022"),
            "{}",
            reply.text()
        );
        assert_eq!(calls(world.sandbox.journal()), before, "nothing was sent");
    }
}

#[test]
fn an_alias_stands_above_the_vendor() {
    const ALIAS: &str = "[aliases]\n\"claude-sonnet-4-5\" = \"huggingface/groq/sandbox/everywhere\"\n\"mine\" = \"anthropic/claude-haiku-4-5\"\n\
        [providers.anthropic]\nbase_url = \"{sandbox}/direct/anthropic\"\nkeys = [{ name = \"a\", value = \"env:K\" }]\n";
    let env = vec![("K", ANTHROPIC_KEY.to_owned())];
    let world = World::with(With { config: ALIAS, env, ..With::default() });
    assert_eq!(post(&world, MESSAGES, &[], &messages("claude-sonnet-4-5", "hi").to_string()).status, 200);
    assert_eq!(world.upstream_chats().last().unwrap()["backend"], "groq");
    assert_eq!(post(&world, MESSAGES, &[], &messages("mine", "hi").to_string()).status, 200);
    assert!(last(&world, "/v1/messages")["body"].as_str().unwrap().contains("\"claude-haiku-4-5\""));
}
