//! What a caller asked for when naming a model.

use std::{fmt, sync::Arc};

/// The id of a backend as Hugging Face spells it, or the name of a declared custom server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackendName(Arc<str>);

impl BackendName {
    /// Wraps an id that was checked by whoever read it.
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the Hugging Face router chooses among live backends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RoutePolicy {
    /// No suffix: the router's own default.
    #[default]
    Default,
    /// `:fastest`, highest throughput.
    Fastest,
    /// `:cheapest`, lowest price per output token.
    Cheapest,
    /// `:preferred`, first in the account's own order.
    Preferred,
}

impl RoutePolicy {
    /// The suffix as the router reads it, colon included; empty for the default.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Default => "",
            Self::Fastest => ":fastest",
            Self::Cheapest => ":cheapest",
            Self::Preferred => ":preferred",
        }
    }
}

/// What a model name means, once read. Aliases are already resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// This backend (or declared server) and no other.
    Pinned {
        /// The backend's id on the wire, never an alias.
        backend: BackendName,
        /// A Hub id (`org/name`) or the backend's own name for a model.
        model: Arc<str>,
    },
    /// Any live backend that serves this Hub model.
    Auto {
        /// The Hub id.
        model: Arc<str>,
        /// How to choose.
        policy: RoutePolicy,
    },
}

impl Asked {
    /// The model's name without route.
    pub fn model(&self) -> &Arc<str> {
        match self {
            Self::Pinned { model, .. } | Self::Auto { model, .. } => model,
        }
    }
}
