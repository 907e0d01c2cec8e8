//! The table as people, metrics and other nodes may read it.

use std::{sync::atomic::Ordering, time::Duration};

use serde::{Deserialize, Serialize};
use types::BackendName;

use super::{
    Tick,
    gate::{Gate, Standing},
    reason::Reason,
    table::{Entry, Table, TargetName},
    target::{State, Target},
};

/// Everything that is known at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Every target, by its name.
    pub targets: Vec<TargetView>,
    /// What is shut: keys, keys for a model, accounts, lanes.
    pub shut: Vec<GateView>,
}

/// A target at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetView {
    /// The backend or server.
    pub place: String,
    /// The model.
    pub model: String,
    /// How it does.
    pub state: State,
    /// The share of calls that failed lately, in thousandths.
    pub failures_per_thousand: u32,
    /// How long its first event takes, in milliseconds.
    pub first_event_ms: Option<u64>,
    /// How long its whole answers take, in milliseconds.
    pub whole_ms: Option<u64>,
    /// Tokens a second.
    pub tokens_per_second: Option<u64>,
    /// Calls under way.
    pub in_flight: u32,
    /// Calls that were served, and that failed, since the process began.
    pub served: u64,
    /// Calls that failed.
    pub failed: u64,
}

/// Something that is shut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateView {
    /// What: `key NAME`, `key NAME for MODEL`, `account NAME`, `key NAME at PLACE for MODEL`.
    pub what: String,
    /// Why, and until when.
    #[serde(flatten)]
    pub reason: Reason,
}

impl Table {
    pub(super) fn view(&self, now: Tick) -> View {
        let mut targets: Vec<_> = self.targets.iter().map(|(name, target)| self.show(name, target, now)).collect();
        targets.sort_by(|a, b| (&a.model, &a.place).cmp(&(&b.model, &b.place)));
        let mut shut = Vec::new();
        let mut look = |what: &dyn Fn() -> String, gate: &Gate| {
            if let Standing::Shut(reason) | Standing::Spare(reason) = gate.standing(now) {
                shut.push(GateView { what: what(), reason });
            }
        };
        for (key, gate) in &self.keys {
            look(&|| format!("key {key}"), gate);
        }
        for ((key, model), gate) in &self.key_models {
            look(&|| format!("key {key} for {model}"), gate);
        }
        for (account, gate) in &self.accounts {
            look(&|| format!("account {account}"), gate);
        }
        for (name, target) in &self.targets {
            look(&|| format!("{} for {}", name.place, name.model), &target.gate);
        }
        for entry in self.lanes.values() {
            look(&|| lane_name(entry), &entry.gate);
        }
        for entry in self.lanes.values() {
            if let Some(reason) = entry.own().left.spent(now) {
                shut.push(GateView { what: lane_name(entry), reason });
            }
        }
        shut.sort_by(|a, b| a.what.cmp(&b.what));
        View { targets, shut }
    }

    pub(super) fn target_view(&self, place: &BackendName, model: &str, now: Tick) -> Option<TargetView> {
        let name = TargetName { place: place.clone(), model: model.into() };
        self.targets.get(&name).map(|target| self.show(&name, target, now))
    }

    fn show(&self, name: &TargetName, target: &Target, now: Tick) -> TargetView {
        let known = target.known(now, &self.settings);
        let millis = |micros: f64| Duration::from_micros(micros as u64).as_millis() as u64;
        TargetView {
            place: name.place.to_string(),
            model: name.model.to_string(),
            state: known.state,
            failures_per_thousand: (known.errors * 1000.0) as u32,
            first_event_ms: known.first.map(millis),
            whole_ms: known.whole.map(millis),
            tokens_per_second: known.per_token.filter(|micros| *micros > 0.0).map(|micros| (1e6 / micros) as u64),
            in_flight: target.in_flight.load(Ordering::Relaxed),
            served: known.served,
            failed: known.failed,
        }
    }
}

fn lane_name(entry: &Entry) -> String {
    let key = entry.lane.key.as_deref().unwrap_or("none");
    format!("key {key} at {} for {}", entry.lane.place, entry.lane.model)
}
