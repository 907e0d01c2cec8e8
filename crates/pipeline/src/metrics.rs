//! Numbers for Prometheus. Label values come from bounded sets only: routes, backends, statuses, kinds of fault.

pub(crate) mod classic;
mod series;

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};
use types::Usage;

use series::{Found, TOKENS};

/// What an attempt that came to an answer is called.
pub(crate) const SERVED: &str = "served";
/// Under which name the counts of attempts are found.
const ATTEMPTS: &str = "upstream attempts";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    backend: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BackendLabels {
    route: &'static str,
    backend: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TokenLabels {
    backend: String,
    r#type: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FaultLabels {
    kind: &'static str,
    backend: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AttemptLabels {
    backend: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HedgeLabels {
    won: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TargetLabels {
    backend: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    outcome: &'static str,
}

/// From 5 ms to 10 min: a chat answers within this range or not at all.
const SECONDS: [f64; 15] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0];

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

/// All metrics of this process.
pub struct Metrics {
    registry: Registry,
    found: Found,
    requests: Family<RequestLabels, Counter>,
    duration: Family<BackendLabels, Histogram, fn() -> Histogram>,
    first_token: Family<BackendLabels, Histogram, fn() -> Histogram>,
    tokens: Family<TokenLabels, Counter<u64, AtomicU64>>,
    faults: Family<FaultLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    failovers: Counter,
    continuations: Counter,
    hedges: Family<HedgeLabels, Counter>,
    targets: Family<TargetLabels, Gauge>,
    dropped_models: Counter,
    reloads: Family<ReloadLabels, Counter>,
    in_flight: Gauge,
    held_bytes: Gauge,
    catalog_models: Gauge,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// What one finished request adds to the metrics.
pub(crate) struct Observation<'a> {
    pub(crate) route: &'static str,
    /// A backend's id, or `-` where none was chosen.
    pub(crate) backend: &'a str,
    pub(crate) status: u16,
    pub(crate) duration: Duration,
    pub(crate) first_event: Option<Duration>,
    pub(crate) usage: Option<Usage>,
    pub(crate) fault: Option<&'static str>,
}

impl Metrics {
    /// A fresh set, all zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("ironbow");
        let this = Self {
            found: Found::default(),
            requests: Family::default(),
            duration: Family::new_with_constructor(histogram),
            first_token: Family::new_with_constructor(histogram),
            tokens: Family::default(),
            faults: Family::default(),
            attempts: Family::default(),
            failovers: Counter::default(),
            continuations: Counter::default(),
            hedges: Family::default(),
            targets: Family::default(),
            dropped_models: Counter::default(),
            reloads: Family::default(),
            in_flight: Gauge::default(),
            held_bytes: Gauge::default(),
            catalog_models: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("build", "What is running", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register("requests", "Requests that ended, by the status the caller saw", this.requests.clone());
        registry.register("requests_in_flight", "Requests that have begun and not ended", this.in_flight.clone());
        registry.register("held_body_bytes", "Bytes of bodies that are held at the moment", this.held_bytes.clone());
        registry.register(
            "catalog_models",
            "Models that the catalogue remembers, unknown ones included",
            this.catalog_models.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "Time from the request's head to the end of its answer",
            Unit::Seconds,
            this.duration.clone(),
        );
        registry.register_with_unit(
            "time_to_first_token",
            "Time from the request's head to the first event of a stream, or to a whole answer",
            Unit::Seconds,
            this.first_token.clone(),
        );
        registry.register(
            "tokens",
            "Tokens that backends reported; cached and reasoning are parts of input and output",
            this.tokens.clone(),
        );
        registry.register("faults", "Requests that ended in a fault, by kind", this.faults.clone());
        registry.register(
            "upstream_attempts",
            "Attempts at backends and servers, by what they came to",
            this.attempts.clone(),
        );
        registry.register(
            "failovers",
            "Calls that were served by another attempt than the first",
            this.failovers.clone(),
        );
        registry.register(
            "continuations",
            "Streams that broke and that another attempt went on with",
            this.continuations.clone(),
        );
        registry.register(
            "hedges",
            "Second attempts beside a late first one, by which one served",
            this.hedges.clone(),
        );
        registry.register(
            "targets",
            "Backends' models (and servers') that were asked lately, by how they do",
            this.targets.clone(),
        );
        registry.register(
            "dropped_models",
            "Models in use that a backend was found not to serve any more",
            this.dropped_models.clone(),
        );
        registry.register(
            "configuration_reloads",
            "Times that the configuration was read again, by what came of it",
            this.reloads.clone(),
        );
        Self { registry, ..this }
    }

    /// The configuration was read again: it was taken, or refused.
    pub(crate) fn configuration_read(&self, taken: bool) {
        let outcome = if taken { "taken" } else { "refused" };
        self.reloads.get_or_create(&ReloadLabels { outcome }).inc();
    }

    /// An attempt has come to an end, or to an answer.
    pub(crate) fn attempt_ends(&self, backend: &str, outcome: &'static str) {
        let series = self.found.series(ATTEMPTS, backend);
        let labels = || AttemptLabels { backend: backend.to_owned(), outcome };
        if outcome == SERVED {
            series.good.get_or_init(|| self.attempts.get_or_create_owned(&labels())).inc();
        } else {
            self.attempts.get_or_create(&labels()).inc();
        }
    }

    /// A call was served by another attempt than the first.
    pub(crate) fn failed_over(&self) {
        self.failovers.inc();
    }

    /// Another attempt goes on with a stream that broke.
    pub(crate) fn goes_on(&self) {
        self.continuations.inc();
    }

    /// One of two attempts that ran beside each other has served.
    pub(crate) fn hedge_ends(&self, won: &'static str) {
        self.hedges.get_or_create(&HedgeLabels { won }).inc();
    }

    /// So many models in use were dropped by a backend so far.
    pub(crate) fn models_dropped(&self, total: u64) {
        self.dropped_models.inc_by(total.saturating_sub(self.dropped_models.get()));
    }

    /// How many targets of a backend do how.
    pub(crate) fn targets(&self, counts: impl IntoIterator<Item = (String, &'static str, i64)>) {
        self.targets.clear();
        for (backend, state, count) in counts {
            self.targets.get_or_create(&TargetLabels { backend, state }).set(count);
        }
    }

    pub(crate) fn request_begins(&self) {
        self.in_flight.inc();
    }

    /// What had begun goes on elsewhere.
    pub(crate) fn request_leaves(&self) {
        self.in_flight.dec();
    }

    /// Requests that have begun and not ended.
    pub fn in_flight(&self) -> i64 {
        self.in_flight.get()
    }

    pub(crate) fn request_ends(&self, seen: &Observation<'_>) {
        self.in_flight.dec();
        let (route, backend) = (seen.route, seen.backend);
        let series = self.found.series(route, backend);
        if seen.status == 200 {
            let labels = || RequestLabels { route, backend: backend.to_owned(), status: 200 };
            series.good.get_or_init(|| self.requests.get_or_create_owned(&labels())).inc();
        } else {
            self.requests
                .get_or_create(&RequestLabels { route, backend: backend.to_owned(), status: seen.status })
                .inc();
        }
        let labels = || BackendLabels { route, backend: backend.to_owned() };
        let duration = series.duration.get_or_init(|| self.duration.get_or_create_owned(&labels()));
        duration.observe(seen.duration.as_secs_f64());
        if let Some(first) = seen.first_event {
            let first_token = series.first_token.get_or_init(|| self.first_token.get_or_create_owned(&labels()));
            first_token.observe(first.as_secs_f64());
        }
        if let Some(usage) = seen.usage {
            let counts = [usage.input, usage.output, usage.cached_input, usage.reasoning];
            for (n, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
                let labels = || TokenLabels { backend: backend.to_owned(), r#type: TOKENS[n] };
                series.tokens[n].get_or_init(|| self.tokens.get_or_create_owned(&labels())).inc_by(count);
            }
        }
        if let Some(kind) = seen.fault {
            self.faults.get_or_create(&FaultLabels { kind, backend: backend.to_owned() }).inc();
        }
    }

    /// The page that Prometheus reads (`classic::CONTENT_TYPE`), with two numbers that are only read when asked for.
    pub fn page(&self, held_bytes: usize, catalog_models: usize) -> String {
        self.held_bytes.set(i64::try_from(held_bytes).unwrap_or(i64::MAX));
        self.catalog_models.set(i64::try_from(catalog_models).unwrap_or(i64::MAX));
        let mut page = String::with_capacity(4096);
        // Writing into a String cannot fail.
        let _ = encode(&mut page, &self.registry);
        classic::text(&page)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
