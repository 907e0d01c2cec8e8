//! With which keys a passed call may go out, in which order, and where each one leads.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use net::{Origin, Permit};
use policy::{
    credentials::{Chosen, Presented, Target as For, Way},
    health,
    order::{self, Candidate, Need},
    retry::Tries,
};
use providers::Backend;
use types::{BackendName, Fault, Kind, Result, Secret};
use wire::json::{Limits, Reader};

use super::Passing;
use crate::{Gateway, Snapshot, snapshot::routing};

/// What the table of health calls calls that name no model.
const NO_MODEL: &str = "-";
/// Longer names are no names.
const MAX_MODEL: usize = 200;
/// So many jobs and predictions are remembered with the key that found them.
const MAX_OWNERS: usize = 1024;

/// Where a key leads.
pub(super) struct Lane {
    pub(super) origin: Origin,
    /// The base's path.
    pub(super) path: String,
    pub(super) secret: Option<Secret>,
    pub(super) bill_to: Option<Arc<str>>,
    pub(super) body_limit: usize,
}

/// Every key that may be used, and the walk over them.
pub(super) struct Lanes {
    pub(super) lanes: Vec<Lane>,
    /// The same as `policy` sees them.
    pub(super) known: Vec<Candidate>,
    pub(super) tries: Tries,
}

/// Every key that may be used at a backend.
///
/// # Errors
/// `NoCredential` when there is none.
pub(super) fn usable(
    snapshot: &Snapshot,
    id: &BackendName,
    backend: &'static Backend,
    presented: Presented<'_>,
) -> Result<Vec<Chosen>> {
    snapshot.config.keys.usable(For::Backend { id, routing: routing(backend), mapped: true }, presented)
}

impl Lanes {
    /// The walk over all keys, in the order that their health wants.
    ///
    /// # Errors
    /// Why none of them may be used now.
    pub(super) fn of(
        gateway: &Gateway,
        snapshot: &Snapshot,
        id: &BackendName,
        usable: Vec<Chosen>,
        passing: &Passing<'_>,
    ) -> Result<Self> {
        let lanes =
            usable.iter().map(|chosen| Lane::of(snapshot, id, passing.backend, chosen)).collect::<Result<_>>()?;
        let known: Vec<Candidate> = usable.into_iter().map(|chosen| candidate(id, &passing.known_as, chosen)).collect();
        let need = Need::default();
        let mut order =
            order::choose(&known, &order::Ask::new(&need, fastrand::u64(..)), &gateway.0.health, net::now());
        order.usable(&known)?;
        // What an earlier call has made is looked for with the key that found it before.
        if let Some(owner) = passing.refers().then(|| gateway.0.owners.of(&passing.rest)).flatten() {
            order.attempts.sort_by_key(|index| known[*index].lane.key.as_ref() != Some(&owner));
        }
        let retries = snapshot.config.routing.retries.clone();
        let tries = Tries::new(order.attempts, retries).later(order.later).alone(order.alone);
        Ok(Self { lanes, known, tries })
    }
}

impl Lane {
    fn of(snapshot: &Snapshot, id: &BackendName, backend: &Backend, chosen: &Chosen) -> Result<Self> {
        let config = &snapshot.config;
        let (base, permit) = match (chosen.way, config.direct_base(id)) {
            (Way::Routed, _) => (format!("{}/{}", config.router.as_str(), backend.id), Permit::Declared),
            (Way::Direct, Some(own)) => (own.as_str().to_owned(), Permit::Declared),
            (Way::Direct, None) => (backend.direct.unwrap_or_default().to_owned(), Permit::Public),
        };
        let bad_base = |_| Fault::new(Kind::Internal, "The backend's address cannot be used.");
        let (origin, path) = Origin::parse(&base, permit).map_err(bad_base)?;
        Ok(Self {
            origin: origin.connect_within(config.times(id).connect),
            path,
            secret: chosen.secret.clone(),
            bill_to: chosen.bill_to.clone(),
            body_limit: config.body_limit(id, chosen.way),
        })
    }
}

fn candidate(id: &BackendName, model: &Arc<str>, chosen: Chosen) -> Candidate {
    let account = match chosen.way {
        Way::Routed => chosen.bill_to.or_else(|| chosen.name.clone()),
        Way::Direct => None,
    };
    let (place, model) = (id.clone(), Arc::clone(model));
    let mut known = Candidate::new(health::Lane { place, model, key: chosen.name, account, whose: chosen.whose });
    known.named = true;
    known
}

/// The model that a body names, as the backend calls it.
pub(super) fn model(body: &[u8], limits: &Limits) -> Arc<str> {
    let named = || {
        let mut reader = Reader::new(body, *limits).ok()?;
        reader.open_object().ok()?;
        while let Some(name) = reader.next_key().ok()? {
            if name.is(body, "model") {
                return Some(reader.string().ok()?.decode(body).into_owned());
            }
            reader.skip().ok()?;
        }
        None
    };
    let looks_like_json = body.first() == Some(&b'{');
    let named = looks_like_json.then(named).flatten().filter(|name| !name.is_empty() && name.len() <= MAX_MODEL);
    named.map_or_else(|| NO_MODEL.into(), Into::into)
}

/// With which key a job or prediction was found: the next look goes there first.
#[derive(Default)]
pub(crate) struct Owners(Mutex<VecDeque<(u64, Arc<str>)>>);

impl Owners {
    /// Remembers the key with which this path was found.
    pub(super) fn note(&self, rest: &str, key: Option<&Arc<str>>) {
        let (Some(key), number) = (key, number(rest)) else { return };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(known, _)| *known != number);
        if all.len() >= MAX_OWNERS {
            all.pop_front();
        }
        all.push_back((number, Arc::clone(key)));
    }

    fn of(&self, rest: &str) -> Option<Arc<str>> {
        let number = number(rest);
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().rev().find(|(known, _)| *known == number).map(|(_, key)| Arc::clone(key))
    }
}

/// The number of a path, the same for a job and what is asked about it.
fn number(rest: &str) -> u64 {
    let path = rest.split('?').next().unwrap_or_default();
    let asks = ["/status", "/cancel", "/result", "/stream"];
    order::sticky(asks.iter().find_map(|ask| path.strip_suffix(ask)).unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_the_bodys_own_or_none() {
        let read = |body: &str| model(body.as_bytes(), &Limits::default()).to_string();
        assert_eq!(read(r#"{"messages": [{"model": "x"}], "model": "org/name"}"#), "org/name");
        for none in ["", "[]", "RIFF", "{}", r#"{"model": 7}"#, r#"{"model": ""}"#, r#"{"model": "a", "#] {
            let expected = if none.contains("\"a\"") { "a" } else { NO_MODEL };
            assert_eq!(read(none), expected, "{none}");
        }
        assert_eq!(read(&format!(r#"{{"model": "{}"}}"#, "x".repeat(300))), NO_MODEL);
    }

    #[test]
    fn who_found_a_job_is_asked_first_for_all_that_belongs_to_it_and_few_are_remembered() {
        let owners = Owners::default();
        owners.note("/fal-ai/flux/requests/7/status?logs=1", Some(&"two".into()));
        assert_eq!(owners.of("/fal-ai/flux/requests/7").as_deref(), Some("two"));
        assert_eq!(owners.of("/fal-ai/flux/requests/8"), None);
        (0..MAX_OWNERS).for_each(|n| owners.note(&format!("/{n}"), Some(&"one".into())));
        assert_eq!(owners.of("/fal-ai/flux/requests/7"), None);
        assert_eq!(owners.0.lock().unwrap().len(), MAX_OWNERS);
    }
}
