//! Whole answers.

use bytes::Bytes;
use serde_json::{Value, json};
use types::{Fault, Kind, Usage};
use wire::openai::chat::{Answer, AnswerContext, Finish, answer};

const OURS: AnswerContext<'_> = AnswerContext { id: "chatcmpl-ours", model: "asked-model", created: 1_700_000_000 };

fn try_read(text: &str) -> Result<Answer, Box<Fault>> {
    answer(&Bytes::copy_from_slice(text.as_bytes()), &OURS)
}

fn read(text: &str) -> (Value, Answer) {
    let answer = try_read(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    (serde_json::from_slice(&answer.body.to_bytes()).unwrap(), answer)
}

#[test]
fn a_good_answer_passes_as_the_very_bytes() {
    let body = Bytes::from(
        "{ \"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"what\":[1e5],\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"\\u00e9\",\"refusal\":null},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5,\"total_tokens\":8} }\n",
    );
    let came = answer(&body, &OURS).unwrap();
    assert_eq!(came.body.pieces().count(), 1);
    assert_eq!(came.body.pieces().next().unwrap().unwrap().as_ptr(), body.as_ptr());
    assert_eq!(came.usage, Some(Usage { input: 3, output: 5, ..Usage::default() }));
    assert_eq!(came.finish, Some(Finish::Stop));
}

#[test]
fn what_the_schema_promises_is_filled_in() {
    let (value, came) = read(
        r#"{"choices":[{"message":{"role":"assistant"},"finish_reason":"eos_token"},{"index":1,"message":{}}],"x":1}"#,
    );
    assert_eq!(
        value,
        json!({"id": "chatcmpl-ours", "object": "chat.completion", "created": 1_700_000_000, "model": "asked-model", "x": 1, "choices": [
            {"index": 0, "message": {"content": null, "role": "assistant"}, "finish_reason": "stop"},
            {"index": 1, "message": {"content": null}},
        ]})
    );
    assert_eq!((came.usage, came.finish), (None, Some(Finish::Stop)));
}

#[test]
fn tool_calls_get_string_ids_text_arguments_and_their_finish() {
    let (value, came) = read(
        r#"{"id":5,"object":"text_completion","created":1,"model":"m","choices":[{"finish_reason":"stop","index":0,"message":{"content":"","tool_calls":[
            {"id":0,"type":"function","function":{"description":null,"name":"f","arguments":{"a": "é\"" }}},
            {"id":0,"function":{"name":"g","arguments":null}},
            {"id":"own","type":"function","function":{"name":"h","arguments":"{}"}}]}}]}"#,
    );
    assert_eq!(value["id"], "5");
    assert_eq!(came.finish, Some(Finish::ToolCalls));
    assert_eq!(value["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(
        value["choices"][0]["message"]["tool_calls"],
        json!([
            {"id": "call_ours_0_0", "type": "function", "function": {"description": null, "name": "f", "arguments": "{\"a\": \"é\\\"\" }"}},
            {"id": "call_ours_0_1", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            {"id": "own", "type": "function", "function": {"name": "h", "arguments": "{}"}},
        ])
    );
}

#[test]
fn an_error_in_a_good_status_is_the_backends_fault() {
    for (text, kind, words) in [
        (r#"{"error":{"message":"m","code":429}}"#, Kind::UpstreamRateLimited, "m"),
        (r#"{"error":"m"}"#, Kind::UpstreamFailed, "m"),
        (r#"{"object":"error","message":"m"}"#, Kind::UpstreamFailed, "m"),
        (r#"{"detail":"m"}"#, Kind::UpstreamFailed, "m"),
        (
            r#"{"id":"x","choices":[],"error":{"message":"m","type":"invalid_request_error"}}"#,
            Kind::UpstreamRejected,
            "m",
        ),
    ] {
        let fault = try_read(text).unwrap_err();
        assert_eq!((fault.kind, fault.message.as_str()), (kind, words), "{text}");
    }
    assert!(try_read(r#"{"choices":[],"error":null}"#).is_ok());
}

#[test]
fn what_is_no_chat_answer_is_a_bad_reply() {
    for text in [
        "",
        "<html>",
        "[]",
        "\"x\"",
        "{}",
        r#"{"id":"x"}"#,
        r#"{"choices":null}"#,
        r#"{"choices":[]"#,
        r#"{"choices":[]} x"#,
    ] {
        assert_eq!(try_read(text).unwrap_err().kind, Kind::UpstreamBadReply, "{text}");
    }
}
