//! Keeps what is known of models, prices and terms young, so that no caller is the first to learn what has changed.

use std::time::Duration;

use crate::Gateway;

/// How often it is looked whether something ages.
const EVERY: Duration = Duration::from_secs(15);

/// Looks for ever.
pub(super) async fn run(gateway: Gateway) {
    loop {
        gateway.0.catalog.renew();
        tokio::time::sleep(EVERY).await;
    }
}
