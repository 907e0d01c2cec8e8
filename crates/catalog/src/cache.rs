//! What is remembered of models: sharded, bounded, and a state machine of ages. Pure: the time is passed in.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use foldhash::quality::RandomState;

use crate::{entry::ModelEntry, tenant::Tenant};

const SHARDS: usize = 16;

/// How long what is remembered counts as what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ages {
    /// A known model is taken as it is.
    pub(crate) fresh: Duration,
    /// A known model is still served while one look-up refreshes it.
    pub(crate) stale: Duration,
    /// An unknown model is believed to be unknown.
    pub(crate) unknown: Duration,
    /// After a failed look-up, or a dropped entry, no other one is begun for the same model.
    pub(crate) pause: Duration,
}

/// What is remembered of one model now.
#[derive(Debug)]
pub(crate) enum Seen {
    /// Known and fresh.
    Fresh(Arc<ModelEntry>),
    /// Known and ageing. `refresh`: this reader, and no other, is to start the look-up.
    Stale { entry: Arc<ModelEntry>, refresh: bool },
    /// Known once; only good enough if the Hub cannot be asked.
    Expired(Arc<ModelEntry>),
    /// The Hub does not know it.
    Unknown,
    /// The Hub does not let this credential see it.
    Gated,
    /// The Hub could not be asked a moment ago, and nothing is remembered.
    Failed,
    /// Nothing is remembered.
    Nothing,
}

#[derive(Debug)]
enum Answer {
    Known(Arc<ModelEntry>),
    Unknown,
    Gated,
    Failed,
}

#[derive(Debug)]
struct Slot {
    answer: Answer,
    taken: Instant,
    /// A backend said 404 for it: known, but to be asked for again.
    dropped: Option<Instant>,
    must_ask: bool,
    /// When a look-up last failed.
    failed: Option<Instant>,
    /// Milliseconds since the cache began at which a stale reader may start the next look-up.
    next_try: AtomicU64,
    /// Whether anybody asked since it was learnt.
    used: AtomicBool,
}

#[derive(Debug, Default)]
struct Shard {
    tenants: HashMap<Tenant, HashMap<Arc<str>, Slot, RandomState>, RandomState>,
    len: usize,
}

/// The memory. Readers of different models hardly ever meet; reading allocates nothing.
#[derive(Debug)]
pub(crate) struct Cache {
    shards: [RwLock<Shard>; SHARDS],
    hasher: RandomState,
    per_shard: usize,
    ages: Ages,
    began: Instant,
    own_names: RwLock<OwnNames>,
}

/// Which model of the Hub a backend means by a name of its own, as the gateway itself knows it.
#[derive(Debug)]
struct OwnNames {
    of: HashMap<Arc<str>, HashMap<Arc<str>, Arc<str>>, RandomState>,
    len: usize,
    most: usize,
}

impl OwnNames {
    fn learn(&mut self, entry: &ModelEntry) {
        // Weights beside a base model are called by the base's name.
        for serving in entry.servings.iter().filter(|serving| serving.adapter.is_none()) {
            if self.len >= self.most {
                // They are learnt again as their models are renewed.
                self.of.clear();
                self.len = 0;
            }
            let names = self.of.entry(Arc::clone(&serving.backend)).or_default();
            let known = names.insert(Arc::clone(&serving.provider_id), Arc::clone(&entry.hub_id));
            self.len += usize::from(known.is_none());
        }
    }
}

/// So many backends' names are remembered for each model.
const NAMES_PER_MODEL: usize = 8;

impl Cache {
    pub(crate) fn new(max_models: usize, ages: Ages, now: Instant) -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::default(),
            per_shard: max_models.div_ceil(SHARDS).max(1),
            ages,
            began: now,
            own_names: RwLock::new(OwnNames {
                of: HashMap::default(),
                len: 0,
                most: max_models.saturating_mul(NAMES_PER_MODEL).max(NAMES_PER_MODEL),
            }),
        }
    }

    fn shard(&self, name: &str) -> &RwLock<Shard> {
        let hash = self.hasher.hash_one(name);
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)]
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }

    /// What is remembered of `name`.
    pub(crate) fn read(&self, name: &str, tenant: Tenant, now: Instant) -> Seen {
        let shard = self.shard(name).read().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = shard.tenants.get(&tenant).and_then(|names| names.get(name)) else { return Seen::Nothing };
        let age = now.saturating_duration_since(slot.taken);
        if !slot.used.load(Ordering::Relaxed) {
            slot.used.store(true, Ordering::Relaxed);
        }
        match &slot.answer {
            Answer::Known(entry) if slot.must_ask || age >= self.ages.stale => {
                let entry = Arc::clone(entry);
                // The Hub could not be asked a moment ago: what is known serves meanwhile.
                let failed = slot.failed.is_some_and(|at| now.saturating_duration_since(at) < self.ages.pause);
                if failed { Seen::Stale { entry, refresh: false } } else { Seen::Expired(entry) }
            }
            Answer::Known(entry) if age < self.ages.fresh => Seen::Fresh(Arc::clone(entry)),
            Answer::Known(entry) => Seen::Stale { entry: Arc::clone(entry), refresh: self.claim(slot, now) },
            Answer::Unknown if age < self.ages.unknown => Seen::Unknown,
            Answer::Gated if age < self.ages.unknown => Seen::Gated,
            Answer::Failed if age < self.ages.pause => Seen::Failed,
            Answer::Unknown | Answer::Gated | Answer::Failed => Seen::Nothing,
        }
    }

    /// Whether this reader is the one to refresh a stale entry: one per pause is.
    fn claim(&self, slot: &Slot, now: Instant) -> bool {
        let now_ms = self.millis(now);
        let due = slot.next_try.load(Ordering::Relaxed);
        let next = self.millis(now + self.ages.pause).max(now_ms.saturating_add(1));
        due <= now_ms && slot.next_try.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Remembers a known model under `name`.
    pub(crate) fn know(&self, name: &Arc<str>, tenant: Tenant, entry: Arc<ModelEntry>, taken: Instant) {
        if tenant == Tenant::GATEWAY {
            self.own_names.write().unwrap_or_else(PoisonError::into_inner).learn(&entry);
        }
        self.put(name, tenant, Answer::Known(entry), taken);
    }

    /// The model of the Hub that a backend means by a name of its own, if the gateway itself has seen it.
    pub(crate) fn meant(&self, backend: &str, own_name: &str) -> Option<Arc<str>> {
        let names = self.own_names.read().unwrap_or_else(PoisonError::into_inner);
        names.of.get(backend)?.get(own_name).cloned()
    }

    /// Remembers that the Hub does not know `name`.
    pub(crate) fn unknown(&self, name: &Arc<str>, tenant: Tenant, taken: Instant) {
        self.put(name, tenant, Answer::Unknown, taken);
    }

    /// Remembers that the Hub does not show `name` to this credential.
    pub(crate) fn gated(&self, name: &Arc<str>, tenant: Tenant, taken: Instant) {
        self.put(name, tenant, Answer::Gated, taken);
    }

    /// Remembers that the Hub could not be asked. What was known stays known.
    pub(crate) fn failed(&self, name: &Arc<str>, tenant: Tenant, taken: Instant) {
        {
            let mut shard = self.shard(name).write().unwrap_or_else(PoisonError::into_inner);
            let slot = shard.tenants.get_mut(&tenant).and_then(|names| names.get_mut(name));
            if let Some(Slot { answer: Answer::Known(_), next_try, failed, .. }) = slot {
                *next_try.get_mut() = self.millis(taken + self.ages.pause);
                *failed = Some(taken);
                return;
            }
        }
        self.put(name, tenant, Answer::Failed, taken);
    }

    fn put(&self, name: &Arc<str>, tenant: Tenant, answer: Answer, taken: Instant) {
        let mut guard = self.shard(name).write().unwrap_or_else(PoisonError::into_inner);
        let shard = &mut *guard;
        let old = shard.tenants.get(&tenant).and_then(|names| names.get(name));
        let dropped = old.and_then(|slot| slot.dropped);
        if old.is_none() {
            if shard.len >= self.per_shard {
                shard.evict();
            }
            shard.len += 1;
        }
        let slot = Slot {
            answer,
            taken,
            dropped,
            must_ask: false,
            failed: None,
            next_try: AtomicU64::new(0),
            used: AtomicBool::new(false),
        };
        shard.tenants.entry(tenant).or_default().insert(Arc::clone(name), slot);
    }

    /// A backend no longer knows the model under the remembered name: the next reader asks the Hub again. Says no when
    /// that was done a moment ago, so that a model that is really gone does not become a look-up per call.
    pub(crate) fn forget(&self, name: &str, now: Instant) -> bool {
        let mut shard = self.shard(name).write().unwrap_or_else(PoisonError::into_inner);
        let mut again = false;
        let mut known = false;
        for slot in shard.tenants.values_mut().filter_map(|names| names.get_mut(name)) {
            known = true;
            let paused = slot.dropped.is_some_and(|at| now.saturating_duration_since(at) < self.ages.pause);
            if !slot.must_ask && !paused {
                slot.dropped = Some(now);
                slot.must_ask = true;
                slot.failed = None;
            }
            again |= slot.must_ask;
        }
        again || !known
    }

    /// The entry that is remembered under `name`, however old, with the time it was learnt.
    pub(crate) fn known(&self, name: &str, tenant: Tenant) -> Option<(Arc<ModelEntry>, Instant)> {
        let shard = self.shard(name).read().unwrap_or_else(PoisonError::into_inner);
        let slot = shard.tenants.get(&tenant)?.get(name)?;
        if let Answer::Known(entry) = &slot.answer { Some((Arc::clone(entry), slot.taken)) } else { None }
    }

    /// Names of the gateway's own that were asked for since they were learnt and are no longer fresh, at most so many. Each is
    /// given once per pause.
    pub(crate) fn ageing(&self, now: Instant, most: usize) -> Vec<Arc<str>> {
        let mut names = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            for (name, slot) in shard.tenants.get(&Tenant::GATEWAY).into_iter().flatten() {
                let old = now.saturating_duration_since(slot.taken) >= self.ages.fresh;
                let known = matches!(slot.answer, Answer::Known(_));
                if names.len() < most && old && known && slot.used.load(Ordering::Relaxed) && self.claim(slot, now) {
                    names.push(Arc::clone(name));
                }
            }
        }
        names
    }

    /// Everything known is asked for again when next needed.
    pub(crate) fn expire(&self) {
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.tenants.values_mut().flat_map(HashMap::values_mut).for_each(|slot| slot.must_ask = true);
        }
    }

    /// What the gateway itself knows, for keeping: callers' own sights are left out.
    pub(crate) fn kept(&self) -> Vec<(Arc<str>, Arc<ModelEntry>, Instant)> {
        let mut kept = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            for (name, slot) in shard.tenants.get(&Tenant::GATEWAY).into_iter().flatten() {
                if let Answer::Known(entry) = &slot.answer {
                    kept.push((Arc::clone(name), Arc::clone(entry), slot.taken));
                }
            }
        }
        kept
    }

    /// Takes over what an earlier process knew, unless something newer is known.
    pub(crate) fn restore(&self, name: &Arc<str>, entry: Arc<ModelEntry>, taken: Instant) {
        if matches!(self.read(name, Tenant::GATEWAY, taken), Seen::Nothing | Seen::Failed) {
            self.know(name, Tenant::GATEWAY, entry, taken);
        }
    }

    /// How many models are remembered, unknown ones included.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|s| s.read().unwrap_or_else(PoisonError::into_inner).len).sum()
    }
}

impl Shard {
    /// Makes room for one: what is not known goes first, then the oldest.
    fn evict(&mut self) {
        let victim = self
            .tenants
            .iter()
            .flat_map(|(tenant, names)| names.iter().map(move |(name, slot)| (tenant, name, slot)))
            .min_by_key(|(_, _, slot)| (matches!(slot.answer, Answer::Known(_)), slot.taken))
            .map(|(tenant, name, _)| (*tenant, Arc::clone(name)));
        let Some((tenant, name)) = victim else { return };
        if let Some(names) = self.tenants.get_mut(&tenant) {
            names.remove(&name);
            self.len -= 1;
            if names.is_empty() {
                self.tenants.remove(&tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        entry::{Adapter, Serving, State},
        tenant::Tenants,
    };

    const AGES: Ages = Ages {
        fresh: Duration::from_secs(600),
        stale: Duration::from_secs(86_400),
        unknown: Duration::from_secs(30),
        pause: Duration::from_secs(5),
    };

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn entry(id: &str) -> Arc<ModelEntry> {
        Arc::new(ModelEntry { hub_id: id.into(), servings: vec![] })
    }

    fn cache(max: usize) -> (Cache, Instant) {
        let now = Instant::now();
        (Cache::new(max, AGES, now), now)
    }

    #[test]
    fn an_entry_is_fresh_then_stale_then_expired() {
        let (cache, t) = cache(100);
        let name = "o/m".into();
        assert!(matches!(cache.read("o/m", Tenant::GATEWAY, t), Seen::Nothing));
        cache.know(&name, Tenant::GATEWAY, entry("o/m"), t);
        assert!(matches!(cache.read("o/m", Tenant::GATEWAY, t + secs(599)), Seen::Fresh(_)));
        assert!(matches!(cache.read("o/m", Tenant::GATEWAY, t + secs(600)), Seen::Stale { refresh: true, .. }));
        assert!(matches!(cache.read("o/m", Tenant::GATEWAY, t + secs(86_400)), Seen::Expired(_)));
    }

    #[test]
    fn of_many_readers_of_a_stale_entry_one_per_pause_refreshes_it() {
        let (cache, t) = cache(100);
        let name = "o/m".into();
        cache.know(&name, Tenant::GATEWAY, entry("o/m"), t);
        let claims = |at| {
            let claimed = |_: &u8| matches!(cache.read("o/m", Tenant::GATEWAY, at), Seen::Stale { refresh: true, .. });
            (0..50_u8).filter(claimed).count()
        };
        assert_eq!(claims(t + secs(700)), 1);
        assert_eq!(claims(t + secs(704)), 0);
        assert_eq!(claims(t + secs(705)), 1);
        cache.failed(&name, Tenant::GATEWAY, t + secs(709));
        assert_eq!(claims(t + secs(711)), 0, "a failed look-up is not repeated at once");
        assert_eq!(claims(t + secs(714)), 1);
    }

    #[test]
    fn a_backends_own_name_tells_the_model_that_the_gateway_has_seen_and_no_more_are_remembered_than_the_bound() {
        let (cache, t) = cache(1);
        let serving = |provider_id: &str, adapter: Option<Adapter>| Serving {
            backend: "groq".into(),
            provider_id: provider_id.into(),
            task: "conversational".into(),
            state: State::Live,
            adapter,
        };
        let know = |id: &str, tenant, servings| {
            cache.know(&id.into(), tenant, Arc::new(ModelEntry { hub_id: id.into(), servings }), t);
        };
        let lora = Adapter { kind: "lora".into(), weights_path: None };
        know("o/m", Tenant::GATEWAY, vec![serving("own", None), serving("base", Some(lora))]);
        assert_eq!(cache.meant("groq", "own").as_deref(), Some("o/m"));
        assert_eq!(cache.meant("groq", "base"), None, "the base model is another one");
        assert_eq!(cache.meant("together", "own"), None);
        know("o/private", Tenants::new().of(Some(&types::Secret::new("hf_caller"))), vec![serving("hidden", None)]);
        assert_eq!(cache.meant("groq", "hidden"), None, "what only a caller sees is nobody else's");
        for at in 0..100 {
            know("o/m", Tenant::GATEWAY, vec![serving(&format!("own-{at}"), None)]);
            assert!(cache.own_names.read().unwrap().len <= NAMES_PER_MODEL);
        }
        assert_eq!(cache.meant("groq", "own-99").as_deref(), Some("o/m"));
    }

    #[test]
    fn unknown_and_failed_are_believed_for_a_short_while() {
        let (cache, t) = cache(100);
        cache.unknown(&"o/x".into(), Tenant::GATEWAY, t);
        assert!(matches!(cache.read("o/x", Tenant::GATEWAY, t + secs(29)), Seen::Unknown));
        assert!(matches!(cache.read("o/x", Tenant::GATEWAY, t + secs(30)), Seen::Nothing));
        cache.failed(&"o/y".into(), Tenant::GATEWAY, t);
        assert!(matches!(cache.read("o/y", Tenant::GATEWAY, t + secs(4)), Seen::Failed));
        assert!(matches!(cache.read("o/y", Tenant::GATEWAY, t + secs(5)), Seen::Nothing));
    }

    #[test]
    fn a_failed_look_up_takes_nothing_away() {
        let (cache, t) = cache(100);
        let name = "o/m".into();
        cache.know(&name, Tenant::GATEWAY, entry("o/m"), t);
        cache.failed(&name, Tenant::GATEWAY, t + secs(1));
        assert!(matches!(cache.read("o/m", Tenant::GATEWAY, t + secs(2)), Seen::Fresh(_)));
    }

    #[test]
    fn an_expired_entry_serves_again_for_a_while_when_the_hub_cannot_be_asked() {
        let (cache, t) = cache(100);
        let name = "o/m".into();
        cache.know(&name, Tenant::GATEWAY, entry("o/m"), t);
        let late = t + secs(90_000);
        assert!(matches!(cache.read("o/m", Tenant::GATEWAY, late), Seen::Expired(_)));
        cache.failed(&name, Tenant::GATEWAY, late);
        assert!(matches!(cache.read("o/m", Tenant::GATEWAY, late + secs(4)), Seen::Stale { refresh: false, .. }));
        assert!(matches!(cache.read("o/m", Tenant::GATEWAY, late + secs(5)), Seen::Expired(_)));
    }

    #[test]
    fn a_forgotten_entry_is_asked_for_again_but_not_at_every_call() {
        let (cache, t) = cache(100);
        let name = "o/m".into();
        cache.know(&name, Tenant::GATEWAY, entry("o/m"), t);
        assert!(cache.forget("o/m", t));
        assert!(matches!(cache.read("o/m", Tenant::GATEWAY, t), Seen::Expired(_)));
        cache.know(&name, Tenant::GATEWAY, entry("o/m"), t);
        assert!(!cache.forget("o/m", t + secs(4)));
        assert!(matches!(cache.read("o/m", Tenant::GATEWAY, t + secs(4)), Seen::Fresh(_)));
        assert!(cache.forget("o/m", t + secs(5)));
    }

    #[test]
    fn what_was_used_and_ages_is_named_for_renewal_once_per_pause() {
        let (cache, t) = cache(100);
        for name in ["o/used", "o/idle"] {
            cache.know(&name.into(), Tenant::GATEWAY, entry(name), t);
        }
        let _seen = cache.read("o/used", Tenant::GATEWAY, t);
        assert!(cache.ageing(t + secs(599), 10).is_empty());
        assert_eq!(cache.ageing(t + secs(600), 10), ["o/used".into()] as [Arc<str>; 1]);
        assert!(cache.ageing(t + secs(600), 10).is_empty());
        assert_eq!(cache.ageing(t + secs(605), 0).len(), 0);
        assert_eq!(cache.ageing(t + secs(605), 10).len(), 1);
    }

    #[test]
    fn what_one_credential_sees_no_other_does() {
        let (cache, t) = cache(100);
        let tenant = Tenants::new().of(Some(&types::Secret::new("hf_mine")));
        cache.know(&"o/secret".into(), tenant, entry("o/secret"), t);
        assert!(matches!(cache.read("o/secret", Tenant::GATEWAY, t), Seen::Nothing));
        assert!(matches!(cache.read("o/secret", tenant, t), Seen::Fresh(_)));
        assert!(cache.kept().is_empty(), "a caller's sight is never kept on disk");
    }

    #[test]
    fn it_never_grows_past_its_bound_and_unknown_names_go_first() {
        let (cache, t) = cache(64);
        cache.know(&"o/known".into(), Tenant::GATEWAY, entry("o/known"), t);
        for i in 0..10_000_u64 {
            cache.unknown(&format!("o/{i}").into(), Tenant::GATEWAY, t + secs(i));
        }
        assert!(cache.len() <= 64, "{}", cache.len());
        assert!(matches!(cache.read("o/known", Tenant::GATEWAY, t), Seen::Fresh(_)));
        for i in 0..10_000_u64 {
            cache.know(&format!("p/{i}").into(), Tenant::GATEWAY, entry("p"), t + secs(i));
        }
        assert!(cache.len() <= 64);
    }

    #[test]
    fn a_restored_entry_never_replaces_a_newer_one() {
        let (cache, t) = cache(100);
        let name = "o/m".into();
        cache.know(&name, Tenant::GATEWAY, entry("new"), t + secs(10));
        cache.restore(&name, entry("old"), t);
        assert!(matches!(cache.read("o/m", Tenant::GATEWAY, t), Seen::Fresh(e) if &*e.hub_id == "new"));
        cache.restore(&"o/n".into(), entry("old"), t);
        assert_eq!(cache.kept().len(), 2);
    }
}
