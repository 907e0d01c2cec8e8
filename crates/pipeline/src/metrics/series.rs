//! The numbers that a good request moves, found once for each route and backend: to find one by its labels costs as much as
//! several steps of a request's walk.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use foldhash::fast::RandomState;
use prometheus_client::metrics::{counter::Counter, histogram::Histogram};

/// The kinds of tokens, as the label `type` has them.
pub(super) const TOKENS: [&str; 4] = ["input", "output", "cached", "reasoning"];

/// The numbers of one route at one backend. Each is filled in when it is first moved: a number that never was is not shown.
#[derive(Default)]
pub(super) struct Series {
    /// Requests that ended with status 200.
    pub(super) good: OnceLock<Counter>,
    pub(super) duration: OnceLock<Histogram>,
    pub(super) first_token: OnceLock<Histogram>,
    /// In the order of [`TOKENS`].
    pub(super) tokens: [OnceLock<Counter>; 4],
}

/// The series in use, by route and then by backend, of which there are a few.
#[derive(Default)]
pub(super) struct Found(RwLock<HashMap<&'static str, Vec<Known>, RandomState>>);

struct Known {
    backend: Box<str>,
    series: Arc<Series>,
}

impl Found {
    /// The series of `route` at `backend`.
    pub(super) fn series(&self, route: &'static str, backend: &str) -> Arc<Series> {
        let at =
            |known: &[Known]| known.iter().find(|known| *known.backend == *backend).map(|known| known.series.clone());
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(route).and_then(|known| at(known));
        known.unwrap_or_else(|| {
            let mut routes = self.0.write().unwrap_or_else(PoisonError::into_inner);
            let known = routes.entry(route).or_default();
            at(known).unwrap_or_else(|| {
                let series = Arc::<Series>::default();
                known.push(Known { backend: backend.into(), series: series.clone() });
                series
            })
        })
    }
}
