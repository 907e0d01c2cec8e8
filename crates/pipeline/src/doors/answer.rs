//! An answer that only lacks our request id, and the headers in which it says who made it.

use bytes::Bytes;
use http::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use net::AnswerHeaders;
use types::SendBody;

use crate::{
    asks::{files::Parts, models::Sheet},
    sessions::{Follow, Keeping},
    steps::{
        passage::Passed,
        pump::{Live, Sound},
    },
    trail::Trail,
    tried::{Tried, in_words},
};

/// An answer that only lacks our request id.
pub(crate) enum Answer {
    /// All of it.
    Whole {
        /// The status.
        status: StatusCode,
        /// The headers.
        headers: AnswerHeaders,
        /// The body.
        body: SendBody,
    },
    /// A stream whose first event is there.
    Stream {
        /// The headers.
        headers: AnswerHeaders,
        /// The stream.
        flow: Flow,
    },
}

/// What streams.
pub(crate) enum Flow {
    /// Events.
    Events(Box<Live>),
    /// Events of a response that is to be kept.
    Kept(Box<Live>, Box<Keeping>),
    /// A response in the background, as it is told.
    Followed(Follow),
    /// Sound, as events or bare.
    Sound(Box<Sound>, bool),
    /// What a backend answers to a request that was passed on.
    Passed(Box<Passed>),
    /// A list of models, and the piece of it that is written.
    Models(Box<Sheet>, Bytes),
    /// A kept file, with its first part.
    File(Parts, Bytes),
}

impl Answer {
    /// A whole answer of this type.
    pub(crate) fn whole(kind: &'static str, body: impl Into<SendBody>) -> Self {
        Self::dressed(AnswerHeaders::new(), kind, body.into())
    }

    /// The same with headers of its own.
    pub(crate) fn dressed(mut headers: AnswerHeaders, kind: &'static str, body: SendBody) -> Self {
        headers.insert(CONTENT_TYPE, kind);
        Self::Whole { status: StatusCode::OK, headers, body }
    }

    /// A stream of events that nothing between us and the caller may keep back.
    pub(crate) fn events(headers: AnswerHeaders, flow: Flow) -> Self {
        Self::typed_events(headers, EVENTS, flow)
    }

    /// The same under a media type of the dialect's own.
    pub(crate) fn typed_events(mut headers: AnswerHeaders, kind: &'static str, flow: Flow) -> Self {
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(CACHE_CONTROL, "no-cache");
        headers.insert(ACCEL_BUFFERING, "no");
        Self::Stream { headers, flow }
    }
}

/// Tells nginx not to gather a stream.
const ACCEL_BUFFERING: &str = "x-accel-buffering";
/// The media type of a stream of events.
pub(crate) const EVENTS: &str = "text/event-stream; charset=utf-8";

/// The headers of an answer from a backend: which one it was, and what of the call it did not get.
pub(crate) fn dress(mut headers: AnswerHeaders, dropped: &[String], trail: &Trail) -> AnswerHeaders {
    let record = &trail.record;
    name_backend(&mut headers, record.backend.as_ref().map(|b| b.as_str()), record.upstream_request_id.as_deref());
    name_dropped(&mut headers, dropped);
    name_attempts(&mut headers, &trail.tried, 1);
    headers
}

/// Which backend served.
const BACKEND: &str = "x-ironbow-backend";
/// That backend's own id of the request.
const UPSTREAM_REQUEST_ID: &str = "x-ironbow-upstream-request-id";
/// How many attempts there were, where there was more than one.
const ATTEMPTS: &str = "x-ironbow-attempts";
/// Who was tried before, and why that failed.
const TRIED: &str = "x-ironbow-tried";
/// Members that were taken out of the call, by name.
const DROPPED: &str = "x-ironbow-dropped";

/// Says which backend served, and under which id of its own.
pub(crate) fn name_backend(headers: &mut AnswerHeaders, backend: Option<&str>, upstream_request_id: Option<&str>) {
    for (name, value) in [(BACKEND, backend), (UPSTREAM_REQUEST_ID, upstream_request_id)] {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
}

/// Names the attempts that failed, where the answer is not that of the first; `more` are those that did not fail.
pub(crate) fn name_attempts(headers: &mut AnswerHeaders, tried: &[Tried], more: usize) {
    let all = tried.len() + more;
    if all < 2 {
        return;
    }
    headers.insert(ATTEMPTS, all.to_string());
    headers.insert(TRIED, in_words(tried));
}

/// The most names in that header.
const MOST_DROPPED: usize = 64;

/// Names what was taken out of the call.
pub(crate) fn name_dropped(headers: &mut AnswerHeaders, dropped: &[String]) {
    if dropped.is_empty() {
        return;
    }
    let more = if dropped.len() > MOST_DROPPED { ", more" } else { "" };
    let names = dropped[..dropped.len().min(MOST_DROPPED)].join(", ") + more;
    let names: String = names.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    headers.insert(DROPPED, names);
}
