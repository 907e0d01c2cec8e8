//! Calls, and the chats that they become.

use std::{fmt::Write as _, fs, path::PathBuf};

use serde_json::{Value, json};
use types::Kind;
use wire::{json::Limits, openai::chat::Call};

use super::{chat, golden, heard, heard_leniently, sealed};

#[test]
fn every_call_becomes_the_chat_as_written_down() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/responses/calls");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".call.json").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 8, "the fixtures are there");
    for name in names {
        let body: Value =
            serde_json::from_str(&fs::read_to_string(folder.join(format!("{name}.call.json"))).unwrap()).unwrap();
        let heard = heard(&body).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        Call::read(heard.chat.clone(), &Limits::default()).unwrap();
        let said: Value = serde_json::from_slice(&heard.chat).unwrap();
        let mut text = serde_json::to_string_pretty(&said).unwrap();
        let _ = write!(text, "\n\nleft out: {:?}\n", heard.dropped);
        golden(&format!("calls/{name}.chat.txt"), &text);
    }
}

#[test]
fn equal_calls_give_equal_bytes() {
    let body = json!({"model": "m", "instructions": "i", "input": "x", "tools": [{"type": "function", "name": "f"}]});
    assert_eq!(heard(&body).unwrap().chat, heard(&body).unwrap().chat);
}

/// The fault of a call: its kind and its member.
fn fault(more: &Value) -> (Kind, String) {
    let mut body = json!({"model": "m", "input": "hello"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let fault = heard(&body).expect_err(&more.to_string());
    (fault.kind, fault.param.clone().unwrap_or_default())
}

#[test]
fn what_is_wrong_is_named() {
    let bad = |more: Value, param: &str| assert_eq!(fault(&more), (Kind::BadRequest, param.to_owned()));
    bad(json!({"model": null}), "model");
    bad(json!({"model": 3}), "model");
    bad(json!({"input": null}), "input");
    bad(json!({"input": 3}), "input");
    bad(json!({"input": []}), "input");
    bad(json!({"input": ["x"]}), "input[0]");
    bad(json!({"input": [{"role": "robot", "content": "x"}]}), "input[0].role");
    bad(json!({"input": [{"role": "user"}]}), "input[0].content");
    bad(json!({"input": [{"role": "user", "content": [{"text": "x"}]}]}), "input[0].content[0].type");
    bad(json!({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}), "input[0].content[0].text");
    bad(json!({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}), "input[0].content[0].image_url");
    bad(json!({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}), "input[0].call_id");
    bad(json!({"input": [{"type": "item_reference", "id": "msg_1"}]}), "input[0].id");
    bad(json!({"messages": []}), "messages");
    bad(json!({"response_format": {}}), "response_format");
    bad(json!({"max_tokens": 3}), "max_tokens");
    bad(json!({"n": 2}), "n");
    bad(json!({"stream": "yes"}), "stream");
    bad(json!({"max_output_tokens": "many"}), "max_output_tokens");
    bad(json!({"previous_response_id": "resp_1", "conversation": "conv_1"}), "previous_response_id");
    bad(json!({"background": true, "store": false}), "background");
    bad(json!({"tools": [{"type": "function"}]}), "tools[0].name");
    bad(json!({"tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "f"}]}), "tools[1].name");
    bad(json!({"tool_choice": {"type": "function", "name": "f"}}), "tool_choice.name");
    bad(json!({"tool_choice": "required"}), "tool_choice");
    bad(json!({"text": {"format": {"type": "json_schema", "name": "n"}}}), "text.format.schema");
}

#[test]
fn what_chat_cannot_say_is_refused_by_name_or_left_out_for_the_lenient() {
    let cases = [
        (json!({"input": [{"type": "web_search_call", "id": "w"}, {"role": "user", "content": "x"}]}), "input[0]"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}),
            "input[0].content[0].file_id",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "u"}]}]}),
            "input[0].content[0].file_url",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_data": "AAEC/w=="}]}]}),
            "input[0].content[0].file_data",
        ),
        (json!({"input": [{"role": "user", "content": [{"type": "hologram"}]}]}), "input[0].content[0]"),
        (json!({"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}}), "tool_choice"),
        (json!({"tools": [{"type": "web_search"}], "tool_choice": "required"}), "tool_choice"),
        (json!({"prompt": {"id": "pmpt_1"}}), "prompt"),
        (json!({"moderation": {"model": "m"}}), "moderation"),
        (json!({"reasoning": {"mode": "pro"}}), "reasoning.mode"),
        (json!({"text": {"format": {"type": "grammar"}}}), "text.format"),
    ];
    for (more, param) in cases {
        assert_eq!(fault(&more), (Kind::UnsupportedParameter, param.to_owned()), "{more}");
        let mut body = json!({"model": "m", "input": "hello"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let heard = heard_leniently(&body).unwrap();
        assert!(heard.dropped.iter().any(|name| name == param), "{param} is among {:?}", heard.dropped);
    }
}

#[test]
fn reasoning_that_was_sealed_here_goes_back_and_a_forged_one_is_refused() {
    let with = |sealed: &str| {
        json!({"model": "m", "input": [
            {"type": "message", "role": "user", "content": "x"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": sealed},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "y"}]},
            {"type": "message", "role": "user", "content": "z"},
        ]})
    };
    let said = chat(&with(&sealed("deep thought")));
    assert_eq!(said["messages"][1], json!({"role": "assistant", "content": "y", "reasoning_content": "deep thought"}));
    let fault = heard(&with("Zm9yZ2Vk")).unwrap_err();
    assert_eq!(fault.kind, Kind::BadRequest);
    assert_eq!(fault.param.as_deref(), Some("input[1].encrypted_content"));
    assert_eq!(fault.code.as_deref(), Some("invalid_encrypted_content"));
    assert_eq!(heard_leniently(&with("Zm9yZ2Vk")).unwrap().dropped, ["input[1].encrypted_content"]);
}

#[test]
fn a_tool_chosen_by_its_name_is_chosen_in_chat() {
    let tools = json!([
        {"type": "function", "name": "f"},
        {"type": "custom", "name": "g"},
        {"type": "namespace", "name": "n", "description": "about n", "tools": [{"type": "function", "name": "h"}]},
        {"type": "web_search"},
    ]);
    let choose = |choice: Value| chat(&json!({"model": "m", "input": "x", "tools": tools, "tool_choice": choice}));
    let function = |name: &str| json!({"type": "function", "function": {"name": name}});
    assert_eq!(choose(json!("required"))["tool_choice"], "required");
    assert_eq!(choose(json!({"type": "function", "name": "f"}))["tool_choice"], function("f"));
    assert_eq!(choose(json!({"type": "custom", "name": "g"}))["tool_choice"], function("g"));
    assert_eq!(choose(json!({"type": "function", "name": "h", "namespace": "n"}))["tool_choice"], function("n__h"));
    let allowed =
        choose(json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]}));
    assert_eq!(allowed["tool_choice"], "required");
    assert_eq!(allowed["tools"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_left_out_in_great_number_is_named_in_part() {
    let items: Vec<Value> = (0..500).map(|_| json!({"type": "computer_call"})).collect();
    let mut input = vec![json!({"role": "user", "content": "x"})];
    input.extend(items);
    let dropped = heard_leniently(&json!({"model": "m", "input": input})).unwrap().dropped;
    assert_eq!((dropped.len(), dropped.last().map(String::as_str)), (64, Some("more")));
}

#[test]
fn tools_that_come_with_an_item_are_tools_of_the_call() {
    let function =
        |name: &str| json!({"type": "function", "name": name, "parameters": {"type": "object", "properties": {}}});
    let space =
        json!({"type": "namespace", "name": "space", "tools": [{"type": "custom", "name": "run"}, function("look")]});
    let item = json!({"type": "additional_tools", "role": "developer", "tools": [space, function("plain"), {"type": "web_search"}]});
    let heard = heard(&json!({"model": "m", "tools": [function("plain")], "input": [
        item, {"role": "user", "content": "hi"}, {"type": "custom_tool_call", "call_id": "c", "namespace": "space", "name": "run", "input": "1"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "one"},
    ]}))
    .unwrap();
    let chat: Value = serde_json::from_slice(&heard.chat).unwrap();
    let names: Vec<_> = chat["tools"].as_array().unwrap().iter().map(|tool| &tool["function"]["name"]).collect();
    assert_eq!(names, ["plain", "space__run", "space__look"]);
    assert_eq!(chat["messages"][1]["tool_calls"][0]["function"]["name"], "space__run");
    assert_eq!(chat["messages"].as_array().unwrap().len(), 3);
    assert_eq!(heard.dropped, ["tools.web_search"]);
    let wrong = json!({"model": "m", "input": [{"type": "additional_tools", "tools": 1}]});
    assert_eq!(super::heard(&wrong).err().unwrap().param.as_deref(), Some("input[0].tools"));
}
