//! Every fault that the sandbox knows, at every backend, whole and streamed. A call ends well, or with an error that says whose it
//! is: never in silence, never with a good end that is none, never with our key in it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::backends::{LIVE, gather, meaning};
use crate::it::world::{EVERYWHERE, TOKEN, World, and, ask};

const SAID: &str = "as ever ünï";

/// How a call must end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Well,
    Badly,
    /// One or the other: what the backend sent is whole under a label that it does not deserve, or is none of a whole answer's faults.
    Either,
}
use End::{Badly, Either, Well};

/// Each fault as the sandbox is told it, and how a whole answer and a stream end then.
fn faults() -> Vec<(Value, End, End)> {
    let mut all = vec![
        (json!({"kind": "delay"}), Well, Well),
        (json!({"kind": "status", "status": 500}), Badly, Badly),
        (json!({"kind": "loading", "estimated_time": 0.01}), Badly, Badly),
        (json!({"kind": "rate_limited", "retry_after": "3"}), Badly, Badly),
        (json!({"kind": "stall", "before_head": true}), Badly, Badly),
        (json!({"kind": "stall", "after": 1}), Either, Badly),
        (json!({"kind": "comments", "count": 3, "gap_ms": 1, "then": "answer"}), Either, Well),
        (json!({"kind": "comments", "count": 3, "gap_ms": 1, "then": "endless"}), Either, Badly),
        (json!({"kind": "reset", "before_head": true}), Badly, Badly),
        (json!({"kind": "reset", "after": 1}), Either, Badly),
        (json!({"kind": "cut", "after": 1}), Either, Badly),
        (json!({"kind": "truncate", "after": 1}), Either, Badly),
        (json!({"kind": "truncate", "after": 1, "mid_frame": true}), Either, Badly),
        (json!({"kind": "truncate", "bytes": 40}), Badly, Badly),
        (json!({"kind": "close"}), Badly, Badly),
        (json!({"kind": "stream_error", "after": 1}), Either, Badly),
        (json!({"kind": "stream_error", "after": 1, "shape": "text", "done": true}), Either, Badly),
        (json!({"kind": "stream_error", "after": 0, "shape": "named"}), Either, Badly),
        (json!({"kind": "html", "status": 200}), Badly, Badly),
        (json!({"kind": "content_type", "value": "text/html"}), Either, Either),
        (json!({"kind": "content_length", "delta": 50}), Badly, Either),
        (json!({"kind": "huge", "status": 500, "bytes": 3_000_000}), Badly, Badly),
        (json!({"kind": "slow", "bytes": 64, "gap_ms": 1}), Well, Well),
        (json!({"kind": "endless", "gap_ms": 5}), Either, Badly),
        (json!({"kind": "echo_key", "place": "header", "status": 200}), Either, Either),
        (json!({"kind": "echo_key", "place": "error", "status": 403}), Badly, Badly),
        (json!({"kind": "echo_key", "place": "stream_error"}), Either, Badly),
        (json!({"kind": "clock_skew", "seconds": 86_400}), Well, Well),
        (json!({"kind": "headers", "headers": {"x-made-up": "y"}}), Well, Well),
        (json!({"kind": "frames", "frames": ["data: nonsense\n\n", "data: [DONE]\n\n"]}), Badly, Badly),
        (json!({"kind": "redirect", "to": "http://127.0.0.1:9/"}), Badly, Badly),
        (json!({"kind": "raw", "text": "HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\nhello"}), Badly, Badly),
    ];
    let framings = [
        "crlf",
        "cr",
        "bytes",
        "one_write",
        "two_data_lines",
        "bom",
        "no_space",
        "fields",
        "comments",
        "no_done",
        "no_last_blank",
        "stray",
        "empty_data",
    ];
    all.extend(framings.map(|how| (json!({"kind": "framing", "as": how}), Either, Well)));
    all
}

/// Kinds that have a test of their own, or are none of chat's.
const ELSEWHERE: &[&str] = &["remap", "job"];

/// The kinds in the sandbox's manual.
pub(crate) fn kinds_of_the_manual() -> BTreeSet<String> {
    let manual = include_str!("../../../../../docs/sandbox.md");
    let table = manual.split("| kind | members | does |").nth(1).unwrap().split("\n\n").next().unwrap();
    table.lines().filter_map(|row| Some(row.strip_prefix("| `")?.split('`').next()?.to_owned())).collect()
}

#[test]
fn every_fault_of_the_manual_is_tried() {
    let tried = faults().into_iter().map(|(fault, ..)| fault["kind"].as_str().unwrap().to_owned());
    let tried: BTreeSet<String> = tried.chain(ELSEWHERE.iter().map(|kind| (*kind).to_owned())).collect();
    assert_eq!(tried, kinds_of_the_manual());
}

#[test]
fn whatever_a_backend_does_a_call_ends_well_or_says_what_is_wrong() {
    let world = World::configured(
        "timeouts.between_events = \"3s\"\ntimeouts.first_event = \"3s\"\ntimeouts.answer = \"3s\"\ntimeouts.stream = \"4s\"\n\
         huggingface.caller_keys = \"always\"\n",
    );
    let backends: BTreeSet<_> = LIVE.iter().map(|name| providers::find(name).unwrap().id).collect();
    for (fault, whole, streamed) in faults() {
        world.fault(&json!({"delay_ms": 1, "fault": fault, "match": {"area": "routed"}}));
        std::thread::scope(|scope| {
            for backend in &backends {
                for (stream, end) in [(false, whole), (true, streamed)] {
                    let (world, fault) = (&world, &fault);
                    scope.spawn(move || ends(world, backend, stream, end, fault));
                }
            }
        });
        world.sandbox.clear_faults();
    }
}

fn ends(world: &World, backend: &str, stream: bool, end: End, fault: &Value) {
    let body = and(ask(&format!("huggingface/{backend}/{EVERYWHERE}"), SAID), json!({"stream": stream}));
    // The caller brings the key: what is said of it keeps nobody else, and no later call, from the backend.
    let reply = world.chat_with(&body, &[("authorization", &format!("Bearer {TOKEN}"))]);
    let (what, text) = (format!("{backend}, stream={stream}: {fault}"), reply.text());
    assert!(!text.contains(TOKEN) && !format!("{:?}", reply.headers).contains(TOKEN), "{what}: our key in {text}");
    let refused = reply.status >= 400;
    if refused {
        let error = &reply.json()["error"];
        assert!(error["message"].is_string() && error["type"].is_string(), "{what}: {text}");
        assert_eq!(error["request_id"].as_str(), reply.header("x-request-id"), "{what}");
    }
    let broken = stream && !refused && reply.events().last().is_some_and(|last| last["error"]["message"].is_string());
    assert!(!broken || !text.contains("[DONE]"), "{what}: a broken stream is not done: {text}");
    if !refused && !broken {
        let said = if stream { gather(&reply.events()).0 } else { meaning(&reply.json()) };
        assert_eq!((&said["text"], &said["finish"]), (&json!(format!("echo: {SAID}")), &json!("stop")), "{what}");
    }
    match end {
        Well => assert!(!refused && !broken, "{what}: {} {text}", reply.status),
        Badly => assert!(refused || broken, "{what}: {text}"),
        Either => {}
    }
}

#[test]
fn a_model_that_got_another_name_is_found_again_at_every_backend() {
    let backends: BTreeSet<_> = LIVE.iter().map(|name| providers::find(name).unwrap().id).collect();
    // Its names are the Hub's: there is nothing that could change without the Hub's own name changing.
    for backend in backends.into_iter().filter(|id| *id != "hf-inference") {
        // A world for each: a model is not asked for again and again within a few seconds.
        let world = World::plain();
        let body = ask(&format!("huggingface/{backend}/{EVERYWHERE}"), SAID);
        assert_eq!(world.chat(&body).status, 200, "{backend}");
        let to = format!("moved-at-{backend}");
        world.fault(&json!({"fault": {"kind": "remap", "model": EVERYWHERE, "to": to}, "match": {"backend": backend}}));
        let reply = world.chat(&body);
        assert_eq!(reply.status, 200, "{backend}: {}", reply.text());
        let last = world.upstream_chats().pop().unwrap();
        assert!(last["body"].as_str().unwrap().contains(&to), "{backend}: {last}");
    }
}
