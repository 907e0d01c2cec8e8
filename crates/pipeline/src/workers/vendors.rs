//! Vendors' own lists of models: asked for now and then with the gateway's key, and kept while a vendor does not answer.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use http::Method;
use net::{Headers, Outgoing};
use policy::{
    Presented,
    credentials::{Target, Way},
};
use providers::{Backend, TABLE, Vendor};
use tokio::sync::watch;
use types::{BackendName, Operation, SendBody};
use wire::servers::{Listed, models};

use crate::{
    Gateway, Snapshot,
    snapshot::{Ready, routing},
    steps::resolve::Place,
};

/// How long a list is taken as it is, and how soon a vendor is asked again that did not answer.
const FRESH: Duration = Duration::from_secs(3600);
const AGAIN: Duration = Duration::from_secs(60);
/// How often it is looked whether something is due, or the configuration has another key.
const EVERY: Duration = Duration::from_secs(5);
/// How long a vendor may take to answer, and how large its answer may be.
const TIME: Duration = Duration::from_secs(10);
const LIMIT: usize = 1024 * 1024;

/// What vendors have.
pub(crate) struct Wares {
    lists: RwLock<HashMap<BackendName, List>>,
    /// How many vendors have been asked, or need not be.
    asked: watch::Sender<usize>,
}

#[derive(Clone, Default)]
struct List {
    models: Arc<Vec<Listed>>,
    /// When to ask again, and with what it was asked.
    due: Option<Instant>,
    with: Option<Headers>,
}

impl Default for Wares {
    fn default() -> Self {
        Self { lists: RwLock::default(), asked: watch::Sender::new(0) }
    }
}

impl Wares {
    /// The models of each vendor to which the gateway has a key.
    pub(crate) fn of(&self, snapshot: &Snapshot) -> Vec<(&'static Backend, &'static Vendor, Arc<Vec<Listed>>)> {
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        let listed = all().filter(|(id, ..)| opens(snapshot, id)).map(|(id, backend, vendor)| {
            let models = lists.get(&id).map(|list| Arc::clone(&list.models));
            (backend, vendor, models.unwrap_or_default())
        });
        listed.collect()
    }

    /// How many tokens a vendor's model takes, where the vendor says so.
    pub(crate) fn context(&self, id: &BackendName, model: &str) -> Option<u64> {
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        lists.get(id)?.models.iter().find(|listed| listed.id == model)?.context_length
    }

    /// Waits until every vendor has been asked once, but not for long.
    pub(crate) async fn wait(&self, limit: Duration) {
        let mut asked = self.asked.subscribe();
        let _late = tokio::time::timeout(limit, asked.wait_for(|asked| *asked >= all().count())).await.map(drop);
    }

    fn is_due(&self, id: &BackendName, with: &Headers) -> bool {
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        let same = |list: &List| list.with.as_ref().is_some_and(|before| before.map() == with.map());
        !lists.get(id).is_some_and(|list| same(list) && list.due.is_some_and(|due| Instant::now() < due))
    }

    /// Takes what a vendor said. What it had stays while it says nothing; what another key showed does not.
    fn note(&self, id: &BackendName, with: Headers, said: Result<Vec<Listed>, String>) {
        let mut lists = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        let list = lists.entry(id.clone()).or_default();
        if list.with.as_ref().is_some_and(|before| before.map() != with.map()) {
            *list = List::default();
        }
        list.with = Some(with);
        let pause = match said {
            Ok(models) => {
                list.models = Arc::new(models);
                FRESH
            }
            Err(why) => {
                tracing::warn!(vendor = %id, reason = why, "a vendor does not say which models it has");
                AGAIN
            }
        };
        list.due = Some(Instant::now() + pause);
    }
}

fn all() -> impl Iterator<Item = (BackendName, &'static Backend, &'static Vendor)> {
    TABLE.iter().filter_map(|backend| Some((BackendName::new(backend.id), backend, backend.vendor?)))
}

/// Whether the gateway has a key to a vendor that is switched on.
fn opens(snapshot: &Snapshot, id: &BackendName) -> bool {
    snapshot.config.enabled(id) && snapshot.config.keys.has_direct(id)
}

/// Begins to keep the list of each vendor young: one that does not answer keeps no other waiting.
pub(super) fn start(gateway: &Gateway) {
    for (id, backend, vendor) in all() {
        gateway.0.drain.background("vendor's models", look_after(gateway.clone(), id, backend, vendor));
    }
}

async fn look_after(gateway: Gateway, id: BackendName, backend: &'static Backend, vendor: &'static Vendor) {
    let mut first = true;
    loop {
        let snapshot = gateway.snapshot();
        if opens(&snapshot, &id)
            && let Some((ready, headers)) = way(&snapshot, &id, backend)
            && gateway.0.wares.is_due(&id, &headers)
        {
            let said = ask(&gateway, ready, vendor, headers.clone()).await;
            gateway.0.wares.note(&id, headers, said);
        }
        if std::mem::replace(&mut first, false) {
            gateway.0.wares.asked.send_modify(|asked| *asked += 1);
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Where a vendor is, and the headers with the first key that leads there.
fn way<'s>(snapshot: &'s Snapshot, id: &BackendName, backend: &Backend) -> Option<(&'s Ready, Headers)> {
    let target = Target::Backend { id, routing: routing(backend), mapped: false };
    let chosen = snapshot.config.keys.choose(target, Presented::default()).ok()?;
    let place = Place::Backend { id: id.clone(), mapped: false };
    let ready = snapshot.ready(&place, Way::Direct, Operation::Chat)?;
    Some((ready, ready.dressed(&chosen).ok()?))
}

/// Asks a vendor once.
///
/// # Errors
/// Why it does not answer, in a few words.
async fn ask(gateway: &Gateway, ready: &Ready, vendor: &Vendor, headers: Headers) -> Result<Vec<Listed>, String> {
    let until = Instant::now() + TIME;
    let target = ready.endpoint.beneath(vendor.models);
    let outgoing = Outgoing { method: Method::GET, target, headers, body: SendBody::empty() };
    let reply = gateway.0.upstream.send(&ready.origin, outgoing, until).await.map_err(|error| error.to_string())?;
    if !reply.status.is_success() {
        return Err(format!("it answers with status {}", reply.status.as_u16()));
    }
    let held = reply.body.collect(LIMIT, until, &gateway.0.budget).await.map_err(|error| error.to_string())?;
    models(&held.bytes).ok_or_else(|| "what it answers is no list of models".to_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_list_stays_while_its_vendor_is_silent_and_goes_with_its_key() {
        let wares = Wares::default();
        let headers = |key: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", http::HeaderValue::from_static(key));
            Headers::from(headers)
        };
        let id = || BackendName::new("openai");
        let known = || {
            let lists = wares.lists.read().unwrap();
            lists[&id()].models.iter().map(|model| model.id.clone()).collect::<Vec<_>>()
        };
        assert!(wares.is_due(&id(), &headers("one")));
        wares.note(&id(), headers("one"), Ok(models(br#"{"data":[{"id":"gpt-x"}]}"#).unwrap()));
        assert_eq!((known(), wares.is_due(&id(), &headers("one"))), (vec!["gpt-x".to_owned()], false));
        wares.note(&id(), headers("one"), Err("silence".to_owned()));
        assert_eq!(known(), ["gpt-x"]);
        assert!(wares.is_due(&id(), &headers("two")));
        wares.note(&id(), headers("two"), Err("silence".to_owned()));
        assert!(known().is_empty(), "what another key showed is not shown");
    }
}
