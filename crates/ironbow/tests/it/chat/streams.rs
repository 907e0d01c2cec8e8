//! Streams that are odd, that break, that stall, and callers who leave or read slowly.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::backends::LIVE;
use crate::it::world::{EVERYWHERE, FORGIVING, World, and, ask};

fn stream(backend: &str, text: &str) -> Value {
    and(ask(&format!("huggingface/{backend}/{EVERYWHERE}"), text), json!({"stream": true}))
}

fn text(events: &[Value]) -> String {
    events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect()
}

#[test]
fn odd_framing_reads_the_same_as_plain_framing() {
    let world = World::plain();
    for how in ["crlf", "cr", "bytes", "two_data_lines", "bom", "no_space"] {
        world.fault(&json!({"times": 1, "fault": {"kind": "framing", "as": how}, "match": {"area": "routed"}}));
        let reply = world.chat(&stream("groq", "as ever ünï"));
        assert_eq!(reply.status, 200, "{how}: {}", reply.text());
        let normal =
            reply.text().replace("\r\n", "\n").replace('\r', "\n").replace("\u{feff}", "").replace("data:{", "data: {");
        assert!(normal.trim_end().ends_with("data: [DONE]"), "{how}: {normal}");
        assert!(normal.contains("as") && normal.contains("ünï"), "{how}: {normal}");
    }
}

#[test]
fn a_stream_that_breaks_ends_with_an_error_event_and_never_in_silence() {
    let world = World::configured(FORGIVING);
    world.settings(&json!({"gap_ms": 20}));
    let broken = [
        (json!({"kind": "truncate", "after": 2}), "upstream_truncated"),
        (json!({"kind": "truncate", "after": 2, "mid_frame": true}), "upstream_truncated"),
        (json!({"kind": "cut", "after": 2}), ""),
        (json!({"kind": "reset", "after": 2}), ""),
        (json!({"kind": "stream_error", "after": 2, "message": "GPU on fire"}), "GPU on fire"),
        (json!({"kind": "stream_error", "after": 2, "shape": "text", "message": "GPU on fire"}), "GPU on fire"),
        (json!({"kind": "stream_error", "after": 2, "shape": "named", "message": "GPU on fire"}), "GPU on fire"),
    ];
    for (backend, (fault, says)) in LIVE.iter().flat_map(|backend| broken.iter().map(move |broken| (backend, broken))) {
        world.fault(&json!({"times": 1, "fault": fault, "match": {"area": "routed"}}));
        let reply = world.chat(&stream(backend, "one two three four five"));
        assert_eq!(reply.status, 200, "{backend}: {fault}: {}", reply.text());
        let events = reply.events();
        let last = events.last().unwrap();
        assert!(last["error"]["message"].is_string(), "{backend}: {fault}: {}", reply.text());
        assert!(last["error"]["request_id"].as_str().unwrap().starts_with("req_"));
        assert!(reply.text().contains(says), "{backend}: {fault}: {}", reply.text());
        assert!(!reply.text().contains("[DONE]"), "{backend}: {fault}: a broken stream is not done");
        assert!(!text(&events).is_empty(), "{backend}: {fault}: what came before stands");
    }
}

#[test]
fn an_error_before_the_first_event_has_a_true_status() {
    let world = World::plain();
    for fault in [
        json!({"kind": "stream_error", "after": 0, "message": "overloaded, sorry"}),
        json!({"kind": "truncate", "after": 0}),
        json!({"kind": "reset", "before_head": true}),
    ] {
        // Again and again, since a connection that breaks before any byte is followed by tries on others.
        world.fault(&json!({"times": 9, "fault": fault, "match": {"area": "routed"}}));
        let reply = world.chat(&stream("groq", "hi"));
        world.sandbox.clear_faults();
        assert!(reply.status >= 500, "{fault}: {} {}", reply.status, reply.text());
        assert!(reply.json()["error"]["message"].is_string());
    }
}

#[test]
fn a_stalled_stream_meets_the_idle_timeout_and_comments_are_no_progress() {
    let world = World::configured("timeouts.between_events = \"300ms\"\ntimeouts.first_event = \"2s\"\n");
    for fault in
        [json!({"kind": "stall", "after": 2}), json!({"kind": "comments", "count": 3, "gap_ms": 10, "then": "endless"})]
    {
        world.fault(&json!({"times": 1, "fault": fault, "match": {"area": "routed"}}));
        let begun = Instant::now();
        let reply = world.chat(&stream("groq", "one two three"));
        assert!(begun.elapsed() < Duration::from_secs(15), "{fault}");
        let said = reply.text();
        assert!(said.contains("\"error\""), "{fault}: {said}");
    }
    let chats =
        world.journal_until(Duration::from_secs(5), |all| all.iter().filter(|c| c["aborted"] == true).count() == 2);
    assert_eq!(chats.iter().filter(|c| c["aborted"] == true).count(), 2, "the calls upstream are cancelled");
}

#[test]
fn a_stream_that_goes_on_and_on_meets_the_limit_of_a_whole_stream() {
    let world = World::configured("timeouts.stream = \"400ms\"\ntimeouts.between_events = \"10s\"\n");
    world.fault(&json!({"times": 1, "fault": {"kind": "endless", "gap_ms": 10}, "match": {"area": "routed"}}));
    let reply = world.chat(&stream("groq", "on and on"));
    let events = reply.events();
    assert!(events.len() > 2 && !reply.text().contains("[DONE]"));
    assert_eq!(events.last().unwrap()["error"]["code"], "upstream_timeout", "{}", reply.text());
    let gone = |all: &[Value]| all.iter().any(|c| c["aborted"] == true);
    assert!(gone(&world.journal_until(Duration::from_secs(5), gone)), "the call upstream is cancelled");
}

#[test]
fn a_caller_who_leaves_cancels_the_call_upstream_at_once() {
    let world = World::plain();
    world.settings(&json!({"chunks": 1000, "gap_ms": 20}));
    for _ in 0..5 {
        let mut exchange = world.open(&stream("together", "count"), &[]);
        exchange.read_until("data: ", 3);
        let left = Instant::now();
        drop(exchange);
        let aborted = |all: &[Value]| all.last().is_some_and(|c| c["aborted"] == true);
        let all = world.journal_until(Duration::from_secs(10), aborted);
        assert!(aborted(&all), "{:?}", all.last());
        assert!(left.elapsed() < Duration::from_millis(500), "{:?}", left.elapsed());
    }
    world.log_line(|line| line.contains("client_gone"));
}

#[test]
fn a_thousand_callers_who_leave_leave_nothing_behind() {
    let world = World::plain();
    world.settings(&json!({"chunks": 1000, "gap_ms": 1}));
    let before = world.open_files();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            let world = &world;
            scope.spawn(move || {
                for _ in 0..50 {
                    world.open(&stream("together", "count"), &[]).read_until("data: ", 3);
                }
            });
        }
    });
    // The files are closed when the tasks have ended; the pool may keep a few connections of its own.
    let closed = (0..1000).any(|_| {
        world.journal_until(Duration::from_millis(10), |_| false);
        world.open_files() <= before + 8
    });
    assert!(closed, "{} open files, {before} before", world.open_files());
    for _ in 0..1000 {
        let line: Value = serde_json::from_str(&world.log_line(|line| line.contains("client_gone"))).unwrap();
        // What was received is on record, though the backend never came to say what was used.
        assert!(line["events"].as_u64().is_some_and(|events| events >= 3), "{line}");
    }
}

#[test]
fn wherever_a_stream_is_cut_it_ends_with_an_error_and_is_not_asked_for_again() {
    let world = World::configured(FORGIVING);
    // Within a line, within JSON, within a letter of two bytes, between events: whatever is there.
    for at in (0..900).step_by(7) {
        let fault = json!({"kind": "truncate", "bytes": at});
        world.fault(&json!({"times": 1, "fault": fault, "match": {"area": "routed"}}));
        let before = world.upstream_chats().len();
        let reply = world.chat(&stream("groq", "ünïcödé ünïcödé ünïcödé ünïcödé ünïcödé"));
        let said = reply.text();
        assert!(!said.contains("[DONE]"), "{at}: {said}");
        let error = if reply.status == 200 { reply.events().pop().unwrap() } else { reply.json() };
        assert!(error["error"]["code"].is_string(), "{at}: {said}");
        assert_eq!(world.upstream_chats().len(), before + 1, "{at}: nothing is sent twice once an answer has begun");
    }
    world.log_line(|line| line.contains("\"fault\":\"upstream_truncated\""));
}

#[test]
fn a_caller_who_leaves_before_the_answer_cancels_too() {
    let world = World::plain();
    world.fault(&json!({"fault": {"kind": "stall", "before_head": true}, "match": {"area": "routed"}}));
    let exchange = world.open(&ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi"), &[]);
    let asked = |all: &[Value]| all.iter().any(|c| c["area"] == "routed");
    assert!(asked(&world.journal_until(Duration::from_secs(10), asked)));
    drop(exchange);
    let aborted = |all: &[Value]| all.iter().any(|c| c["aborted"] == true);
    assert!(aborted(&world.journal_until(Duration::from_secs(10), aborted)));
}

#[test]
fn events_arrive_while_the_backend_still_holds_the_rest_back() {
    let world = World::plain();
    world.settings(&json!({"chunks": 10}));
    world.fault(&json!({"fault": {"kind": "stall", "after": 4}, "match": {"area": "routed"}}));
    // Whoever gathers a stream shows nothing of this one: it never ends.
    let mut exchange = world.open(&stream("novita", "count"), &[]);
    exchange.read_until("c3", 1);
}

#[test]
fn many_streams_at_once_stay_whole_and_apart() {
    let world = World::plain();
    world.settings(&json!({"gap_ms": 1}));
    std::thread::scope(|scope| {
        for worker in 0..500 {
            let world = &world;
            scope.spawn(move || {
                let numbered: Vec<_> = (0..40).map(|n| format!("{worker}.{n}")).collect();
                let said = numbered.join(" ");
                let reply = world.chat(&stream("scaleway", &said));
                assert_eq!(reply.status, 200, "{}", reply.text());
                assert_eq!(text(&reply.events()), format!("echo: {said}"), "cross-talk");
            });
        }
    });
}

#[test]
fn a_slow_reader_slows_the_backend_and_costs_bounded_memory() {
    let world = World::plain();
    world.settings(&json!({"chunks": 2000, "chunk_bytes": 16000}));
    let mut exchange = world.open(&stream("novita", "much"), &[]);
    exchange.read_until("data: ", 1);
    let before = world.memory();
    let sent = |all: &[Value]| all.last().and_then(|c| c["bytes_sent"].as_u64()).unwrap_or(0);
    // The backend wants to send 32 MB. It comes to a stand when every buffer on the way is full.
    let mut last = 0;
    for _ in 0..50 {
        let all = world.journal_until(Duration::from_millis(100), |_| false);
        let now = sent(&all);
        if now == last && now > 0 {
            break;
        }
        last = now;
    }
    assert!(last < 24_000_000, "the backend was not slowed: {last} bytes");
    assert!(world.memory().saturating_sub(before) < 4 << 20, "memory grew from {before} to {}", world.memory());
}
