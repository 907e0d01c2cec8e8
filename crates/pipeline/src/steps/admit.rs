//! What needs no target: what the model's name means, and until when the request may take.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use policy::credentials::Presented;
use types::{Asked, Operation, Result, Secret};

use super::authenticate::Caller;
use crate::{call::Call, doors::Ask, snapshot::Snapshot};

/// A call that may go on.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) ask: Ask,
    /// The name as the caller wrote it.
    pub(crate) name: Arc<str>,
    /// What it means.
    pub(crate) asked: Asked,
    /// What is asked.
    pub(crate) operation: Operation,
    /// Whether a stream is wanted.
    pub(crate) stream: bool,
}

impl Ticket {
    /// The caller's own Hugging Face token, where the call goes out with it: the Hub is then asked with it as well.
    pub(crate) fn own_token(&self) -> Option<&Secret> {
        let token = self.caller.credential.as_ref();
        self.snapshot.config.keys.callers_token(Presented { token, bill_to: None })
    }

    /// When `limit` after the request's arrival is over, or sooner where the caller asked for less.
    pub(crate) fn until(&self, limit: Duration) -> Instant {
        self.ask.received + self.ask.timeout.map_or(limit, |asked| asked.min(limit))
    }
}

/// Admits a call.
///
/// # Errors
/// What is wrong with the model's name.
pub(crate) fn admit(snapshot: Arc<Snapshot>, caller: Caller, ask: Ask, name: &str, call: &Call) -> Result<Ticket> {
    let asked = policy::parse(name, &snapshot.config.names)?;
    let (operation, stream) = (call.operation(), call.stream());
    Ok(Ticket { caller: Arc::new(caller), ask, name: name.into(), asked, operation, stream, snapshot })
}
