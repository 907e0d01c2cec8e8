//! Faults as Anthropic's SDKs expect them: status, type; as a body or as an event in a stream.

use serde_json::json;
use types::{Fault, Kind, Origin};

/// The code at which SDKs send a conversation themselves instead of having it kept.
pub(super) const NO_THREADS: &str = "thread_unsupported_request";

/// What one kind looks like: status and type.
const fn face(kind: Kind) -> (u16, &'static str) {
    const INVALID: &str = "invalid_request_error";
    const OURS: &str = "api_error";
    match kind {
        Kind::BadRequest
        | Kind::UnsupportedOperation
        | Kind::UnsupportedParameter
        | Kind::ContextLength
        | Kind::UpstreamRejected => (400, INVALID),
        Kind::MethodNotAllowed => (405, INVALID),
        Kind::RequestTimeout => (408, INVALID),
        Kind::UnsupportedMediaType => (415, INVALID),
        Kind::HeadTooLarge => (431, INVALID),
        // Nobody reads it: for logs.
        Kind::ClientGone => (499, INVALID),
        Kind::UnknownModel | Kind::NotFound | Kind::UpstreamNotFound => (404, "not_found_error"),
        Kind::Unauthenticated | Kind::NoCredential | Kind::UpstreamUnauthenticated => (401, "authentication_error"),
        Kind::UpstreamPayment => (402, "billing_error"),
        Kind::Forbidden | Kind::UpstreamForbidden => (403, "permission_error"),
        Kind::BodyTooLarge => (413, "request_too_large"),
        Kind::UpstreamRateLimited => (429, "rate_limit_error"),
        Kind::Overloaded | Kind::ShuttingDown | Kind::UpstreamLoading => (529, "overloaded_error"),
        Kind::CatalogUnavailable => (503, OURS),
        Kind::Internal => (500, OURS),
        Kind::UpstreamFailed | Kind::UpstreamUnreachable | Kind::UpstreamBadReply | Kind::UpstreamTruncated => {
            (502, OURS)
        }
        Kind::UpstreamTimeout | Kind::UpstreamStalled => (504, "timeout_error"),
    }
}

/// The status: the backend's own where it gave one that says what is wrong, the kind's otherwise.
pub fn status(fault: &Fault) -> u16 {
    let (own, class) = face(fault.kind);
    let told = fault.status.filter(|status| (400..=599).contains(status));
    match fault.kind {
        Kind::ContextLength | Kind::BodyTooLarge => told.unwrap_or(own),
        // SDKs know overload by this one status.
        _ if class == "overloaded_error" => own,
        kind if kind.origin() == Origin::Upstream => told.unwrap_or(own),
        _ => own,
    }
}

/// Status, content type and body: `{"type": "error", "error": {"type", "message"}, "request_id"}`.
pub fn fault(fault: &Fault, request_id: &str) -> (u16, &'static str, Vec<u8>) {
    (status(fault), "application/json", body(fault, request_id).into_bytes())
}

/// The fault as an event in a stream that has begun.
pub fn event(fault: &Fault, request_id: &str) -> Vec<u8> {
    format!("event: error\ndata: {}\n\n", body(fault, request_id)).into_bytes()
}

fn body(fault: &Fault, request_id: &str) -> String {
    let (_, class) = face(fault.kind);
    // A backend that is overloaded says so in its status only.
    let class = if fault.status == Some(529) { "overloaded_error" } else { class };
    let mut error = json!({ "type": class, "message": fault.message });
    if fault.code.as_deref() == Some(NO_THREADS) {
        error["details"] = json!({ "error_code": NO_THREADS, "unsupported": ["thread"] });
    }
    json!({ "type": "error", "error": error, "request_id": request_id }).to_string()
}
