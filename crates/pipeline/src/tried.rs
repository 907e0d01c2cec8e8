//! Attempts that failed, as they are told: in an answer's headers, in the log, and to whoever asks how a model is routed.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use types::{BackendName, Kind};

/// How many failed attempts are remembered for explanations.
const RECENT: usize = 256;

/// An attempt that failed.
#[derive(Clone, Debug)]
pub(crate) struct Tried {
    /// The backend or server.
    pub(crate) backend: BackendName,
    /// The operator's name of the key; none for a caller's own.
    pub(crate) key: Option<Arc<str>>,
    /// The model's name there.
    pub(crate) model: Arc<str>,
    /// Why it failed.
    pub(crate) kind: Kind,
    /// The status that was answered.
    pub(crate) status: Option<u16>,
    /// When it ended.
    pub(crate) at: Instant,
    /// How long it took.
    pub(crate) took: Duration,
}

/// Attempts in a few words: `groq upstream_failed (503), cerebras upstream_rate_limited (429)`.
pub(crate) fn in_words(tried: &[Tried]) -> String {
    let mut text = String::new();
    for (at, one) in tried.iter().enumerate() {
        // Writing into a String cannot fail.
        let _ = write!(text, "{}{} {}", if at == 0 { "" } else { ", " }, one.backend, one.kind.name());
        if let Some(status) = one.status {
            let _ = write!(text, " ({status})");
        }
    }
    text
}

/// The attempts that failed last, of all calls.
#[derive(Default)]
pub(crate) struct Recent(Mutex<VecDeque<(Arc<str>, Tried)>>);

impl Recent {
    /// Remembers one, under the model that was asked for.
    pub(crate) fn note(&self, model: &Arc<str>, tried: Tried) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= RECENT {
            all.pop_front();
        }
        all.push_back((Arc::clone(model), tried));
    }

    /// Those of one model, the newest first.
    pub(crate) fn of(&self, model: &str, now: Instant) -> Vec<Value> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = all.iter().rev().filter(|(of, _)| **of == *model);
        here.map(|(_, one)| {
            json!({
                "backend": one.backend.as_str(), "key": one.key.as_deref(), "backend_model": &*one.model,
                "reason": one.kind.name(), "status": one.status,
                "took_ms": millis(one.took), "ago_ms": millis(now.saturating_duration_since(one.at)),
            })
        })
        .collect()
    }
}

/// Whole milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(backend: &str, status: Option<u16>) -> Tried {
        let (at, took) = (Instant::now(), Duration::from_millis(7));
        Tried {
            backend: BackendName::new(backend),
            key: None,
            model: "m".into(),
            kind: Kind::UpstreamFailed,
            status,
            at,
            took,
        }
    }

    #[test]
    fn attempts_are_told_in_their_order() {
        let all = [tried("groq", Some(503)), tried("cerebras", None)];
        assert_eq!(in_words(&all), "groq upstream_failed (503), cerebras upstream_failed");
    }

    #[test]
    fn only_so_many_are_remembered_and_each_model_has_its_own() {
        let recent = Recent::default();
        for n in 0..RECENT + 10 {
            recent.note(&if n % 2 == 0 { "a".into() } else { "b".into() }, tried("groq", Some(500)));
        }
        assert_eq!(recent.of("a", Instant::now()).len(), RECENT / 2);
        assert_eq!(recent.of("b", Instant::now())[0]["took_ms"], 7);
        assert!(recent.of("c", Instant::now()).is_empty());
    }
}
