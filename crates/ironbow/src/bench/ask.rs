//! One call: sent, read to its end, timed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
};
use net::{ByteBudget, Headers, Origin, Outgoing, Permit, RecvBody, Upstream, UpstreamSettings};
use serde_json::{Value, json};
use wire::sse::{Frame, Splitter};

use crate::cli;

/// An answer that is longer is none that a load should have.
const MAX_ANSWER: usize = 64 << 20;

/// Where calls go, and the call.
pub(super) struct Target {
    upstream: Upstream,
    origin: Origin,
    path: String,
    headers: Headers,
    body: Bytes,
    stream: bool,
    patience: Duration,
    pub(super) address: String,
}

/// What one call gave.
pub(super) struct Call {
    /// From the moment the call was made to the end of its answer.
    pub(super) took: Duration,
    /// When the first token (of a whole answer: all of it) was there.
    pub(super) first: Option<Duration>,
    /// The gaps between pieces of a stream that had text in them.
    pub(super) gaps: Vec<Duration>,
    /// Tokens of the answer, and whether the backend counted them itself.
    pub(super) tokens: u64,
    /// What went wrong, in a few words.
    pub(super) outcome: Result<(), String>,
}

impl Target {
    /// What the arguments ask for, at this base URL (with `/v1`, as SDKs have it).
    pub(super) fn new(url: &str, arguments: &cli::Bench) -> Result<Self, String> {
        let (origin, prefix) = Origin::parse(url.trim_end_matches('/'), Permit::Declared).map_err(|error| {
            format!("{url} cannot be used: {error}. Give the base URL, such as http://127.0.0.1:8080/v1")
        })?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("ironbow-bench/", env!("CARGO_PKG_VERSION"))));
        if let Some(key) = arguments.key_env.as_deref() {
            let key = std::env::var(key).map_err(|_| format!("the environment has no {key} (--key-env)"))?;
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.trim()))
                .map_err(|_| "the key has characters that a header cannot carry".to_owned())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let settings = UpstreamSettings { max_idle: arguments.connections.max(512), ..UpstreamSettings::default() };
        Ok(Self {
            upstream: Upstream::new(settings),
            origin,
            path: format!("{prefix}/chat/completions"),
            headers: headers.into(),
            body: body(arguments)?,
            stream: arguments.stream,
            patience: Duration::from_secs_f64(arguments.timeout),
            address: url.to_owned(),
        })
    }

    /// Makes one call and reads its answer to the end.
    pub(super) async fn ask(&self) -> Call {
        let begun = Instant::now();
        let mut call = Call { took: Duration::ZERO, first: None, gaps: Vec::new(), tokens: 0, outcome: Ok(()) };
        call.outcome = self.exchange(begun, &mut call).await;
        call.took = begun.elapsed();
        call
    }

    async fn exchange(&self, begun: Instant, call: &mut Call) -> Result<(), String> {
        let until = begun + self.patience;
        let outgoing = Outgoing {
            method: Method::POST,
            target: self.path.clone(),
            headers: self.headers.clone(),
            body: self.body.clone().into(),
        };
        let reply =
            self.upstream.send(&self.origin, outgoing, until).await.map_err(|error| error.kind.name().to_owned())?;
        if !reply.status.is_success() {
            let text = whole(reply.body, until).await.unwrap_or_default();
            return Err(refusal(reply.status.as_u16(), &text));
        }
        if self.stream {
            return stream(reply.body, begun, until, call).await;
        }
        let text = whole(reply.body, until).await?;
        call.first = Some(begun.elapsed());
        let answer: Value = serde_json::from_slice(&text).map_err(|_| "the answer is no JSON".to_owned())?;
        if !answer["choices"].is_array() {
            return Err("the answer has no `choices`".to_owned());
        }
        call.tokens = answer["usage"]["completion_tokens"].as_u64().unwrap_or(0);
        Ok(())
    }
}

fn body(arguments: &cli::Bench) -> Result<Bytes, String> {
    if let Some(file) = &arguments.body {
        let text = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut call: Value = serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        let Some(members) = call.as_object_mut() else { return Err(format!("{}: no JSON object", file.display())) };
        members.insert("model".to_owned(), arguments.model.clone().into());
        members.insert("stream".to_owned(), arguments.stream.into());
        return Ok(call.to_string().into());
    }
    // About four letters to a token.
    let words = "The river runs past the old mill and on to the sea. ";
    let prompt: String = words.chars().cycle().take(arguments.prompt_tokens.saturating_mul(4)).collect();
    let mut call = json!({
        "model": arguments.model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": arguments.max_tokens,
        "stream": arguments.stream,
    });
    if arguments.stream {
        call["stream_options"] = json!({"include_usage": true});
    }
    Ok(call.to_string().into())
}

async fn whole(body: RecvBody, until: Instant) -> Result<Bytes, String> {
    let held = body.collect(MAX_ANSWER, until, &ByteBudget::new(MAX_ANSWER)).await;
    held.map(|held| held.bytes).map_err(|error| error.to_string())
}

async fn stream(mut body: RecvBody, begun: Instant, until: Instant, call: &mut Call) -> Result<(), String> {
    let (mut splitter, mut seen) = (Splitter::default(), Seen::default());
    loop {
        let chunk = match tokio::time::timeout_at(until.into(), body.chunk()).await {
            Err(_) => return Err("timeout".to_owned()),
            Ok(None) => break,
            Ok(Some(chunk)) => chunk.map_err(|error| error.kind.name().to_owned())?,
        };
        let now = begun.elapsed();
        let spoke = seen.pieces;
        splitter.push(&chunk, |frame| seen.frame(&frame)).map_err(|_| "a frame is too long".to_owned())?;
        if seen.pieces > spoke {
            match seen.last.replace(now) {
                Some(before) => call.gaps.push(now.saturating_sub(before)),
                None => call.first = Some(now),
            }
        }
    }
    // The last frame may lack its empty line.
    seen.frame(&splitter.rest());
    call.tokens = seen.counted.unwrap_or(seen.pieces);
    match (seen.error, seen.done) {
        (Some(error), _) => Err(error),
        (None, false) => Err("the stream ended without [DONE]".to_owned()),
        (None, true) => Ok(()),
    }
}

/// What a stream has said so far.
#[derive(Default)]
struct Seen {
    /// Pieces with text, reasoning or a call in them.
    pieces: u64,
    /// Tokens as the backend counted them.
    counted: Option<u64>,
    last: Option<Duration>,
    done: bool,
    error: Option<String>,
}

impl Seen {
    fn frame(&mut self, frame: &[u8]) {
        let Some(data) = Frame::read(frame).data else { return };
        if &*data == b"[DONE]" {
            self.done = true;
            return;
        }
        let Ok(chunk) = serde_json::from_slice::<Value>(&data) else { return };
        if !chunk["error"].is_null() {
            self.error = Some(chunk["error"]["code"].as_str().unwrap_or("an error in the stream").to_owned());
        }
        if let Some(counted) = chunk["usage"]["completion_tokens"].as_u64() {
            self.counted = Some(counted);
        }
        let delta = &chunk["choices"][0]["delta"];
        let says = |name: &str| delta[name].as_str().is_some_and(|text| !text.is_empty());
        if says("content") || says("reasoning_content") || says("reasoning") || delta["tool_calls"].is_array() {
            self.pieces += 1;
        }
    }
}

/// A refusal as one of few: the same ones are counted together.
fn refusal(status: u16, text: &[u8]) -> String {
    let said: Value = serde_json::from_slice(text).unwrap_or_default();
    let error = &said["error"];
    let code = error["code"].as_str().or(error["type"].as_str()).unwrap_or("");
    let message: String = error["message"].as_str().unwrap_or("").chars().take(160).collect();
    [format!("status {status}"), code.to_owned(), message]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(": ")
}
