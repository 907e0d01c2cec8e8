//! The listener, its connections, and the way of one request: read, journal, find the place, answer, apply a fault, send.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::ask::Ask;
use crate::chat::errors::{Kind, Refusal, Shape};
use crate::conn::{Conn, Control};
use crate::faults::Faults;
use crate::journal::{Exchange, Journal};
use crate::knobs::Knobs;
use crate::place::{self, Place};
use crate::play::Play;
use crate::reply::{Content, Reply, Step, paced};
use crate::tasks::{self, Call};
use crate::vendors::Kept;
use crate::works::Works;
use crate::{Settings, chat, control, custom, hub, router, vendors};

/// The largest body that is read at all.
const BODY_LIMIT: usize = 64 << 20;
const BODY_DEADLINE: Duration = Duration::from_secs(60);

/// What all requests share.
#[derive(Debug)]
pub(crate) struct State {
    knobs: Mutex<Knobs>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) faults: Faults,
    pub(crate) works: Works,
    pub(crate) kept: Kept,
}

impl State {
    pub(crate) fn new(settings: Settings) -> Self {
        let knobs = Knobs { tokens: settings.tokens, any_hf_token: settings.any_hf_token, ..Knobs::default() };
        Self {
            knobs: Mutex::new(knobs),
            journal: Arc::new(Journal::new(settings.journal_entries)),
            faults: Faults::default(),
            works: Works::default(),
            kept: Kept::default(),
        }
    }

    pub(crate) fn knobs(&self) -> Knobs {
        self.knobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, change: &Value) -> Result<(), String> {
        let mut knobs = self.knobs.lock().unwrap_or_else(PoisonError::into_inner);
        *knobs = knobs.changed(change)?;
        Ok(())
    }
}

/// Serves until `stopped` fires or its sender is dropped; all connections end with it.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    state: Arc<State>,
    mut stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return Ok(()),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let state = Arc::clone(&state);
                    connections.spawn(connection(stream, state));
                }
                // Out of file descriptors, or the client was gone before we came: neither ends the sandbox.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            },
        }
    }
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    // Without this, small frames of a stream would wait for each other; an error here means that the client is gone.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let http2 = speaks_http2(&stream).await;
    let (conn, control) = Conn::new(stream);
    let io = TokioIo::new(conn);
    let service = service_fn(move |request| {
        let (state, control) = (Arc::clone(&state), Arc::clone(&control));
        async move { Ok::<_, Infallible>(answer(request, state, control).await) }
    });
    // How a connection ends is the journal's business, not this result's.
    let _ended = if http2 {
        hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await
    } else {
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(1 << 20);
        builder.serve_connection(io, service).await
    };
}

/// Whether the client begins with the HTTP/2 preface.
async fn speaks_http2(stream: &TcpStream) -> bool {
    let mut first = [0; 4];
    loop {
        match stream.peek(&mut first).await {
            Ok(4) => return first == *b"PRI ",
            // Fewer bytes: wait for more only while it still could be the preface.
            Ok(got) if got > 0 && b"PRI ".starts_with(&first[..got]) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            _ => return false,
        }
    }
}

async fn answer(request: Request<Incoming>, state: Arc<State>, control: Arc<Control>) -> Response<Play> {
    let (parts, body) = request.into_parts();
    let knobs = state.knobs();
    let own = parts.uri.path().starts_with("/_sandbox");
    let journal = if own { Arc::new(Journal::new(1)) } else { Arc::clone(&state.journal) };
    let exchange = journal.begin(&parts, &knobs);
    let Some(body) = read(body).await else {
        exchange.note("body", "cut short or too long".into());
        let refusal = Refusal::new(Kind::TooLarge, "The request body was cut short or is far too long");
        return respond(refusal.reply(Shape::ErrorText).with("connection", "close"), exchange, control);
    };
    let mut ask = Ask::new(&parts, body, knobs);
    if own {
        let reply = control::answer(&ask, &state).await;
        return respond(reply, exchange, control);
    }
    let place = place::find(&ask.path);
    exchange.body(&ask, &place);
    let fault = state.faults.take(&ask, &place);
    let reply = match &fault {
        Some(fault) => {
            exchange.note("fault", fault.name().into());
            tokio::time::sleep(fault.delay()).await;
            fault.adjust(&mut ask.knobs);
            fault.apply(&ask, &place, || play(&ask, &place, &state, &exchange), &control)
        }
        None => play(&ask, &place, &state, &exchange),
    };
    if fault.as_ref().is_some_and(crate::faults::Active::hangs) {
        std::future::pending::<()>().await;
    }
    respond(reply, exchange, control)
}

/// The whole body, or none if it does not come to its end.
async fn read(mut body: Incoming) -> Option<Bytes> {
    let all = async {
        let mut held = BytesMut::new();
        loop {
            match Next(&mut body).await {
                None => return Some(held.freeze()),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        held.extend_from_slice(&data);
                    }
                }
                Some(Err(_)) => return None,
            }
            if held.len() > BODY_LIMIT {
                return None;
            }
        }
    };
    tokio::time::timeout(BODY_DEADLINE, all).await.ok().flatten()
}

struct Next<'a>(&'a mut Incoming);

impl Future for Next<'_> {
    type Output = Option<hyper::Result<http_body::Frame<Bytes>>>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.0).poll_frame(cx)
    }
}

/// What the place answers when no fault is in the way.
fn play(ask: &Ask, place: &Place, state: &State, exchange: &Exchange) -> Reply {
    match place {
        Place::Hub(hub) => hub::answer(ask, hub, &state.faults),
        Place::Router(route) => router::answer(ask, route),
        Place::Backend { backend, door, route, .. } if vendors::operation(backend, route).is_some() => {
            vendors::answer(ask, backend, *door, route, &state.kept)
        }
        Place::Backend { backend, door, route, .. } if backend.chat_route(route).is_some() => {
            chat::answer(ask, backend, *door, route, &state.faults)
        }
        Place::Backend { backend, door, route, queue } => {
            tasks::answer(&Call { ask, backend, door: *door, state, exchange }, route, *queue)
        }
        Place::Custom { server, route } => custom::answer(ask, server, route),
        Place::Asset(name) => state.works.serve(ask, name, exchange),
        Place::Nowhere => Reply::json(404, r#"{"error":"Not Found"}"#),
    }
}

fn respond(reply: Reply, exchange: Exchange, control: Arc<Control>) -> Response<Play> {
    let (mut response, steps) = match reply.content {
        Content::Raw(bytes) => {
            control.replace(bytes);
            exchange.note("ended_by_fault", "raw".into());
            let mut response = Response::new(Play::new(Vec::new(), exchange, control));
            response.headers_mut().insert("connection", HeaderValue::from_static("close"));
            return response;
        }
        Content::Whole(body) => {
            let length = HeaderValue::from(body.len());
            let mut response = Response::new(());
            response.headers_mut().insert("content-length", length);
            (response, vec![Step::Send(body)])
        }
        Content::Events { frames, gap } => (Response::new(()), paced(frames, gap)),
        Content::Steps(steps) => (Response::new(()), steps),
    };
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes())) {
            response.headers_mut().append(name, value);
        }
    }
    exchange.status(response.status().as_u16());
    response.map(|()| Play::new(steps, exchange, control))
}
