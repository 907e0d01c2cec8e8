//! The client against peers that write their bytes by hand.

use crate::bed::*;
use bytes::Bytes;
use http::{Method, StatusCode};
use net::{NetErrorKind, Origin, Outgoing, Permit, Upstream};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use types::{SendBody, Sent};

/// A peer that answers the first request of each connection with these bytes and closes.
async fn scripted(replies: Vec<Vec<u8>>) -> (Origin, JoinHandle<()>) {
    let (listener, address) = raw_listener().await;
    let peer = tokio::spawn(async move {
        for reply in replies {
            let (mut socket, _) = listener.accept().await.unwrap();
            read_request(&mut socket).await;
            // A client that has seen enough may hang up before it has read all.
            socket.write_all(&reply).await.ok();
        }
    });
    (origin(address), peer)
}

/// What one reply comes to: status and body, or the kind of error.
async fn ask(client: &Upstream, origin: &Origin, request: Outgoing) -> Result<(u16, String), NetErrorKind> {
    let mut reply = client.send(origin, request, soon()).await.map_err(|error| error.kind)?;
    let mut body = Vec::new();
    while let Some(chunk) = reply.body.chunk().await {
        body.extend_from_slice(&chunk.map_err(|error| error.kind)?);
    }
    Ok((reply.status.as_u16(), String::from_utf8(body).unwrap()))
}

async fn one(reply: &str) -> Result<(u16, String), NetErrorKind> {
    let (origin, _peer) = scripted(vec![reply.as_bytes().to_vec()]).await;
    ask(&client(), &origin, get("/")).await
}

#[tokio::test]
async fn a_reply_split_at_every_byte_reads_the_same() {
    let replies: &[(&str, &str)] = &[
        ("HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX: y\r\n\r\nhello world", "hello world"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: u\r\n\r\n",
            "hello world",
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "ok",
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"),
    ];
    for (reply, body) in replies {
        let (listener, address) = raw_listener().await;
        let peer = tokio::spawn(async move {
            for cut in 1..reply.len() {
                let (mut socket, _) = listener.accept().await.unwrap();
                read_request(&mut socket).await;
                socket.write_all(&reply.as_bytes()[..cut]).await.unwrap();
                // Lets the client read the first part by itself.
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                socket.write_all(&reply.as_bytes()[cut..]).await.unwrap();
                socket.shutdown().await.unwrap();
            }
        });
        for cut in 1..reply.len() {
            // A client of its own, so that every round has a new connection.
            let read = ask(&client(), &origin(address), get("/")).await;
            assert_eq!(read, Ok((200, (*body).to_owned())), "{reply:?} cut at {cut}");
        }
        peer.await.unwrap();
    }
}

#[tokio::test]
async fn a_reply_byte_by_byte_reads_the_same() {
    let reply = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
    let (listener, address) = raw_listener().await;
    let peer = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        read_request(&mut socket).await;
        for byte in reply.bytes() {
            socket.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(ask(&client(), &origin(address), get("/")).await, Ok((200, "abcd".to_owned())));
    peer.await.unwrap();
}

#[tokio::test]
async fn a_body_that_ends_early_is_truncated() {
    for reply in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "H",
    ] {
        assert_eq!(one(reply).await, Err(NetErrorKind::Truncated), "{reply:?}");
    }
}

#[tokio::test]
async fn broken_chunks_are_refused() {
    for body in ["5\nhello", "5\r\nhello0\r\n", "x\r\n", "\r\n", "-1\r\n", "5\r\nhello\r\n0\r\n folded\r\n\r\n"] {
        let reply = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        assert_eq!(one(&reply).await, Err(NetErrorKind::BadBody), "{body:?}");
    }
}

#[tokio::test]
async fn heads_that_two_readers_could_take_differently_are_refused() {
    for lines in [
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 5x\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "X: y\r\n folded\r\n",
        "X : y\r\n",
        "X\r\n",
        "X: \0\r\n",
    ] {
        let reply = format!("HTTP/1.1 200 OK\r\n{lines}\r\nhello");
        assert_eq!(one(&reply).await, Err(NetErrorKind::BadHead), "{lines:?}");
    }
    for reply in [
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "hello\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ] {
        assert_eq!(one(reply).await, Err(NetErrorKind::BadHead), "{reply:?}");
    }
}

#[tokio::test]
async fn heads_beyond_the_limits_are_refused() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(70_000));
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(200_000));
    let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(9);
    assert_eq!(one(&many).await, Err(NetErrorKind::HeadTooLarge));
    assert_eq!(one(&long).await, Err(NetErrorKind::HeadTooLarge));
    assert_eq!(one(&endless).await, Err(NetErrorKind::HeadTooLarge));
    assert_eq!(one(&interim).await, Err(NetErrorKind::BadHead));
}

#[tokio::test]
async fn replies_without_a_body_have_none() {
    for (method, reply) in [
        (Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n"),
        (Method::GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        (Method::HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ] {
        let (origin, _peer) = scripted(vec![reply.into()]).await;
        let reply = client().send(&origin, Outgoing { method, ..get("/") }, soon()).await.unwrap();
        assert!(reply.body.is_done());
    }
}

#[tokio::test]
async fn headers_of_the_connection_stay_behind_in_both_directions() {
    let (listener, address) = raw_listener().await;
    let peer = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let request = read_request(&mut socket).await;
        let reply = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\nX-A: b\r\nX-A: \r\nContent-Length: 0\r\n\r\n";
        socket.write_all(reply).await.unwrap();
        request
    });
    let mut request = post("/p?q=1", "hi".to_owned());
    let mut headers = http::HeaderMap::new();
    for (name, value) in [
        ("host", "evil"),
        ("content-length", "99"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("te", "gzip"),
        ("expect", "100-continue"),
        ("x-kept", "yes"),
    ] {
        headers.insert(name, value.parse::<http::HeaderValue>().unwrap());
    }
    request.headers = headers.into();
    let reply = client().send(&origin(address), request, soon()).await.unwrap();
    let names: Vec<_> = reply
        .headers
        .iter()
        .map(|(name, value)| format!("{}={}", String::from_utf8_lossy(name), value.to_str().unwrap()))
        .collect();
    assert_eq!(names, ["x-a=b", "x-a=", "content-length=0"]);
    let seen = peer.await.unwrap();
    assert_eq!(seen, format!("POST /p?q=1 HTTP/1.1\r\nhost: {address}\r\nx-kept: yes\r\ncontent-length: 2\r\n\r\nhi"));
}

#[tokio::test]
async fn what_cannot_stand_in_a_request_line_is_refused_before_anything_is_sent() {
    let (listener, address) = raw_listener().await;
    for target in ["", "x", "http://x/", "/a b", "/a\r\nX: y", "/\u{e9}", "/a#b", "/\0"] {
        let error = client().send(&origin(address), get(target), soon()).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (NetErrorKind::BadRequest, Sent::No), "{target:?}");
    }
    assert!(nobody_connected(&listener));
}

fn nobody_connected(listener: &TcpListener) -> bool {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    listener.poll_accept(&mut cx).is_pending()
}

#[tokio::test]
async fn an_early_refusal_is_read_although_the_body_is_not_taken() {
    let (listener, address) = raw_listener().await;
    let peer = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut some = [0; 1_000];
        socket.read_exact(&mut some).await.unwrap();
        socket.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\ntoo large").await.unwrap();
        // Reads nothing more until the client hangs up: `peek` for the end would need the rest to be read.
        socket
    });
    let body = SendBody::from(vec![b'x'; 32 << 20]);
    let reply = client().send(&origin(address), post("/", body), soon()).await.unwrap();
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(text(reply).await, "too large");
    drop(peer.await.unwrap());
}

#[tokio::test]
async fn a_reply_that_begins_early_does_not_stop_the_sending() {
    let (listener, address) = raw_listener().await;
    let peer = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = [0; 100];
        socket.read_exact(&mut head).await.unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n").await.unwrap();
        let (mut read, mut buf) = (100, vec![0; 64 * 1024]);
        while read < (16 << 20) {
            read += socket.read(&mut buf).await.unwrap();
        }
        socket.write_all(b"4\r\ndone\r\n0\r\n\r\n").await.unwrap();
    });
    let body = SendBody::from(vec![b'x'; 16 << 20]);
    let reply = client().send(&origin(address), post("/", body), soon()).await.unwrap();
    assert_eq!(text(reply).await, "begundone");
    peer.await.unwrap();
}

#[tokio::test]
async fn the_deadline_ends_the_waiting_for_a_reply() {
    let (listener, address) = raw_listener().await;
    let deadline = Instant::now() + Duration::from_millis(30);
    let error = client().send(&origin(address), get("/"), deadline).await.unwrap_err();
    assert_eq!((error.kind, error.sent, error.reused), (NetErrorKind::Timeout, Sent::Maybe, false));
    drop(listener);
}

#[tokio::test]
async fn the_deadline_ends_the_waiting_for_a_body() {
    let (listener, address) = raw_listener().await;
    let peer = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell").await.unwrap();
        read_to_close(&mut socket).await
    });
    let reply = client().send(&origin(address), get("/"), soon()).await.unwrap();
    let budget = net::ByteBudget::new(100);
    let held = reply.body.collect(100, Instant::now() + Duration::from_millis(30), &budget).await;
    assert!(matches!(held, Err(net::CollectError::Timeout)));
    assert_eq!(budget.used(), 0);
    peer.await.unwrap();
}

#[tokio::test]
async fn nobody_listening_is_a_refused_connection() {
    let (listener, address) = raw_listener().await;
    drop(listener);
    let error = client().send(&origin(address), get("/"), soon()).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (NetErrorKind::ConnectRefused, Sent::No));
}

#[tokio::test]
async fn a_public_origin_never_reaches_a_loopback_listener() {
    let (listener, address) = raw_listener().await;
    let port = address.port();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "a.localhost"] {
        let (origin, _) = Origin::parse(&format!("http://{host}:{port}"), Permit::Public).unwrap();
        let error = client().send(&origin, get("/"), soon()).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (NetErrorKind::AddressRefused, Sent::No), "{host}");
    }
    assert!(nobody_connected(&listener));
}

#[tokio::test]
async fn a_redirect_is_given_to_the_caller_and_not_followed() {
    let (listener, target) = raw_listener().await;
    let reply = format!("HTTP/1.1 302 Found\r\nLocation: http://{target}/\r\nContent-Length: 0\r\n\r\n");
    let (origin, _peer) = scripted(vec![reply.into_bytes()]).await;
    assert_eq!(ask(&client(), &origin, get("/")).await, Ok((302, String::new())));
    assert!(nobody_connected(&listener));
}

#[tokio::test]
async fn large_bodies_in_many_segments_survive_short_writes() {
    let (listener, address) = raw_listener().await;
    let peer = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket2::SockRef::from(&socket).set_recv_buffer_size(4_096).unwrap();
        let request = read_request(&mut socket).await;
        let body = request.split_once("\r\n\r\n").unwrap().1.to_owned();
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        body
    });
    let mut body = SendBody::empty();
    for n in 0..2_000_usize {
        body.push(Bytes::from(format!("{n:0width$}", width = 1 + n % 97)));
    }
    let expected = String::from_utf8(body.to_bytes().to_vec()).unwrap();
    client().send(&origin(address), post("/", body), soon()).await.unwrap();
    assert!(peer.await.unwrap() == expected);
}
