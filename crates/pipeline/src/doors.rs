//! The doors: they decode a call of their dialect and encode its answer. They decide nothing.

pub(crate) mod openai_chat;

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use net::{CollectError, Request};
use types::{Fault, Kind, Result, SendBody, Sent};

use crate::steps::pump::Live;

/// An answer that only lacks our request id.
pub(crate) enum Answer {
    /// All of it.
    Whole {
        /// The status.
        status: StatusCode,
        /// The headers.
        headers: HeaderMap,
        /// The body.
        body: SendBody,
    },
    /// A stream whose first event is there.
    Stream {
        /// The headers.
        headers: HeaderMap,
        /// The stream.
        live: Box<Live>,
    },
}

/// Which backend served.
const BACKEND: HeaderName = HeaderName::from_static("x-ironbow-backend");
/// That backend's own id of the request.
const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-ironbow-upstream-request-id");
/// Members that were taken out of the call, by name.
const DROPPED: HeaderName = HeaderName::from_static("x-ironbow-dropped");

/// Says which backend served, and under which id of its own.
pub(crate) fn name_backend(headers: &mut HeaderMap, backend: Option<&str>, upstream_request_id: Option<&str>) {
    for (name, value) in [(BACKEND, backend), (UPSTREAM_REQUEST_ID, upstream_request_id)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
}

/// Names what was taken out of the call.
pub(crate) fn name_dropped(headers: &mut HeaderMap, dropped: &[String]) {
    if dropped.is_empty() {
        return;
    }
    let names: String =
        dropped.join(", ").chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    if let Ok(value) = HeaderValue::from_str(&names) {
        headers.insert(DROPPED, value);
    }
}

/// Why a caller's body could not be read.
pub(crate) fn body_fault(error: CollectError) -> Box<Fault> {
    match error {
        CollectError::TooLarge { announced, limit } => Fault::new(
            Kind::BodyTooLarge,
            match announced {
                Some(size) => format!("The body has {size} bytes; at most {limit} bytes are taken."),
                None => format!("The body has more than the {limit} bytes that are taken."),
            },
        ),
        CollectError::OverBudget => {
            Fault::new(Kind::Overloaded, "Too many bodies are being held at the moment. Try again in a second.")
                .retry_after(Duration::from_secs(1))
        }
        CollectError::Timeout => Fault::new(Kind::RequestTimeout, "The body did not arrive in time."),
        CollectError::Broken(error) => {
            Fault::new(Kind::BadRequest, "The body ended before it was complete.").detail(error.to_string())
        }
    }
}

/// Why a backend's whole answer could not be read.
pub(crate) fn answer_fault(error: CollectError) -> Box<Fault> {
    match error {
        CollectError::TooLarge { limit, .. } => {
            Fault::new(Kind::UpstreamBadReply, format!("The backend's answer is longer than {limit} bytes."))
        }
        CollectError::OverBudget => body_fault(CollectError::OverBudget),
        CollectError::Timeout => Fault::new(Kind::UpstreamTimeout, "The backend's answer did not arrive in time."),
        CollectError::Broken(error) => crate::steps::dispatch::read_fault(error),
    }
    .sent(Sent::Yes)
}

/// What the headers of a call ask of the gateway itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// When the request's head was there.
    pub(crate) received: Instant,
    /// Take out what the backend cannot do instead of refusing it (`x-ironbow-lenient: true`).
    pub(crate) lenient: bool,
    /// The longest that the caller wants to wait (`x-ironbow-timeout`, seconds).
    pub(crate) timeout: Option<Duration>,
}

impl Ask {
    /// Reads the headers of a call.
    ///
    /// # Errors
    /// `BadRequest` naming the header that cannot be read.
    pub(crate) fn of(request: &Request) -> Result<Self> {
        let text = |name: &'static str| -> Result<Option<&str>> {
            let Some(value) = request.headers.get(name) else { return Ok(None) };
            value.to_str().map(Some).map_err(|_| bad_header(name, "text"))
        };
        let lenient = match text(LENIENT)? {
            None => false,
            Some(value) if value.eq_ignore_ascii_case("true") || value == "1" => true,
            Some(value) if value.eq_ignore_ascii_case("false") || value == "0" => false,
            Some(_) => return Err(bad_header(LENIENT, "`true` or `false`")),
        };
        let timeout = match text(TIMEOUT)? {
            None => None,
            Some(value) => match value.trim().parse::<f64>() {
                Ok(seconds) if seconds > 0.0 && seconds < 1e9 => Some(Duration::from_secs_f64(seconds)),
                _ => return Err(bad_header(TIMEOUT, "a number of seconds above 0")),
            },
        };
        Ok(Self { received: request.received, lenient, timeout })
    }
}

const LENIENT: &str = "x-ironbow-lenient";
const TIMEOUT: &str = "x-ironbow-timeout";

fn bad_header(name: &str, wanted: &str) -> Box<Fault> {
    Fault::new(Kind::BadRequest, format!("The header `{name}` must be {wanted}.")).param(name)
}
