//! What outlives a request: jobs that are submitted and polled, and results that wait to be fetched.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::journal::Exchange;
use crate::knobs::Ends;
use crate::media::hex;
use crate::reply::Reply;

const JOBS: usize = 4096;
/// Older results go when newer ones need their place.
const BYTES: usize = 256 << 20;

#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) backend: &'static str,
    pub(crate) model: String,
    pub(crate) operation: &'static str,
    /// Polls so far.
    pub(crate) polls: usize,
    /// How many say that it is not done.
    after: usize,
    ends: Ends,
    pub(crate) message: String,
    /// What it answers when it is done.
    pub(crate) result: Value,
    canceled: bool,
    /// How often its result was taken.
    taken: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Queued,
    Running,
    Completed,
    Failed,
    Canceled,
}

impl Phase {
    pub(crate) fn ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

impl Job {
    pub(crate) fn phase(&self) -> Phase {
        if self.canceled {
            return Phase::Canceled;
        }
        if self.polls <= self.after && self.after > 0 {
            return if self.polls == self.after { Phase::Running } else { Phase::Queued };
        }
        match self.ends {
            Ends::Completed => Phase::Completed,
            Ends::Failed => Phase::Failed,
            Ends::Canceled => Phase::Canceled,
            Ends::Stuck => Phase::Running,
        }
    }

    fn json(&self) -> Value {
        json!({"id": self.id, "backend": self.backend, "model": self.model, "operation": self.operation, "polls": self.polls,
            "phase": format!("{:?}", self.phase()).to_lowercase(), "canceled": self.canceled, "taken": self.taken})
    }
}

#[derive(Debug)]
struct Asset {
    name: String,
    media: String,
    bytes: Bytes,
}

#[derive(Debug, Default)]
struct Inner {
    jobs: VecDeque<Job>,
    assets: VecDeque<Asset>,
    bytes: usize,
    submits: u64,
    cancels: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Works(Mutex<Inner>);

/// What a job is made of.
pub(crate) struct Order<'a> {
    pub(crate) backend: &'static str,
    pub(crate) model: &'a str,
    pub(crate) operation: &'static str,
    pub(crate) result: Value,
}

impl Works {
    fn open(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job in; the same request twice makes two.
    pub(crate) fn submit(&self, ask: &Ask, order: Order<'_>, after: usize) -> Job {
        let mut inner = self.open();
        let same = format!("{}{}", order.backend, hex(&ask.body));
        let twins = inner.jobs.iter().filter(|job| job.id.starts_with(&hex(same.as_bytes()))).count();
        let job = Job {
            id: format!("{}{twins:04}", hex(same.as_bytes())),
            backend: order.backend,
            model: order.model.to_owned(),
            operation: order.operation,
            polls: 0,
            after,
            ends: ask.knobs.queue_ends,
            message: ask.knobs.queue_message.clone(),
            result: order.result,
            canceled: false,
            taken: 0,
        };
        inner.submits += 1;
        inner.jobs.push_back(job.clone());
        if inner.jobs.len() > JOBS {
            inner.jobs.pop_front();
        }
        job
    }

    fn with(&self, backend: &str, id: &str, change: impl FnOnce(&mut Job)) -> Option<Job> {
        let mut inner = self.open();
        let job = inner.jobs.iter_mut().find(|job| job.backend == backend && job.id == id)?;
        change(job);
        Some(job.clone())
    }

    /// A look at a job; it counts.
    pub(crate) fn poll(&self, backend: &str, id: &str) -> Option<Job> {
        self.with(backend, id, |job| job.polls += 1)
    }

    /// The result of a job, if it is done.
    pub(crate) fn take(&self, backend: &str, id: &str) -> Option<Job> {
        self.with(backend, id, |job| job.taken += 1)
    }

    /// Cancels a job; it says how it stood before.
    pub(crate) fn cancel(&self, backend: &str, id: &str) -> Option<(Phase, Job)> {
        let mut before = Phase::Queued;
        let job = self.with(backend, id, |job| {
            before = job.phase();
            job.canceled |= !before.ended();
        })?;
        self.open().cancels += 1;
        Some((before, job))
    }

    /// Keeps a result; answers its address.
    pub(crate) fn keep(&self, ask: &Ask, media: &str, extension: &str, bytes: Vec<u8>) -> String {
        let name = format!("{}.{extension}", hex(&[media.as_bytes(), &bytes].concat()));
        let mut inner = self.open();
        if inner.assets.iter().all(|asset| asset.name != name) {
            inner.bytes += bytes.len();
            inner.assets.push_back(Asset { name: name.clone(), media: media.to_owned(), bytes: bytes.into() });
        }
        while inner.bytes > BYTES && inner.assets.len() > 1 {
            let gone = inner.assets.pop_front().map_or(0, |asset| asset.bytes.len());
            inner.bytes -= gone;
        }
        format!("{}/_assets/{name}", ask.knobs.asset_base.as_deref().unwrap_or(&ask.base))
    }

    /// Hands a result out to anybody, but not to one who shows a key: it was meant for somebody else.
    pub(crate) fn serve(&self, ask: &Ask, name: &str, exchange: &Exchange) -> Reply {
        let secrets = ["authorization", "proxy-authorization", "x-api-key", "x-key", "cookie", "x-hf-bill-to"];
        if let Some(leaked) = secrets.iter().find(|name| ask.headers.contains_key(**name)) {
            exchange.note("leaked", (*leaked).into());
            return Reply::json(400, json!({"error": format!("a result is fetched without {leaked}")}).to_string());
        }
        if ask.method != "GET" && ask.method != "HEAD" {
            return Reply::text(405, "Method not allowed");
        }
        let inner = self.open();
        match inner.assets.iter().find(|asset| asset.name == name) {
            Some(asset) => Reply::whole(200, &asset.media, asset.bytes.clone()),
            None => Reply::text(404, "Not found, or expired"),
        }
    }

    /// Everything, for those who count.
    pub(crate) fn json(&self) -> Value {
        let inner = self.open();
        let jobs: Vec<Value> = inner.jobs.iter().map(Job::json).collect();
        let assets: Vec<Value> = inner
            .assets
            .iter()
            .map(|asset| json!({"name": asset.name, "content_type": asset.media, "bytes": asset.bytes.len()}))
            .collect();
        json!({"submits": inner.submits, "cancels": inner.cancels, "jobs": jobs, "assets": assets})
    }

    pub(crate) fn clear(&self) {
        *self.open() = Inner::default();
    }
}
