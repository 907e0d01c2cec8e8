//! What can go wrong while bytes move, and how it reads as a fault.

use std::{borrow::Cow, fmt};
use types::{Fault, Kind, Sent};

/// What kind of thing went wrong between this process and a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetErrorKind {
    /// The request cannot be written down as HTTP: a bad target or header value.
    BadRequest,
    /// The name has no address.
    Resolve,
    /// Every address of the name is one that this origin may not reach.
    AddressRefused,
    /// No address accepted a connection.
    ConnectRefused,
    /// No connection within the connect timeout.
    ConnectTimeout,
    /// The TLS handshake failed for another reason than those below: version, protocol, no TLS at all.
    Tls,
    /// The peer's certificate has expired, or is not valid yet.
    CertificateDate,
    /// The peer's certificate is for other names.
    CertificateName,
    /// Nobody whom this machine trusts vouches for the peer's certificate: its issuer is unknown, or it signed itself.
    CertificateIssuer,
    /// The deadline passed before the head of the reply was there, or before a body was whole.
    Timeout,
    /// The peer closed the connection before any byte of a reply.
    Closed,
    /// The request could not be written.
    Write,
    /// The head of the reply is not HTTP.
    BadHead,
    /// The head of the reply passes a limit.
    HeadTooLarge,
    /// The framing of the body is broken.
    BadBody,
    /// The body ended before its announced end.
    Truncated,
}

impl NetErrorKind {
    /// A short name for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Resolve => "resolve",
            Self::AddressRefused => "address_refused",
            Self::ConnectRefused => "connect_refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::CertificateDate => "certificate_date",
            Self::CertificateName => "certificate_name",
            Self::CertificateIssuer => "certificate_issuer",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Write => "write",
            Self::BadHead => "bad_head",
            Self::HeadTooLarge => "head_too_large",
            Self::BadBody => "bad_body",
            Self::Truncated => "truncated",
        }
    }
}

/// A failure of the network or of the peer's HTTP.
#[derive(Clone, Debug)]
pub struct NetError {
    /// What kind.
    pub kind: NetErrorKind,
    /// Whether the peer may have seen the request.
    pub sent: Sent,
    /// A kept connection turned out to be dead before any byte of a reply: one more try, on a fresh one, is safe when
    /// the operation allows it. There is no hidden retry in this crate.
    pub reused: bool,
    /// For the log: may name addresses, never a header or a body.
    pub detail: Cow<'static, str>,
}

impl NetError {
    /// An error of this kind; `sent` and `reused` are "no" until said otherwise.
    pub fn new(kind: NetErrorKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, sent: Sent::No, reused: false, detail: detail.into() }
    }

    /// Says whether the peer may have seen the request.
    #[must_use]
    pub const fn sent(mut self, sent: Sent) -> Self {
        self.sent = sent;
        self
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.detail)
    }
}

impl std::error::Error for NetError {}

/// How a failure towards a *backend* (or the Hub) reads to the caller. Do not use it for a caller's own body.
impl From<NetError> for Box<Fault> {
    fn from(error: NetError) -> Self {
        use NetErrorKind as N;
        let (kind, message) = match error.kind {
            N::BadRequest => (Kind::Internal, "The request for the backend could not be written as HTTP."),
            N::Resolve => (Kind::UpstreamUnreachable, "The backend's host name could not be resolved."),
            N::AddressRefused => (
                Kind::UpstreamUnreachable,
                "The backend's host name leads to an address that this gateway does not connect to.",
            ),
            N::ConnectRefused => (Kind::UpstreamUnreachable, "The backend did not accept a connection."),
            N::ConnectTimeout => (Kind::UpstreamUnreachable, "No connection to the backend could be made in time."),
            N::Tls => (Kind::UpstreamUnreachable, "No trusted TLS connection to the backend could be made."),
            N::CertificateDate => (
                Kind::UpstreamUnreachable,
                "The backend's certificate has expired or is not valid yet (or this machine's clock is wrong).",
            ),
            N::CertificateName => (Kind::UpstreamUnreachable, "The backend's certificate is for another host name."),
            N::CertificateIssuer => {
                (Kind::UpstreamUnreachable, "The backend's certificate is signed by nobody whom this machine trusts.")
            }
            N::Timeout => (Kind::UpstreamTimeout, "The backend did not answer in time."),
            N::Closed => (Kind::UpstreamUnreachable, "The backend closed the connection without an answer."),
            N::Write => (Kind::UpstreamUnreachable, "The connection to the backend broke while the call was sent."),
            N::BadHead | N::HeadTooLarge => (Kind::UpstreamBadReply, "The backend's answer is not valid HTTP."),
            N::BadBody => (Kind::UpstreamBadReply, "The body of the backend's answer is not valid HTTP."),
            N::Truncated => (Kind::UpstreamTruncated, "The backend's answer ended before it was complete."),
        };
        Fault::new(kind, message).sent(error.sent).detail(error.to_string())
    }
}
