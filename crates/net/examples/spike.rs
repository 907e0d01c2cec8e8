//! The smallest proxy on this crate: replaces `model` by splicing and forwards to one upstream. It is what
//! docs/decisions/0003-http-stack.md measured.
//!
//! `cargo run --release -p net --example spike -- 127.0.0.1:8171 http://127.0.0.1:18000 1`

use bytes::Bytes;
use net::{
    Abort, Body, ByteBudget, Drain, Origin, Outgoing, Permit, RecvBody, Request, Response, Server, ServerLimits,
    Service, StreamBody, Upstream, UpstreamSettings,
};
use std::{
    env,
    error::Error,
    num::NonZeroUsize,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use types::SendBody;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Clone)]
struct Proxy {
    upstream: Upstream,
    origin: Origin,
    budget: ByteBudget,
}

impl Service for Proxy {
    async fn call(&self, request: Request) -> Response {
        self.forward(request)
            .await
            .unwrap_or_else(|error| Response::whole(http::StatusCode::BAD_GATEWAY, "text/plain", error.to_string()))
    }
}

impl Proxy {
    async fn forward(&self, request: Request) -> Result<Response, Box<dyn Error + Send + Sync>> {
        let deadline = Instant::now() + Duration::from_secs(300);
        let Request { method, uri, headers, body, .. } = request;
        let mut headers = headers.to_map();
        let held = body.collect(32 << 20, deadline, &self.budget).await?;
        headers.insert(http::header::AUTHORIZATION, http::HeaderValue::from_static("Bearer sk-upstream"));
        let target = uri.path().to_owned();
        drop(uri);
        let outgoing = Outgoing { method, target, headers: headers.into(), body: splice(&held.bytes) };
        let reply = self.upstream.send(&self.origin, outgoing, deadline).await?;
        let whole = reply.headers.contains(http::header::CONTENT_LENGTH);
        let body = if whole {
            Body::Whole(reply.body.collect(32 << 20, deadline, &self.budget).await?.bytes.into())
        } else {
            Body::Stream(Box::new(Passed(reply.body)))
        };
        Ok(Response { status: reply.status, headers: (&reply.headers.to_map()).into(), body })
    }
}

/// The same body with another model; found as in the reference proxies, without a parse.
fn splice(body: &Bytes) -> SendBody {
    let mut out = SendBody::with_capacity(3);
    let key = b"\"model\": \"";
    let start = body.windows(key.len()).position(|window| window == key).map(|at| at + key.len());
    let end = start.and_then(|start| body[start..].iter().position(|byte| *byte == b'"').map(|n| start + n));
    match (start, end) {
        (Some(start), Some(end)) => {
            out.push(body.slice(..start));
            out.push(Bytes::from_static(b"bench-model-upstream"));
            out.push(body.slice(end..));
        }
        _ => out.push(body.clone()),
    }
    out
}

struct Passed(RecvBody);

impl StreamBody for Passed {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Abort>>> {
        self.0.poll_chunk(cx).map(|next| next.map(|chunk| chunk.map_err(|_| Abort)))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [listen, upstream, workers] = &args[..] else { return Err("LISTEN UPSTREAM WORKERS".into()) };
    let drain = Drain::new();
    let settings = UpstreamSettings { drain: drain.clone(), ..UpstreamSettings::default() };
    let (origin, _) = Origin::parse(upstream, Permit::Declared)?;
    let proxy = Proxy { upstream: Upstream::new(settings), origin, budget: ByteBudget::new(256 << 20) };
    let limits = ServerLimits { workers: NonZeroUsize::new(workers.parse()?), ..ServerLimits::default() };
    net::serve(Server::bind(listen.parse()?)?, limits, None, proxy, &drain)?.join();
    Ok(())
}
