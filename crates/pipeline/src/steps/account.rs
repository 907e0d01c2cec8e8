//! The end of every request: one record, for the metrics and the log. Synchronous, and called exactly once.

use std::time::Duration;

use wire::openai::chat::Finish;

use crate::{
    metrics::{Metrics, Observation},
    trail::Trail,
    tried::in_words,
};

/// Counts and logs a request that has ended.
pub(crate) fn account(trail: &Trail, metrics: &Metrics) {
    let record = &trail.record;
    let duration = trail.received.elapsed();
    let first_event = record.first_event.map(|at| at.saturating_duration_since(trail.received));
    let route = trail.route.map_or("unknown", |route| route.name());
    let backend = record.backend.as_ref().map_or("-", |backend| backend.as_str());
    let fault = record.fault.map(|kind| kind.name());
    metrics.request_ends(&Observation {
        route,
        backend,
        status: record.status,
        duration,
        first_event,
        usage: record.usage,
        fault,
    });
    log(trail, route, backend, fault, millis(duration), first_event.map(millis));
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The record as a sentence.
fn in_short(route: &str, status: u16, backend: &str, duration_ms: u64) -> String {
    let (mut code, mut time) = (itoa::Buffer::new(), itoa::Buffer::new());
    [route, " ", code.format(status), " via ", backend, " in ", time.format(duration_ms), " ms"].concat()
}

/// One line per request that reads well alone and carries every field. Health checks and scrapes are for debugging only.
fn log(trail: &Trail, route: &str, backend: &str, fault: Option<&str>, duration_ms: u64, first_event_ms: Option<u64>) {
    let status = trail.record.status;
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "ironbow::access",
                message = in_short(route, status, backend, duration_ms).as_str(),
                request_id = trail.request_id.as_str(),
                route,
                status,
                backend,
                model = trail.record.model.as_deref(),
                upstream_model = trail.record.upstream_model.as_deref(),
                upstream_request_id = trail.record.upstream_request_id.as_deref(),
                stream = trail.record.stream,
                attempts = trail.record.attempts,
                continuations = (trail.record.continuations > 0).then_some(trail.record.continuations),
                tried = (!trail.tried.is_empty()).then(|| in_words(&trail.tried)),
                duration_ms,
                first_event_ms,
                events = trail.record.events,
                input_tokens = trail.record.usage.map(|u| u.input),
                output_tokens = trail.record.usage.map(|u| u.output),
                cached_input_tokens = trail.record.usage.map(|u| u.cached_input),
                reasoning_tokens = trail.record.usage.map(|u| u.reasoning),
                finish_reason = trail.record.finish.map(Finish::name),
                fault,
                detail = trail.record.detail.as_deref(),
            )
        };
    }
    match trail.record.fault.map(types::Kind::origin) {
        Some(types::Origin::Gateway) if trail.record.fault == Some(types::Kind::Internal) => line!(error),
        Some(types::Origin::Gateway | types::Origin::Upstream) => line!(warn),
        _ if matches!(route, "health" | "ready" | "metrics") => line!(debug),
        _ => line!(info),
    }
}
