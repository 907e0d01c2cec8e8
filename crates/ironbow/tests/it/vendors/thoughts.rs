//! What a model of Anthropic's thought goes back to it with its signature, byte for byte, through OpenAI's doors.

use serde_json::{Value, json};

use super::{ANTHROPIC_KEY, World, and, ask, events, from_vendor, last, post, world};

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]});
    json!([{"type": "function", "name": "look", "parameters": schema}])
}

fn first() -> Value {
    json!({"model": "anthropic/claude-haiku-4-5", "input": "call it", "tools": tools(), "reasoning": {"effort": "low"}})
}

/// The response to a call, whole or as the end of its stream.
fn respond(world: &World, call: &Value) -> Value {
    let reply = post(world, "/v1/responses", &[], &call.to_string());
    assert_eq!(reply.status, 200, "{}", reply.text());
    if call["stream"] != true {
        return reply.json();
    }
    let last = events(&reply).pop().unwrap();
    assert_eq!(last["type"], "response.completed", "{last}");
    last["response"].clone()
}

/// What was sent last, and what the vendor answers to that: the block that it thought.
fn thought_of_vendor(world: &World) -> Value {
    let sent = last(world, "/v1/messages")["body"].as_str().unwrap().to_owned();
    let mut whole: Value = serde_json::from_str(&sent).unwrap();
    whole.as_object_mut().unwrap().remove("stream");
    let key = ("x-api-key", ANTHROPIC_KEY);
    let answer = from_vendor(world, "/direct/anthropic/v1/messages", key, &whole.to_string()).json();
    let block = answer["content"][0].clone();
    assert!(block["type"] == "thinking" && block["signature"].as_str().is_some_and(|s| !s.is_empty()), "{answer}");
    block
}

fn items<'a>(response: &'a Value, kind: &str) -> Vec<&'a Value> {
    response["output"].as_array().unwrap().iter().filter(|item| item["type"] == kind).collect()
}

/// Sends the result of the call that a response made, and looks at what the vendor gets.
fn next_turn(world: &World, response: &Value, call: &Value, thought: &Value) -> Value {
    let next = respond(world, call);
    let sent: Value = serde_json::from_str(last(world, "/v1/messages")["body"].as_str().unwrap()).unwrap();
    let turn = &sent["messages"][1];
    assert_eq!(turn["content"][0].to_string(), thought.to_string(), "byte for byte");
    assert_eq!(turn["content"][1]["id"], items(response, "function_call")[0]["call_id"], "{sent}");
    assert_eq!(sent["thinking"]["type"], "enabled", "the turn goes on thinking");
    assert_eq!(items(&next, "message")[0]["content"][0]["text"], "tool said: 42", "{next}");
    next
}

#[test]
fn a_loop_of_tools_that_its_caller_carries_keeps_the_signature() {
    let world = world();
    for stream in [false, true] {
        let more = json!({"stream": stream, "store": false, "include": ["reasoning.encrypted_content"]});
        let response = respond(&world, &and(first(), more.clone()));
        let thought = thought_of_vendor(&world);
        assert!(items(&response, "reasoning")[0]["encrypted_content"].is_string(), "{response}");
        let mut input = vec![json!({"role": "user", "content": "call it"})];
        input.extend(response["output"].as_array().unwrap().iter().cloned());
        let made = items(&response, "function_call")[0]["call_id"].clone();
        input.push(json!({"type": "function_call_output", "call_id": made, "output": "42"}));
        next_turn(&world, &response, &and(and(first(), more.clone()), json!({"input": input})), &thought);
        // What somebody made up is refused by name, and nothing is sent.
        let before = world.sandbox.journal().len();
        for forged in ["forged", "", &"A".repeat(200)] {
            let at = input.iter().position(|item| item["type"] == "reasoning").unwrap();
            let mut input = input.clone();
            input[at]["encrypted_content"] = json!(forged);
            let call = and(and(first(), more.clone()), json!({"input": input, "stream": false}));
            let reply = post(&world, "/v1/responses", &[], &call.to_string());
            let error = &reply.json()["error"];
            assert_eq!(
                (reply.status, &error["code"], &error["param"]),
                (400, &json!("invalid_encrypted_content"), &json!(format!("input[{at}].encrypted_content"))),
                "{forged}: {error}"
            );
        }
        let messages = |journal: &[Value]| journal.iter().filter(|e| e["operation"] == "messages").count();
        assert_eq!(messages(&world.sandbox.journal()), messages(&world.sandbox.journal()[..before]));
    }
}

#[test]
fn a_loop_of_tools_that_is_kept_here_keeps_the_signature() {
    let mut world = world();
    for stream in [false, true] {
        let response = respond(&world, &and(first(), json!({"stream": stream})));
        let thought = thought_of_vendor(&world);
        let reasoning = items(&response, "reasoning")[0];
        assert_eq!(reasoning["encrypted_content"], Value::Null, "nobody asked for it");
        assert_eq!(reasoning["content"][0]["text"], thought["thinking"]);
        world.kill_and_restart();
        let made = items(&response, "function_call")[0]["call_id"].clone();
        let result = json!([{"type": "function_call_output", "call_id": made, "output": "42"}]);
        let call = json!({"input": result, "previous_response_id": response["id"], "stream": stream});
        let next = next_turn(&world, &response, &and(first(), call), &thought);
        let list = world.get(&format!("/v1/responses/{}/input_items?order=asc", next["id"].as_str().unwrap())).json();
        assert!(!list.to_string().contains("encrypted_content"), "{list}");
        // The same in a conversation.
        let conversation = post(&world, "/v1/conversations", &[], "{}").json()["id"].clone();
        let within = json!({"conversation": conversation, "stream": stream});
        let response = respond(&world, &and(first(), within.clone()));
        let made = items(&response, "function_call")[0]["call_id"].clone();
        let result = json!([{"type": "function_call_output", "call_id": made, "output": "42"}]);
        next_turn(&world, &response, &and(and(first(), within), json!({"input": result})), &thought);
    }
}

#[test]
fn a_forged_signature_in_chat_is_refused_in_the_vendors_words() {
    let world = world();
    let tools = json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {"x": {"type": "string"}}}}}]);
    let mut call = and(ask("claude-haiku-4-5", "call it"), json!({"tools": tools, "reasoning_effort": "low"}));
    let mut message = world.chat(&call).json()["choices"][0]["message"].clone();
    message["thinking_blocks"][0]["signature"] = json!("forged");
    let id = message["tool_calls"][0]["id"].clone();
    let turns = call["messages"].as_array_mut().unwrap();
    turns.extend([message, json!({"role": "tool", "tool_call_id": id, "content": "42"})]);
    let reply = world.chat(&call);
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("Invalid `signature`"), "{}", reply.text());
}

#[test]
fn another_backend_gets_what_was_thought_without_the_vendors_blocks() {
    let world = world();
    let response = respond(&world, &first());
    let made = items(&response, "function_call")[0]["call_id"].clone();
    let result = json!([{"type": "function_call_output", "call_id": made, "output": "42"}]);
    let call = json!({"model": "huggingface/groq/sandbox/everywhere", "input": result, "previous_response_id": response["id"], "tools": tools()});
    respond(&world, &call);
    let sent: Value = serde_json::from_str(last(&world, "/chat/completions")["body"].as_str().unwrap()).unwrap();
    let turn = &sent["messages"][1];
    assert_eq!(turn["thinking_blocks"], Value::Null, "{sent}");
    let thought = turn["reasoning"].as_str().or(turn["reasoning_content"].as_str());
    assert_eq!(thought, Some("thinking about: call it"));
}
