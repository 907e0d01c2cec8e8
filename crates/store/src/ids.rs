//! Ids that nobody can guess.

use types::ports::PortError;

/// 128 bits from the operating system.
pub(crate) fn random_bits() -> Result<u128, PortError> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|e| PortError::Unavailable(format!("no random bits: {e}")))?;
    Ok(u128::from_le_bytes(bits))
}
