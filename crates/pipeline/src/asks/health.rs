//! Is it alive, does it want traffic, and what are its numbers.

use types::{Fault, Kind, Result};

use crate::{Gateway, doors::Answer};

/// What somebody reads who opens the address in a browser.
const WELCOME: &str = concat!(
    "Ironbow ",
    env!("CARGO_PKG_VERSION"),
    ": one door in front of every Hugging Face inference backend.\n\n",
    "Point an OpenAI client at this address with /v1 at its end, and name models by route:\n",
    "  huggingface/{backend}/{model id}\n\n",
    "POST /v1/chat/completions, /v1/embeddings\n",
    "POST /v1/audio/speech, /v1/audio/transcriptions, /v1/audio/translations\n",
    "POST /v1/images/generations, /v1/images/edits\n",
    "GET  /v1/models             what can be reached\n",
    "GET  /health, /ready        for probes\n",
    "GET  /metrics               for Prometheus\n",
);

/// `GET /health`: the process runs.
pub(crate) fn alive() -> Answer {
    Answer::whole("application/json", r#"{"status":"ok"}"#.to_owned())
}

/// `GET /ready`: the process takes new work.
///
/// # Errors
/// `ShuttingDown` while it drains.
pub(crate) fn ready(gateway: &Gateway) -> Result<Answer> {
    gateway.accepts_work().map(|()| Answer::whole("application/json", r#"{"status":"ready"}"#.to_owned()))
}

/// `GET /metrics`: OpenMetrics text.
pub(crate) fn metrics(gateway: &Gateway) -> Answer {
    let view = gateway.0.health.view(std::time::Instant::now());
    let mut counts = std::collections::BTreeMap::<(String, &'static str), i64>::new();
    for target in view.targets {
        *counts.entry((target.place, target.state.name())).or_default() += 1;
    }
    gateway.0.metrics.targets(counts.into_iter().map(|((backend, state), count)| (backend, state, count)));
    gateway.0.metrics.models_dropped(gateway.0.catalog.lost());
    Answer::whole(
        crate::metrics::classic::CONTENT_TYPE,
        gateway.0.metrics.page(gateway.0.budget.used(), gateway.0.catalog.remembered()),
    )
}

/// `GET /`: a few words.
pub(crate) fn welcome() -> Answer {
    Answer::whole("text/plain; charset=utf-8", WELCOME.to_owned())
}

/// The fault of work that arrives while the process goes down.
pub(crate) fn shutting_down() -> Box<Fault> {
    Fault::new(Kind::ShuttingDown, "This gateway is going down and takes no new work.")
        .retry_after(std::time::Duration::from_secs(1))
}
