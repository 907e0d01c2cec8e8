//! Every fault, seen from the other side of the socket.

use super::client::{Got, chat, connect, everywhere, first_bytes, get, read, request, sandbox, says, with};
use sandbox::Running;
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

async fn stream_of(running: &Running, backend: &str) -> Got {
    let (path, model) = everywhere(backend);
    chat(running, &path, "hf_sandbox", &with(says(&model, "a b c d"), json!({"stream": true}))).await
}

async fn whole_of(running: &Running, backend: &str) -> Got {
    let (path, model) = everywhere(backend);
    chat(running, &path, "hf_sandbox", &says(&model, "a b c d")).await
}

fn chatting(running: &Running, fault: &Value) {
    running.clear_faults();
    running.fault(&json!({"match": {"operation": "chat"}, "fault": fault})).unwrap();
}

/// What the client sees when it cannot read an answer to its end.
async fn ended(running: &Running, streams: bool) -> Result<Got, ErrorKind> {
    let (path, model) = everywhere("groq");
    let headers = [("authorization", "Bearer hf_sandbox"), ("content-type", "application/json")];
    let body = with(says(&model, "a b c d"), json!({"stream": streams})).to_string();
    let mut stream = connect(running).await;
    stream.write_all(request("POST", &path, &headers, &body).as_bytes()).await.unwrap();
    read(&mut stream).await.map_err(|error| error.kind())
}

#[tokio::test]
async fn a_status_comes_as_often_as_asked_and_in_the_backends_words() {
    let running = sandbox();
    let rule = |status: u16, times: u64| json!({"match": {"backend": "zai-org", "operation": "chat"}, "times": times, "fault": {"kind": "status", "status": status}});
    running.fault(&rule(503, 2)).unwrap();
    running.fault(&rule(429, 1)).unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let got = whole_of(&running, "zai-org").await;
        assert!(got.status == 200 || got.json()["error"]["message"].is_string());
        seen.push(got.status);
    }
    assert_eq!(seen, [503, 503, 429, 200]);
    assert_eq!(whole_of(&running, "groq").await.status, 200, "others are not met");
}

#[tokio::test]
async fn the_exact_status_comes_from_every_backend() {
    let running = sandbox();
    for backend in ["hf-inference", "cohere", "together", "cerebras"] {
        for status in [400, 401, 402, 403, 404, 413, 422, 429, 500, 502, 503, 529] {
            chatting(&running, &json!({"kind": "status", "status": status}));
            assert_eq!(whole_of(&running, backend).await.status, status, "{backend}");
        }
    }
}

#[tokio::test]
async fn loading_and_rate_limits_say_how_long() {
    let running = sandbox();
    chatting(&running, &json!({"kind": "loading", "estimated_time": 3.5}));
    let got = whole_of(&running, "hf-inference").await;
    assert_eq!((got.status, &got.json()["estimated_time"]), (503, &json!(3.5)));
    assert_eq!(got.json()["error"], "Model sandbox/everywhere is currently loading");
    chatting(&running, &json!({"kind": "rate_limited", "retry_after": "7"}));
    let got = whole_of(&running, "groq").await;
    assert_eq!((got.status, got.header("retry-after")), (429, Some("7")));
    chatting(
        &running,
        &json!({"kind": "status", "status": 400, "body": "own words", "content_type": "text/plain", "headers": {"x-a": "b"}}),
    );
    let got = whole_of(&running, "groq").await;
    assert_eq!(
        (got.text().as_str(), got.header("content-type"), got.header("x-a")),
        ("own words", Some("text/plain"), Some("b"))
    );
}

#[tokio::test]
async fn a_delay_comes_before_the_head() {
    let running = sandbox();
    running.fault(&json!({"delay_ms": 80, "fault": {"kind": "delay"}})).unwrap();
    let start = Instant::now();
    assert_eq!(whole_of(&running, "groq").await.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn connections_end_in_all_the_wrong_ways() {
    let running = sandbox();
    chatting(&running, &json!({"kind": "close"}));
    assert_eq!(ended(&running, true).await.unwrap_err(), ErrorKind::UnexpectedEof);
    chatting(&running, &json!({"kind": "reset", "before_head": true}));
    assert_eq!(ended(&running, true).await.unwrap_err(), ErrorKind::ConnectionReset);
    chatting(&running, &json!({"kind": "reset", "after": 2}));
    assert_eq!(ended(&running, true).await.unwrap_err(), ErrorKind::ConnectionReset);
    chatting(&running, &json!({"kind": "cut", "after": 2}));
    let got = ended(&running, true).await.unwrap();
    assert!(!got.whole);
    assert_eq!(got.events().len(), 2);
    for kind in ["cut", "reset"] {
        chatting(&running, &json!({"kind": kind}));
        match ended(&running, false).await {
            Ok(got) => assert!(!got.whole && !got.body.is_empty(), "{kind}: half of the body came"),
            Err(error) => assert_eq!((kind, error), ("reset", ErrorKind::ConnectionReset)),
        }
    }
    let journal = running.journal();
    assert!(journal.iter().all(|entry| entry["aborted"] == false), "none of this was the client's doing");
}

#[tokio::test]
async fn truncated_answers_end_properly_but_too_soon() {
    let running = sandbox();
    chatting(&running, &json!({"kind": "truncate", "after": 3}));
    let got = stream_of(&running, "groq").await;
    assert!(got.whole && got.events().len() == 3 && !got.text().contains("[DONE]"));
    chatting(&running, &json!({"kind": "truncate", "after": 3, "mid_frame": true}));
    let got = stream_of(&running, "groq").await;
    assert!(got.whole && !got.text().ends_with("\n\n"));
    chatting(&running, &json!({"kind": "truncate", "bytes": 17}));
    assert_eq!(stream_of(&running, "groq").await.body.len(), 17);
    chatting(&running, &json!({"kind": "truncate"}));
    let got = whole_of(&running, "groq").await;
    assert!(got.whole && serde_json::from_slice::<Value>(&got.body).is_err());
}

#[tokio::test]
async fn a_stall_lasts_until_the_client_leaves() {
    let running = sandbox();
    for fault in [
        json!({"kind": "stall", "after": 2}),
        json!({"kind": "comments", "count": 3, "gap_ms": 1, "then": "stall"}),
        json!({"kind": "comments", "count": 3, "gap_ms": 1, "then": "endless"}),
        json!({"kind": "endless", "gap_ms": 1}),
    ] {
        chatting(&running, &fault);
        running.clear_journal();
        let (path, model) = everywhere("groq");
        let headers = [("authorization", "Bearer hf_sandbox"), ("content-type", "application/json")];
        let body = with(says(&model, "a b c d"), json!({"stream": true})).to_string();
        let mut stream = connect(&running).await;
        stream.write_all(request("POST", &path, &headers, &body).as_bytes()).await.unwrap();
        first_bytes(&mut stream, 150).await;
        let sent = |all: &[Value]| all[0]["frames_sent"].as_u64().unwrap() >= 2;
        let journal = running.journal_until(Duration::from_secs(5), sent).await;
        assert_eq!(journal[0]["finished"], false, "{fault}");
        drop(stream);
        let aborted = |all: &[Value]| all[0]["aborted"] == true;
        let journal = running.journal_until(Duration::from_secs(5), aborted).await;
        assert_eq!(journal[0]["aborted"], true, "{fault}");
    }
}

#[tokio::test]
async fn comments_may_come_before_the_answer() {
    let running = sandbox();
    chatting(&running, &json!({"kind": "comments", "count": 2, "then": "answer"}));
    let got = stream_of(&running, "groq").await;
    assert!(got.text().starts_with(": keep-alive\n\n: keep-alive\n\ndata:"));
    assert_eq!(got.streamed(), "echo: a b c d");
}

#[tokio::test]
async fn framings_change_bytes_but_not_the_meaning() {
    let running = sandbox();
    let plain = stream_of(&running, "groq").await;
    let same = |got: &Got| got.text().replace("\r\n", "\n").replace('\r', "\n") == plain.text();
    for how in ["crlf", "cr", "bytes", "one_write"] {
        chatting(&running, &json!({"kind": "framing", "as": how}));
        let got = stream_of(&running, "groq").await;
        assert!(got.whole && same(&got), "{how}");
        assert_eq!(got.text() == plain.text(), how == "bytes" || how == "one_write", "{how}");
    }
    for (how, marks) in [
        ("bom", "\u{feff}data: {"),
        ("no_space", "data:{"),
        ("fields", "event: message\nid: 7\nretry: 100\n"),
        ("comments", ": keep-alive\n\ndata:"),
        ("two_data_lines", ",\ndata: \""),
        ("empty_data", "data:\n\n"),
    ] {
        chatting(&running, &json!({"kind": "framing", "as": how}));
        let got = stream_of(&running, "groq").await;
        assert!(got.text().contains(marks), "{how}: {}", got.text());
    }
    chatting(&running, &json!({"kind": "framing", "as": "no_done"}));
    assert!(!stream_of(&running, "groq").await.text().contains("DONE"));
    chatting(&running, &json!({"kind": "framing", "as": "stray"}));
    assert!(stream_of(&running, "groq").await.text().ends_with("\n\n\""));
    chatting(&running, &json!({"kind": "framing", "as": "no_last_blank"}));
    assert!(stream_of(&running, "groq").await.text().ends_with("[DONE]"));
}

#[tokio::test]
async fn an_error_comes_inside_a_good_stream() {
    let running = sandbox();
    for (shape, pointer) in [("object", "/error/message"), ("text", "/error"), ("named", "/message")] {
        chatting(&running, &json!({"kind": "stream_error", "after": 2, "shape": shape, "message": "broke"}));
        let got = stream_of(&running, "groq").await;
        assert_eq!((got.status, got.events().len()), (200, 3), "{shape}");
        assert_eq!(got.events()[2].pointer(pointer), Some(&json!("broke")), "{shape}");
    }
}

#[tokio::test]
async fn answers_lie_about_what_they_are() {
    let running = sandbox();
    chatting(&running, &json!({"kind": "html"}));
    let got = whole_of(&running, "groq").await;
    assert_eq!((got.status, got.header("content-type")), (502, Some("text/html")));
    chatting(&running, &json!({"kind": "content_type", "value": "text/plain"}));
    assert_eq!(stream_of(&running, "groq").await.header("content-type"), Some("text/plain"));
    chatting(&running, &json!({"kind": "content_length", "delta": 10}));
    let got = whole_of(&running, "groq").await;
    assert!(!got.whole, "ten bytes never come");
    chatting(&running, &json!({"kind": "content_length", "delta": -10}));
    let got = whole_of(&running, "groq").await;
    assert!(got.body.len() == 10 + got.header("content-length").unwrap().parse::<usize>().unwrap());
    chatting(&running, &json!({"kind": "huge", "bytes": 3_000_000}));
    let got = whole_of(&running, "groq").await;
    assert_eq!((got.status, got.body.len()), (500, 3_000_000));
    chatting(
        &running,
        &json!({"kind": "raw", "text": "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", "base64": "/wA="}),
    );
    assert_eq!(whole_of(&running, "groq").await.body, [0xff, 0]);
}

#[tokio::test]
async fn bodies_can_be_slow() {
    let running = sandbox();
    chatting(&running, &json!({"kind": "slow", "bytes": 50, "gap_ms": 2}));
    let start = Instant::now();
    let got = whole_of(&running, "groq").await;
    assert!(got.whole && got.json()["choices"][0]["message"]["content"] == "echo: a b c d");
    assert!(start.elapsed() > Duration::from_millis(8));
}

#[tokio::test]
async fn the_key_leaks_where_it_is_told_to() {
    let running = sandbox();
    let canary = "hf_canary_123456";
    let (path, model) = everywhere("groq");
    for place in ["header", "body", "error", "stream_error"] {
        chatting(&running, &json!({"kind": "echo_key", "place": place}));
        let body = with(says(&model, "hi"), json!({"stream": place == "stream_error"}));
        let got = chat(&running, &path, canary, &body).await;
        let found = if place == "header" { got.head.contains(canary) } else { got.text().contains(canary) };
        assert!(found, "{place}: {}", got.text());
    }
}

#[tokio::test]
async fn the_hub_fails_too() {
    let running = sandbox();
    let hub = |fault: Value| {
        running.clear_faults();
        running.fault(&json!({"match": {"area": "hub"}, "fault": fault})).unwrap();
    };
    hub(json!({"kind": "status", "status": 503}));
    assert_eq!(get(&running, "/api/models/sandbox/everywhere", None).await.status, 503);
    assert_eq!(whole_of(&running, "groq").await.status, 200);
    hub(json!({"kind": "clock_skew", "seconds": -86_400_000}));
    let date = get(&running, "/api/whoami-v2", None).await.header("date").unwrap().to_owned();
    let year: i32 = date.split(' ').nth(3).unwrap().parse().unwrap();
    let now = get(&running, "/v1/models", None).await.header("date").unwrap().to_owned();
    assert!(year < now.split(' ').nth(3).unwrap().parse::<i32>().unwrap(), "{date} against {now}");
}

#[tokio::test]
async fn any_frames_can_be_sent() {
    let running = sandbox();
    chatting(&running, &json!({"kind": "frames", "frames": ["data: {\"a\":1}\n\n", "data: [DONE]\n\n"], "end": "cut"}));
    let got = ended(&running, true).await.unwrap();
    assert_eq!((got.text().as_str(), got.whole), ("data: {\"a\":1}\n\ndata: [DONE]\n\n", false));
}

#[tokio::test]
async fn rules_match_by_model_path_and_kind_of_call() {
    let running = sandbox();
    let rule = |only: Value| {
        running.clear_faults();
        running.fault(&json!({"match": only, "fault": {"kind": "status", "status": 500}})).unwrap();
    };
    rule(json!({"stream": true}));
    assert_eq!((whole_of(&running, "groq").await.status, stream_of(&running, "groq").await.status), (200, 500));
    rule(json!({"model": "everywhere-1b"}));
    assert_eq!((whole_of(&running, "cerebras").await.status, whole_of(&running, "groq").await.status), (500, 200));
    rule(json!({"path_prefix": "/groq/"}));
    assert_eq!((whole_of(&running, "cerebras").await.status, whole_of(&running, "groq").await.status), (200, 500));
    rule(json!({"model": "sandbox/everywhere", "area": "hub"}));
    assert_eq!(get(&running, "/api/models/sandbox/everywhere", None).await.status, 500);
    assert_eq!(get(&running, "/api/models/sandbox/staging", None).await.status, 200);
}
