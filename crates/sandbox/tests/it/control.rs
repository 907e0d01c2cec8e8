//! The sandbox's own paths and its journal.

use super::client::{chat, connect, everywhere, first_bytes, get, request, sandbox, says, send, with};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn the_journal_tells_what_was_asked_without_the_secret() {
    let running = sandbox();
    let (path, model) = everywhere("groq");
    chat(&running, &path, "hf_very_secret", &says(&model, "hi")).await;
    let got = get(&running, "/_sandbox/journal", None).await;
    assert!(!got.text().contains("hf_very_secret"));
    let entry = &got.json()[0];
    assert_eq!((&entry["method"], &entry["target"], &entry["status"]), (&json!("POST"), &json!(path), &json!(200)));
    assert_eq!(
        (&entry["backend"], &entry["area"], &entry["operation"]),
        (&json!("groq"), &json!("routed"), &json!("chat"))
    );
    assert_eq!((&entry["authorization"], &entry["model_first"]), (&json!("hf"), &json!(true)));
}

#[tokio::test]
async fn the_journal_is_a_ring() {
    let settings = sandbox::Settings { journal_entries: 3, ..sandbox::Settings::default() };
    let running = sandbox::Sandbox::start(settings).unwrap();
    for _ in 0..5 {
        get(&running, "/api/whoami-v2", None).await;
    }
    let numbers: Vec<u64> = running.journal().iter().map(|entry| entry["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [3, 4, 5]);
    running.clear_journal();
    assert!(running.journal().is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_is_seen_at_once() {
    let running = sandbox();
    running.set(&json!({"chunks": 1000, "gap_ms": 20})).unwrap();
    let (path, model) = everywhere("groq");
    let headers = [("authorization", "Bearer hf_sandbox"), ("content-type", "application/json")];
    let body = with(says(&model, "hi"), json!({"stream": true})).to_string();
    let mut stream = connect(&running).await;
    stream.write_all(request("POST", &path, &headers, &body).as_bytes()).await.unwrap();
    first_bytes(&mut stream, 600).await;
    let left = Instant::now();
    drop(stream);
    let journal =
        running.journal_until(Duration::from_secs(5), |all| all.iter().any(|entry| entry["aborted"] == true)).await;
    assert!(left.elapsed() < Duration::from_millis(200), "{:?}", left.elapsed());
    let entry = journal.last().unwrap();
    assert_eq!((&entry["aborted"], &entry["finished"]), (&json!(true), &json!(false)));
    assert!(entry["aborted_at"]["frames"].as_u64().unwrap() >= 2, "{entry}");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_is_seen_too() {
    let running = sandbox();
    for fault in [
        json!({"delay_ms": 60_000, "fault": {"kind": "delay"}}),
        json!({"fault": {"kind": "stall", "before_head": true}}),
    ] {
        running.clear_faults();
        running.clear_journal();
        running.fault(&fault).unwrap();
        let mut stream = connect(&running).await;
        stream.write_all(request("GET", "/api/whoami-v2", &[], "").as_bytes()).await.unwrap();
        running.journal_until(Duration::from_secs(5), |all| all.iter().any(|entry| entry["fault"].is_string())).await;
        drop(stream);
        let aborted = |all: &[Value]| all.iter().any(|entry| entry["aborted"] == true);
        let journal = running.journal_until(Duration::from_secs(5), aborted).await;
        assert_eq!((&journal[0]["aborted"], &journal[0]["status"]), (&json!(true), &Value::Null), "{fault}");
    }
}

#[tokio::test]
async fn waiting_for_the_journal_ends_when_enough_is_there() {
    let running = sandbox();
    let (waited, ()) = tokio::join!(get(&running, "/_sandbox/journal?finished=2&wait_ms=5000", None), async {
        get(&running, "/api/whoami-v2", None).await;
        get(&running, "/api/whoami-v2", None).await;
    });
    assert_eq!(waited.json().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn settings_and_faults_are_told_over_http() {
    let running = sandbox();
    let post = async |room: &str, body: Value| send(&running, "POST", room, &[], &body.to_string()).await;
    assert_eq!(
        post("/_sandbox/settings", json!({"answer": "fixed", "tokens": [{"name": "n", "value": "hf_secret"}]}))
            .await
            .status,
        200
    );
    let shown = get(&running, "/_sandbox/settings", None).await;
    assert_eq!((&shown.json()["answer"], &shown.json()["tokens"]), (&json!("fixed"), &json!([{"name": "n"}])));
    assert_eq!(post("/_sandbox/settings", json!({"nonsense": 1})).await.status, 400);
    assert_eq!(post("/_sandbox/faults", json!({"fault": {"kind": "nonsense"}})).await.status, 400);
    let rules = json!([{"times": 2, "fault": {"kind": "close"}}, {"fault": {"kind": "payment"}}]);
    assert_eq!(post("/_sandbox/faults", rules).await.status, 400, "the second is none");
    assert_eq!(get(&running, "/_sandbox/faults", None).await.json().as_array().unwrap().len(), 1);
    assert_eq!(send(&running, "DELETE", "/_sandbox/faults", &[], "").await.status, 200);
    assert_eq!(send(&running, "DELETE", "/_sandbox/settings", &[], "").await.status, 200);
    assert_eq!(get(&running, "/_sandbox/settings", None).await.json()["answer"], Value::Null);
    assert_eq!(get(&running, "/_sandbox/nowhere", None).await.status, 404);
    assert!(get(&running, "/_sandbox/", None).await.text().contains("journal"));
    assert!(get(&running, "/_sandbox/world", None).await.json()["models"].as_array().unwrap().len() > 10);
    assert!(running.journal().is_empty(), "the sandbox's own paths are not in the journal");
}

#[tokio::test]
async fn the_port_is_free_after_a_stop() {
    let running = sandbox();
    let addr = running.addr;
    running.stop();
    let again = sandbox::Sandbox::start(sandbox::Settings { listen: addr, ..sandbox::Settings::default() });
    assert!(again.is_ok(), "{again:?}");
}

#[tokio::test]
async fn the_same_question_gets_the_same_bytes() {
    let running = sandbox();
    let (path, model) = everywhere("together");
    let body = with(says(&model, "hi"), json!({"stream": true}));
    let first = chat(&running, &path, "hf_sandbox", &body).await.body;
    let other = sandbox();
    assert_eq!(chat(&other, &path, "hf_sandbox", &body).await.body, first);
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_spoken_too() {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let running = sandbox();
    let io = TokioIo::new(connect(&running).await);
    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.handshake::<_, String>(io).await.unwrap();
    let mut connection = std::pin::pin!(connection);
    let request = hyper::Request::get(format!("{}/api/whoami-v2", running.url()));
    let answer = sender.send_request(request.header("authorization", "Bearer hf_sandbox").body(String::new()).unwrap());
    let answer = tokio::select! {
        answer = answer => answer.unwrap(),
        ended = &mut connection => unreachable!("{ended:?}"),
    };
    assert_eq!((answer.status().as_u16(), answer.version()), (200, hyper::Version::HTTP_2));
    assert_eq!(running.journal()[0]["http"], "HTTP/2.0");
}
