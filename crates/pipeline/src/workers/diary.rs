//! The diary of a job's exchange with its backend: written before a submit and after each answer, so that whoever takes
//! the job up again knows what the backend knows.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use providers::exchange::Exchange;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use types::{
    Asked, BackendName, Fault, Kind, Operation, Result,
    ports::{
        Jobs, Moment, PortError,
        jobs::{Lease, Leased, Phase, Progress},
    },
};

use crate::{
    Gateway,
    doors::Ask,
    steps::{
        admit::Ticket,
        authenticate::Caller,
        plan::{Attempt, attempts_at},
        resolve::Place,
    },
};

/// The version of what is written.
const VERSION: u32 = 1;

/// An exchange that can be continued, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    origin: String,
    base: String,
    model: String,
    /// The operator's name of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    exchange: Exchange,
}

/// The diary of one job. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Diary(Arc<Page>);

struct Page {
    jobs: Arc<dyn Jobs>,
    lease: Lease,
    /// When the lease ends.
    due: Moment,
    expires: Moment,
    stand: watch::Sender<Stand>,
    lost: OnceLock<()>,
}

/// What is written, or about to be.
#[derive(Clone, Debug, Default)]
struct Stand {
    phase: Phase,
    /// Whether what is being submitted goes on at the backend by itself.
    kept_upstream: bool,
    saved: Option<Arc<Saved>>,
}

impl Diary {
    /// The diary of a job that was just given out.
    pub(super) fn new(jobs: Arc<dyn Jobs>, leased: &Leased, due: Moment, saved: Option<Saved>) -> Self {
        let stand = Stand { phase: leased.progress.phase, kept_upstream: false, saved: saved.map(Arc::new) };
        let (lease, expires) = (leased.lease.clone(), leased.job.expires);
        Self(Arc::new(Page { jobs, lease, due, expires, stand: watch::Sender::new(stand), lost: OnceLock::new() }))
    }

    /// When the job, its result and its files are forgotten.
    pub(crate) fn expires(&self) -> Moment {
        self.0.expires
    }

    /// The call is about to be submitted. When this has answered, no other worker will submit it.
    ///
    /// # Errors
    /// When it could not be written down: then nothing may be sent.
    pub(crate) async fn submitting(&self, kept_upstream: bool) -> Result<()> {
        let stand = Stand { phase: Phase::Sending, kept_upstream, saved: None };
        self.0.stand.send_replace(stand.clone());
        let written = self.write(&stand).await;
        if written.is_err() {
            self.0.stand.send_replace(Stand::default());
        }
        Ok(written?)
    }

    /// It is certain that the backend has nothing of the call.
    ///
    /// # Errors
    /// When somebody else has decided the job.
    pub(crate) async fn not_submitted(&self) -> Result<()> {
        self.note(Stand::default()).await
    }

    /// The backend has answered, and the exchange stands so.
    ///
    /// # Errors
    /// When somebody else has decided the job.
    pub(crate) async fn replied(&self, attempt: &Attempt, exchange: &Exchange) -> Result<()> {
        // What is over cannot be continued. What is written about it stays right until the job is finished.
        if exchange.resume().is_none() {
            return Ok(());
        }
        let saved = Saved {
            origin: attempt.endpoint.origin().to_owned(),
            base: attempt.endpoint.base().to_owned(),
            model: attempt.model.as_ref().to_owned(),
            key: attempt.key_name.as_deref().map(str::to_owned),
            exchange: exchange.clone(),
        };
        if self.0.stand.borrow().saved.as_deref() == Some(&saved) {
            return Ok(());
        }
        self.note(Stand { phase: Phase::Sent, kept_upstream: true, saved: Some(Arc::new(saved)) }).await
    }

    /// Writes what is good to know, but not needed to go on: while the store fails, the work does not.
    async fn note(&self, stand: Stand) -> Result<()> {
        let written = self.write(&stand).await;
        self.0.stand.send_replace(stand);
        match written {
            Err(PortError::Stale) => Err(PortError::Stale.into()),
            Err(error) => {
                if self.0.lost.set(()).is_ok() {
                    tracing::warn!(job = %self.0.lease.job, %error, "how far the job is cannot be written down");
                }
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn write(&self, stand: &Stand) -> std::result::Result<(), PortError> {
        let exchange = match &stand.saved {
            Some(saved) => serde_json::to_string(&**saved).map_err(|e| PortError::Unavailable(e.to_string()))?,
            None => String::new(),
        };
        let progress = Progress { phase: stand.phase, exchange, version: VERSION };
        self.0.jobs.save(&self.0.lease, &progress, self.0.due).await
    }

    /// Comes back when the work can be left and taken up by another worker without being done twice.
    pub(super) async fn can_be_left(&self) {
        self.until(|stand| stand.phase != Phase::Sending).await;
    }

    /// Comes back when the work can be given up: not while an id that is needed for it is on its way.
    pub(super) async fn can_be_given_up(&self) {
        self.until(|stand| stand.phase != Phase::Sending || !stand.kept_upstream).await;
    }

    async fn until(&self, reached: impl FnMut(&Stand) -> bool) {
        // The sender is held here: there is always somebody to wait for.
        let _stand = self.0.stand.subscribe().wait_for(reached).await.map(drop);
    }

    /// The exchange as it was written last.
    pub(super) fn saved(&self) -> Option<Arc<Saved>> {
        self.0.stand.borrow().saved.clone()
    }
}

impl Saved {
    /// Reads what was written down; none when nothing was.
    ///
    /// # Errors
    /// `Internal` when another version wrote it.
    pub(crate) fn read(progress: &Progress) -> Result<Option<Self>> {
        if progress.phase != Phase::Sent {
            return Ok(None);
        }
        let read = (progress.version == VERSION).then(|| serde_json::from_str::<Self>(&progress.exchange).ok());
        match read.flatten().filter(|saved| saved.exchange.is_understood()) {
            Some(saved) => Ok(Some(saved)),
            None => Err(Fault::new(
                Kind::Internal,
                "Another version wrote down how far the job is: it cannot be continued, and is not submitted again.",
            )),
        }
    }

    /// The exchange.
    pub(crate) const fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// The attempt with which to go on: the same backend at the same address, with the gateway's keys of now.
    ///
    /// # Errors
    /// `NoCredential` when the configuration no longer leads there.
    pub(crate) fn attempt(&self, gateway: &Gateway, operation: Operation, until: Instant) -> Result<Attempt> {
        let id = BackendName::new(self.exchange.backend());
        let model: Arc<str> = self.model.as_str().into();
        let ticket = Ticket {
            snapshot: gateway.snapshot(),
            caller: Arc::new(Caller { credential: None, bill_to: None }),
            ask: Ask::of_job(false, None, until),
            name: model.clone(),
            asked: Asked::Pinned { backend: id.clone(), model: model.clone() },
            operation,
            stream: false,
            detour: None,
            carried: None,
            bound: None,
        };
        for mapped in [true, false] {
            let place = Place::Backend { id: id.clone(), mapped };
            let Ok(attempts) = attempts_at(&ticket, place, model.clone()) else { continue };
            let here =
                |attempt: &Attempt| attempt.endpoint.origin() == self.origin && attempt.endpoint.base() == self.base;
            // Who asked with one key asks on with it: another account does not know the work.
            let same = |attempt: &Attempt| self.key.is_none() || attempt.key_name.as_deref() == self.key.as_deref();
            if let Some(attempt) = attempts.into_iter().find(|attempt| here(attempt) && same(attempt)) {
                return Ok(attempt);
            }
        }
        let text = "The backend was asked at an address or with a key that the configuration no longer has: the job cannot be continued, and is not submitted again.";
        Err(Fault::new(Kind::NoCredential, text).backend(self.exchange.backend()))
    }
}
