//! Why a candidate is left out, in one sentence each.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// Why a candidate is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// It is among the candidates already.
    Repeated,
    /// The Hub says that it is not ready.
    Staging,
    /// The Hub says that its checks fail.
    MarketError,
    /// It cannot call tools.
    NoTools,
    /// It cannot call several tools at once.
    NoParallelTools,
    /// It cannot keep to a JSON schema.
    NoStructuredOutput,
    /// It does not see pictures.
    NoVision,
    /// It cannot stream.
    NoStreaming,
    /// The call is longer than its context: tokens needed, tokens there.
    Context {
        /// What the call needs, in tokens.
        needed: u64,
        /// What there is, in tokens.
        limit: u64,
    },
    /// It cannot honour this member of the call.
    Parameter {
        /// The member.
        name: String,
    },
    /// Its price is not known, and the call may cost only so much.
    PriceUnknown,
    /// Nobody can say what the call would cost at most: it names no limit of tokens, and the context is not known.
    WorstCaseUnknown,
    /// It may cost more than the call may, in micro-dollars.
    TooDear {
        /// What it may cost.
        worst: u64,
        /// What it may cost at most.
        limit: u64,
    },
    /// Its first event is expected later than the call may wait.
    TooSlow {
        /// What is expected.
        expected: Duration,
        /// What was asked for.
        limit: Duration,
    },
    /// It failed too often.
    Failed {
        /// Until it is tried again.
        wait: Duration,
    },
    /// It failed, and another call is trying it just now.
    Probing,
    /// The backend said when to come again (503 with `Retry-After`).
    Unavailable {
        /// Until it is tried again.
        wait: Duration,
    },
    /// The key was refused (401).
    KeyRefused {
        /// Until it is tried again.
        wait: Duration,
    },
    /// The key may not use this model (403).
    KeyForbidden {
        /// Until it is tried again.
        wait: Duration,
    },
    /// The account must pay first (402).
    Payment {
        /// Until it is tried again.
        wait: Duration,
    },
    /// Too many calls with this key (429).
    RateLimited {
        /// Until it is tried again.
        wait: Duration,
    },
    /// What the backend lets this key do is used up, by its own headers.
    QuotaSpent {
        /// Until there is more.
        wait: Duration,
    },
}

impl Reason {
    /// Until the reason is gone by itself, where it is one of time.
    pub const fn wait(&self) -> Option<Duration> {
        match self {
            Self::Failed { wait }
            | Self::Unavailable { wait }
            | Self::KeyRefused { wait }
            | Self::KeyForbidden { wait }
            | Self::Payment { wait }
            | Self::RateLimited { wait }
            | Self::QuotaSpent { wait } => Some(*wait),
            Self::Probing => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// Whether it speaks of the candidate's health, not of what it can do.
    pub const fn is_health(&self) -> bool {
        self.wait().is_some()
    }
}

/// A time as people read it: whole seconds, rounded up.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0))
    }
}

/// Micro-dollars as dollars.
struct Money(u64);

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeated => f.write_str("it is among the candidates already"),
            Self::Staging => f.write_str("the Hub lists it as not ready"),
            Self::MarketError => f.write_str("the Hub lists it as failing"),
            Self::NoTools => f.write_str("it cannot call tools"),
            Self::NoParallelTools => f.write_str("it cannot call several tools at once"),
            Self::NoStructuredOutput => f.write_str("it cannot keep to a JSON schema"),
            Self::NoVision => f.write_str("it does not see pictures"),
            Self::NoStreaming => f.write_str("it cannot stream"),
            Self::Context { needed, limit } => {
                write!(f, "its context has {limit} tokens and the call needs about {needed}")
            }
            Self::Parameter { name } => write!(f, "it cannot honour `{name}`"),
            Self::PriceUnknown => f.write_str("its price is not known, and the call may cost only so much"),
            Self::WorstCaseUnknown => {
                f.write_str("what the call may cost at most is not known; give a limit of tokens for the answer")
            }
            Self::TooDear { worst, limit } => {
                write!(f, "the call may cost up to {} there, and {} is allowed", Money(*worst), Money(*limit))
            }
            Self::TooSlow { expected, limit } => {
                let (expected, limit) = (expected.as_millis(), limit.as_millis());
                write!(f, "its first event is expected after {expected} ms, and {limit} ms are allowed")
            }
            Self::Failed { wait } => write!(f, "it failed too often; it is tried again in {}", Seconds(*wait)),
            Self::Probing => f.write_str("it failed, and another call is trying it just now"),
            Self::Unavailable { wait } => write!(f, "it asked to come again in {}", Seconds(*wait)),
            Self::KeyRefused { wait } => write!(f, "the key was refused; it is tried again in {}", Seconds(*wait)),
            Self::KeyForbidden { wait } => {
                write!(f, "the key may not use this model; it is tried again in {}", Seconds(*wait))
            }
            Self::Payment { wait } => {
                write!(f, "the account must pay first; it is tried again in {}", Seconds(*wait))
            }
            Self::RateLimited { wait } => {
                write!(f, "too many calls with this key; it is tried again in {}", Seconds(*wait))
            }
            Self::QuotaSpent { wait } => {
                write!(f, "what this key may do is used up; there is more in {}", Seconds(*wait))
            }
        }
    }
}
