//! The vendors in their own dialects, and what they refuse.

use super::client::{Got, sandbox, send, with};
use sandbox::Running;
use serde_json::{Value, json};

const HEAD: &[(&str, &str)] =
    &[("content-type", "application/json"), ("anthropic-version", "2023-06-01"), ("x-api-key", "key-anthropic")];

async fn messages(running: &Running, body: &Value) -> Got {
    send(running, "POST", "/direct/anthropic/v1/messages", HEAD, &body.to_string()).await
}

fn hi() -> Value {
    json!({"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})
}

#[tokio::test]
async fn a_stream_of_messages_tells_what_the_whole_message_says() {
    let running = sandbox();
    let tools = json!([{"name": "f", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}]);
    for more in
        [json!({}), json!({"tools": tools, "tool_choice": {"type": "any"}}), json!({"thinking": {"type": "adaptive"}})]
    {
        let body = with(hi(), more);
        let whole = messages(&running, &body).await.json();
        let events = messages(&running, &with(body, json!({"stream": true}))).await.events();
        let mut blocks: Vec<Value> = Vec::new();
        for event in &events {
            let delta = &event["delta"];
            match event["type"].as_str().unwrap() {
                "content_block_start" => blocks.push(event["content_block"].clone()),
                "content_block_delta" => {
                    let block = blocks.last_mut().unwrap();
                    for (from, to) in [
                        ("text", "text"),
                        ("thinking", "thinking"),
                        ("signature", "signature"),
                        ("partial_json", "input"),
                    ] {
                        if let Some(text) = delta[from].as_str() {
                            block[to] = (block[to].as_str().unwrap_or_default().to_owned() + text).into();
                        }
                    }
                }
                "content_block_stop" => {
                    let block = blocks.last_mut().unwrap();
                    if let Some(input) = block["input"].as_str().map(str::to_owned) {
                        block["input"] = serde_json::from_str(&input).unwrap();
                    }
                }
                _ => {}
            }
        }
        assert_eq!(Value::Array(blocks), whole["content"]);
        let last = &events[events.len() - 2];
        assert_eq!(
            (&last["delta"]["stop_reason"], &last["usage"]["output_tokens"]),
            (&whole["stop_reason"], &whole["usage"]["output_tokens"])
        );
    }
}

#[tokio::test]
async fn anthropic_refuses_in_its_own_shape() {
    let running = sandbox();
    let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
    let turns = |blocks: Value| json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": [call]}, {"role": "user", "content": blocks}]});
    for (change, said) in [
        (json!({"seed": 1}), "seed: Extra inputs are not permitted"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"temperature": 1.5}), "temperature"),
        (json!({"messages": []}), "at least one message"),
        (json!({"messages": [{"role": "system", "content": "x"}]}), "messages.0.role"),
        (json!({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}), "must be non-empty"),
        (json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}), "image_url"),
        (turns(json!("no result")), "without `tool_result` blocks"),
        (
            turns(json!([{"type": "tool_result", "tool_use_id": "other", "content": "x"}])),
            "without `tool_result` blocks",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}]}),
            "unexpected `tool_use_id`",
        ),
        (json!({"tools": [{"name": "f", "input_schema": {}}]}), "input_schema"),
        (json!({"tool_choice": {"type": "any"}}), "tool_choice"),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 5}}), "1024"),
        (json!({"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 2000}}), "greater than"),
    ] {
        let got = messages(&running, &with(hi(), change.clone())).await;
        let error = &got.json()["error"];
        assert_eq!((got.status, &error["type"]), (400, &json!("invalid_request_error")), "{change}");
        assert!(error["message"].as_str().unwrap().contains(said), "{change}: {error}");
    }
    let got = messages(&running, &with(hi(), json!({"model": "claude-none"}))).await;
    assert_eq!((got.status, &got.json()["error"]["type"]), (404, &json!("not_found_error")));
    for head in [&HEAD[..2], &[HEAD[0], HEAD[1], ("x-api-key", "key-openai")], &[HEAD[0], HEAD[2]]] {
        let got = send(&running, "POST", "/direct/anthropic/v1/messages", head, &hi().to_string()).await;
        assert!(matches!(got.status, 400 | 401), "{}", got.text());
    }
}

#[tokio::test]
async fn models_and_counts_are_there_and_no_key_is_in_the_journal() {
    let running = sandbox();
    let list = send(&running, "GET", "/direct/anthropic/v1/models", &HEAD[1..], "").await.json();
    let id = list["first_id"].as_str().unwrap();
    let one = send(&running, "GET", &format!("/direct/anthropic/v1/models/{id}"), &HEAD[1..], "").await;
    assert_eq!(one.json()["id"], id);
    let body = json!({"model": id, "messages": [{"role": "user", "content": "one two"}]}).to_string();
    let counted = send(&running, "POST", "/direct/anthropic/v1/messages/count_tokens", HEAD, &body).await;
    assert_eq!(counted.json(), json!({"input_tokens": 3}));
    let journal = json!(running.journal()).to_string();
    assert!(!journal.contains("\"key-anthropic\"]"), "{journal}");
    assert!(journal.contains("\"operation\":\"count_tokens\"") && journal.contains("\"operation\":\"models\""));
}

#[tokio::test]
async fn a_stream_of_responses_ends_with_the_whole_response() {
    let running = sandbox();
    let head = [("content-type", "application/json"), ("authorization", "Bearer key-openai")];
    let tools = json!([{"type": "function", "name": "f", "parameters": {"type": "object"}}, {"type": "web_search"}]);
    for body in [
        json!({"model": "gpt-4o", "input": "hi"}),
        json!({"model": "gpt-4o", "input": "call", "tools": tools, "reasoning": {"effort": "low"}}),
    ] {
        let whole = send(&running, "POST", "/direct/openai/v1/responses", &head, &body.to_string()).await.json();
        let streamed = with(body, json!({"stream": true})).to_string();
        let events = send(&running, "POST", "/direct/openai/v1/responses", &head, &streamed).await.events();
        for (number, event) in events.iter().enumerate() {
            assert_eq!(event["sequence_number"], number);
        }
        let last = &events.last().unwrap()["response"];
        assert_eq!(
            (last["output"].as_array().unwrap().len(), &last["usage"]),
            (whole["output"].as_array().unwrap().len(), &whole["usage"])
        );
    }
    for (change, said) in [
        (json!({"n": 1}), "n"),
        (json!({"input": [{"type": "odd"}]}), "input[0]"),
        (json!({"tools": [{"type": "odd"}]}), "tools[0].type"),
    ] {
        let body = with(json!({"model": "gpt-4o", "input": "hi"}), change);
        let got = send(&running, "POST", "/direct/openai/v1/responses", &head, &body.to_string()).await;
        assert_eq!((got.status, &got.json()["error"]["param"]), (400, &json!(said)));
    }
}
