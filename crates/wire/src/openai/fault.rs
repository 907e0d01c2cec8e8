//! Faults as OpenAI's SDKs expect them: status, type, code; as a body or as an event in a stream.
//!
//! This is the one place where a kind becomes a status of this door; a golden file prints the whole matrix.

use serde_json::{Map, Value, json};
use types::{Fault, Kind, Origin};

/// What one kind looks like: status, type, code.
const fn face(kind: Kind) -> (u16, &'static str, Option<&'static str>) {
    const INVALID: &str = "invalid_request_error";
    const SERVER: &str = "server_error";
    match kind {
        Kind::BadRequest => (400, INVALID, None),
        Kind::UnknownModel => (404, INVALID, Some("model_not_found")),
        Kind::UnsupportedOperation => (400, INVALID, Some("unsupported_operation")),
        Kind::UnsupportedParameter => (400, INVALID, Some("unsupported_parameter")),
        Kind::Unauthenticated => (401, INVALID, Some("invalid_api_key")),
        Kind::Forbidden => (403, "permission_error", Some("forbidden")),
        Kind::NotFound => (404, INVALID, Some("not_found")),
        Kind::MethodNotAllowed => (405, INVALID, Some("method_not_allowed")),
        Kind::RequestTimeout => (408, INVALID, Some("request_timeout")),
        Kind::BodyTooLarge => (413, INVALID, Some("request_too_large")),
        Kind::UnsupportedMediaType => (415, INVALID, Some("unsupported_media_type")),
        Kind::HeadTooLarge => (431, INVALID, Some("headers_too_large")),
        Kind::ContextLength => (400, INVALID, Some("context_length_exceeded")),
        // Nobody reads it: for logs.
        Kind::ClientGone => (499, INVALID, Some("client_gone")),
        Kind::Overloaded => (503, SERVER, Some("overloaded")),
        Kind::ShuttingDown => (503, SERVER, Some("shutting_down")),
        Kind::NoCredential => (401, INVALID, Some("no_credential")),
        Kind::CatalogUnavailable => (503, SERVER, Some("catalog_unavailable")),
        Kind::Internal => (500, SERVER, Some("internal_error")),
        Kind::UpstreamRejected => (400, INVALID, Some("upstream_rejected")),
        Kind::UpstreamUnauthenticated => (401, "authentication_error", Some("upstream_unauthenticated")),
        Kind::UpstreamPayment => (402, "insufficient_quota", Some("insufficient_quota")),
        Kind::UpstreamForbidden => (403, "permission_error", Some("upstream_forbidden")),
        Kind::UpstreamNotFound => (404, INVALID, Some("model_not_found")),
        Kind::UpstreamRateLimited => (429, "rate_limit_error", Some("rate_limit_exceeded")),
        Kind::UpstreamLoading => (503, SERVER, Some("model_loading")),
        Kind::UpstreamFailed => (502, SERVER, Some("upstream_failed")),
        Kind::UpstreamUnreachable => (502, SERVER, Some("upstream_unreachable")),
        Kind::UpstreamTimeout => (504, SERVER, Some("upstream_timeout")),
        Kind::UpstreamBadReply => (502, SERVER, Some("upstream_bad_reply")),
        Kind::UpstreamTruncated => (502, SERVER, Some("upstream_truncated")),
        Kind::UpstreamStalled => (504, SERVER, Some("upstream_stalled")),
    }
}

/// The status: the backend's own where it gave one that says what is wrong, the kind's otherwise.
pub fn status(fault: &Fault) -> u16 {
    let (own, ..) = face(fault.kind);
    let told = fault.status.filter(|status| (400..=599).contains(status));
    match fault.kind {
        Kind::ContextLength | Kind::BodyTooLarge => told.unwrap_or(own),
        kind if kind.origin() == Origin::Upstream => told.unwrap_or(own),
        _ => own,
    }
}

/// Headers that belong to the answer, lower-case names, besides its content type.
pub fn headers(fault: &Fault) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    if let (Some(wait), 429 | 503) = (fault.retry_after, status(fault)) {
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.push(("retry-after", whole.to_string()));
    }
    headers
}

/// The body: `{"error": {"message", "type", "param", "code", "request_id", …}}`.
pub fn body(fault: &Fault, request_id: &str) -> Vec<u8> {
    let (_, class, code) = face(fault.kind);
    let mut error = Map::new();
    error.insert("message".into(), fault.message.as_str().into());
    error.insert("type".into(), class.into());
    error.insert("param".into(), fault.param.as_deref().map_or(Value::Null, Value::from));
    error.insert("code".into(), fault.code.as_deref().or(code).map_or(Value::Null, Value::from));
    error.insert("request_id".into(), request_id.into());
    for (name, value) in [("backend", &fault.backend), ("upstream_request_id", &fault.upstream_request_id)] {
        if let Some(value) = value {
            error.insert(name.into(), value.as_str().into());
        }
    }
    json!({ "error": error }).to_string().into_bytes()
}

/// The fault as an event in a stream that has begun: OpenAI's SDKs raise on an event with `error`.
pub fn event(fault: &Fault, request_id: &str) -> Vec<u8> {
    let body = body(fault, request_id);
    [b"data: ", body.as_slice(), b"\n\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_errors_has_every_kind_as_it_is() {
        let page = include_str!("../../../../docs/errors.md");
        for kind in Kind::ALL {
            let (status, class, code) = face(*kind);
            let code = code.map_or("–".to_owned(), |code| format!("`{code}`"));
            let row = format!("| {status} | `{class}` | {code} |");
            assert!(page.contains(&row), "docs/errors.md lacks {row}");
        }
    }
}
