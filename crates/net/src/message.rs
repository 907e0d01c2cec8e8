//! What a service gets and gives: a request, a response, and bodies that are whole or that stream.

use crate::{AnswerHeaders, Fields, RecvBody};
use bytes::Bytes;
use http::{Method, StatusCode, Uri, Version};
use std::{
    future::Future,
    net::SocketAddr,
    task::{Context, Poll},
    time::Instant,
};
use types::SendBody;

/// A request as it came in: its head is read and checked, its body not yet.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The target as it was sent: path and query over HTTP/1; over HTTP/2 (and where an HTTP/1 caller wrote it so) with
    /// scheme and authority, which then stand for the `Host` header. Where both are there, they agree.
    pub uri: Uri,
    /// The version of HTTP that the caller speaks.
    pub version: Version,
    /// The headers, checked against the limits.
    pub headers: Fields,
    /// Who is connected.
    pub peer: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// When the head was complete.
    pub received: Instant,
    /// The body, to be read by the service. Not reading it is fine: the rest is thrown away or the connection closed.
    pub body: RecvBody,
}

/// What a service answers.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers. `content-length`, `transfer-encoding`, `connection` and `date` are this crate's own business.
    pub headers: AnswerHeaders,
    /// The body.
    pub body: Body,
}

impl Response {
    /// A response without headers and body.
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: AnswerHeaders::new(), body: Body::Whole(SendBody::empty()) }
    }

    /// A response with a whole body of this type.
    pub fn whole(status: StatusCode, content_type: &'static str, body: impl Into<SendBody>) -> Self {
        let response = Self { status, headers: AnswerHeaders::new(), body: Body::Whole(body.into()) };
        response.header("content-type", content_type)
    }

    /// Sets a header, in place of an older value.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// The body of a response.
pub enum Body {
    /// All of it, with its length announced.
    Whole(SendBody),
    /// Made chunk by chunk while it is written; each chunk is flushed as it comes.
    Stream(Box<dyn StreamBody>),
}

/// A body that is made while it is written.
///
/// It is polled by the connection's own task, only when the caller can take more: back-pressure is the absence of a
/// poll. It is dropped as soon as the caller has left or the body has ended.
pub trait StreamBody: Send {
    /// The next chunk; `None` at the good end. An empty chunk is passed over.
    ///
    /// # Errors
    /// [`Abort`] ends the message visibly broken: the connection is closed without the final chunk, or the HTTP/2
    /// stream is reset.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Abort>>>;
}

/// A stream that cannot be completed; the caller sees a broken message instead of a good end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort;

impl std::fmt::Display for Abort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the stream was given up")
    }
}

impl std::error::Error for Abort {}

/// What answers requests. One clone serves each connection.
///
/// A future that is dropped before its end means that the caller has left. A panic becomes a 500 for this request
/// only.
pub trait Service: Clone + Send + Sync + 'static {
    /// Answers one request.
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send;
}
