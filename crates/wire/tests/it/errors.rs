//! What backends say when they refuse or fail, in every shape that was seen.

use std::time::Duration;

use types::{Kind, Sent};
use wire::upstream_error::{LONGEST, in_good_status, read};

fn plain(status: u16, body: &str) -> Box<types::Fault> {
    read(status, &|_| None, body.as_bytes(), 0)
}

#[test]
fn the_words_are_found_wherever_they_stand() {
    for (body, words) in [
        (r#"{"error":{"message":"a","type":"t","param":null,"code":null},"message":"no"}"#, "a"),
        (r#"{"error":"b","message":"no"}"#, "b"),
        (r#"{"error":["c","d"]}"#, "c; d"),
        (r#"{"message":"e","request_id":"r"}"#, "e"),
        (r#"{"object":"error","message":"f","type":"BadRequestError","param":null,"code":400}"#, "f"),
        (r#"{"detail":"g"}"#, "g"),
        (
            r#"{"detail":[{"type":"missing","loc":["body","messages",0,"role"],"msg":"Field required","input":{}}]}"#,
            "Field required at body.messages.0.role",
        ),
        (r#"{"detail":[{"loc":["a"],"msg":"x"},{"loc":["b"],"msg":"y"}]}"#, "x at a; y at b"),
        (r#"{"title":"Input validation failed","detail":"- no\n","status":422,"invalid_fields":[]}"#, "- no"),
        (r#"{"type":"about:blank","title":"Input validation failed","status":422}"#, "Input validation failed"),
        (r#"{"message":{"detail":[{"loc":["body","x"],"msg":"bad"}]}}"#, "bad at body.x"),
        (r#"{"error":{"error":"inner"}}"#, "inner"),
        (r#"{"errors":[{"message":"m"}]}"#, "m"),
        (
            r#"{"error":"unknown error","warnings":["There was an inference error: cannot add"]}"#,
            "unknown error (There was an inference error: cannot add)",
        ),
        (r#"{"error":"same","warnings":["There was an inference error: same"]}"#, "same"),
        (r#""just text""#, "just text"),
        ("404: Not Found", "404: Not Found"),
        ("Failed to deserialize\n the JSON  body\u{0}", "Failed to deserialize the JSON body"),
        (
            "<!DOCTYPE html><html><head><title> 502 Bad\n Gateway </title></head><body>secret</body></html>",
            "502 Bad Gateway",
        ),
        ("<html><body><h1>Sorry</h1><p>later</p></body></html>", "Sorry later"),
        ("", "The backend answered 400 Bad Request without a word."),
        ("{}", "The backend answered 400 Bad Request without a word."),
        (r#"{"error":{}}"#, "The backend answered 400 Bad Request without a word."),
    ] {
        let fault = plain(400, body);
        assert_eq!(fault.message, words, "{body}");
        assert_eq!((fault.status, fault.sent), (Some(400), Sent::Yes));
    }
}

#[test]
fn code_and_param_are_kept_numbers_become_text_and_a_status_is_no_code() {
    for (body, code, param) in [
        (r#"{"error":{"message":"m","type":"t","param":"p","code":"c"}}"#, Some("c"), Some("p")),
        (r#"{"error":{"message":"m","type":"t","param":null,"code":null}}"#, Some("t"), None),
        (r#"{"error":"m","error_type":"template_error"}"#, Some("template_error"), None),
        (r#"{"message":"m","code":"wrong_api_format","param":"store"}"#, Some("wrong_api_format"), Some("store")),
        (r#"{"object":"error","message":"m","code":40001}"#, Some("40001"), None),
        (r#"{"object":"error","message":"m","type":"BadRequestError","code":400}"#, Some("BadRequestError"), None),
        (r#"{"detail":[{"loc":["body","loras",0,"path"],"msg":"m","type":"x"}]}"#, None, Some("loras.0.path")),
        ("text", None, None),
    ] {
        let fault = plain(422, body);
        assert_eq!((fault.code.as_deref(), fault.param.as_deref()), (code, param), "{body}");
    }
}

#[test]
fn a_prompt_that_is_too_long_has_the_code_that_clients_know() {
    for body in [
        r#"{"object":"error","message":"This model's maximum context length is 8 tokens.","type":"BadRequestError","code":400}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}"#,
        r#"{"error":{"message":"m","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
    ] {
        let fault = plain(400, body);
        assert_eq!(fault.kind, Kind::ContextLength, "{body}");
        let told: serde_json::Value = serde_json::from_slice(&wire::openai::fault::body(&fault, "req-1")).unwrap();
        assert_eq!(told["error"]["code"], "context_length_exceeded", "{body}");
    }
}

#[test]
fn the_kind_follows_the_status_and_the_class() {
    for (status, body, kind) in [
        (400, "x", Kind::UpstreamRejected),
        (401, "x", Kind::UpstreamUnauthenticated),
        (402, "x", Kind::UpstreamPayment),
        (403, "x", Kind::UpstreamForbidden),
        (404, "x", Kind::UpstreamNotFound),
        (408, "x", Kind::UpstreamTimeout),
        (413, "x", Kind::BodyTooLarge),
        (421, "x", Kind::UpstreamRejected),
        (422, "x", Kind::UpstreamRejected),
        (424, "x", Kind::UpstreamFailed),
        (429, "x", Kind::UpstreamRateLimited),
        (429, r#"{"error":{"message":"m","code":"insufficient_quota"}}"#, Kind::UpstreamPayment),
        (500, "x", Kind::UpstreamFailed),
        (503, "x", Kind::UpstreamFailed),
        (503, r#"{"error":"Model m is currently loading","estimated_time":20.5}"#, Kind::UpstreamLoading),
        (503, r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#, Kind::UpstreamLoading),
        (504, "x", Kind::UpstreamTimeout),
        (529, "x", Kind::UpstreamFailed),
        (302, "x", Kind::UpstreamBadReply),
        (400, r#"{"error":{"message":"m","code":"context_length_exceeded"}}"#, Kind::ContextLength),
        (
            400,
            r#"{"object":"error","message":"This model's maximum context length is 8192 tokens."}"#,
            Kind::ContextLength,
        ),
        (
            422,
            r#"{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096","error_type":"validation"}"#,
            Kind::ContextLength,
        ),
    ] {
        assert_eq!(plain(status, body).kind, kind, "{status} {body}");
    }
}

#[test]
fn an_error_in_a_good_status_is_placed_by_its_own_words() {
    for (body, kind, status) in [
        (r#"{"error":{"message":"m","code":429}}"#, Kind::UpstreamRateLimited, Some(429)),
        (r#"{"error":{"message":"m","code":"503"}}"#, Kind::UpstreamFailed, Some(503)),
        (r#"{"error":{"message":"m","type":"rate_limit_error"}}"#, Kind::UpstreamRateLimited, None),
        (r#"{"error":{"message":"m","type":"invalid_request_error"}}"#, Kind::UpstreamRejected, None),
        (r#"{"error":"m","error_type":"validation"}"#, Kind::UpstreamRejected, None),
        (r#"{"error":"m","error_type":"generation"}"#, Kind::UpstreamFailed, None),
        (r#"{"error":"loading","estimated_time":3}"#, Kind::UpstreamLoading, None),
        (r#"{"error":{"message":"m","code":"context_length_exceeded"}}"#, Kind::ContextLength, None),
        ("{}", Kind::UpstreamFailed, None),
    ] {
        let fault = in_good_status(body.as_bytes());
        assert_eq!((fault.kind, fault.status, fault.sent), (kind, status, Sent::Yes), "{body}");
    }
}

#[test]
fn when_to_come_again_counts_for_429_and_503_only() {
    let wait = |status, header: Option<&str>, body: &str| {
        read(status, &|name| header.filter(|_| name == "retry-after"), body.as_bytes(), 784_111_777).retry_after
    };
    let loading = r#"{"error":"loading","estimated_time":20.5}"#;
    for (status, header, body, wanted) in [
        (429, Some("7"), "x", Some(7.0)),
        (429, Some("Sun, 06 Nov 1994 08:50:07 GMT"), "x", Some(30.0)),
        (429, None, "x", None),
        (429, Some("tomorrow"), "x", None),
        (503, Some("3"), loading, Some(3.0)),
        (503, None, loading, Some(20.5)),
        (500, Some("3"), "x", None),
        (200, Some("2"), "x", None),
    ] {
        assert_eq!(wait(status, header, body), wanted.map(Duration::from_secs_f64), "{status} {header:?}");
    }
}

#[test]
fn the_backends_request_id_is_found_in_headers_and_bodies() {
    let id = |header: &'static str, body: &str| {
        read(500, &|name| (name == header).then_some("theirs"), body.as_bytes(), 0).upstream_request_id
    };
    for header in ["x-request-id", "request-id", "x-amzn-requestid", "cf-ray"] {
        assert_eq!(id(header, r#"{"message":"m","request_id":"in the body"}"#).as_deref(), Some("theirs"));
    }
    assert_eq!(id("other", r#"{"message":"m","request_id":"in the body"}"#).as_deref(), Some("in the body"));
    assert_eq!(id("other", "x"), None);
}

#[test]
fn what_looks_like_a_key_is_masked_and_long_words_are_cut() {
    let fault = plain(
        401,
        r#"{"error":{"message":"Incorrect key hf_AbCdEfGh12345678, sent as Bearer abc123def456","code":"sk-12345678abcd"}}"#,
    );
    assert_eq!(fault.message, "Incorrect key [redacted], sent as Bearer [redacted]");
    assert_eq!(fault.code.as_deref(), Some("[redacted]"));
    let long = plain(400, &"é".repeat(10_000));
    assert_eq!(long.message.chars().count(), LONGEST + 1);
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert!(!plain(400, &deep).message.is_empty());
    assert!(!plain(400, "\u{fffd}\u{1}").message.is_empty());
}
