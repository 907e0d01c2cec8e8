//! The fault of a call that nobody can serve: it names why each candidate was left out.

use std::{fmt::Write as _, time::Duration};

use types::{Fault, Kind, Result};

use super::{Candidate, Order};
use crate::health::Reason;

/// So many candidates are named, the others counted.
const NAMED: usize = 12;

impl Order {
    /// Whether there is anybody to ask.
    ///
    /// # Errors
    /// Why each candidate was left out, and when to come again where time mends it.
    pub fn usable(&self, candidates: &[Candidate]) -> Result<()> {
        if self.attempts.is_empty() { Err(nobody(&self.excluded, candidates)) } else { Ok(()) }
    }
}

/// The fault for these reasons.
#[cold]
pub(crate) fn nobody(excluded: &[(usize, Reason)], candidates: &[Candidate]) -> Box<Fault> {
    // Where somebody could serve if only it were well, the others' lacks do not matter.
    let soonest = excluded.iter().filter(|(_, reason)| reason.is_health()).min_by_key(|(_, reason)| reason.wait());
    let (kind, param, code, status) = match soonest.or_else(|| excluded.first()) {
        Some((_, reason)) => face(reason),
        None => (Kind::UnknownModel, Some("model"), None, None),
    };
    let mut fault = Fault::new(kind, message(excluded, candidates));
    (fault.param, fault.code, fault.status) = (param.map(str::to_owned), code.map(str::to_owned), status);
    fault.retry_after = soonest.and_then(|(_, reason)| reason.wait()).map(|wait| wait.max(Duration::from_millis(1)));
    if let [(index, _)] = excluded {
        fault.backend = candidates.get(*index).map(|candidate| candidate.lane.place.to_string());
    }
    fault
}

fn message(excluded: &[(usize, Reason)], candidates: &[Candidate]) -> String {
    let mut text = "Nobody can serve this call".to_owned();
    for (at, (index, reason)) in excluded.iter().take(NAMED).enumerate() {
        let name = candidates.get(*index).map_or_else(String::new, |candidate| candidate.lane.name());
        let _ = write!(text, "{} {name}: {reason}", if at == 0 { ":" } else { ";" });
    }
    match excluded.len().checked_sub(NAMED) {
        Some(more @ 1..) => drop(write!(text, "; and {more} more.")),
        _ => text.push('.'),
    }
    text
}

type Face = (Kind, Option<&'static str>, Option<&'static str>, Option<u16>);

fn face(reason: &Reason) -> Face {
    match reason {
        Reason::NoTools => (Kind::UnsupportedParameter, Some("tools"), None, None),
        Reason::NoParallelTools => (Kind::UnsupportedParameter, Some("parallel_tool_calls"), None, None),
        Reason::NoStructuredOutput => (Kind::UnsupportedParameter, Some("response_format"), None, None),
        Reason::NoVision => (Kind::UnsupportedParameter, Some("messages"), None, None),
        Reason::NoStreaming => (Kind::UnsupportedParameter, Some("stream"), None, None),
        Reason::Parameter { .. } => (Kind::UnsupportedParameter, None, None, None),
        Reason::Context { .. } => (Kind::ContextLength, Some("messages"), None, None),
        Reason::PriceUnknown | Reason::WorstCaseUnknown | Reason::TooDear { .. } => {
            (Kind::BadRequest, None, Some("max_price_exceeded"), None)
        }
        Reason::TooSlow { .. } => (Kind::Overloaded, None, Some("too_slow"), None),
        Reason::Repeated | Reason::Staging | Reason::MarketError => {
            (Kind::UpstreamFailed, Some("model"), Some("not_live"), Some(503))
        }
        Reason::Failed { .. } | Reason::Probing | Reason::Unavailable { .. } => {
            (Kind::UpstreamFailed, None, Some("no_healthy_target"), Some(503))
        }
        Reason::KeyRefused { .. } => (Kind::UpstreamUnauthenticated, None, None, None),
        Reason::KeyForbidden { .. } => (Kind::UpstreamForbidden, None, None, None),
        Reason::Payment { .. } => (Kind::UpstreamPayment, None, None, None),
        Reason::RateLimited { .. } | Reason::QuotaSpent { .. } => (Kind::UpstreamRateLimited, None, None, None),
    }
}
