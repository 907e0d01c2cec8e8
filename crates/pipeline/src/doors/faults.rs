//! Why a body could not be read: a caller's, or a backend's.

use std::time::Duration;

use net::CollectError;
use types::{Fault, Kind, Sent};

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
        CollectError::Broken(error) => crate::steps::send::read_fault(error),
    }
    .sent(Sent::Yes)
}
