//! Ports: the small traits by which the pipeline reaches what survives a request, without knowing who keeps it.
//!
//! Every method is asynchronous and object-safe, and takes the time from its caller. Each port has one implementation in memory
//! and one on disk (crate `store`); one contract suite runs over both.

use std::{pin::Pin, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Fault, Kind};

pub mod jobs;
pub mod kept;
pub mod sessions;

pub use jobs::Jobs;
pub use kept::Kept;
pub use sessions::Sessions;

/// What a port's method returns: a boxed future of an answer or of what is wrong with the keeper.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, PortError>> + Send + 'a>>;

/// A point in time: milliseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment(pub i64);

impl Moment {
    /// The moment this long after this one; the end of time where that does not fit.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long from this moment until `later`; zero when that is past.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// Whole seconds since 1970, as OpenAI's answers write times.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// Why a port did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The keeper fails or does not answer in time. A write may or may not have happened.
    #[error("the store does not work: {0}")]
    Unavailable(String),
    /// The lease is not the latest one, or its job has ended: somebody else decides now.
    #[error("the lease is no longer valid")]
    Stale,
    /// What is to be continued is not there, or not any more.
    #[error("what is to be continued is gone")]
    Gone,
    /// A bound of the keeper is reached.
    #[error("no more can be kept: {0}")]
    Full(&'static str),
    /// One thing is larger than the keeper takes.
    #[error("{what} has {size} bytes, {limit} are allowed")]
    TooLarge {
        /// What it is: `request`, `exchange`, `result`, `file`, `response`, `history`.
        what: &'static str,
        /// How large it is.
        size: u64,
        /// How large it may be.
        limit: u64,
    },
}

impl From<PortError> for Box<Fault> {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Unavailable(detail) => Fault::new(
                Kind::Overloaded,
                "What is kept (responses, jobs, files) cannot be reached at the moment. Calls that keep nothing are served as usual.",
            )
            .detail(detail),
            PortError::Stale => Fault::new(Kind::Internal, "The job was decided elsewhere."),
            PortError::Gone => Fault::new(Kind::NotFound, "What this call continues is not kept here, or not any more."),
            PortError::Full(what) => Fault::new(
                Kind::Overloaded,
                format!(
                    "No more can be kept at the moment: {what}. Ask again later, or ask so that nothing must be kept."
                ),
            ),
            PortError::TooLarge { what, size, limit } => Fault::new(
                Kind::BodyTooLarge,
                format!(
                    "The {what} has {size} bytes; at most {limit} can be kept. Ask so that nothing must be kept: without `Prefer: respond-async`, with `store: false`."
                ),
            ),
        }
    }
}

/// An unguessable id with a prefix that says what it names: 128 random bits as 32 hexadecimal digits.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id of these random bits.
            pub fn from_bits(bits: u128) -> Self {
                Self(format!(concat!($prefix, "{:032x}"), bits))
            }

            /// Reads an id; none when the text cannot be one.
            pub fn parse(text: &str) -> Option<Self> {
                let digits = text.strip_prefix($prefix)?;
                let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
                (digits.len() == 32 && digits.bytes().all(hex)).then(|| Self(text.to_owned()))
            }

            /// The id as text: letters, digits and an underscore, safe in a path.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or(concat!("not an id of the form ", $prefix, "…"))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}
use id;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_the_right_shape_are_read() {
        let id = jobs::JobId::from_bits(7);
        assert_eq!(id.as_str(), "job_00000000000000000000000000000007");
        assert_eq!(jobs::JobId::parse(id.as_str()), Some(id));
        for bad in
            ["", "job_", "job_7", "file_00000000000000000000000000000007", "job_0000000000000000000000000000000G"]
        {
            assert_eq!(jobs::JobId::parse(bad), None, "{bad}");
        }
        assert_eq!(kept::FileId::parse("file_../../../../../../../../../etc/pw"), None);
    }

    #[test]
    fn sessions_are_responses_or_conversations() {
        let id = sessions::SessionId::conversation(7);
        assert_eq!(id.as_str(), "conv_00000000000000000000000000000007");
        assert_eq!(sessions::SessionId::parse_any(id.as_str()), Some(id.clone()));
        assert_eq!(sessions::SessionId::parse_response(id.as_str()), None);
        assert_eq!(
            sessions::SessionId::parse_any(sessions::SessionId::away(7).as_str()),
            None,
            "no caller names a note"
        );
        assert_eq!(id.digits(), "00000000000000000000000000000007");
        for bad in ["resp_", "resp_7", "resp_0000000000000000000000000000000G", "job_00000000000000000000000000000007"]
        {
            assert_eq!(sessions::SessionId::parse_any(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_keeper_that_fails_is_a_503_whose_reason_only_the_log_knows() {
        let fault: Box<Fault> = PortError::Unavailable("disk I/O error".to_owned()).into();
        assert_eq!(fault.kind, Kind::Overloaded);
        assert!(!fault.message.contains("disk"), "{}", fault.message);
    }

    #[test]
    fn moments_do_not_wrap() {
        assert_eq!(Moment(5).after(Duration::MAX), Moment(i64::MAX));
        assert_eq!(Moment(5).until(Moment(3)), Duration::ZERO);
        assert_eq!(Moment(1_999).seconds(), 1);
    }
}
