//! Raw requests that readers in a chain could take differently: each is refused and the connection closed, or it is
//! one unambiguous request. What follows it on the connection is never served.

use crate::bed::*;
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;

/// What would be served if a body were taken for a request.
const TAIL: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Header lines that make the framing ambiguous, put into an otherwise good POST.
const BAD_LINES: &[&str] = &[
    // Length and chunks together, in every order and spelling.
    "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
    "content-length: 6\r\ntransfer-encoding: chunked\r\n",
    "CONTENT-LENGTH: 6\r\nTRANSFER-ENCODING: CHUNKED\r\n",
    "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
    "Content-Length: 6\r\nTransfer-Encoding: identity\r\n",
    "Content-Length: 6\r\nX: y\r\nTransfer-Encoding: chunked\r\n",
    "Content-Length: 6\r\nTransfer-Encoding : chunked\r\n",
    "Content-Length: 6\r\nTransfer-Encoding:\tchunked\r\n",
    "Content-Length: 6\r\n Transfer-Encoding: chunked\r\n",
    // Two transfer-encodings, or one that is not exactly `chunked`.
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding: identity, chunked\r\n",
    "Transfer-Encoding: chunked, chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: chunked;q=1\r\n",
    "Transfer-Encoding: chunked,\r\n",
    "Transfer-Encoding: ,chunked\r\n",
    "Transfer-Encoding: xchunked\r\n",
    "Transfer-Encoding: chunkedx\r\n",
    "Transfer-Encoding: chunk\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Transfer-Encoding: \"chunked\"\r\n",
    "Transfer-Encoding: 'chunked'\r\n",
    "Transfer-Encoding:\r\n",
    "Transfer-Encoding: \x0bchunked\r\n",
    "Transfer-Encoding: \x0cchunked\r\n",
    "Transfer-Encoding: chunked\x0b\r\n",
    "Transfer-Encoding: chun\0ked\r\n",
    "Transfer-Encoding: c\u{200b}hunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding\t: chunked\r\n",
    "Transfer-Encoding\x0b: chunked\r\n",
    " Transfer-Encoding: chunked\r\n",
    "\tTransfer-Encoding: chunked\r\n",
    "X: y\r\n Transfer-Encoding: chunked\r\n",
    "X: y\r\n\tchunked\r\n",
    "Transfer-Encoding:\r\n chunked\r\n",
    "X: y\rTransfer-Encoding: chunked\r\n",
    "X: y\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\n",
    "\nTransfer-Encoding: chunked\r\n",
    "Transfer_Encoding: chunked\r\n",
    "transfer_encoding: chunked\r\n",
    "Transfer-Encoding chunked\r\n",
    "Transfer-Encoding\r\n: chunked\r\n",
    "Transf\u{e9}r-Encoding: chunked\r\n",
    "\0Transfer-Encoding: chunked\r\n",
    ": chunked\r\n",
    // Lengths.
    "Content-Length: 6\r\nContent-Length: 6\r\n",
    "Content-Length: 6\r\nContent-Length: 5\r\n",
    "Content-Length: 5\r\nContent-Length: 6\r\n",
    "Content-Length: 0\r\nContent-Length: 6\r\n",
    "Content-Length: 6\r\ncontent-length: 6\r\n",
    "Content-Length: 6, 6\r\n",
    "Content-Length: 6, 5\r\n",
    "Content-Length: 6,\r\n",
    "Content-Length: ,6\r\n",
    "Content-Length: +6\r\n",
    "Content-Length: -6\r\n",
    "Content-Length: -0\r\n",
    "Content-Length: 6 6\r\n",
    "Content-Length: 6;\r\n",
    "Content-Length: 6.0\r\n",
    "Content-Length: 0x6\r\n",
    "Content-Length: 6e0\r\n",
    "Content-Length: \"6\"\r\n",
    "Content-Length: six\r\n",
    "Content-Length:\r\n",
    "Content-Length: \r\n",
    "Content-Length: 6\x0b\r\n",
    "Content-Length: \x0b6\r\n",
    "Content-Length: 6\0\r\n",
    "Content-Length: \u{666}\r\n",
    "Content-Length: 18446744073709551622\r\n",
    "Content-Length: 18446744073709551615\r\n",
    "Content-Length: 9223372036854775814\r\n",
    "Content-Length: 99999999999999999999999999\r\n",
    "Content-Length : 6\r\n",
    "Content-Length\t: 6\r\n",
    " Content-Length: 6\r\n",
    "X: y\r\n Content-Length: 6\r\n",
    "Content-Length:\r\n 6\r\n",
    "X: y\nContent-Length: 6\r\n",
    "X: y\rContent-Length: 6\r\n",
    "Content_Length: 6\r\n",
    "content_length: 6\r\n",
    // Lines that are no header lines.
    "X\r\n",
    "X y\r\n",
    "X : y\r\n",
    "X: y\n",
    "X: y\0z\r\n",
    "X: y\rz\r\n",
    "(X): y\r\n",
    "Host: b\r\n",
    "host: a\r\n",
];

/// Whole connections' worth of bytes that are refused.
const BAD_STREAMS: &[&str] = &[
    // Versions and request lines.
    "GET /\r\n",
    "GET /\r\n\r\n",
    "GET / \r\nHost: a\r\n\r\n",
    "GET / HTTP/0.9\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "GET / HTTP/11\r\nHost: a\r\n\r\n",
    "GET / http/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / x HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\nHost: a\r\n\r\n",
    "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\rHost: a\r\r",
    "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

/// Chunked bodies that are refused: the service never gets a whole body, and nothing behind is served.
const BAD_CHUNKS: &[&str] = &[
    "5\nhello\n0\n\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello\r0\r\n\r\n",
    "5\r\nhelloworld\r\n0\r\n\r\n",
    "6\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "\r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5 5\r\nhello\r\n0\r\n\r\n",
    "5g\r\nhello\r\n0\r\n\r\n",
    "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "100000000000000000005\r\nhello\r\n0\r\n\r\n",
    "5;a\nhello\r\n0\r\n\r\n",
    "5;a\rhello\r\n0\r\n\r\n",
    "5;a\0\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\n\r\n",
    "5\r\nhello\r\n0\r\n\n",
    "5\r\nhello\r\n0\r\n folded: x\r\n\r\n",
    "5\r\nhello\r\n0\r\nX: y\n\r\n",
    "5\r\nhello\r\n0\r\nX: y\r\r\n",
];

/// What is one unambiguous request, whatever it looks like.
const GOOD: &[&str] = &[
    "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 005\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length:5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: \t5 \t\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\ntransfer-encoding:chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: cHuNkEd \r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n005;x=y\r\nhello\r\n0\r\nt: u\r\n\r\n",
    "\r\nPOST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
    "POST http://a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
    // An upgrade that is not taken up: the second request is not raw bytes for anybody.
    "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello",
];

/// The paths that were served with a whole body, and what the caller read until the close.
async fn ask(bytes: String) -> (Vec<String>, String) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let server = serve(answers(move |request| {
        let log = Arc::clone(&log);
        async move {
            let path = request.uri.path().to_owned();
            if let Ok(body) = held(request.body).await {
                log.lock().unwrap().push(format!("{path} {}", body.bytes.len()));
            }
            whole("served".to_owned())
        }
    }));
    let answer = talk(server.address(), bytes.as_bytes()).await;
    server.drain.finished(LONG).await;
    let seen = seen.lock().unwrap().clone();
    (seen, answer)
}

async fn each(cases: impl IntoIterator<Item = String>, check: fn(&str, &[String], &str)) -> usize {
    let mut running = JoinSet::new();
    for case in cases {
        running.spawn(async move {
            let (seen, answer) = ask(case.clone()).await;
            check(&case, &seen, &answer);
        });
    }
    let count = running.len();
    running.join_all().await;
    count
}

fn refused(case: &str, seen: &[String], answer: &str) {
    assert!(seen.is_empty(), "{case:?} reached the service: {seen:?}");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{case:?}: {answer}");
    assert!(answer.matches("HTTP/1.1").count() <= 1, "{case:?}: {answer}");
}

#[tokio::test]
async fn ambiguous_requests_are_refused_and_nothing_behind_them_is_served() {
    let lines = BAD_LINES.iter().map(|lines| format!("POST /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n0\r\n\r\n{TAIL}"));
    let streams = BAD_STREAMS.iter().map(|stream| format!("{stream}{TAIL}"));
    let count = each(lines.chain(streams), |case, seen, answer| {
        refused(case, seen, answer);
        // The preface of HTTP/2 in clear text is the one that is closed without a word.
        assert!(answer.starts_with("HTTP/1.1 4") || case.starts_with("PRI "), "{case:?}: {answer}");
    });
    assert!(count.await >= 120);
}

#[tokio::test]
async fn broken_chunks_never_make_a_whole_body() {
    let head = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    each(BAD_CHUNKS.iter().map(|body| format!("{head}{body}{TAIL}")), |case, seen, answer| {
        assert!(seen.is_empty(), "{case:?} reached the service: {seen:?}");
        assert!(answer.matches("HTTP/1.1").count() <= 1, "{case:?}: {answer}");
    })
    .await;
}

#[tokio::test]
async fn odd_but_unambiguous_requests_are_served_once() {
    each(GOOD.iter().map(|case| format!("{case}{TAIL}")), |case, seen, answer| {
        assert_eq!(seen, ["/ 5"], "{case:?}: {answer}");
        assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200"), "{case:?}: {answer}");
    })
    .await;
}

#[tokio::test]
async fn a_refused_request_behind_a_good_one_does_not_hurt_the_good_one() {
    let good = "POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok";
    let bad = "POST /second HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello";
    let address_and_seen = ask(format!("{good}{bad}{TAIL}")).await;
    let (seen, answer) = address_and_seen;
    // The bad one came in the same packet: the good one may be refused with it, but is never mixed up with it.
    assert!(seen.is_empty() || seen == ["/first 2"], "{seen:?}");
    assert!(!answer.contains("/smuggled"), "{answer}");
}
