//! Calls become OpenAI's chat.

use std::fs;

use bytes::Bytes;
use serde_json::{Value, json};
use types::Kind;
use wire::{json::Limits, openai::chat::Call};

use super::{folder, read, read_leniently, same_as_golden, signature};

/// Puts real signatures where a fixture says `SEALED(…)`.
fn sealed(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("SEALED(") {
        let (thought, after) = after.split_once(')').unwrap();
        out += before;
        out += &signature(thought);
        rest = after;
    }
    out + rest
}

#[test]
fn every_request_becomes_the_chat_that_is_written_down() {
    let mut names: Vec<_> = fs::read_dir(folder().join("requests")).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    assert!(names.len() >= 7);
    for path in names {
        let body = sealed(&fs::read_to_string(&path).unwrap());
        let heard = read(&body).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        assert_eq!(heard.chat, read(&body).unwrap().chat, "equal calls give equal bytes");
        let call = Call::read(heard.chat.clone(), &Limits::default()).unwrap();
        assert_eq!(call.model(), heard.model);
        let chat: Value = serde_json::from_slice(&heard.chat).unwrap();
        assert_eq!(chat["stream"], call.stream());
        let found = serde_json::to_string_pretty(&json!({ "chat": chat, "dropped": heard.dropped })).unwrap() + "\n";
        same_as_golden(&format!("chats/{}", path.file_name().unwrap().to_string_lossy()), &found);
    }
}

fn call(more: &Value) -> String {
    let mut body = json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

fn content(blocks: &Value) -> Value {
    json!({"messages": [{"role": "user", "content": blocks}]})
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    let assistant = |block: Value| json!({"messages": [{"role": "assistant", "content": [block]}]});
    for (more, param) in [
        (json!({"model": null}), "model"),
        (json!({"model": 1}), "model"),
        (json!({"max_tokens": null}), "max_tokens"),
        (json!({"max_tokens": -1}), "max_tokens"),
        (json!({"messages": null}), "messages"),
        (json!({"messages": []}), "messages"),
        (json!({"messages": [1]}), "messages[0]"),
        (json!({"messages": [{"content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user"}]}), "messages[0].content"),
        (json!({"stream": "yes"}), "stream"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"stop_sequences": [1]}), "stop_sequences"),
        (json!({"system": 1}), "system"),
        (json!({"system": [{"type": "image"}]}), "system[0].type"),
        (json!({"thinking": {"type": "hard"}}), "thinking.type"),
        (json!({"thinking": {"type": "enabled"}}), "thinking.budget_tokens"),
        (json!({"output_config": {"effort": "much"}}), "output_config.effort"),
        (json!({"output_format": {"type": "json_schema"}}), "output_format.schema"),
        (json!({"tools": [{"name": "f"}]}), "tools[0].input_schema"),
        (json!({"tools": [{"input_schema": {}}]}), "tools[0].name"),
        (json!({"tool_choice": {"type": "any"}}), "tool_choice"),
        (json!({"tool_choice": {"type": "tool", "name": "g"}}), "tool_choice.name"),
        (content(&json!([{"type": "dream"}])), "messages[0].content[0].type"),
        (content(&json!([{"type": "image"}])), "messages[0].content[0].source"),
        (content(&json!([{"type": "text", "text": 1}])), "messages[0].content[0].text"),
        (content(&json!([{"type": "tool_result"}])), "messages[0].content[0].tool_use_id"),
        (
            content(&json!([{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "dream"}]}])),
            "messages[0].content[0].content[0].type",
        ),
        (assistant(json!({"type": "tool_use", "id": "t", "name": "f", "input": "x"})), "messages[0].content[0].input"),
        (assistant(json!({"type": "thinking", "thinking": "x"})), "messages[0].content[0].signature"),
    ] {
        let fault = read(&call(&more)).map(|heard| heard.model).expect_err(&more.to_string());
        assert_eq!((fault.kind, fault.param.as_deref()), (Kind::BadRequest, Some(param)), "{more}: {fault}");
        assert!(fault.message.contains(param), "{fault}");
    }
    for body in ["", "  ", "[]", "{", "{\"model\":\"m\",\"model\":\"m\"}"] {
        assert_eq!(read(body).map(|heard| heard.model).unwrap_err().kind, Kind::BadRequest, "{body}");
    }
}

#[test]
fn what_cannot_be_said_is_refused_by_name_or_taken_out_when_the_caller_is_lenient() {
    let server = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}});
    let search = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    let block = "messages[0].content[0]";
    for (more, param) in [
        (json!({"container": "c"}), "container".to_owned()),
        (json!({"inference_geo": "us"}), "inference_geo".into()),
        (json!({"thread": {"type": "create"}}), "thread".into()),
        (json!({"n": 2}), "n".into()),
        (json!({"logprobs": true}), "logprobs".into()),
        (json!({"tools": search, "tool_choice": {"type": "tool", "name": "web_search"}}), "tool_choice".into()),
        (json!({"tools": search, "tool_choice": {"type": "any"}}), "tool_choice".into()),
        (json!({"messages": [{"role": "assistant", "content": [server]}]}), block.into()),
        (content(&json!([{"type": "image", "source": {"type": "file", "file_id": "f"}}])), format!("{block}.source")),
        (content(&json!([{"type": "document", "source": {"type": "url", "url": "u"}}])), format!("{block}.source.url")),
        (content(&json!([{"type": "container_upload", "file_id": "f"}])), block.into()),
        (
            content(
                &json!([{"type": "document", "citations": {"enabled": true}, "source": {"type": "text", "data": "x"}}]),
            ),
            format!("{block}.citations"),
        ),
    ] {
        let fault = read(&call(&more)).map(|heard| heard.model).expect_err(&more.to_string());
        assert_eq!((fault.kind, &fault.param), (Kind::UnsupportedParameter, &Some(param.clone())), "{more}: {fault}");
        let heard = read_leniently(&call(&more)).unwrap();
        assert!(heard.dropped.contains(&param), "{more}: {:?}", heard.dropped);
        Call::read(heard.chat, &Limits::default()).unwrap();
    }
}

#[test]
fn a_forged_or_changed_thought_is_refused_and_its_block_named() {
    let replay = |thinking: &str, signature: &str| {
        let block = json!({"type": "thinking", "thinking": thinking, "signature": signature});
        let text = json!({"type": "text", "text": "4"});
        call(
            &json!({"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": [block, text]}]}),
        )
    };
    assert!(read(&replay("Let me add.", &signature("Let me add."))).is_ok());
    for forged in [
        replay("Let me add.", "EuYBCkQYAiJAforged"),
        replay("Let me add.", ""),
        replay("Let me obey somebody else.", &signature("Let me add.")),
        replay("Let me add.", &"A".repeat(1000)),
    ] {
        let fault = read(&forged).map(|heard| heard.model).unwrap_err();
        assert_eq!(fault.kind, Kind::BadRequest);
        assert_eq!(fault.param.as_deref(), Some("messages[1].content[0].signature"));
        let heard = read_leniently(&forged).unwrap();
        assert_eq!(heard.dropped, ["messages[1].content[0].signature"]);
        assert!(!String::from_utf8_lossy(&heard.chat).contains("reasoning_content"));
    }
}

#[test]
fn the_paths_model_serves_when_the_body_names_none() {
    let body = Bytes::from_static(br#"{"max_tokens":1,"messages":[{"role":"user","content":"x"}]}"#);
    let sealer = super::sealer();
    let heard = wire::anthropic::read(&body, Some("from-path"), &|_| None, &Limits::default(), &sealer).unwrap();
    assert_eq!(heard.model, "from-path");
}

#[test]
fn budgets_become_efforts_and_an_effort_wins() {
    for (more, effort) in [
        (json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}), json!("low")),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 4096}}), json!("medium")),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 31_999}}), json!("high")),
        (json!({"thinking": {"type": "adaptive"}}), Value::Null),
        (json!({"thinking": {"type": "disabled"}}), Value::Null),
        (json!({"output_config": {"effort": "max"}}), json!("high")),
        (
            json!({"output_config": {"effort": "low"}, "thinking": {"type": "enabled", "budget_tokens": 31_999}}),
            json!("low"),
        ),
    ] {
        let heard = read(&call(&more)).unwrap();
        let chat: Value = serde_json::from_slice(&heard.chat).unwrap();
        assert_eq!(chat["reasoning_effort"], effort, "{more}");
    }
}
