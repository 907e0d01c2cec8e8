//! What a choice sees of a candidate: copied out of the table at one moment.

use std::sync::atomic::Ordering;

use super::{
    Lane, Settings, Tick,
    gate::{Gate, Standing},
    pace::Paced,
    reason::Reason,
    table::{Entry as LaneEntry, Table, TargetName},
    target::{Entry, Known, State},
};
use crate::credentials::Whose;

/// A candidate at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sight {
    pub(crate) state: State,
    pub(crate) known: Known,
    /// Calls under way at the target, and on this lane.
    pub(crate) in_flight: u32,
    pub(crate) lane_in_flight: u32,
    /// When the target was asked last.
    pub(crate) asked: Tick,
    /// When the lane was, and how it does by itself.
    pub(crate) used: Tick,
    pub(crate) paced: Paced,
    /// How scarce this lane's quota is, from 1.
    pub(crate) pressure: f64,
    /// Why it may not be asked now.
    pub(crate) shut: Option<Reason>,
    /// Whether a call would be one that tries it.
    pub(crate) tries: bool,
    /// Whether it failed and is only for those who have nobody else.
    pub(crate) reserve: bool,
    /// Whether its key was refused, and a call that has nobody else may try it all the same.
    pub(crate) spare: bool,
    /// Whether its target failed, and a call for which there is no other target may try it all the same.
    pub(crate) spare_target: bool,
    /// Whether something keeps it shut for everybody.
    firm: bool,
}

impl Table {
    /// Looks at a lane. What nobody has asked yet is unknown, not bad.
    pub(crate) fn sight(&self, lane: &Lane, now: Tick) -> Sight {
        let mut sight = Sight { pressure: 1.0, known: Known { ramp: 1.0, ..Known::default() }, ..Sight::default() };
        let entry = self.lanes.get(lane);
        let target = match entry {
            Some(entry) => Some(&entry.target),
            None => {
                let name = TargetName { place: lane.place.clone(), model: lane.model.clone() };
                self.targets.get(&name)
            }
        };
        if let Some(target) = target {
            sight.known = target.known(now, &self.settings);
            sight.state = sight.known.state;
            sight.in_flight = target.in_flight();
            sight.asked = target.asked();
            // A caller's own key adds nothing to what is known, so it cannot try; it is not held off either.
            if lane.whose == Whose::Operator {
                match target.entry(now, false, &self.settings) {
                    Entry::Free => {}
                    Entry::Try => sight.tries = true,
                    Entry::Reserve => sight.reserve = true,
                    Entry::No(reason) if target.entry(now, true, &self.settings) == Entry::Reserve => {
                        sight.spare_target = true;
                        sight.note(reason);
                    }
                    Entry::No(reason) => sight.shut_by(reason),
                }
            }
        }
        if lane.whose == Whose::Caller {
            return sight;
        }
        match entry {
            Some(entry) => {
                entry.gates().for_each(|gate| sight.pass(gate, now));
                sight.lane_in_flight = entry.in_flight.load(Ordering::Relaxed);
                sight.used = Tick(entry.used.load(Ordering::Relaxed));
                sight.own(entry, now, &self.settings);
            }
            None => {
                if let Some(target) = target {
                    sight.pass(&target.gate, now);
                }
                self.gates_of(lane).for_each(|gate| sight.pass(gate, now));
            }
        }
        sight.spare &= !sight.firm;
        sight.spare_target &= !sight.firm;
        sight
    }

    /// The gates of a lane that nobody has used yet.
    fn gates_of<'a>(&'a self, lane: &'a Lane) -> impl Iterator<Item = &'a Gate> {
        let key = lane.key.as_ref().and_then(|key| self.keys.get(key));
        let key_model = lane.key.as_ref().and_then(|key| self.key_models.get(&(key.clone(), lane.model.clone())));
        let account = lane.account.as_ref().and_then(|account| self.accounts.get(account));
        [account, key, key_model].into_iter().flatten().map(|gate| &**gate)
    }
}

impl Sight {
    fn pass(&mut self, gate: &Gate, now: Tick) {
        match gate.standing(now) {
            Standing::Open => {}
            Standing::Ajar => self.tries = true,
            Standing::Spare(reason) => {
                self.spare = true;
                self.note(reason);
            }
            Standing::Shut(reason) => self.shut_by(reason),
        }
    }

    fn own(&mut self, entry: &LaneEntry, now: Tick, settings: &Settings) {
        let own = entry.own();
        self.pressure = own.left.pressure(now, settings);
        self.paced = own.pace.seen(now, settings);
        if let Some(reason) = own.left.spent(now) {
            self.shut_by(reason);
        }
    }

    fn shut_by(&mut self, reason: Reason) {
        self.firm = true;
        self.note(reason);
    }

    /// Of several reasons the one that lasts longest is told.
    fn note(&mut self, reason: Reason) {
        if self.shut.as_ref().is_none_or(|old| old.wait() < reason.wait()) {
            self.shut = Some(reason);
        }
    }
}
