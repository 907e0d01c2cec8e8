//! Backends that answer what nobody can read, or without an end: a fault of its kind, others serve, and neither memory nor
//! time grows with what they send.

use std::{
    io::{Read, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use base64::Engine as _;
use serde_json::json;

use super::{SERVED, at_once, one_of_three};
use crate::it::{
    peer::{Peer, read_request, write_for_ever},
    world::{FORGIVING, World, and, ask},
};

/// 100 KB of zeros, packed by gzip. Such members may follow one another.
const PACKED_ZEROS: &str = "H4sIAAAAAAACA+3BMQEAAADCoPVPbQ0PoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIBXA32VEdSghgEA";

/// Whole heads of answers.
const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";

/// An answer: its beginning, and what follows again and again until the other side has enough.
struct Bad {
    what: &'static str,
    first: Vec<u8>,
    again: Vec<u8>,
    /// A pause after each write.
    pause: Duration,
    /// The codes that a caller may read who wanted nobody else.
    codes: &'static [&'static str],
}

fn endless(what: &'static str, first: &str, again: &str, codes: &'static [&'static str]) -> Bad {
    Bad { what, first: first.into(), again: again.into(), pause: Duration::ZERO, codes }
}

fn whole(what: &'static str, answer: &str, codes: &'static [&'static str]) -> Bad {
    endless(what, answer, "", codes)
}

fn chunked(head: &str, rest: &str) -> String {
    format!("{head}transfer-encoding: chunked\r\n\r\n{rest}")
}

fn all() -> Vec<Bad> {
    let bad = &["upstream_bad_reply"][..];
    // A stream that is none is refused before it ends.
    let cut = &["upstream_truncated", "upstream_bad_reply"][..];
    let late = &["upstream_timeout", "upstream_bad_reply"][..];
    let failed = &["upstream_failed"][..];
    let padded = format!("{}\r\n \r\n1;", "e".repeat(200));
    let zeros = base64::engine::general_purpose::STANDARD.decode(PACKED_ZEROS).unwrap().repeat(1000);
    let mut packed = format!("{JSON}content-encoding: gzip\r\ncontent-length: {}\r\n\r\n", zeros.len()).into_bytes();
    packed.extend(zeros);
    let drip = |bad: Bad| Bad { pause: Duration::from_millis(20), codes: late, ..bad };
    vec![
        endless("interim answers without end", "", "HTTP/1.1 102 Processing\r\n\r\n", bad),
        endless("a header without end", "HTTP/1.1 200 OK\r\nx: ", "yyyyyyyy", bad),
        endless("headers without end", "HTTP/1.1 200 OK\r\n", "a: b\r\n", bad),
        endless("a reason without end", "HTTP/1.1 200 ", "OK", bad),
        endless("a chunk's extension without end", &chunked(JSON, "5;"), "eeeeeeee", bad),
        endless("a chunk's size without end", &chunked(JSON, ""), "00000000", bad),
        endless("trailers without end", &chunked(JSON, "2\r\n{}\r\n0\r\n"), "a: b\r\n", bad),
        endless("an answer without end", &chunked(JSON, ""), "8\r\n        \r\n", bad),
        endless("a text without end", &chunked(JSON, "2\r\n{\"\r\n"), "8\r\naaaaaaaa\r\n", bad),
        // Eight bytes at a time, a busy machine may be at its deadline first.
        endless("an event without end", &chunked(EVENTS, "6\r\ndata: \r\n"), "8\r\naaaaaaaa\r\n", late),
        endless("an error without end", &chunked("HTTP/1.1 500 Oh\r\n", ""), "8\r\naaaaaaaa\r\n", failed),
        endless("100 MB of error", "HTTP/1.1 500 Oh\r\ncontent-length: 104857600\r\n\r\n", "aaaaaaaa", failed),
        endless("100 MB of answer", &format!("{JSON}content-length: 104857600\r\n\r\n"), "        ", bad),
        Bad { what: "a bomb of gzip", first: packed, again: Vec::new(), pause: Duration::ZERO, codes: bad },
        whole(
            "a truncated gzip",
            &format!("{JSON}content-encoding: gzip\r\ncontent-length: 8\r\n\r\n\u{1f}AAAAAAA"),
            bad,
        ),
        whole("less than announced", &format!("{JSON}content-length: 900\r\n\r\n{{\"choices\":["), cut),
        whole("more than announced", &format!("{JSON}content-length: 2\r\n\r\n{{}}{{}}"), bad),
        whole("a page", "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 14\r\n\r\n<html>hello</h", bad),
        whole(
            "a page of a proxy",
            "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 14\r\n\r\n<html>hello</h",
            failed,
        ),
        whole("sound", "HTTP/1.1 200 OK\r\ncontent-type: audio/wav\r\ncontent-length: 4\r\n\r\nRIFF", bad),
        drip(endless("a header byte by byte", "HTTP/1.1 200 OK\r\nx: ", "y", bad)),
        drip(endless("a chunk of one byte with a long extension again and again", &chunked(JSON, "1;"), &padded, bad)),
        Bad {
            pause: Duration::from_millis(20),
            ..endless("an error byte by byte", &chunked("HTTP/1.1 500 Oh\r\n", ""), "1\r\na\r\n", failed)
        },
        drip(endless("spaces byte by byte", &chunked(JSON, ""), "1\r\n \r\n", bad)),
    ]
}

#[test]
fn answers_that_nobody_can_read_are_faults_of_their_kind_and_cost_neither_memory_nor_time() {
    let (wrong, all) = (Mutex::new(Vec::new()), all());
    at_once(4, all.len(), |number| {
        let bad = &all[number];
        let (taken, sends) = (Arc::new(AtomicUsize::new(0)), (bad.first.clone(), bad.again.clone(), bad.pause));
        let count = Arc::clone(&taken);
        let peer = Peer::start(move |mut stream| {
            let (first, again, pause) = &sends;
            read_request(&mut stream);
            match (again.is_empty(), pause.is_zero()) {
                (true, _) => drop(stream.write_all(first)),
                (false, true) => drop(count.fetch_max(write_for_ever(&mut stream, first, again), SeqCst)),
                (false, false) => {
                    stream.set_read_timeout(Some(*pause)).unwrap();
                    let mut piece = first;
                    // Whoever leaves ends the reading; else it is the pause.
                    while stream.write_all(piece).is_ok() && !matches!(stream.read(&mut [0]), Ok(0)) {
                        piece = again;
                    }
                }
            }
        });
        let config = one_of_three(&format!("http://{}", peer.addr), &format!("limits.answer = \"1MiB\"\n{FORGIVING}"));
        let world = World::configured(config);
        assert_eq!(world.chat(&ask(&format!("huggingface/good/{SERVED}"), "hi")).status, 200);
        let before = world.memory();
        for stream in [false, true] {
            let what = format!("{} stream={stream}", bad.what);
            let began = Instant::now();
            let call = |model: &str| {
                let body = and(ask(model, "hi"), json!({"stream": stream}));
                world.chat_with(&body, &[("x-ironbow-timeout", "2")])
            };
            let reply = call("first");
            assert_eq!(
                (reply.status, reply.header("x-ironbow-backend")),
                (200, Some("good")),
                "{what}: {}",
                reply.text()
            );
            assert!(reply.header("x-ironbow-tried").unwrap().starts_with("bad upstream_"), "{what}");
            let reply = call(&format!("huggingface/bad/{SERVED}"));
            let error = &reply.json()["error"];
            let code = error["code"].as_str().unwrap_or_default();
            if !bad.codes.contains(&code) || !(500..=504).contains(&reply.status) {
                wrong.lock().unwrap().push(format!("{what}: {error}"));
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{what}: {:?}", began.elapsed());
        }
        let (grown, taken) = (world.memory().saturating_sub(before), taken.load(SeqCst));
        // An event may have 8 MiB, and its buffer doubles as it grows; what is sent is a hundred times as much, or has no end.
        assert!(grown < 64 << 20, "{}: {grown} bytes of memory", bad.what);
        // What was taken lies mostly in the buffers of the system.
        assert!(taken < 32 << 20, "{}: {taken} bytes were taken", bad.what);
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
