//! Models that a backend was found not to serve any more: noticed when an entry is renewed, before a call meets it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::entry::{ModelEntry, Serving, State};

/// How many are remembered, the newest ones.
const MOST: usize = 100;

/// A model that a backend no longer serves, as far as the Hub knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The model's id on the Hub.
    pub hub_id: Arc<str>,
    /// The backend's id.
    pub backend: Arc<str>,
    /// What the model was mapped for there.
    pub task: Arc<str>,
    /// Whether the backend still lists it, with checks that fail.
    pub failing: bool,
    /// When it was noticed, in seconds since 1970.
    pub since: u64,
}

impl Loss {
    /// The same as a sentence.
    pub fn sentence(&self) -> String {
        let what = if self.failing { "is listed as failing there" } else { "is not served there any more" };
        format!("`{}` {what} ({}), by the Hub's word.", self.hub_id, self.task)
    }

    fn is(&self, hub_id: &str, serving: &Serving) -> bool {
        *self.hub_id == *hub_id && self.backend == serving.backend && self.task == serving.task
    }
}

/// What was noticed.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    all: Mutex<VecDeque<Loss>>,
    total: AtomicU64,
}

impl Losses {
    /// Compares what was known of a model with what the Hub says now.
    pub(crate) fn compare(&self, before: &ModelEntry, now: &ModelEntry, clock: u64) {
        let serves = |serving: &Serving| serving.state != State::Error;
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        for serving in now.servings.iter().filter(|serving| serves(serving)) {
            all.retain(|loss| !loss.is(&now.hub_id, serving));
        }
        for was in before.servings.iter().filter(|serving| serves(serving)) {
            let is = now.servings.iter().find(|serving| serving.backend == was.backend && serving.task == was.task);
            if is.is_some_and(serves) || all.iter().any(|loss| loss.is(&now.hub_id, was)) {
                continue;
            }
            let (hub_id, backend, task) = (Arc::clone(&now.hub_id), Arc::clone(&was.backend), Arc::clone(&was.task));
            let loss = Loss { hub_id, backend, task, failing: is.is_some(), since: clock };
            tracing::warn!(model = %loss.hub_id, backend = %loss.backend, task = %loss.task, failing = loss.failing,
                "a backend does not serve a model any more");
            self.total.fetch_add(1, Ordering::Relaxed);
            if all.len() >= MOST {
                all.pop_front();
            }
            all.push_back(loss);
        }
    }

    /// All that are remembered, the oldest first.
    pub(crate) fn all(&self) -> Vec<Loss> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// How many were noticed since the process began.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(servings: &[(&str, State)]) -> ModelEntry {
        let serving = |(backend, state): &(&str, State)| Serving {
            backend: (*backend).into(),
            provider_id: "m".into(),
            task: "conversational".into(),
            state: *state,
            adapter: None,
        };
        ModelEntry { hub_id: "o/m".into(), servings: servings.iter().map(serving).collect() }
    }

    #[test]
    fn a_model_that_goes_is_noticed_once_and_forgotten_when_it_comes_back() {
        let losses = Losses::default();
        let whole = entry(&[("groq", State::Live), ("together", State::Live)]);
        let less = entry(&[("groq", State::Error)]);
        losses.compare(&whole, &whole, 1);
        assert!(losses.all().is_empty());
        losses.compare(&whole, &less, 2);
        losses.compare(&whole, &less, 3);
        let told: Vec<_> =
            losses.all().iter().map(|loss| (loss.backend.to_string(), loss.failing, loss.since)).collect();
        assert_eq!(told, [("groq".to_owned(), true, 2), ("together".to_owned(), false, 2)]);
        assert_eq!(losses.total(), 2);
        assert!(losses.all()[1].sentence().contains("not served"));
        losses.compare(&less, &entry(&[("groq", State::Live)]), 4);
        assert_eq!(losses.all().len(), 1);
    }
}
