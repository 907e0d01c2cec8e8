//! Our client beside hyper's: the same damaged bytes from a peer. Ours may refuse what hyper takes, never read it differently.

use crate::bed::*;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use hyper_util::rt::TokioIo;
use net::Upstream;
use proptest::{prelude::*, sample::Index, test_runner::Config};
use std::{future::poll_fn, net::SocketAddr, pin::pin};
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// Replies in every framing that there is.
const REPLIES: [&str; 6] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX: y\r\n\r\nhello world",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: u\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\nuntil the end",
    "HTTP/1.1 204 No Content\r\nKeep-Alive: 5\r\n\r\n",
];

/// What damage is made of: what framing hangs on.
const PIECES: [&str; 14] = [
    "\r\n",
    "\n",
    "\r",
    " ",
    ":",
    ";",
    ",",
    "0",
    "5",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "chunked",
    "HTTP/1.1 200 OK\r\n",
    "\0",
];

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), any::<Index>(), any::<Index>(), 0..4_u8);
    (any::<Index>(), prop::collection::vec(change, 0..4)).prop_map(|(which, changes)| {
        let mut bytes = which.get(&REPLIES).as_bytes().to_vec();
        for (at, to, piece, how) in changes {
            let (from, piece) = (at.index(bytes.len() + 1), piece.get(&PIECES).as_bytes());
            let end = (from + to.index(6)).min(bytes.len());
            match how {
                0 => drop(bytes.splice(from..from, piece.iter().copied())),
                1 => drop(bytes.splice(from..end, piece.iter().copied())),
                2 => drop(bytes.drain(from..end)),
                _ => bytes.truncate(from.max(20)),
            }
        }
        bytes
    })
}

/// Status and whole body; `None` when the reply is refused or breaks off.
type Read = Option<(u16, Bytes)>;

async fn ours(address: SocketAddr) -> Read {
    let client: Upstream = client();
    let reply = client.send(&origin(address), get("/"), soon()).await.ok()?;
    let status = reply.status.as_u16();
    Some((status, held(reply.body).await.ok()?.bytes))
}

async fn hypers(address: SocketAddr) -> Read {
    let socket = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.ok()?;
    let connection = tokio::spawn(connection);
    let request = http::Request::get("/").header("host", "a").body(String::new()).unwrap();
    let reply = sender.send_request(request).await.ok()?;
    let (status, mut body) = (reply.status().as_u16(), pin!(reply.into_body()));
    let mut read = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        if let Ok(data) = frame.ok()?.into_data() {
            read.extend_from_slice(&data);
        }
    }
    connection.abort();
    Some((status, read.freeze()))
}

async fn both(reply: Vec<u8>) -> (Read, Read) {
    let (listener, address) = raw_listener().await;
    let peer = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut socket, _) = listener.accept().await.unwrap();
            read_request(&mut socket).await;
            // A client that has seen enough may hang up before it has read all.
            socket.write_all(&reply).await.ok();
        }
    });
    let read = (ours(address).await, hypers(address).await);
    peer.await.unwrap();
    read
}

proptest! {
    // A fixed number: every case takes two connections, and a system has only so many ports.
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(400) })]

    #[test]
    fn no_reply_is_read_differently(reply in damaged()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (ours, hypers) = runtime.block_on(both(reply));
        if let (Some(ours), Some(hypers)) = (ours, hypers) {
            prop_assert_eq!(ours, hypers);
        }
    }
}
