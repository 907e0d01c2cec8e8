//! What went wrong, in one vocabulary: who caused it, whether to try again, what it puts aside, and what the caller may read.
//!
//! No module outside `wire`'s door encoders turns a [`Kind`] into a status and a code of a protocol; no module outside
//! `policy` combines [`Sent`] with an operation's idempotence.

use std::{fmt, time::Duration};

/// What kind of thing went wrong. Each door renders each kind once; a golden file prints the whole matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The call cannot be read or has a bad value.
    BadRequest,
    /// The model's name is malformed or nobody knows it.
    UnknownModel,
    /// The backend cannot do this operation at all.
    UnsupportedOperation,
    /// A member changes the answer and the backend cannot honour it.
    UnsupportedParameter,
    /// No credential, or one that is not known.
    Unauthenticated,
    /// Known, but not allowed to do this (a foreign `Host` or `Origin` too).
    Forbidden,
    /// No such route or thing.
    NotFound,
    /// The route exists, not for this method.
    MethodNotAllowed,
    /// The body did not arrive in time.
    RequestTimeout,
    /// The body is larger than allowed, here or at the backend.
    BodyTooLarge,
    /// The body has a type that this route does not take.
    UnsupportedMediaType,
    /// The head is larger than allowed.
    HeadTooLarge,
    /// The prompt does not fit into the model's context.
    ContextLength,
    /// The caller left before the answer was complete.
    ClientGone,
    /// Too much is going on here; nothing was sent.
    Overloaded,
    /// This process is going down.
    ShuttingDown,
    /// The gateway has no key that may be used for this backend.
    NoCredential,
    /// The Hub cannot be asked and nothing is remembered.
    CatalogUnavailable,
    /// A mistake of ours.
    Internal,
    /// The backend refused the call as wrong (400, 422, …).
    UpstreamRejected,
    /// The backend refused the key (401).
    UpstreamUnauthenticated,
    /// The account behind the key must pay first (402).
    UpstreamPayment,
    /// The key may not use this model (403).
    UpstreamForbidden,
    /// The backend does not know the model or path (404).
    UpstreamNotFound,
    /// Too many calls or tokens (429).
    UpstreamRateLimited,
    /// The model is still being loaded (503 with `estimated_time`).
    UpstreamLoading,
    /// The backend failed (500, 502, 503, 529, …).
    UpstreamFailed,
    /// The backend cannot be reached: name, connection or TLS.
    UpstreamUnreachable,
    /// No answer in time.
    UpstreamTimeout,
    /// The answer cannot be read.
    UpstreamBadReply,
    /// The answer ended before it was complete.
    UpstreamTruncated,
    /// A stream stood still for too long.
    UpstreamStalled,
}

impl Kind {
    /// Every kind, for matrices.
    pub const ALL: &'static [Self] = &[
        Self::BadRequest,
        Self::UnknownModel,
        Self::UnsupportedOperation,
        Self::UnsupportedParameter,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::HeadTooLarge,
        Self::ContextLength,
        Self::ClientGone,
        Self::Overloaded,
        Self::ShuttingDown,
        Self::NoCredential,
        Self::CatalogUnavailable,
        Self::Internal,
        Self::UpstreamRejected,
        Self::UpstreamUnauthenticated,
        Self::UpstreamPayment,
        Self::UpstreamForbidden,
        Self::UpstreamNotFound,
        Self::UpstreamRateLimited,
        Self::UpstreamLoading,
        Self::UpstreamFailed,
        Self::UpstreamUnreachable,
        Self::UpstreamTimeout,
        Self::UpstreamBadReply,
        Self::UpstreamTruncated,
        Self::UpstreamStalled,
    ];

    /// Who caused it.
    pub const fn origin(self) -> Origin {
        match self {
            Self::BadRequest
            | Self::UnknownModel
            | Self::UnsupportedOperation
            | Self::UnsupportedParameter
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::RequestTimeout
            | Self::BodyTooLarge
            | Self::UnsupportedMediaType
            | Self::HeadTooLarge
            | Self::ContextLength
            | Self::ClientGone => Origin::Caller,
            Self::Overloaded | Self::ShuttingDown | Self::NoCredential | Self::CatalogUnavailable | Self::Internal => {
                Origin::Gateway
            }
            _ => Origin::Upstream,
        }
    }

    /// A short name for logs and metrics, one of a bounded set.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::UnknownModel => "unknown_model",
            Self::UnsupportedOperation => "unsupported_operation",
            Self::UnsupportedParameter => "unsupported_parameter",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::HeadTooLarge => "head_too_large",
            Self::ContextLength => "context_length",
            Self::ClientGone => "client_gone",
            Self::Overloaded => "overloaded",
            Self::ShuttingDown => "shutting_down",
            Self::NoCredential => "no_credential",
            Self::CatalogUnavailable => "catalog_unavailable",
            Self::Internal => "internal",
            Self::UpstreamRejected => "upstream_rejected",
            Self::UpstreamUnauthenticated => "upstream_unauthenticated",
            Self::UpstreamPayment => "upstream_payment",
            Self::UpstreamForbidden => "upstream_forbidden",
            Self::UpstreamNotFound => "upstream_not_found",
            Self::UpstreamRateLimited => "upstream_rate_limited",
            Self::UpstreamLoading => "upstream_loading",
            Self::UpstreamFailed => "upstream_failed",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamBadReply => "upstream_bad_reply",
            Self::UpstreamTruncated => "upstream_truncated",
            Self::UpstreamStalled => "upstream_stalled",
        }
    }

    /// What may follow: another attempt, and where.
    const fn retry(self) -> Retry {
        match self {
            Self::UpstreamLoading | Self::UpstreamUnreachable => Retry::SameTarget,
            Self::UpstreamUnauthenticated
            | Self::UpstreamPayment
            | Self::UpstreamForbidden
            | Self::UpstreamNotFound
            | Self::UpstreamRateLimited
            | Self::UpstreamFailed
            | Self::UpstreamTimeout
            | Self::UpstreamBadReply
            | Self::UpstreamTruncated
            | Self::UpstreamStalled => Retry::NextTarget,
            _ => Retry::Never,
        }
    }

    /// What the fault speaks about: the narrowest thing to put aside.
    const fn scope(self) -> Scope {
        match self {
            Self::UpstreamUnauthenticated => Scope::Key,
            Self::UpstreamPayment => Scope::BillingAccount,
            Self::UpstreamForbidden => Scope::KeyAndModel,
            Self::UpstreamRateLimited => Scope::KeyAndTarget,
            _ => match self.origin() {
                Origin::Upstream => Scope::Target,
                _ => Scope::Call,
            },
        }
    }
}

/// Who caused a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The caller: trying again unchanged is useless.
    Caller,
    /// Ironbow itself.
    Gateway,
    /// The backend, the Hub or the way there.
    Upstream,
}

/// What may follow a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Nothing.
    Never,
    /// The same target may serve a little later.
    SameTarget,
    /// Another target may serve.
    NextTarget,
    /// The same target, after this wait.
    After(Duration),
}

/// What a fault says something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This call only.
    Call,
    /// The backend with this model.
    Target,
    /// The key at this backend with this model.
    KeyAndTarget,
    /// The key for this model.
    KeyAndModel,
    /// The key everywhere.
    Key,
    /// All keys of the account that pays.
    BillingAccount,
}

/// Whether the call can have had an effect upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Nothing left this process.
    No,
    /// Some of it left; nobody knows what became of it.
    Maybe,
    /// An answer proves that it arrived.
    Yes,
}

/// One fault. `message` is for the caller (masked); `detail` is for the log.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What kind.
    pub kind: Kind,
    /// What may follow.
    pub retry: Retry,
    /// What it speaks about.
    pub scope: Scope,
    /// Whether upstream may have seen the call.
    pub sent: Sent,
    /// The status that the backend answered, if it did: shown to the caller as it is.
    pub status: Option<u16>,
    /// One or two sentences for the caller: what is wrong, and what to do. No secret, no address of the inside.
    pub message: String,
    /// The member of the call that is at fault, e.g. `messages[0].role`.
    pub param: Option<String>,
    /// A machine-readable code, when the backend gave one or the kind's own is too coarse.
    pub code: Option<String>,
    /// The backend that spoke.
    pub backend: Option<String>,
    /// The backend's id of the request.
    pub upstream_request_id: Option<String>,
    /// When to come again (429 and 503 only).
    pub retry_after: Option<Duration>,
    /// For the log only; may name inner addresses, never a secret, never a prompt.
    pub detail: Option<String>,
}

impl Fault {
    /// A fault of this kind with what follows from the kind alone.
    pub fn new(kind: Kind, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            kind,
            retry: kind.retry(),
            scope: kind.scope(),
            sent: Sent::No,
            status: None,
            message: message.into(),
            param: None,
            code: None,
            backend: None,
            upstream_request_id: None,
            retry_after: None,
            detail: None,
        })
    }

    /// Names the member of the call that is at fault.
    #[must_use]
    pub fn param(mut self: Box<Self>, param: impl Into<String>) -> Box<Self> {
        self.param = Some(param.into());
        self
    }

    /// Gives a machine-readable code.
    #[must_use]
    pub fn code(mut self: Box<Self>, code: impl Into<String>) -> Box<Self> {
        self.code = Some(code.into());
        self
    }

    /// Names the backend.
    #[must_use]
    pub fn backend(mut self: Box<Self>, backend: impl Into<String>) -> Box<Self> {
        self.backend = Some(backend.into());
        self
    }

    /// Says whether upstream may have seen the call.
    #[must_use]
    pub fn sent(mut self: Box<Self>, sent: Sent) -> Box<Self> {
        self.sent = sent;
        self
    }

    /// Adds what only the log may know.
    #[must_use]
    pub fn detail(mut self: Box<Self>, detail: impl Into<String>) -> Box<Self> {
        self.detail = Some(detail.into());
        self
    }

    /// Says when to come again.
    #[must_use]
    pub fn retry_after(mut self: Box<Self>, wait: Duration) -> Box<Self> {
        self.retry_after = Some(wait);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.message)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|k| k.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn a_callers_fault_is_never_tried_again() {
        for kind in Kind::ALL.iter().filter(|k| k.origin() == Origin::Caller) {
            assert_eq!(Fault::new(*kind, "x").retry, Retry::Never, "{kind:?}");
        }
    }
}
