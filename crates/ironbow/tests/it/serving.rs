//! A gateway that runs: what it says at start, its small routes, its log, and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::{Gateway, LONG, chat_request, ironbow};

const MODEL: &str = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct";

fn chat(content: &str) -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": content}]})
}

/// Changes how the sandbox answers.
fn set_sandbox(gateway: &Gateway, settings: &Value) {
    let address = gateway.started["sandbox"].as_str().unwrap().trim_start_matches("http://").to_owned();
    let body = settings.to_string();
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(
        stream,
        "POST /_sandbox/settings HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 2"), "{reply}");
}

/// Starts a stream and reads until its first event is there.
fn open_stream(gateway: &Gateway, content: &str) -> BufReader<TcpStream> {
    let mut body = chat(content);
    body["stream"] = json!(true);
    let mut stream = gateway.connect();
    stream.write_all(chat_request(&body, "close").as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while !line.starts_with("data:") {
        line.clear();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "the stream ended before its first event");
    }
    reader
}

#[test]
fn the_sandbox_serves_a_chat_without_token_and_network() {
    let gateway = Gateway::start(&["--sandbox"], &[]);
    let (status, body) = gateway.chat(&chat("hello"));
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status} {body}"));
    assert_eq!((status, body["object"].as_str()), (200, Some("chat.completion")), "{body}");
}

#[test]
fn the_small_routes_answer() {
    let gateway = Gateway::start(&["--sandbox"], &[]);
    assert_eq!(gateway.get("/health").0, 200);
    assert_eq!(gateway.get("/ready").0, 200);
    let (status, metrics) = gateway.get("/metrics");
    assert_eq!(status, 200);
    assert!(metrics.contains("# TYPE ironbow_requests") && metrics.contains("\nironbow_requests_total{"), "{metrics}");
}

#[test]
fn the_start_says_in_plain_lines_where_it_listens_what_it_reaches_and_what_to_try() {
    let mut child = ironbow(&["serve", "--sandbox", "--listen", "127.0.0.1:0"])
        .env("IRONBOW_LOG__FORMAT", "human")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    while !said.contains("curl") {
        said += &(lines.next().expect("the message breaks off").unwrap() + "\n");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for part in ["listens on http://127.0.0.1:", "sandbox", "curl http://127.0.0.1:", "/v1/chat/completions"] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    assert!(!said.contains("hf_"), "{said}");
}

#[test]
fn the_log_has_one_line_a_request_with_its_facts_and_neither_prompt_nor_secret() {
    let gateway = Gateway::start(&["--sandbox"], &[("IRONBOW_LOG__LEVEL", "trace")]);
    gateway.chat(&chat("canary-in-a-prompt"));
    gateway.signal("TERM");
    let (status, log) = gateway.ended();
    assert!(status.success(), "{status}");
    for canary in ["canary-in-a-prompt", "hf_sandbox"] {
        assert!(!log.contains(canary), "{canary} is in the log:\n{log}");
    }
    let requests: Vec<Value> = log
        .lines()
        .filter_map(|l| serde_json::from_str(l).ok())
        .filter(|e: &Value| e["request_id"].is_string())
        .collect();
    assert!(!requests.is_empty(), "no line carries a request id:\n{log}");
    let line = requests.last().unwrap();
    for member in ["backend", "model", "status"] {
        assert!(!line[member].is_null(), "{member} is not in {line}");
    }
}

#[test]
fn a_stream_that_runs_when_the_process_is_told_to_end_still_finishes() {
    let gateway = Gateway::start(&["--sandbox"], &[]);
    set_sandbox(&gateway, &json!({"chunks": 30, "gap_ms": 20}));
    let mut stream = open_stream(&gateway, "count");
    gateway.signal("TERM");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("[DONE]"), "{rest}");
    let (status, log) = gateway.ended();
    assert!(status.success(), "{status}\n{log}");
}

#[test]
fn while_it_drains_nothing_new_is_accepted() {
    let gateway = Gateway::start(&["--sandbox"], &[]);
    set_sandbox(&gateway, &json!({"chunks": 100, "gap_ms": 20}));
    let stream = open_stream(&gateway, "count");
    gateway.signal("TERM");
    let deadline = Instant::now() + LONG;
    loop {
        let refused = match TcpStream::connect(&gateway.address) {
            Err(_) => true,
            Ok(mut stream) => {
                stream.set_read_timeout(Some(LONG)).unwrap();
                let request = chat_request(&chat("late"), "close");
                let mut reply = String::new();
                let answered = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut reply));
                answered.is_err() || reply.is_empty() || reply.starts_with("HTTP/1.1 503")
            }
        };
        if refused {
            break;
        }
        assert!(Instant::now() < deadline, "it still serves");
    }
    drop(stream);
    assert!(gateway.ended().0.success());
}

#[test]
fn at_the_grace_limit_a_stream_ends_with_an_error_and_the_exit_code_is_still_0() {
    let gateway = Gateway::start(&["--sandbox"], &[("IRONBOW_TIMEOUTS__DRAIN", "200ms")]);
    set_sandbox(&gateway, &json!({"chunks": 10_000, "gap_ms": 20}));
    let mut stream = open_stream(&gateway, "count");
    gateway.signal("TERM");
    let mut rest = Vec::new();
    // A connection that is cut is an end that nobody takes for a whole answer, too.
    let cut = stream.read_to_end(&mut rest).is_err();
    let rest = String::from_utf8_lossy(&rest).into_owned();
    assert!(!rest.contains("[DONE]"), "{rest}");
    assert!(cut || rest.contains("\"error\"") || !rest.ends_with("0\r\n\r\n"), "{rest}");
    let (status, log) = gateway.ended();
    assert!(status.success(), "{status}\n{log}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let gateway = Gateway::start(&["--sandbox"], &[("IRONBOW_TIMEOUTS__DRAIN", "1h")]);
    set_sandbox(&gateway, &json!({"chunks": 10_000, "gap_ms": 20}));
    let stream = open_stream(&gateway, "count");
    gateway.signal("TERM");
    gateway.signal("INT");
    let began = Instant::now();
    gateway.ended();
    assert!(began.elapsed() < Duration::from_secs(10));
    stream.into_inner().shutdown(Shutdown::Both).ok();
}

#[test]
fn an_idle_gateway_ends_at_once_when_told_to() {
    let gateway = Gateway::start(&["--sandbox"], &[]);
    let _idle = gateway.connect();
    gateway.signal("INT");
    let began = Instant::now();
    let (status, log) = gateway.ended();
    assert!(status.success(), "{status}\n{log}");
    assert!(began.elapsed() < Duration::from_secs(10), "an idle connection held it back");
}
