//! Ids that nobody can guess.

use types::ports::{PortError, jobs::JobId};

/// 128 bits from the operating system.
pub(crate) fn random_bits() -> Result<u128, PortError> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|e| PortError::Unavailable(format!("no random bits: {e}")))?;
    Ok(u128::from_le_bytes(bits))
}

/// The id of a new job: the one that was asked for, or one of its own.
pub(crate) fn job_id(asked: Option<JobId>) -> Result<JobId, PortError> {
    asked.map_or_else(|| Ok(JobId::from_bits(random_bits()?)), Ok)
}
