//! What the gateway does without a caller who waits: the jobs, and forgetting what has expired.

mod diary;
mod jobs;
mod live;
mod responses;
pub(crate) mod servers;
mod stored;
pub(crate) mod vendors;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_lc_rs::hmac;
use tokio::sync::{Notify, watch};
use types::{
    Secret,
    ports::{
        Jobs, Kept, Sessions,
        jobs::{JobId, Owner},
    },
};

pub(crate) use diary::{Diary, Saved};
pub(crate) use jobs::tell_backend;
pub(crate) use servers::Servers;
pub(crate) use stored::write as write_call;
pub(crate) use vendors::Wares;

use types::Result;

use crate::{
    Gateway, asks,
    call::Call,
    doors::{Answer, Later},
    steps::{authenticate::Caller, plan::Plan},
};

/// How often what has expired is forgotten.
const SWEEP: Duration = Duration::from_secs(60);
/// How long a reader of an expired file may go on.
const READERS: i64 = 300_000;

/// Who keeps what survives a request.
pub struct Keepers {
    /// Jobs.
    pub jobs: Arc<dyn Jobs>,
    /// Files.
    pub kept: Arc<dyn Kept>,
    /// Responses and conversations.
    pub sessions: Arc<dyn Sessions>,
    /// The secret under which the owners of jobs are hashed. Where jobs survive a restart, it must, too.
    pub owners: [u8; 32],
}

/// Where jobs are taken in and given out.
pub(crate) struct Desk {
    /// Who keeps them.
    pub(crate) jobs: Arc<dyn Jobs>,
    owners: hmac::Key,
    /// Told when there is a new one.
    wake: Notify,
    /// Those that are worked on here, and whether they are cancelled.
    running: Mutex<HashMap<JobId, watch::Sender<bool>>>,
}

impl Desk {
    /// An empty desk.
    pub(crate) fn new(keepers: Keepers) -> Self {
        let owners = hmac::Key::new(hmac::HMAC_SHA256, &keepers.owners);
        Self { jobs: keepers.jobs, owners, wake: Notify::new(), running: Mutex::default() }
    }

    /// Whose the jobs of this caller are: everybody who presents nothing is one and the same.
    pub(crate) fn owner(&self, caller: &Caller) -> Owner {
        owner(&self.owners, caller.credential.as_ref())
    }

    /// Says that there is a new job.
    pub(crate) fn ring(&self) {
        self.wake.notify_one();
    }

    /// Stops the work on a job that its owner cancelled; `false` when nobody works on it here.
    pub(crate) fn stop(&self, job: &JobId) -> bool {
        self.running().get(job).is_some_and(|cancelled| cancelled.send(true).is_ok())
    }

    /// Work on a job begins; gives what tells when it is cancelled.
    fn enter(&self, job: &JobId) -> watch::Receiver<bool> {
        let (sender, receiver) = watch::channel(false);
        self.running().insert(job.clone(), sender);
        receiver
    }

    /// Work on a job has ended; says whether it was cancelled meanwhile.
    fn leave(&self, job: &JobId) -> bool {
        self.running().remove(job).is_some_and(|cancelled| *cancelled.borrow())
    }

    fn running(&self) -> MutexGuard<'_, HashMap<JobId, watch::Sender<bool>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A keyed hash of what was presented.
fn owner(key: &hmac::Key, credential: Option<&Secret>) -> Owner {
    let mut context = hmac::Context::with_key(key);
    match credential {
        None => context.update(b"nothing presented"),
        Some(credential) => {
            context.update(b"presented:");
            context.update(credential.expose().as_bytes());
        }
    }
    Owner::new(crate::trail::hexadecimal("", context.sign().as_ref()))
}

/// Takes in a call that its caller does not wait for; `dropped` is what of it had no place in the translation.
///
/// # Errors
/// What is wrong with the call as far as it can be known; why it cannot be written down.
pub(crate) async fn accept(
    gateway: &Gateway,
    plan: &Plan,
    call: &Call,
    later: Later,
    dropped: &[String],
) -> Result<Answer> {
    match later {
        Later::Job(stored) => asks::jobs::accept(gateway, plan, call, stored).await,
        Later::Response(background) => asks::responses::accept(gateway, plan, *background, dropped).await,
    }
}

/// Starts what is done without a caller, on the current runtime.
pub(crate) fn start(gateway: &Gateway) {
    gateway.0.drain.spawn("jobs", jobs::run(gateway.clone()));
    gateway.0.drain.background("expiry", sweep(gateway.clone()));
    gateway.0.drain.background("live data", live::run(gateway.clone()));
    vendors::start(gateway);
    servers::start(gateway);
}

/// Forgets what has expired, for ever.
async fn sweep(gateway: Gateway) {
    loop {
        let now = crate::clock();
        let then = types::ports::Moment(now.0.saturating_sub(READERS));
        for (what, swept) in [
            ("jobs", gateway.0.desk.jobs.expire(now).await),
            ("files", gateway.0.kept.expire(then).await),
            ("sessions", gateway.0.archive.sessions.expire(now).await),
        ] {
            match swept {
                Ok(0) => {}
                Ok(forgotten) => tracing::debug!(what, forgotten, "expired"),
                Err(error) => tracing::warn!(what, %error, "what has expired cannot be forgotten now"),
            }
        }
        tokio::time::sleep(SWEEP).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_differ_by_credential_and_by_key_and_show_neither() {
        let key = |bits: u8| hmac::Key::new(hmac::HMAC_SHA256, &[bits; 32]);
        let hashed = |bits, text: Option<&str>| owner(&key(bits), text.map(Secret::new).as_ref());
        let owners = [hashed(1, None), hashed(1, Some("a")), hashed(1, Some("b")), hashed(2, Some("a"))];
        for (n, one) in owners.iter().enumerate() {
            assert_eq!(one.as_str().len(), 64);
            assert!(owners[n + 1..].iter().all(|other| other != one));
        }
        assert_eq!(hashed(1, Some("a")), owners[1]);
    }
}
