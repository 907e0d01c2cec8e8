//! SIGHUP: the configuration is read again, and takes the place of the one that runs if nothing is wrong with it.

use pipeline::Gateway;

use crate::settings::{self, Given};

/// Reads the configuration again. What is wrong with it is logged, and what runs goes on as it is.
pub(super) fn reload(gateway: &Gateway, given: &Given<'_>) {
    let refused = match settings::load(given) {
        Ok(mut config) => {
            let notes = std::mem::take(&mut config.notes);
            match gateway.reload(config) {
                Ok(waiting) => {
                    notes.iter().for_each(|note| tracing::warn!("{note}"));
                    if !waiting.is_empty() {
                        let settings = waiting.join(", ");
                        tracing::warn!(settings, "these settings have changed and wait for the next start");
                    }
                    tracing::info!("the configuration was read again and is in force");
                    return;
                }
                Err(bad) => vec![bad.to_string()],
            }
        }
        Err(refused) => refused.lines(),
    };
    gateway.refused_configuration();
    for problem in &refused {
        tracing::error!(problem, "the configuration cannot be used");
    }
    tracing::error!(problems = refused.len(), "the configuration was refused; the one in use stays");
}
