//! Going down: nothing new, what runs goes on, and an end in any case.

use crate::bed::*;
use bytes::Bytes;
use net::{Abort, Drained};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

fn streaming() -> (Running, mpsc::Sender<Result<Bytes, Abort>>) {
    let (send, receive) = mpsc::channel(1);
    let receive = std::sync::Mutex::new(Some(receive));
    let server = serve(answers(move |request| {
        let taken = if request.uri.path() == "/stream" { receive.lock().unwrap().take() } else { None };
        async move { taken.map_or_else(|| whole("short".to_owned()), |body| piped(Piped(body))) }
    }));
    (server, send)
}

#[tokio::test]
async fn a_running_stream_ends_well_idle_connections_close_and_the_port_is_given_up() {
    let (server, send) = streaming();
    let address = server.address();
    let (client, origin) = (client(), origin(address));
    let mut reply = client.send(&origin, get("/stream"), soon()).await.unwrap();
    send.send(Ok(Bytes::from_static(b"first "))).await.unwrap();
    assert_eq!(reply.body.chunk().await.unwrap().unwrap(), "first ");
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"short") {
        assert!(idle.read_buf(&mut answer).await.unwrap() > 0);
    }

    server.drain.start();
    assert_eq!(read_to_close(&mut idle).await, "");
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    send.send(Ok(Bytes::from_static(b"last"))).await.unwrap();
    drop(send);
    assert_eq!(reply.body.chunk().await.unwrap().unwrap(), "last");
    assert!(reply.body.chunk().await.is_none());
    assert_eq!(server.drain.finished(LONG).await, Drained::Clean);
    tokio::task::spawn_blocking(|| server.serving.join()).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_runs_beyond_the_grace_limit_is_broken_visibly() {
    let (server, send) = streaming();
    let mut reply = client().send(&origin(server.address()), get("/stream"), soon()).await.unwrap();
    send.send(Ok(Bytes::from_static(b"first"))).await.unwrap();
    assert_eq!(reply.body.chunk().await.unwrap().unwrap(), "first");
    let drained = server.drain.finished(Duration::from_millis(30)).await;
    assert_eq!(drained, Drained::Aborted(vec![("connection", 1)]));
    assert!(reply.body.chunk().await.unwrap().is_err());
    tokio::time::timeout(LONG, send.closed()).await.unwrap();
    tokio::task::spawn_blocking(|| server.serving.join()).await.unwrap();
}

#[tokio::test]
async fn a_server_without_connections_ends_at_once() {
    let server = serve(echo());
    assert_eq!(server.drain.finished(LONG).await, Drained::Clean);
    tokio::task::spawn_blocking(|| server.serving.join()).await.unwrap();
}
