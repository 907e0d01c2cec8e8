//! Models one by one: from memory, from a look-up under way, or from a new one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use net::Drain;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use types::{Fault, Kind, Result, Secret};

use crate::{
    Lookup,
    cache::{Ages, Cache, Seen},
    disk,
    entry::ModelEntry,
    flight::{Flights, Landing},
    lookup::{self, Outcome},
    losses::Losses,
    saver::Saver,
    settings::Settings,
    source::Source,
    tenant::Tenant,
    unavailable,
};

/// How many look-ups talk to the Hub at once; further ones wait their turn within their time.
const AT_ONCE: usize = 32;

/// A model as it is kept on disk.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeptModel {
    name: Arc<str>,
    entry: ModelEntry,
    /// When the Hub said so, in seconds since 1970.
    taken: u64,
}

type Key = (Tenant, Arc<str>);

pub(crate) struct Models {
    settings: Arc<Settings>,
    hub: Source,
    drain: Drain,
    saver: Arc<Saver>,
    cache: Cache,
    flights: Flights<Key, Outcome>,
    at_once: Semaphore,
    losses: Losses,
}

impl Models {
    pub(crate) fn new(settings: Arc<Settings>, hub: Source, drain: Drain, saver: Arc<Saver>) -> Arc<Self> {
        let ages =
            Ages { fresh: settings.fresh, stale: settings.stale, unknown: settings.unknown, pause: settings.pause };
        let cache = Cache::new(settings.max_models, ages, Instant::now());
        let flights = Flights::new(settings.max_lookups);
        let (at_once, losses) = (Semaphore::new(AT_ONCE), Losses::default());
        Arc::new(Self { settings, hub, drain, saver, cache, flights, at_once, losses })
    }

    pub(crate) fn peek(
        self: &Arc<Self>,
        name: &str,
        tenant: Tenant,
        credential: Option<&Secret>,
    ) -> Option<Arc<ModelEntry>> {
        match self.cache.read(name, tenant, net::now()) {
            Seen::Fresh(entry) => Some(entry),
            Seen::Stale { entry, refresh } => {
                if refresh {
                    self.refresh(name, tenant, credential);
                }
                Some(entry)
            }
            Seen::Expired(_) | Seen::Unknown | Seen::Gated | Seen::Failed | Seen::Nothing => None,
        }
    }

    pub(crate) async fn model(
        self: &Arc<Self>,
        name: &str,
        tenant: Tenant,
        credential: Option<&Secret>,
        deadline: Instant,
    ) -> Result<Lookup> {
        if !lookup::is_hub_id(name) {
            return Ok(Lookup::Unknown);
        }
        self.saver.restored(deadline).await;
        let last_known = match self.cache.read(name, tenant, net::now()) {
            Seen::Fresh(entry) => return Ok(Lookup::Known(entry)),
            Seen::Stale { entry, refresh } => {
                if refresh {
                    self.refresh(name, tenant, credential);
                }
                return Ok(Lookup::Known(entry));
            }
            Seen::Unknown => return Ok(Lookup::Unknown),
            Seen::Gated => return Err(self.gated(name)),
            Seen::Failed => return Err(unavailable(&format!("`{name}`"), "it could not be asked a moment ago")),
            Seen::Expired(entry) => Some(entry),
            Seen::Nothing => None,
        };
        let key = (tenant, Arc::<str>::from(name));
        let Some(seat) = self.flights.join(&key, |landing| self.take_off(key.clone(), credential, landing)) else {
            return last_known.map(Lookup::Known).ok_or_else(too_many);
        };
        let why = match seat.outcome(deadline).await {
            Some(Outcome::Known { entry, .. }) => return Ok(Lookup::Known(entry)),
            Some(Outcome::Unknown) => return Ok(Lookup::Unknown),
            Some(Outcome::Gated) => return Err(self.gated(name)),
            Some(Outcome::Unavailable(why)) => why,
            None => "no answer by the deadline of the call".into(),
        };
        last_known.map(Lookup::Known).ok_or_else(|| unavailable(&format!("`{name}`"), &why))
    }

    fn gated(&self, name: &str) -> Box<Fault> {
        let page = format!("{}/{name}", self.settings.hub.trim_end_matches('/'));
        Fault::new(
            Kind::UpstreamForbidden,
            format!("Access to `{name}` is restricted. Ask for it at {page} with the account whose Hugging Face token is in use."),
        )
        .param("model")
    }

    /// Starts a look-up behind the scenes, unless one is under way.
    fn refresh(self: &Arc<Self>, name: &str, tenant: Tenant, credential: Option<&Secret>) {
        let key = (tenant, Arc::<str>::from(name));
        // Too many under way: a stale entry can wait.
        let _ = self.flights.join(&key, |landing| self.take_off(key.clone(), credential, landing));
    }

    /// Begins a look-up as a task that no caller owns.
    fn take_off(self: &Arc<Self>, key: Key, credential: Option<&Secret>, landing: Landing<Key, Outcome>) {
        let models = Arc::clone(self);
        let token = if key.0 == Tenant::GATEWAY { self.settings.token.get() } else { credential.cloned() };
        self.drain.background("catalog look-up", async move {
            let outcome = models.look_up(&key, token.as_ref()).await;
            models.remember(&key, &outcome);
            landing.land(outcome);
        });
    }

    /// Asks again for what was used and ages, a part of it at a time.
    pub(crate) fn renew(self: &Arc<Self>) {
        for name in self.cache.ageing(Instant::now(), AT_ONCE) {
            self.refresh(&name, Tenant::GATEWAY, None);
        }
    }

    /// How long ago the Hub said what is remembered of a model.
    pub(crate) fn age(&self, name: &str, tenant: Tenant) -> Option<Duration> {
        self.cache.known(name, tenant).map(|(_, taken)| taken.elapsed())
    }

    pub(crate) const fn losses(&self) -> &Losses {
        &self.losses
    }

    pub(crate) fn forget(&self, name: &str) -> bool {
        self.cache.forget(name, Instant::now())
    }

    pub(crate) fn meant(&self, backend: &str, own_name: &str) -> Option<Arc<str>> {
        self.cache.meant(backend, own_name)
    }

    pub(crate) fn expire(&self) {
        self.cache.expire();
    }

    pub(crate) fn remembered(&self) -> usize {
        self.cache.len()
    }

    /// Takes over what an earlier process knew.
    pub(crate) fn restore(&self, kept: Vec<KeptModel>) {
        let now = Instant::now();
        for model in kept.into_iter().take(self.settings.max_models) {
            self.cache.restore(&model.name, Arc::new(model.entry), disk::instant_of(model.taken, now));
        }
    }

    /// What the gateway itself knows, for keeping.
    fn kept(&self) -> Vec<KeptModel> {
        let (now, unix) = (Instant::now(), disk::unix_now());
        let age = |taken: Instant| now.saturating_duration_since(taken).as_secs();
        let kept = self.cache.kept().into_iter();
        kept.map(|(name, entry, taken)| KeptModel {
            name,
            entry: ModelEntry::clone(&entry),
            taken: unix.saturating_sub(age(taken)),
        })
        .collect()
    }

    async fn look_up(&self, (tenant, name): &Key, token: Option<&Secret>) -> Outcome {
        if let Seen::Fresh(entry) = self.cache.read(name, *tenant, Instant::now()) {
            // Another look-up landed between this caller's question and its own take-off.
            return Outcome::Known { entry, names: Arc::default() };
        }
        let time = self.settings.lookup_time;
        let turn = tokio::time::timeout(time, self.at_once.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Outcome::Unavailable("too many look-ups were waiting".into()) };
        lookup::look_up(&self.hub, name, token, time).await
    }

    fn remember(self: &Arc<Self>, (tenant, name): &Key, outcome: &Outcome) {
        let now = Instant::now();
        match outcome {
            Outcome::Known { entry, names } => {
                if *tenant == Tenant::GATEWAY
                    && let Some((before, _)) = self.cache.known(name, *tenant)
                {
                    self.losses.compare(&before, entry, disk::unix_now());
                }
                for known in names.iter() {
                    self.cache.know(known, *tenant, Arc::clone(entry), now);
                }
                if *tenant == Tenant::GATEWAY {
                    let models = Arc::clone(self);
                    self.saver.changed(disk::MODELS, move || models.kept());
                }
            }
            Outcome::Unknown => self.cache.unknown(name, *tenant, now),
            Outcome::Gated => self.cache.gated(name, *tenant, now),
            Outcome::Unavailable(why) => {
                tracing::warn!(model = %name, reason = %why, "the Hub could not be asked for a model");
                self.cache.failed(name, *tenant, now);
            }
        }
    }
}

fn too_many() -> Box<Fault> {
    Fault::new(Kind::Overloaded, "Too many unknown models are being looked up at once. Try again in a moment.")
}
