//! Reading what a backend says when it refuses or fails, in any of the shapes that backends have.
//!
//! The content type is not trusted: an error may be JSON, plain text, a page of HTML or nothing at all.

mod date;
mod mask;
mod words;

use std::time::Duration;

pub use mask::mask_keys;
use types::{Fault, Kind, Sent};
use words::Words;
pub use words::speaks_of_one;

/// The longest text of a backend that a caller is shown, in characters.
pub const LONGEST: usize = 2000;

/// Headers in which backends give a request's id, the most telling first.
const REQUEST_IDS: &[&str] = &[
    "x-request-id",
    "request-id",
    "x-amzn-requestid",
    "x-amz-request-id",
    "apigw-requestid",
    "x-correlation-id",
    "x-trace-id",
    "cf-ray",
];

/// A fault from an answer with a bad status.
///
/// `header` gives a header's value by its lower-case name; `now` is seconds since 1970, for dates in `retry-after`.
/// The caller masks the secrets that it knows; whatever looks like a key is masked here.
pub fn read<'h>(status: u16, header: &dyn Fn(&str) -> Option<&'h str>, body: &[u8], now: u64) -> Box<Fault> {
    let words = Words::read(body);
    let kind = kind(status, &words);
    let mut fault = fault(kind, &words, || nothing_said(status));
    fault.status = Some(status);
    fault.upstream_request_id = REQUEST_IDS
        .iter()
        .find_map(|name| header(name))
        .map(|id| shorten(id, 200))
        .or_else(|| words.request_id.clone());
    if matches!(status, 429 | 503) {
        fault.retry_after = header("retry-after")
            .and_then(|value| date::retry_after(value, now))
            .or_else(|| words.estimated_time.filter(|_| status == 503));
    }
    fault
}

/// A fault from an error that stands in an answer or an event with a good status.
pub fn in_good_status(body: &[u8]) -> Box<Fault> {
    let words = Words::read(body);
    let status = words.status.unwrap_or(200);
    let mut fault = fault(kind(status, &words), &words, || "The backend reported an error without a word.".to_owned());
    fault.status = words.status;
    fault.upstream_request_id = words.request_id.clone();
    fault.retry_after = words.estimated_time.filter(|_| fault.kind == Kind::UpstreamLoading);
    fault
}

/// The fault of a stream that ended before its answer did, after so many events.
pub(crate) fn broke_off(events: u64) -> Box<Fault> {
    let message = if events == 0 {
        "The backend's stream ended before its first event."
    } else {
        "The backend's stream broke off before the answer was complete."
    };
    Fault::new(Kind::UpstreamTruncated, message).sent(Sent::Yes)
}

fn fault(kind: Kind, words: &Words, nothing: impl FnOnce() -> String) -> Box<Fault> {
    let message = if words.message.is_empty() { nothing() } else { shorten(&mask_keys(&words.message), LONGEST) };
    let mut fault = Fault::new(kind, message).sent(Sent::Yes);
    // Clients know a prompt that is too long by one code, whatever the backend calls it.
    let code = words.code.clone().or_else(|| words.class.clone()).filter(|_| kind != Kind::ContextLength);
    fault.code = code.map(|code| shorten(&mask_keys(&code), 100));
    fault.param = words.param.as_ref().map(|param| shorten(&mask_keys(param), 200));
    fault
}

/// The kind, by status first and by the backend's words where the status says too little.
fn kind(status: u16, words: &Words) -> Kind {
    let says = |needles: &[&str]| {
        [&words.code, &words.class].into_iter().flatten().any(|class| {
            let class = class.to_ascii_lowercase();
            needles.iter().any(|needle| class.contains(needle))
        })
    };
    if words.is_about_context() && matches!(status, 0..=399 | 400 | 413 | 422 | 500) {
        return Kind::ContextLength;
    }
    match status {
        401 => Kind::UpstreamUnauthenticated,
        402 => Kind::UpstreamPayment,
        403 => Kind::UpstreamForbidden,
        404 => Kind::UpstreamNotFound,
        408 | 504 => Kind::UpstreamTimeout,
        413 => Kind::BodyTooLarge,
        429 if says(&["insufficient_quota", "billing"]) => Kind::UpstreamPayment,
        429 => Kind::UpstreamRateLimited,
        503 if words.estimated_time.is_some() || words.is_loading() => Kind::UpstreamLoading,
        424 | 500..=599 => Kind::UpstreamFailed,
        400..=499 => Kind::UpstreamRejected,
        300..=399 => Kind::UpstreamBadReply,
        _ if says(&["rate_limit", "too_many_requests"]) => Kind::UpstreamRateLimited,
        _ if says(&["insufficient_quota", "billing", "payment"]) => Kind::UpstreamPayment,
        _ if says(&["authentication", "invalid_api_key"]) => Kind::UpstreamUnauthenticated,
        _ if says(&["permission"]) => Kind::UpstreamForbidden,
        _ if says(&["not_found"]) => Kind::UpstreamNotFound,
        _ if says(&["invalid_request", "validation", "template_error", "bad_request", "wrong_api_format"]) => {
            Kind::UpstreamRejected
        }
        _ if words.estimated_time.is_some() => Kind::UpstreamLoading,
        _ => Kind::UpstreamFailed,
    }
}

fn nothing_said(status: u16) -> String {
    let reason = match status {
        400 => " Bad Request",
        401 => " Unauthorized",
        402 => " Payment Required",
        403 => " Forbidden",
        404 => " Not Found",
        408 => " Request Timeout",
        413 => " Content Too Large",
        422 => " Unprocessable Content",
        429 => " Too Many Requests",
        500 => " Internal Server Error",
        502 => " Bad Gateway",
        503 => " Service Unavailable",
        504 => " Gateway Timeout",
        _ => "",
    };
    format!("The backend answered {status}{reason} without a word.")
}

fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// How long to wait, if that can be told at all.
fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok().filter(|wait| *wait <= Duration::from_secs(7 * 24 * 3600))
}
