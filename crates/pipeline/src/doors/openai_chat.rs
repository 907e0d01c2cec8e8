//! OpenAI's chat completions: `POST /v1/chat/completions`.

use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use net::{BytePermit, Request};
use types::Result;
use wire::openai::chat::Call;

use super::{Answer, body_fault, name_backend, name_dropped};
use crate::{
    Gateway, Snapshot,
    steps::dispatch::{Content, Reply},
    trail::Trail,
};

/// Reads the body and the call in it. The permit is held as long as the body may be needed.
pub(crate) async fn decode(
    gateway: &Gateway,
    snapshot: &Snapshot,
    request: Request,
    trail: &mut Trail,
) -> Result<(Call, BytePermit)> {
    let until = request.received + snapshot.config.timeouts.body;
    let held = request.body.collect(snapshot.config.limits.body, until, &gateway.0.budget).await.map_err(body_fault)?;
    let call = Call::read(held.bytes, &snapshot.json_limits)?;
    trail.record.stream = call.stream();
    trail.record.model = Some(call.model().chars().take(256).collect());
    Ok((call, held.permit))
}

/// Dresses what a backend answered for the caller.
pub(crate) fn encode(reply: Reply, trail: &Trail) -> Answer {
    let mut headers = reply.headers;
    let record = &trail.record;
    name_backend(&mut headers, record.backend.as_ref().map(|b| b.as_str()), record.upstream_request_id.as_deref());
    name_dropped(&mut headers, &reply.dropped);
    match reply.content {
        Content::Whole(answer) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Answer::Whole { status: StatusCode::OK, headers, body: answer.body }
        }
        Content::Stream(live) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
            // Nothing between us and the caller may keep the stream back.
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
            Answer::Stream { headers, live }
        }
    }
}
