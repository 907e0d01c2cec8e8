//! Is it alive, does it want traffic, and what are its numbers.

use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use types::{Fault, Kind, Result};

use crate::{Gateway, doors::Answer};

/// What somebody reads who opens the address in a browser.
const WELCOME: &str = concat!(
    "Ironbow ",
    env!("CARGO_PKG_VERSION"),
    ": one door in front of every Hugging Face inference backend.\n\n",
    "Point an OpenAI client at this address with /v1 at its end, and name models by route:\n",
    "  huggingface/{backend}/{model id}\n\n",
    "POST /v1/chat/completions   chat\n",
    "GET  /v1/models             what can be reached\n",
    "GET  /health, /ready        for probes\n",
    "GET  /metrics               for Prometheus\n",
);

/// `GET /health`: the process runs.
pub(crate) fn alive() -> Answer {
    text("application/json", r#"{"status":"ok"}"#)
}

/// `GET /ready`: the process takes new work.
///
/// # Errors
/// `ShuttingDown` while it drains.
pub(crate) fn ready(gateway: &Gateway) -> Result<Answer> {
    gateway.accepts_work().map(|()| text("application/json", r#"{"status":"ready"}"#))
}

/// `GET /metrics`: OpenMetrics text.
pub(crate) fn metrics(gateway: &Gateway) -> Answer {
    text(
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        gateway.0.metrics.page(gateway.0.budget.used(), gateway.0.catalog.remembered()),
    )
}

/// `GET /`: a few words.
pub(crate) fn welcome() -> Answer {
    text("text/plain; charset=utf-8", WELCOME)
}

fn text(kind: &'static str, body: impl Into<String>) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Answer::Whole { status: StatusCode::OK, headers, body: body.into().into() }
}

/// The fault of work that arrives while the process goes down.
pub(crate) fn shutting_down() -> Box<Fault> {
    Fault::new(Kind::ShuttingDown, "This gateway is going down and takes no new work.")
        .retry_after(std::time::Duration::from_secs(1))
}
