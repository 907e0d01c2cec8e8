//! What the tests stand on: a server with a closure as its service, a peer that follows a script of bytes.

use bytes::Bytes;
use http::{HeaderMap, Method};
use net::{
    Body, CollectError, Drain, Held, Listener, Origin, Outgoing, Permit, RecvBody, Reply, Request, Response, Server,
    ServerLimits, Service, Serving, TlsSettings, Upstream, UpstreamSettings,
};
use std::{
    future::Future,
    net::SocketAddr,
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use types::SendBody;

/// Longer than any test takes: a deadline that only a hanging test meets.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) fn soon() -> Instant {
    Instant::now() + LONG
}

type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A closure that answers.
#[derive(Clone)]
pub(crate) struct Answers(Arc<dyn Fn(Request) -> Answering + Send + Sync>);

impl Service for Answers {
    async fn call(&self, request: Request) -> Response {
        (self.0)(request).await
    }
}

pub(crate) fn answers<F: Future<Output = Response> + Send + 'static>(
    answer: impl Fn(Request) -> F + Send + Sync + 'static,
) -> Answers {
    Answers(Arc::new(move |request| Box::pin(answer(request))))
}

/// Says what came in: method, path, and length of the body.
pub(crate) fn echo() -> Answers {
    answers(|request| async move {
        let line = format!("{} {} ", request.method, request.uri);
        match held(request.body).await {
            Ok(body) => whole(format!("{line}{}", body.bytes.len())),
            Err(error) => Response::whole(http::StatusCode::BAD_REQUEST, "text/plain", error.to_string()),
        }
    })
}

pub(crate) fn whole(body: impl Into<SendBody>) -> Response {
    Response::whole(http::StatusCode::OK, "text/plain", body)
}

pub(crate) async fn held(body: RecvBody) -> Result<Held, CollectError> {
    body.collect(8 << 20, soon(), &net::ByteBudget::new(64 << 20)).await
}

pub(crate) fn limits() -> ServerLimits {
    ServerLimits { workers: NonZeroUsize::new(1), ..ServerLimits::default() }
}

pub(crate) fn listen() -> Listener {
    Server::bind("127.0.0.1:0".parse().unwrap()).unwrap()
}

/// A server; its drain ends it.
pub(crate) struct Running {
    pub(crate) serving: Serving,
    pub(crate) drain: Drain,
}

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        self.serving.local_addr()
    }
}

pub(crate) fn serve(service: impl Service) -> Running {
    serve_with(limits(), None, service)
}

pub(crate) fn serve_with(limits: ServerLimits, tls: Option<TlsSettings>, service: impl Service) -> Running {
    let drain = Drain::new();
    Running { serving: net::serve(listen(), limits, tls, service, &drain).unwrap(), drain }
}

pub(crate) fn client() -> Upstream {
    Upstream::new(UpstreamSettings::default())
}

pub(crate) fn origin(address: SocketAddr) -> Origin {
    Origin::parse(&format!("http://{address}"), Permit::Declared).unwrap().0
}

pub(crate) fn get(target: &str) -> Outgoing {
    Outgoing {
        method: Method::GET,
        target: target.to_owned(),
        headers: HeaderMap::new().into(),
        body: SendBody::empty(),
    }
}

pub(crate) fn post(target: &str, body: impl Into<SendBody>) -> Outgoing {
    Outgoing { method: Method::POST, body: body.into(), ..get(target) }
}

/// The whole body of a reply as text.
pub(crate) async fn text(reply: Reply) -> String {
    String::from_utf8(held(reply.body).await.unwrap().bytes.to_vec()).unwrap()
}

/// A body that streams what a channel brings.
pub(crate) struct Piped(pub(crate) tokio::sync::mpsc::Receiver<Result<Bytes, net::Abort>>);

impl net::StreamBody for Piped {
    fn poll_chunk(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Result<Bytes, net::Abort>>> {
        self.0.poll_recv(cx)
    }
}

pub(crate) fn piped(body: Piped) -> Response {
    Response { body: Body::Stream(Box::new(body)), ..Response::new(http::StatusCode::OK) }
}

/// A peer whose bytes are written by hand.
pub(crate) async fn raw_listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Reads one request (its head, and as much body as it announces).
pub(crate) async fn read_request(socket: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        let n = socket.read_buf(&mut read).await.unwrap();
        assert!(n > 0, "closed inside a request: {:?}", String::from_utf8_lossy(&read));
        if let Some(end) = read.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            let length = head
                .split("content-length: ")
                .nth(1)
                .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
            if read.len() >= end + 4 + length {
                return String::from_utf8_lossy(&read).into_owned();
            }
        }
    }
}

/// Sends `bytes` and reads until the peer closes.
pub(crate) async fn talk(address: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    // A peer that refuses early may have closed already.
    socket.write_all(bytes).await.ok();
    read_to_close(&mut socket).await
}

pub(crate) async fn read_to_close(socket: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let done = tokio::time::timeout(LONG, async {
        while let Ok(n) = socket.read_buf(&mut read).await
            && n > 0
        {}
    });
    done.await.expect("the peer neither answers nor closes");
    String::from_utf8_lossy(&read).into_owned()
}
