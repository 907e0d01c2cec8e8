//! What is known of one request while it walks, and the one record that it leaves.

use std::{sync::Arc, time::Instant};

use policy::health::{Flight, Outcome, Quota};
use types::{BackendName, Fault, Kind, Usage, ports::jobs::Job};

use crate::{metrics::Metrics, router::Route, steps, tried::Tried, workers::Diary};

/// One request's trail. It is settled exactly once: by the end of its answer, or by `Drop` when the caller left.
pub(crate) struct Trail {
    pub(crate) request_id: String,
    pub(crate) received: Instant,
    pub(crate) route: Option<Route>,
    pub(crate) record: Record,
    /// The attempt whose answer is under way: its end is told to the table of health.
    pub(crate) flight: Option<Flight>,
    /// What the last answer's headers said of its key's quota.
    pub(crate) quota: Option<Quota>,
    /// Attempts that failed before the one that served.
    pub(crate) tried: Vec<Tried>,
    /// Where a job's exchange is written down; none for a call that somebody waits for.
    pub(crate) diary: Option<Diary>,
    metrics: Arc<Metrics>,
    settled: bool,
}

/// What the log line and the metrics are made of. No prompt, no answer, no secret.
#[derive(Default)]
pub(crate) struct Record {
    /// The status that the caller saw.
    pub(crate) status: u16,
    /// The model as asked for.
    pub(crate) model: Option<String>,
    /// The backend that served, or the last that was tried.
    pub(crate) backend: Option<BackendName>,
    /// The model as named to the backend.
    pub(crate) upstream_model: Option<Arc<str>>,
    /// The backend's id of the request.
    pub(crate) upstream_request_id: Option<String>,
    /// Whether a stream was asked for.
    pub(crate) stream: bool,
    /// How often something was sent upstream.
    pub(crate) attempts: u32,
    /// How often another backend went on with the stream.
    pub(crate) continuations: u32,
    /// When the first event (or the head of a whole answer) was there.
    pub(crate) first_event: Option<Instant>,
    /// Tokens, where the backend said.
    pub(crate) usage: Option<Usage>,
    /// How many events of a stream came from the backend.
    pub(crate) events: Option<u64>,
    /// Why the model stopped.
    pub(crate) finish: Option<wire::openai::chat::Finish>,
    /// What went wrong.
    pub(crate) fault: Option<Kind>,
    /// What the log may know beyond the kind.
    pub(crate) detail: Option<String>,
}

/// What every id of a request begins with.
const ID_PREFIX: &str = "req_";

/// A new id: 128 random bits in hexadecimal.
fn new_id() -> String {
    hexadecimal(ID_PREFIX, &fastrand::u128(..).to_be_bytes())
}

/// Bytes as hexadecimal digits behind a prefix.
pub(crate) fn hexadecimal(prefix: &str, bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(prefix.len() + 2 * bytes.len());
    text.push_str(prefix);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

impl Trail {
    /// A new trail with an id of its own.
    pub(crate) fn new(metrics: Arc<Metrics>, received: Instant) -> Self {
        metrics.request_begins();
        let (request_id, record) = (new_id(), Record::default());
        Self::of(request_id, received, record, metrics, false)
    }

    fn of(request_id: String, received: Instant, record: Record, metrics: Arc<Metrics>, settled: bool) -> Self {
        let (route, diary, flight, quota, tried) = (None, None, None, None, Vec::new());
        Self { request_id, received, route, record, flight, quota, tried, diary, metrics, settled }
    }

    /// A trail that leaves no record: for what is done after its request has ended.
    pub(crate) fn silent(metrics: Arc<Metrics>) -> Self {
        let received = Instant::now();
        Self::of(String::new(), received, Record::default(), metrics, true)
    }

    /// The trail of work that nobody waits for. Its record has the same digits as the job, and as the request that asked
    /// for a response.
    pub(crate) fn of_work(metrics: Arc<Metrics>, job: &Job) -> Self {
        metrics.request_begins();
        let request_id = [ID_PREFIX, job.id.as_str().trim_start_matches("job_")].concat();
        let record = Record { model: Some(job.model.clone()), ..Record::default() };
        let mut trail = Self::of(request_id, Instant::now(), record, metrics, false);
        trail.route = Some(Route::Background);
        trail
    }

    /// Hands the trail on to whoever brings the answer to its end; what stays here leaves no record.
    pub(crate) fn hand_on(&mut self) -> Self {
        let mut rest = Self::silent(self.metrics.clone());
        rest.record.backend.clone_from(&self.record.backend);
        rest.record.attempts = self.record.attempts;
        std::mem::replace(self, rest)
    }

    /// The work is left as it is, for another process: there is nothing to tell yet.
    pub(crate) fn leave(mut self) {
        if !std::mem::replace(&mut self.settled, true) {
            self.metrics.request_leaves();
        }
    }

    /// An id for an answer to which the backend gave none.
    pub(crate) fn answer_id(&self) -> String {
        ["chatcmpl-", self.request_id.get(ID_PREFIX.len()..).unwrap_or_default()].concat()
    }

    /// Notes a fault; the first one counts.
    pub(crate) fn fault(&mut self, fault: &Fault) {
        if self.record.fault.is_none() {
            self.record.fault = Some(fault.kind);
            self.record.detail.clone_from(&fault.detail);
        }
        if self.record.upstream_request_id.is_none() {
            self.record.upstream_request_id.clone_from(&fault.upstream_request_id);
        }
        if let Some(flight) = self.flight.take() {
            flight.end(Outcome::of(fault), net::now());
        }
    }

    /// The first piece of an answer is there; in a stream of events that is how soon its target is.
    pub(crate) fn begun(&mut self, events: bool) {
        let now = net::now();
        self.record.first_event = Some(now);
        if let Some(flight) = self.flight.as_mut().filter(|_| events) {
            flight.first_event(now);
        }
    }

    /// The answer has come to its end.
    pub(crate) fn served(&mut self) {
        if let Some(flight) = self.flight.take() {
            flight.end(Outcome::Served { output_tokens: self.record.usage.map(|usage| usage.output) }, net::now());
        }
    }

    /// The answer is that of an attempt that had a trail of its own.
    pub(crate) fn take_over(&mut self, mut other: Self) {
        let (own, theirs) = (&mut self.record, std::mem::take(&mut other.record));
        own.attempts += theirs.attempts;
        (own.backend, own.upstream_model) = (theirs.backend, theirs.upstream_model);
        (own.upstream_request_id, own.first_event) = (theirs.upstream_request_id, theirs.first_event);
        (own.usage, own.finish) = (theirs.usage, theirs.finish);
        self.quota = other.quota.take();
    }

    /// Somebody else was looked for, with a trail of its own, to go on with a stream that broke; whether one does.
    pub(crate) fn went_on(&mut self, mut other: Self, found: bool) {
        self.tried.append(&mut other.tried);
        if !found {
            self.record.attempts += other.record.attempts;
            return;
        }
        let (first_event, usage) = (self.record.first_event, self.record.usage);
        self.flight = other.flight.take();
        self.take_over(other);
        (self.record.first_event, self.record.usage) = (first_event, usage);
        self.record.continuations += 1;
        self.metrics.goes_on();
    }

    /// Notes an attempt that failed.
    pub(crate) fn tried(&mut self, tried: Tried) {
        self.metrics.attempt_ends(tried.backend.as_str(), tried.kind.name());
        self.tried.push(tried);
    }

    /// Settles the request: the last thing that happens to it.
    pub(crate) fn settle(mut self) {
        let silent = std::mem::replace(&mut self.settled, true);
        self.served();
        if !silent {
            steps::account::account(&self, &self.metrics);
        }
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        if !self.settled {
            self.settled = true;
            self.record.fault.get_or_insert(Kind::ClientGone);
            steps::account::account(self, &self.metrics);
        }
    }
}
