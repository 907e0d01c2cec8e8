//! A process's life: ready, draining, gone.

use serde_json::json;

use crate::it::world::{EVERYWHERE, World, and, ask};

#[test]
fn health_readiness_and_metrics_answer_without_a_key() {
    let world = World::plain();
    assert_eq!(world.get("/health").status, 200);
    assert_eq!(world.get("/ready").status, 200);
    assert_eq!(world.chat(&ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi")).status, 200);
    let page = world.get("/metrics");
    assert!(page.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    assert!(
        page.text().contains("ironbow_requests_total{route=\"chat_completions\",backend=\"groq\",status=\"200\"} 1"),
        "{}",
        page.text()
    );
    assert!(page.text().contains("ironbow_tokens_total{backend=\"groq\",type=\"output\"} 2"), "{}", page.text());
    assert!(world.get("/").text().contains("/v1/chat/completions"));
}

#[test]
fn labels_come_from_bounded_sets() {
    let world = World::plain();
    for n in 0..200 {
        world.chat(&ask(&format!("huggingface/groq/made-up-{n}"), "hi"));
        world.get(&format!("/v1/nothing/{n}"));
    }
    let page = world.get("/metrics").text().to_owned();
    assert!(!page.contains("made-up") && !page.contains("nothing"));
    assert!(page.len() < 100_000, "{}", page.len());
}

#[test]
fn on_sigterm_running_streams_finish_and_the_exit_code_is_0() {
    let world = World::plain();
    world.settings(&json!({"chunks": 40, "gap_ms": 25}));
    let mut streams: Vec<_> = (0..100)
        .map(|_| {
            world.open(&and(ask(&format!("huggingface/novita/{EVERYWHERE}"), "count"), json!({"stream": true})), &[])
        })
        .collect();
    for stream in &mut streams {
        stream.read_until("data: ", 2);
    }
    world.terminate();
    world.log_line(|line| line.contains("draining"));
    let refused = (0..10_000).any(|_| std::net::TcpStream::connect(world.addr).is_err());
    assert!(refused, "no new connections");
    for stream in streams {
        let reply = stream.reply();
        assert!(reply.complete && reply.text().ends_with("data: [DONE]\n\n"), "{}", reply.text());
    }
    assert_eq!(world.exit().0, Some(0));
}

#[test]
fn at_the_grace_limit_streams_that_still_run_end_with_an_error_event() {
    let world = World::configured("timeouts.drain = \"300ms\"\n");
    world.fault(&json!({"fault": {"kind": "endless", "gap_ms": 20}, "match": {"area": "routed"}}));
    let body = and(ask(&format!("huggingface/groq/{EVERYWHERE}"), "on and on"), json!({"stream": true}));
    let mut streams: Vec<_> = (0..100).map(|_| world.open(&body, &[])).collect();
    for stream in &mut streams {
        stream.read_until("data: ", 2);
    }
    world.terminate();
    for stream in streams {
        let reply = stream.reply();
        assert!(reply.complete && !reply.text().contains("[DONE]"), "{}", reply.text());
        assert_eq!(reply.events().last().unwrap()["error"]["code"], "shutting_down", "{}", reply.text());
    }
    assert_eq!(world.exit().0, Some(0));
}

#[test]
fn the_log_says_what_a_call_was_without_what_it_said() {
    let world = World::plain();
    world.chat(&ask(&format!("huggingface/groq/{EVERYWHERE}"), "a-private-matter"));
    let line = world.log_line(|line| line.contains("chat_completions"));
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&line["backend"], &line["status"], &line["upstream_model"]),
        (&json!("groq"), &json!(200), &json!("everywhere-instant"))
    );
    assert_eq!((&line["input_tokens"], &line["output_tokens"]), (&json!(2), &json!(2)));
    assert!(line["request_id"].as_str().unwrap().starts_with("req_") && line["duration_ms"].is_u64());
    assert!(!line.to_string().contains("a-private-matter"));
}
