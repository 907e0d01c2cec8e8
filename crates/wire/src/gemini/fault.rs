//! Faults as Google's clients expect them: `{error: {code, message, status, details}}`.

use serde_json::{Value, json};
use types::{Fault, Kind};

use crate::openai;

/// The status, the media type and the body.
pub fn fault(fault: &Fault, request_id: &str) -> (u16, &'static str, Vec<u8>) {
    (openai::fault::status(fault), "application/json; charset=UTF-8", shape(fault, request_id).to_string().into_bytes())
}

pub(super) fn shape(fault: &Fault, request_id: &str) -> Value {
    let code = openai::fault::status(fault);
    let mut details = vec![
        reason(fault),
        json!({
            "@type": "type.googleapis.com/google.rpc.RequestInfo",
            "requestId": request_id,
        }),
    ];
    if let Some(param) = &fault.param {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": param, "description": fault.message}],
        }));
    }
    if let (Some(wait), 429 | 503) = (fault.retry_after, code) {
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{whole}s"),
        }));
    }
    json!({"error": {"code": code, "message": fault.message, "status": word(fault.kind, code), "details": details}})
}

fn reason(fault: &Fault) -> Value {
    let mut metadata = serde_json::Map::new();
    for (name, value) in [("backend", &fault.backend), ("upstreamRequestId", &fault.upstream_request_id)] {
        if let Some(value) = value {
            metadata.insert(name.into(), value.as_str().into());
        }
    }
    let reason = fault.code.as_deref().unwrap_or(fault.kind.name()).to_ascii_uppercase();
    json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "ironbow",
        "metadata": metadata,
    })
}

/// The name that goes with a status, as `google.rpc.Code` has them.
const fn word(kind: Kind, code: u16) -> &'static str {
    match (kind, code) {
        (Kind::UpstreamPayment, _) => "FAILED_PRECONDITION",
        (Kind::ClientGone, _) => "CANCELLED",
        (_, 401) => "UNAUTHENTICATED",
        (_, 403) => "PERMISSION_DENIED",
        (_, 404) => "NOT_FOUND",
        (_, 405 | 501) => "UNIMPLEMENTED",
        (_, 408 | 504) => "DEADLINE_EXCEEDED",
        (_, 409) => "ABORTED",
        (_, 429) => "RESOURCE_EXHAUSTED",
        (_, 400..=499) => "INVALID_ARGUMENT",
        (_, 502 | 503 | 529) => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}
