//! The server: limits, early answers, streams, panics, callers that leave.

use crate::bed::*;
use bytes::Bytes;
use http::StatusCode;
use net::{Abort, Body, ByteBudget, CollectError, NetErrorKind, Response, ServerLimits, StreamBody};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot},
};

#[tokio::test]
async fn heads_beyond_the_limits_are_refused_at_once() {
    let server = serve(echo());
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a: b\r\n".repeat(100));
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nx: {}\r\n\r\n", "y".repeat(65_536));
    let total = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", format!("x: {}\r\n", "y".repeat(20_000)).repeat(52));
    let name = format!("GET / HTTP/1.1\r\nHost: a\r\n{}: b\r\n\r\n", "n".repeat(70_000));
    let endless = format!("GET / HTTP/1.1\r\nHost: a\r\nx: {}", "y".repeat(1 << 20));
    let target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "t".repeat(70_000));
    for (what, request) in
        [("many", many), ("long", long), ("total", total), ("name", name), ("endless", endless), ("target", target)]
    {
        let answer = talk(server.address(), request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 414"), "{what}: {answer}");
    }
    let twins = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent_Length: 5\r\n\r\n";
    assert!(talk(server.address(), twins.as_bytes()).await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn heads_within_the_limits_are_served() {
    let server = serve(echo());
    let fields = format!("x: {}\r\n", "y".repeat(600)).repeat(98);
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
    assert!(talk(server.address(), request.as_bytes()).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_early_answer_reaches_a_caller_that_is_still_sending() {
    let server = serve(answers(|_| async { Response::whole(StatusCode::UNAUTHORIZED, "text/plain", "no".to_owned()) }));
    for round in 0..200 {
        let length = if round == 0 { 20_000_000 } else { 300_000 };
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        // All of the body is written before the answer is read, as simple clients do.
        socket.write_all(&vec![b'x'; length]).await.ok();
        let answer = read_to_close(&mut socket).await;
        assert!(answer.starts_with("HTTP/1.1 401") && answer.ends_with("no"), "round {round}: {answer:?}");
    }
}

#[tokio::test]
async fn after_an_early_answer_the_next_request_is_read_right_or_not_at_all() {
    let server = serve(answers(|request| async move {
        let path = request.uri.path().to_owned();
        Response::whole(StatusCode::NOT_FOUND, "text/plain", path)
    }));
    for round in 0..1_000 {
        let length = round * 13 % 2_000;
        // A body that looks like a request, which must never be taken for one.
        let body = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n".repeat(80);
        let first = format!("POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{}", &body[..length]);
        let second = "GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let answer = talk(server.address(), format!("{first}{second}").as_bytes()).await;
        assert!(answer.contains("/first") && !answer.contains("/smuggled"), "round {round}: {answer}");
        let count = answer.matches("HTTP/1.1 404").count();
        assert!(count == 1 || (count == 2 && answer.contains("/second")), "round {round}: {answer}");
    }
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_says_that_the_connection_closes() {
    let server = serve(answers(|request| async move {
        let reads = request.uri.path() == "/reads";
        let mut body = request.body;
        while reads && body.chunk().await.is_some() {}
        Response::whole(StatusCode::NOT_FOUND, "text/plain", "no".to_owned())
    }));
    for (path, closes) in [("/", true), ("/reads", false)] {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        if closes {
            // The rest is not sent before the answer is there: the caller who asks next must know.
            answer = read_to_close(&mut socket).await;
        } else {
            socket.write_all(b"body").await.unwrap();
            let mut piece = [0; 1024];
            while !answer.ends_with("no") {
                let read = socket.read(&mut piece).await.unwrap();
                assert_ne!(read, 0, "{answer}");
                answer.push_str(std::str::from_utf8(&piece[..read]).unwrap());
            }
        }
        assert_eq!(answer.contains("connection: close"), closes, "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_and_an_idle_connection_are_closed() {
    let short = Duration::from_millis(40);
    for (limits, sent) in [
        (ServerLimits { head_timeout: short, ..limits() }, "GET / HTTP/1.1\r\nHos"),
        (ServerLimits { idle_timeout: short, ..limits() }, ""),
        (ServerLimits { idle_timeout: short, ..limits() }, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ] {
        let server = serve_with(limits, None, echo());
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        socket.write_all(sent.as_bytes()).await.unwrap();
        let answer = read_to_close(&mut socket).await;
        assert_eq!(answer.is_empty(), !sent.ends_with("\r\n\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_slow_service_is_not_an_idle_connection() {
    let limits =
        ServerLimits { idle_timeout: Duration::from_millis(1), head_timeout: Duration::from_millis(1), ..limits() };
    let (go, wait) = oneshot::channel::<()>();
    let wait = Arc::new(std::sync::Mutex::new(Some(wait)));
    let server = serve_with(
        limits,
        None,
        answers(move |_| {
            let wait = wait.lock().unwrap().take().unwrap();
            async move {
                wait.await.ok();
                whole("late".to_owned())
            }
        }),
    );
    let address = server.address();
    let asking =
        tokio::spawn(async move { talk(address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await });
    // Timers of one millisecond have rung long before this one.
    tokio::time::timeout(Duration::from_millis(50), std::future::pending::<()>()).await.ok();
    go.send(()).unwrap();
    assert!(asking.await.unwrap().ends_with("late"));
}

#[tokio::test]
async fn one_connection_more_than_allowed_is_told_so_and_closed() {
    let server = serve_with(ServerLimits { max_connections: 2, ..limits() }, None, echo());
    // They are accepted in the order in which they come.
    let two =
        [TcpStream::connect(server.address()).await.unwrap(), TcpStream::connect(server.address()).await.unwrap()];
    let mut third = TcpStream::connect(server.address()).await.unwrap();
    assert!(read_to_close(&mut third).await.starts_with("HTTP/1.1 503"));
    // A place becomes free when one of them leaves.
    drop(two);
    loop {
        let answer = talk(server.address(), b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        if answer.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
}

#[tokio::test]
async fn bodies_are_held_within_limit_budget_and_deadline() {
    let budget = ByteBudget::new(1_000);
    let seen = budget.clone();
    let server = serve(answers(move |request| {
        let budget = budget.clone();
        async move {
            let long = request.uri.path() == "/slow";
            let deadline = Instant::now() + if long { Duration::from_millis(30) } else { LONG };
            let limit = if request.uri.path() == "/small" { 10 } else { 5_000 };
            whole(match request.body.collect(limit, deadline, &budget).await {
                Ok(held) => format!("held {} of {}", held.bytes.len(), held.permit.bytes()),
                Err(CollectError::TooLarge { limit, announced }) => format!("too large {limit} {announced:?}"),
                Err(CollectError::OverBudget) => "over budget".to_owned(),
                Err(CollectError::Timeout) => "timeout".to_owned(),
                Err(CollectError::Broken(error)) => format!("broken {}", error.kind.name()),
            })
        }
    }));
    let chunked = "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (request, answer) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello".to_owned(), "held 5 of 5"),
        ("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n".to_owned(), "too large 10 Some(11)"),
        (format!("{chunked}6\r\nhello \r\n6\r\nworld!\r\n"), "too large 10 None"),
        (format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n{}", "x".repeat(1_500)), "over budget"),
        ("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell".to_owned(), "timeout"),
    ] {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        while !String::from_utf8_lossy(&read).contains(answer) {
            assert!(socket.read_buf(&mut read).await.unwrap() > 0, "{answer}: {:?}", String::from_utf8_lossy(&read));
        }
    }
    assert_eq!(seen.used(), 0);
}

#[tokio::test]
async fn a_panic_is_a_500_for_that_request_only() {
    let server = serve(answers(|request| async move {
        assert!(request.uri.path() != "/bad", "on purpose");
        whole("fine".to_owned())
    }));
    let (client, origin) = (client(), origin(server.address()));
    for (path, status) in [("/bad", 500), ("/good", 200), ("/bad", 500), ("/good", 200)] {
        let reply = client.send(&origin, get(path), soon()).await.unwrap();
        assert_eq!(reply.status.as_u16(), status);
        text(reply).await;
    }
}

struct Panicking;

impl StreamBody for Panicking {
    fn poll_chunk(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Abort>>> {
        panic!("on purpose")
    }
}

fn stream(body: impl StreamBody + 'static) -> Response {
    Response { body: Body::Stream(Box::new(body)), ..Response::new(StatusCode::OK) }
}

#[tokio::test]
async fn a_panic_in_a_stream_breaks_that_stream_only() {
    let server = serve(answers(|request| async move {
        if request.uri.path() == "/bad" { stream(Panicking) } else { whole("fine".to_owned()) }
    }));
    let (client, origin) = (client(), origin(server.address()));
    for _ in 0..2 {
        // The head may still get out; a whole body never does.
        if let Ok(reply) = client.send(&origin, get("/bad"), soon()).await {
            assert!(held(reply.body).await.is_err());
        }
        assert_eq!(text(client.send(&origin, get("/good"), soon()).await.unwrap()).await, "fine");
    }
}

/// A server whose only answer is what comes through the channel.
fn piping() -> (Running, mpsc::Sender<Result<Bytes, Abort>>) {
    let (send, receive) = mpsc::channel(1);
    let receive = std::sync::Mutex::new(Some(receive));
    let server = serve(answers(move |_| {
        let body = Piped(receive.lock().unwrap().take().unwrap());
        async move { piped(body) }
    }));
    (server, send)
}

#[tokio::test]
async fn each_chunk_of_a_stream_arrives_before_the_next_is_made() {
    let (server, send) = piping();
    let mut reply = client().send(&origin(server.address()), get("/"), soon()).await.unwrap();
    for n in 0..50 {
        send.send(Ok(Bytes::from(format!("data: {n}\n\n")))).await.unwrap();
        assert_eq!(reply.body.chunk().await.unwrap().unwrap(), format!("data: {n}\n\n"));
    }
    drop(send);
    assert!(reply.body.chunk().await.is_none());
}

#[tokio::test]
async fn an_aborted_stream_has_no_good_end() {
    let (server, send) = piping();
    let mut reply = client().send(&origin(server.address()), get("/"), soon()).await.unwrap();
    send.send(Ok(Bytes::from_static(b"part"))).await.unwrap();
    assert_eq!(reply.body.chunk().await.unwrap().unwrap(), "part");
    send.send(Err(Abort)).await.unwrap();
    let error = reply.body.chunk().await.unwrap().unwrap_err();
    assert_eq!(error.kind, NetErrorKind::Truncated);
}

#[tokio::test]
async fn a_caller_who_leaves_drops_the_stream() {
    let (server, send) = piping();
    let mut reply = client().send(&origin(server.address()), get("/"), soon()).await.unwrap();
    send.send(Ok(Bytes::from_static(b"part"))).await.unwrap();
    reply.body.chunk().await.unwrap().unwrap();
    drop(reply);
    // Nothing is written meanwhile: the server notices by itself.
    tokio::time::timeout(LONG, send.closed()).await.unwrap();
}

#[tokio::test]
async fn a_caller_who_leaves_before_the_answer_drops_the_service_and_what_it_asks() {
    let (listener, address) = raw_listener().await;
    let upstream = client();
    let backend = origin(address);
    let server = serve(answers(move |_| {
        let (upstream, backend) = (upstream.clone(), backend.clone());
        async move {
            upstream.send(&backend, get("/backend"), soon()).await.ok();
            whole("never".to_owned())
        }
    }));
    let mut caller = TcpStream::connect(server.address()).await.unwrap();
    caller.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let (mut socket, _) = listener.accept().await.unwrap();
    read_request(&mut socket).await;
    drop(caller);
    assert_eq!(read_to_close(&mut socket).await, "");
}

/// Gives as much as is asked for, and counts.
struct Endless(Arc<AtomicUsize>, Option<oneshot::Sender<()>>);

impl StreamBody for Endless {
    fn poll_chunk(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Abort>>> {
        const CHUNK: usize = 16 * 1024;
        self.0.fetch_add(CHUNK, SeqCst);
        Poll::Ready(Some(Ok(Bytes::from_static(&[b'x'; CHUNK]))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.1.take().map(|done| done.send(()));
    }
}

#[tokio::test]
async fn a_caller_who_does_not_read_holds_the_stream_up_and_is_closed_in_time() {
    let made = Arc::new(AtomicUsize::new(0));
    let (done, dropped) = oneshot::channel();
    let body = std::sync::Mutex::new(Some(Endless(Arc::clone(&made), Some(done))));
    let limits = ServerLimits { write_timeout: Duration::from_millis(100), ..limits() };
    let server = serve_with(
        limits,
        None,
        answers(move |_| {
            let body = body.lock().unwrap().take().unwrap();
            async move { stream(body) }
        }),
    );
    let mut caller = TcpStream::connect(server.address()).await.unwrap();
    caller.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    tokio::time::timeout(LONG, dropped).await.unwrap().unwrap();
    // What the kernel's buffers on both sides take, and one small buffer of ours.
    assert!(made.load(SeqCst) < 16 << 20, "{} bytes were made for nobody", made.load(SeqCst));
    drop(caller);
}

#[tokio::test]
async fn headers_that_belong_to_the_connection_are_not_the_services() {
    let server = serve(answers(|_| async {
        let mut response = whole("hello".to_owned());
        for (name, value) in
            [("content-length", "99"), ("transfer-encoding", "chunked"), ("connection", "upgrade"), ("x-mine", "yes")]
        {
            response.headers.insert(name, value.parse::<http::HeaderValue>().unwrap());
        }
        response
    }));
    let answer = talk(server.address(), b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.to_lowercase();
    assert!(answer.contains("content-length: 5\r\n") && answer.contains("x-mine: yes"), "{answer}");
    assert!(!answer.contains("99") && !answer.contains("chunked") && !answer.contains("upgrade"), "{answer}");
}

#[tokio::test]
async fn a_port_in_use_is_an_error_of_bind() {
    let first = listen();
    let again = net::Server::bind(first.local_addr());
    assert_eq!(again.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn several_workers_share_one_port_and_keep_streams_apart() {
    let limits = ServerLimits { workers: std::num::NonZeroUsize::new(3), ..ServerLimits::default() };
    let server = serve_with(
        limits,
        None,
        answers(|request| async move {
            let id = request.uri.path().to_owned();
            let (send, receive) = mpsc::channel(4);
            request_numbers(id, send);
            piped(Piped(receive))
        }),
    );
    assert_eq!(server.serving.workers(), 3);
    let (client, origin) = (client(), origin(server.address()));
    let mut running = tokio::task::JoinSet::new();
    for n in 0..200 {
        let (client, origin) = (client.clone(), origin.clone());
        running.spawn(async move {
            let body = text(client.send(&origin, get(&format!("/{n}")), soon()).await.unwrap()).await;
            let expected: String = (0..50).map(|token| format!("/{n}:{token} ")).collect();
            assert_eq!(body, expected);
        });
    }
    running.join_all().await;
}

fn request_numbers(id: String, send: mpsc::Sender<Result<Bytes, Abort>>) {
    tokio::spawn(async move {
        for token in 0..50 {
            send.send(Ok(Bytes::from(format!("{id}:{token} ")))).await.ok();
        }
    });
}

#[tokio::test]
async fn a_request_cut_anywhere_is_served_the_same() {
    let server = serve(echo());
    for request in [
        "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\nt: u\r\n\r\n",
    ] {
        for cut in 1..request.len() {
            let mut socket = TcpStream::connect(server.address()).await.unwrap();
            socket.set_nodelay(true).unwrap();
            socket.write_all(&request.as_bytes()[..cut]).await.unwrap();
            // The server has most likely read the first part by now; that it may not have is no fault.
            tokio::task::yield_now().await;
            socket.write_all(&request.as_bytes()[cut..]).await.unwrap();
            let answer = read_to_close(&mut socket).await;
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("POST /a 5"), "{cut}: {answer}");
        }
    }
}

#[tokio::test]
async fn requests_sent_without_waiting_are_answered_in_order() {
    let server = serve(echo());
    let one = |n: usize| format!("POST /{n} HTTP/1.1\r\nHost: a\r\nContent-Length: {n}\r\n\r\n{}", "x".repeat(n));
    let chunked = |n: usize| {
        format!(
            "POST /{n} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{n:x}\r\n{}\r\n0\r\n\r\n",
            "x".repeat(n)
        )
    };
    let many: String = (1..200).map(|n| if n % 3 == 0 { chunked(n) } else { one(n) }).collect();
    let last = "GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = talk(server.address(), format!("{many}\r\n{last}").as_bytes()).await;
    let mut at = 0;
    for n in 1..200 {
        let wanted = format!("POST /{n} {n}");
        at += answer[at..].find(&wanted).unwrap_or_else(|| panic!("{wanted} is missing behind {at}"));
    }
    assert!(answer[at..].contains("GET /end 0"));
}

#[tokio::test]
async fn a_caller_who_waits_for_a_word_gets_it_when_the_body_is_wanted_and_only_then() {
    let server = serve(answers(|request| async move {
        if request.uri.path() == "/no" {
            return Response::whole(StatusCode::FORBIDDEN, "text/plain", "no".to_owned());
        }
        whole(format!("{} bytes", held(request.body).await.unwrap().bytes.len()))
    }));
    for (path, wanted) in [("/yes", true), ("/no", false)] {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut first = [0; 12];
        socket.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, if wanted { b"HTTP/1.1 100" } else { b"HTTP/1.1 403" });
        if wanted {
            socket.write_all(b"hello").await.unwrap();
            assert!(read_to_close(&mut socket).await.ends_with("5 bytes"));
        }
    }
}

#[tokio::test]
async fn an_older_caller_gets_a_stream_without_chunks_and_a_kept_connection_if_it_asks() {
    let server = serve(answers(|request| async move {
        if request.uri.path() == "/stream" {
            let (send, receive) = mpsc::channel(4);
            request_numbers("n".to_owned(), send);
            return piped(Piped(receive));
        }
        whole("hello".to_owned())
    }));
    let kept = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let stream = "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let answer = talk(server.address(), format!("{kept}{kept}{stream}").as_bytes()).await;
    assert_eq!(answer.matches("connection: keep-alive").count(), 2, "{answer}");
    assert!(!answer.contains("chunked") && answer.ends_with("n:48 n:49 "), "{answer}");
}

#[tokio::test]
async fn a_head_alone_is_answered_without_a_body() {
    let server = serve(answers(|_| async { whole("hello".to_owned()) }));
    let answer = talk(server.address(), b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains("content-length: 5\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_large_body_arrives_whole_however_it_is_framed() {
    let server = serve(answers(|request| async move {
        let held = held(request.body).await.unwrap();
        let good = held.bytes.iter().enumerate().all(|(n, byte)| *byte == (n % 251) as u8);
        whole(format!("{} {good}", held.bytes.len()))
    }));
    let body: Vec<u8> = (0..3_000_000).map(|n| (n % 251) as u8).collect();
    let length = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    // What follows at once is another request, wherever in it the reading of the body stopped.
    let next = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let chunks: Vec<u8> = body
        .chunks(70_001)
        .flat_map(|piece| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())
        .chain(*b"0\r\n\r\n")
        .collect();
    for (head, body) in [(length, &body), (chunked, &chunks)] {
        for next in [&next[..], &[b"\r\n", &next[..]].concat()] {
            let answer = talk(server.address(), &[head.as_bytes(), body, next].concat()).await;
            assert!(answer.contains("3000000 true") && answer.ends_with("0 true"), "{answer}");
        }
    }
}
