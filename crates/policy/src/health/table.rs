//! Where everything is found: targets, lanes and gates by their names, within bounds.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use foldhash::fast::RandomState;
use types::BackendName;

use super::{Lane, Settings, Tick, gate::Gate, pace::Pace, quota::Left, target::Target};
use crate::retry::Budget;

/// Names come from callers: the hash has a seed of its own in each process.
type Map<K, V> = HashMap<K, V, RandomState>;

/// A target's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TargetName {
    pub(super) place: BackendName,
    pub(super) model: Arc<str>,
}

/// A lane with everything on its way.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) lane: Lane,
    pub(super) target: Arc<Target>,
    pub(super) key: Option<Arc<Gate>>,
    pub(super) key_model: Option<Arc<Gate>>,
    pub(super) account: Option<Arc<Gate>>,
    /// Shut by 429.
    pub(super) gate: Gate,
    own: Mutex<Own>,
    pub(super) in_flight: AtomicU32,
    pub(super) used: AtomicU64,
}

/// What is a lane's own.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) left: Left,
    pub(super) pace: Pace,
}

impl Entry {
    /// What is its own, for a few instructions.
    pub(super) fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every gate on the way.
    pub(super) fn gates(&self) -> impl Iterator<Item = &Gate> {
        let shared = [&self.account, &self.key, &self.key_model];
        shared.into_iter().flatten().map(|gate| &**gate).chain([&self.gate, &self.target.gate])
    }
}

#[derive(Debug)]
pub(crate) struct Table {
    pub(super) settings: Arc<Settings>,
    pub(super) lanes: Map<Lane, Arc<Entry>>,
    pub(super) targets: Map<TargetName, Arc<Target>>,
    pub(super) keys: Map<Arc<str>, Arc<Gate>>,
    pub(super) key_models: Map<(Arc<str>, Arc<str>), Arc<Gate>>,
    pub(super) accounts: Map<Arc<str>, Arc<Gate>>,
    budgets: Map<Arc<str>, Arc<Budget>>,
}

impl Table {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            lanes: Map::default(),
            targets: Map::default(),
            keys: Map::default(),
            key_models: Map::default(),
            accounts: Map::default(),
            budgets: Map::default(),
        }
    }

    pub(super) fn lane(&self, lane: &Lane) -> Option<Arc<Entry>> {
        self.lanes.get(lane).cloned()
    }

    pub(super) fn target(&self, lane: &Lane) -> Option<&Arc<Target>> {
        self.targets.get(&TargetName { place: lane.place.clone(), model: lane.model.clone() })
    }

    pub(super) fn make(&mut self, lane: &Lane, now: Tick) -> Arc<Entry> {
        if let Some(entry) = self.lanes.get(lane) {
            return entry.clone();
        }
        if self.lanes.len() >= self.settings.entries {
            self.forget_idle();
        }
        let name = TargetName { place: lane.place.clone(), model: lane.model.clone() };
        let entry = Arc::new(Entry {
            lane: lane.clone(),
            target: self.targets.entry(name).or_default().clone(),
            key: lane.key.clone().map(|key| self.keys.entry(key).or_default().clone()),
            key_model: lane
                .key
                .clone()
                .map(|key| self.key_models.entry((key, lane.model.clone())).or_default().clone()),
            account: lane.account.clone().map(|account| self.accounts.entry(account).or_default().clone()),
            gate: Gate::default(),
            own: Mutex::default(),
            in_flight: AtomicU32::new(0),
            used: AtomicU64::new(now.0),
        });
        self.lanes.insert(lane.clone(), entry.clone());
        entry
    }

    pub(super) fn budget(&self, model: &str) -> Option<Arc<Budget>> {
        self.budgets.get(model).cloned()
    }

    pub(super) fn make_budget(&mut self, model: &str) -> Arc<Budget> {
        if self.budgets.len() >= self.settings.entries {
            self.budgets.retain(|_, budget| Arc::strong_count(budget) > 1);
        }
        self.budgets.entry(model.into()).or_default().clone()
    }

    pub(super) fn forget_key(&mut self, name: &str) {
        self.keys.remove(name);
        // Where nobody else is named as who pays, the key's own name stands for it.
        self.accounts.remove(name);
        self.key_models.retain(|(key, _), _| &**key != name);
        self.lanes.retain(|lane, _| lane.key.as_deref() != Some(name));
    }

    pub(super) fn forget_place(&mut self, place: &BackendName) {
        self.lanes.retain(|lane, _| lane.place != *place);
        self.targets.retain(|name, _| name.place != *place);
    }

    /// Drops the half that was used longest ago, and what only it needed. What is under way stays.
    fn forget_idle(&mut self) {
        let mut used: Vec<u64> = self.lanes.values().map(|entry| entry.used.load(Ordering::Relaxed)).collect();
        let middle = used.len() / 2;
        let (_, &mut middle, _) = used.select_nth_unstable(middle);
        self.lanes.retain(|_, entry| {
            entry.used.load(Ordering::Relaxed) > middle || entry.in_flight.load(Ordering::Relaxed) > 0
        });
        // What no lane holds any more is only held here.
        self.targets.retain(|_, target| Arc::strong_count(target) > 1);
        self.keys.retain(|_, gate| Arc::strong_count(gate) > 1);
        self.key_models.retain(|_, gate| Arc::strong_count(gate) > 1);
        self.accounts.retain(|_, gate| Arc::strong_count(gate) > 1);
    }
}

impl Table {
    /// The constants in force.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }
}
