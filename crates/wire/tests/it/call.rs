//! Reading a call: what is noted, what is refused and in which words.

use bytes::Bytes;
use types::{Fault, Kind};
use wire::{json::Limits, openai::chat::Call};

fn read(text: &str) -> Call {
    Call::read(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap_or_else(|f| panic!("{text}: {f}"))
}

fn refused(text: &str) -> Box<Fault> {
    let fault = Call::read(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).expect_err(text);
    assert_eq!(fault.kind, Kind::BadRequest, "{text}");
    fault
}

#[test]
fn the_envelope_says_what_planning_needs() {
    let call = read(
        r#" { "messages" : [{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"x"}},{"type":"input_audio"}]}],
        "stream":true, "stream_options":{"include_usage":true}, "max_tokens":5, "max_completion_tokens":7, "n":2,
        "tools":[{"type":"function","function":{"name":"f"}}],
        "response_format":{"json_schema":{"name":"n","schema":{"type":"object"}},"type":"json_schema"},
        "mo\u0064el":"org\/name", "top_k":3 } "#,
    );
    assert_eq!(call.model(), "org/name");
    assert!(call.stream() && call.wants_stream_usage() && call.has_tools());
    assert!(call.has_images() && call.has_audio() && call.has_json_schema());
    assert_eq!((call.max_tokens(), call.choices(), call.messages()), (Some(7), 2, 1));
    assert_eq!(call.member("top_k").map(|m| m.value.of(call.body())), Some(&b"3"[..]));
    assert_eq!(call.members().len(), 10);
    assert!(call.member("nothing").is_none());
}

#[test]
fn a_plain_call_asks_for_nothing_special() {
    let call = read(
        r#"{"model":"m","messages":[],"stream":null,"stream_options":null,"max_tokens":null,"n":null,"tools":null,"tool_choice":null,"response_format":null}"#,
    );
    assert!(!call.stream() && !call.wants_stream_usage() && !call.has_tools() && !call.has_images());
    assert_eq!((call.max_tokens(), call.choices(), call.messages()), (None, 1, 0));
}

#[test]
fn wrong_types_are_refused_by_name() {
    for (text, param) in [
        (r#"{"model":"m","messages":"hi"}"#, "messages"),
        (r#"{"model":"m","messages":null}"#, "messages"),
        (r#"{"model":"m","messages":["hi"]}"#, "messages[0]"),
        (r#"{"model":"m","messages":[{"role":"user"},{"role":5}]}"#, "messages[1].role"),
        (r#"{"model":"m","messages":[{"content":"x"}]}"#, "messages[0].role"),
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"messages":[]}"#, "model"),
        (r#"{"model":"","messages":[]}"#, "model"),
        (r#"{"model":5,"messages":[]}"#, "model"),
        (r#"{"model":null,"messages":[]}"#, "model"),
        (r#"{"model":"m","messages":[],"stream":"yes"}"#, "stream"),
        (r#"{"model":"m","messages":[],"stream":1}"#, "stream"),
        (r#"{"model":"m","messages":[],"max_tokens":"5"}"#, "max_tokens"),
        (r#"{"model":"m","messages":[],"max_tokens":-5}"#, "max_tokens"),
        (r#"{"model":"m","messages":[],"max_completion_tokens":1.5}"#, "max_completion_tokens"),
        (r#"{"model":"m","messages":[],"n":[]}"#, "n"),
        (r#"{"model":"m","messages":[],"tools":{}}"#, "tools"),
        (r#"{"model":"m","messages":[],"tools":[{"type":"function"},3]}"#, "tools[1]"),
        (r#"{"model":"m","messages":[],"tool_choice":7}"#, "tool_choice"),
        (r#"{"model":"m","messages":[],"response_format":"json"}"#, "response_format"),
        (r#"{"model":"m","messages":[],"stream_options":[]}"#, "stream_options"),
        (r#"{"model":"m","messages":[],"stream_options":{"include_usage":"yes"}}"#, "stream_options.include_usage"),
        (r#"{"model":"m","messages":[],"extra_body":"x"}"#, "extra_body"),
        (r#"{"model":"m","messages":[],"extra_params":[1]}"#, "extra_params"),
    ] {
        let fault = refused(text);
        assert_eq!(fault.param.as_deref(), Some(param), "{text}: {}", fault.message);
        assert!(fault.message.contains(param), "{}", fault.message);
    }
}

#[test]
fn what_is_no_json_object_is_refused_in_plain_words() {
    for (text, word) in [
        ("", "empty"),
        (" \n ", "empty"),
        ("[]", "an array"),
        ("\"x\"", "a string"),
        ("{\"model\":\"m\",\"messages\":[]", "ends too early"),
        ("{\"model\":\"m\",\"messages\":[]}x", "follows"),
        ("{\"model\":\"m\",\"messages\":\"wrong\", broken", "unexpected"),
        ("\u{feff}{}", "byte order mark"),
        ("{\"model\":NaN}", "unexpected"),
    ] {
        let fault = refused(text);
        assert!(fault.message.contains(word), "{text}: {}", fault.message);
    }
}

#[test]
fn a_member_given_twice_is_refused_however_it_is_spelt() {
    for (text, param) in [
        (r#"{"model":"a","messages":[],"model":"b"}"#, "model"),
        (r#"{"model":"a","messages":[],"\u006dodel":"b"}"#, "model"),
        (r#"{"model":"a","messages":[],"x":1,"x":1}"#, "x"),
        (r#"{"model":"a","messages":[],"m\u0065ssages":[]}"#, "messages"),
        (r#"{"model":"a","messages":[{"role":"user","role":"system"}]}"#, "messages[0].role"),
        (r#"{"model":"a","messages":[{"role":"user","content":"","cont\u0065nt":""}]}"#, "messages[0].content"),
        (
            r#"{"model":"a","messages":[{"role":"user","content":[{"type":"text","type":"image_url"}]}]}"#,
            "messages[0].content[0].type",
        ),
        (r#"{"model":"a","messages":[],"tools":[{"type":"function","type":"custom"}]}"#, "tools[0].type"),
        (
            r#"{"model":"a","messages":[],"stream_options":{"include_usage":true,"include_usage":false}}"#,
            "stream_options.include_usage",
        ),
        (r#"{"model":"a","messages":[],"extra_body":{"top_k":1,"top_k":2}}"#, "top_k"),
    ] {
        let fault = refused(text);
        assert_eq!(fault.param.as_deref(), Some(param), "{text}: {}", fault.message);
        assert!(fault.message.contains("twice"), "{}", fault.message);
    }
    let many: String = (0..40).map(|i| format!(",\"m{i}\":{i}")).collect();
    let fault = refused(&format!("{{\"model\":\"a\",\"messages\":[]{many},\"m3\":0}}"));
    assert_eq!(fault.param.as_deref(), Some("m3"));
}

#[test]
fn a_text_that_is_too_deep_or_too_rich_is_refused() {
    let deep = format!("{{\"model\":\"m\",\"messages\":[],\"x\":{}{}}}", "[".repeat(70), "]".repeat(70));
    assert!(refused(&deep).message.contains("too deeply"));
    let limits = Limits { max_depth: 64, max_members: 100 };
    let rich = format!("{{\"model\":\"m\",\"messages\":[{}]}}", vec!["{\"role\":\"user\"}"; 60].join(","));
    assert!(Call::read(rich.into(), &limits).unwrap_err().message.contains("too many"));
}

#[test]
fn extra_members_move_to_the_top_behind_the_callers_own() {
    for (text, flat) in [
        (
            r#"{"model":"m","messages":[],"extra_body":{"top_k":3,"model":"other"},"n":1}"#,
            r#"{"model":"m","messages":[],"n":1,"top_k":3}"#,
        ),
        (
            r#"{"extra_params":{"stream":true},"model":"m","messages":[]}"#,
            r#"{"model":"m","messages":[],"stream":true}"#,
        ),
        (r#"{"model":"m","messages":[],"extra_params":{}}"#, r#"{"model":"m","messages":[]}"#),
        (r#"{"model":"m","messages":[],"extra_params":null}"#, r#"{"model":"m","messages":[]}"#),
        (r#"{"extra_body":{"model":"m","messages":[]}}"#, r#"{"model":"m","messages":[]}"#),
        (
            r#"{"model":"m","messages":[],"extra_body":{"a":1,"extra_params":{"b":{"deep":[1, 2]}}},"extra_params":{"a":2}}"#,
            r#"{"model":"m","messages":[],"a":1,"b":{"deep":[1, 2]}}"#,
        ),
    ] {
        let call = read(text);
        assert_eq!(std::str::from_utf8(call.body()).unwrap(), flat, "{text}");
    }
    assert!(read(r#"{"model":"m","messages":[],"extra_body":{"stream":true}}"#).stream());
}

#[test]
fn a_call_without_extras_keeps_the_very_bytes() {
    let body = Bytes::from_static(b"{ \"model\":\"m\", \"messages\":[] }");
    let call = Call::read(body.clone(), &Limits::default()).unwrap();
    assert_eq!(call.body().as_ptr(), body.as_ptr());
}
