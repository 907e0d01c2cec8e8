//! Connections that are kept, shared, given up and found dead.

use crate::bed::*;
use net::{NetErrorKind, Origin, Permit, Upstream, UpstreamSettings};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use types::Sent;

#[tokio::test]
async fn a_connection_closed_while_idle_is_not_used_again() {
    let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec();
    let (listener, address) = raw_listener().await;
    let peer = tokio::spawn(async move {
        for _ in 0..5 {
            let (mut socket, _) = listener.accept().await.unwrap();
            read_request(&mut socket).await;
            socket.write_all(&reply).await.unwrap();
        }
    });
    let (client, origin) = (client(), origin(address));
    for _ in 0..5 {
        // Whether the goodbye has arrived is a race that every client runs; it must be told apart from a failure.
        let reply = loop {
            match client.send(&origin, get("/"), soon()).await {
                Ok(reply) => break reply,
                Err(error) => assert!(error.reused, "{error}"),
            }
        };
        assert_eq!(text(reply).await, "ok");
    }
    peer.await.unwrap();
}

#[tokio::test]
async fn a_dead_kept_connection_says_that_another_try_is_safe() {
    let (listener, address) = raw_listener().await;
    let (client, origin) = (client(), origin(address));
    let peer = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        // The second request is read, and then the peer goes without a word.
        read_request(&mut socket).await;
    });
    text(client.send(&origin, get("/1"), soon()).await.unwrap()).await;
    let error = client.send(&origin, get("/2"), soon()).await.unwrap_err();
    assert_eq!((error.kind, error.sent, error.reused), (NetErrorKind::Closed, Sent::Maybe, true));
    peer.await.unwrap();
}

#[tokio::test]
async fn a_fresh_connection_that_closes_without_a_word_is_no_case_for_another_try() {
    let (listener, address) = raw_listener().await;
    let peer = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
    });
    let origin = origin(address);
    let error = client().send(&origin, post("/", "x".to_owned()), soon()).await.unwrap_err();
    assert_eq!((error.kind, error.sent, error.reused), (NetErrorKind::Closed, Sent::Maybe, false));
    peer.await.unwrap();
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_end_the_connection() {
    let bodies: &[&[u8]] = &[
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ];
    for bytes in bodies {
        let (listener, address) = raw_listener().await;
        let peer = tokio::spawn(async move {
            for _ in 0..2 {
                let (mut socket, _) = listener.accept().await.unwrap();
                read_request(&mut socket).await;
                socket.write_all(bytes).await.unwrap();
                // The client hangs up.
                assert_eq!(read_to_close(&mut socket).await, "");
            }
        });
        let (client, origin) = (client(), origin(address));
        for _ in 0..2 {
            let reply = client.send(&origin, get("/"), soon()).await.unwrap();
            assert!(!reply.reused);
            assert!(matches!(text(reply).await.as_str(), "ok" | ""));
        }
        peer.await.unwrap();
    }
}

#[tokio::test]
async fn a_reply_that_is_dropped_before_its_end_closes_the_connection() {
    let (listener, address) = raw_listener().await;
    let peer = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
        socket.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").await.unwrap();
        read_to_close(&mut socket).await
    });
    let mut reply = client().send(&origin(address), get("/"), soon()).await.unwrap();
    assert_eq!(reply.body.chunk().await.unwrap().unwrap(), "hello");
    drop(reply);
    assert_eq!(peer.await.unwrap(), "");
}

#[tokio::test]
async fn a_send_that_is_dropped_closes_the_connection() {
    let (listener, address) = raw_listener().await;
    let client = client();
    let origin = origin(address);
    let mut sending = Box::pin(client.send(&origin, post("/", "x".to_owned()), soon()));
    let mut socket = tokio::select! {
        _ = &mut sending => unreachable!("nobody answers"),
        socket = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            read_request(&mut socket).await;
            socket
        } => socket,
    };
    drop(sending);
    assert_eq!(read_to_close(&mut socket).await, "");
}

#[tokio::test]
async fn idle_connections_are_closed_in_time_and_never_beyond_their_number() {
    let (listener, address) = raw_listener().await;
    let drain = net::Drain::new();
    let settings =
        UpstreamSettings { max_idle: 2, idle_timeout: Duration::from_millis(50), drain, ..UpstreamSettings::default() };
    let (client, origin) = (Upstream::new(settings), origin(address));
    let peer = tokio::spawn(async move {
        let mut closed = tokio::task::JoinSet::new();
        let mut sockets = Vec::new();
        for _ in 0..4 {
            let (mut socket, _) = listener.accept().await.unwrap();
            read_request(&mut socket).await;
            sockets.push(socket);
        }
        // All four are answered at once, so that four connections become idle together.
        for mut socket in sockets {
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            closed.spawn(async move { read_to_close(&mut socket).await });
        }
        closed.join_all().await
    });
    let asks = (0..4).map(|_| {
        let (client, origin) = (client.clone(), origin.clone());
        async move { text(client.send(&origin, get("/"), soon()).await.unwrap()).await }
    });
    let mut asking: tokio::task::JoinSet<_> = asks.collect();
    while let Some(body) = asking.join_next().await {
        assert_eq!(body.unwrap(), "ok");
    }
    assert_eq!(peer.await.unwrap(), vec![String::new(); 4]);
}

#[tokio::test]
async fn connections_of_equal_origins_are_shared_and_of_others_not() {
    let (listener, address) = raw_listener().await;
    let peer = tokio::spawn(async move {
        let mut counts = Vec::new();
        for _ in 0..2 {
            let (mut socket, _) = listener.accept().await.unwrap();
            counts.push(serve_ok(&mut socket).await);
        }
        counts
    });
    let client = client();
    let by_ip = origin(address);
    let again = origin(address);
    let by_name = Origin::parse(&format!("http://localhost:{}", address.port()), Permit::Declared).unwrap().0;
    for (origin, reused) in [(&by_ip, false), (&again, true), (&by_ip, true)] {
        let reply = client.send(origin, get("/"), soon()).await.unwrap();
        assert_eq!(reply.reused, reused, "{origin}");
        text(reply).await;
    }
    // Given up before its end, the connection is closed, and the peer goes on to the next.
    drop(client.send(&by_ip, get("/stop"), soon()).await.unwrap());
    let reply = client.send(&by_name, get("/"), soon()).await.unwrap();
    assert!(!reply.reused);
    text(reply).await;
    drop(client);
    assert_eq!(peer.await.unwrap(), [4, 1]);
}

/// Answers every request of a connection; says how many there were.
async fn serve_ok(socket: &mut TcpStream) -> usize {
    let mut count = 0;
    let mut buf = [0; 4_096];
    while let Ok(n) = socket.read(&mut buf).await {
        if n == 0 {
            break;
        }
        count += 1;
        let stop = buf[..n].starts_with(b"GET /stop");
        let length = if stop { 5 } else { 2 };
        let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nok");
        socket.write_all(reply.as_bytes()).await.unwrap();
    }
    count
}

#[tokio::test]
async fn beyond_their_number_the_connection_that_lay_idle_longest_is_closed_to_whomever_it_leads() {
    async fn answer(listener: tokio::net::TcpListener, times: usize) -> String {
        let (mut socket, _) = listener.accept().await.unwrap();
        for _ in 0..times {
            read_request(&mut socket).await;
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        }
        read_to_close(&mut socket).await
    }
    let client = Upstream::new(UpstreamSettings { max_idle: 1, ..UpstreamSettings::default() });
    let ((first, here), (second, there)) = (raw_listener().await, raw_listener().await);
    let (first, second) = (tokio::spawn(answer(first, 1)), tokio::spawn(answer(second, 2)));
    let mut reused = Vec::new();
    for address in [here, there, there] {
        let reply = client.send(&origin(address), get("/"), soon()).await.unwrap();
        reused.push(reply.reused);
        assert_eq!(text(reply).await, "ok");
    }
    assert_eq!(reused, [false, false, true]);
    assert_eq!(first.await.unwrap(), "", "it gave way");
    drop(client);
    second.await.unwrap();
}

#[tokio::test]
async fn a_reply_that_came_whole_with_its_head_frees_its_connection_at_once() {
    let server = serve(answers(|_| async { whole("hello".to_owned()) }));
    let (client, origin) = (client(), origin(server.address()));
    let first = client.send(&origin, get("/1"), soon()).await.unwrap();
    let second = client.send(&origin, get("/2"), soon()).await.unwrap();
    assert_eq!((first.reused, second.reused), (false, true));
    assert_eq!((text(first).await, text(second).await), ("hello".to_owned(), "hello".to_owned()));
}
