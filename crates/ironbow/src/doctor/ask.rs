//! The doctor's questions: three small requests, each with its own deadline.

use std::io;
use std::time::{Duration, Instant, SystemTime};

use http::header::{ACCEPT, AUTHORIZATION, DATE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};
use net::{ByteBudget, NetError, NetErrorKind, Origin, Outgoing, Permit, Upstream, UpstreamSettings};
use policy::credentials::Presented;
use policy::{Compiled, compiled::BaseUrl};
use types::{Secret, SendBody};

/// The router's list of models is the largest answer: a few hundred kilobytes today.
const MAX_ANSWER: usize = 16 << 20;
/// A model that the Hub has had for years: it is only asked whether it is there.
const KNOWN_MODEL: &str = "openai/gpt-oss-120b";

/// What came back.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) token: Token,
    pub(crate) router: Exchange,
    pub(crate) hub: Exchange,
}

/// The question about the token, unless there is none to ask about.
#[derive(Debug)]
pub(crate) enum Token {
    /// The gateway has no token; callers may or may not bring theirs.
    Missing { callers_bring_theirs: bool },
    /// What the Hub said about it.
    Known(Exchange),
}

/// One question and its answer.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Who was asked, for messages.
    pub(crate) address: String,
    pub(crate) result: Result<Answer, NetError>,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What the clock over there said.
    pub(crate) date: Option<SystemTime>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    /// Every clock that was seen.
    pub(crate) fn dates(&self) -> Vec<SystemTime> {
        let token = match &self.token {
            Token::Known(exchange) => Some(exchange),
            Token::Missing { .. } => None,
        };
        let answered = [token, Some(&self.router), Some(&self.hub)].into_iter().flatten();
        answered.filter_map(|e| e.result.as_ref().ok()?.date).collect()
    }
}

/// Asks everything, one after another.
pub(crate) fn all(compiled: &Compiled) -> io::Result<Asked> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // One question may take as long as the gateway itself would wait for the Hub.
        let patience = compiled.catalog.timeout;
        let upstream = Upstream::new(UpstreamSettings { connect_timeout: patience, ..UpstreamSettings::default() });
        let get = async |base: &BaseUrl, path: &str, token| get(&upstream, patience, base, path, token).await;
        let token = compiled.keys.for_hub(Presented::default());
        Ok(Asked {
            token: match token {
                Some(token) => Token::Known(get(&compiled.hub, "/api/whoami-v2", Some(token)).await),
                None => Token::Missing { callers_bring_theirs: compiled.keys.allow_callers() },
            },
            router: get(&compiled.router, "/v1/models", token).await,
            hub: get(&compiled.hub, &format!("/api/models/{KNOWN_MODEL}?expand=inferenceProviderMapping"), token).await,
        })
    })
}

async fn get(upstream: &Upstream, patience: Duration, base: &BaseUrl, path: &str, token: Option<&Secret>) -> Exchange {
    let address = base.to_string();
    Exchange { result: try_get(upstream, Instant::now() + patience, &address, path, token).await, address }
}

async fn try_get(
    upstream: &Upstream,
    deadline: Instant,
    base: &str,
    path: &str,
    token: Option<&Secret>,
) -> Result<Answer, NetError> {
    let bad = |detail: String| NetError::new(NetErrorKind::BadRequest, detail);
    let (origin, prefix) = Origin::parse(base, Permit::Declared).map_err(|error| bad(error.to_string()))?;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("ironbow-doctor/", env!("CARGO_PKG_VERSION"))));
    if let Some(token) = token {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| bad("the token has characters that a header cannot carry".to_owned()))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let (headers, body) = (headers.into(), SendBody::empty());
    let request = Outgoing { method: Method::GET, target: format!("{prefix}{path}"), headers, body };
    let reply = upstream.send(&origin, request, deadline).await?;
    let date = reply.headers.get(DATE).and_then(|v| v.to_str().ok()).and_then(|v| httpdate::parse_http_date(v).ok());
    let status = reply.status.as_u16();
    let held = reply.body.collect(MAX_ANSWER, deadline, &ByteBudget::new(MAX_ANSWER)).await;
    let held = held.map_err(|error| NetError::new(NetErrorKind::Truncated, error.to_string()))?;
    Ok(Answer { status, date, body: held.bytes.to_vec() })
}
