//! How well everybody serves, remembered between calls: one table that all requests share.
//!
//! Two levels: a *target* is a backend with a model, a *lane* is a key at a target. A lane's way leads through gates (its
//! key, its key for this model, the account that pays, itself), each of which may be shut for a time. Nothing here waits
//! or reads a clock; locks are held for a few instructions.

mod flight;
mod gate;
mod pace;
mod quota;
mod reason;
mod settings;
mod sight;
mod table;
mod target;
mod track;
mod view;

use std::{
    sync::{Arc, RwLock, RwLockReadGuard},
    time::{Duration, Instant},
};

use types::BackendName;

use crate::{
    credentials::Whose,
    retry::{self, Budget},
};

pub use flight::{Failure, Flight, Outcome, Refused};
pub use quota::{Bucket, Quota};
pub use reason::Reason;
pub use settings::Settings;
pub(crate) use sight::Sight;
pub use target::State;
pub use view::{GateView, TargetView, View};

use table::Table;

/// One way to serve a call: a place, a model, and the key with which it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The backend's id, or the name of a declared server.
    pub place: BackendName,
    /// The model's id on the Hub where it has one, so that it is the same at all places; else the place's own name for it.
    pub model: Arc<str>,
    /// The operator's name of the key; none for a server without one.
    pub key: Option<Arc<str>>,
    /// Who pays for a routed call; none on direct calls, where the key itself stands for who pays.
    pub account: Option<Arc<str>>,
    /// Whose key it is. Calls with a caller's own key read what is known, and add nothing to it.
    pub whose: Whose,
}

/// Of what tells lanes apart nearly always; who pays follows from the key.
impl std::hash::Hash for Lane {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.place.hash(state);
        self.model.hash(state);
        self.key.hash(state);
    }
}

impl Lane {
    /// The target that it leads to, in a few words.
    pub fn name(&self) -> String {
        match &self.key {
            Some(key) => format!("{} (key {key})", self.place),
            None => self.place.to_string(),
        }
    }

    /// Whether both lead to the same backend with the same model.
    pub fn same_target(&self, other: &Self) -> bool {
        self.place == other.place && self.model == other.model
    }

    /// Whether both lead there with the same key.
    pub(crate) fn same_lane(&self, other: &Self) -> bool {
        self.same_target(other) && self.same_key(other)
    }

    /// Whether both go out with the same key.
    pub(crate) fn same_key(&self, other: &Self) -> bool {
        self.key == other.key && self.whose == other.whose
    }
}

/// A moment on this table's own clock, in microseconds. It begins far from zero, so that "long ago" can be said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(pub(crate) u64);

impl Tick {
    /// What every table's clock begins with.
    const START: u64 = 1 << 40;

    fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(micros(wait)))
    }

    /// Microseconds since `earlier`.
    pub(crate) const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// How long until `later`.
    fn until(self, later: Self) -> Duration {
        Duration::from_micros(later.0.saturating_sub(self.0))
    }
}

/// A time in whole microseconds.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What is known of every target, key and account. Shared by all requests; it outlives changes of the configuration.
#[derive(Debug)]
pub struct Health {
    epoch: Instant,
    /// Read only when an attempt is dropped: then nobody is there to say when.
    clock: Option<fn() -> Instant>,
    table: RwLock<Table>,
}

impl Health {
    /// An empty table. `now` is where its clock begins.
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self { epoch: now, clock: None, table: RwLock::new(Table::new(Arc::new(settings))) }
    }

    /// With a clock, so that attempts that are dropped because their caller left tell how long that caller waited.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> Instant) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Takes new settings; what is known stays.
    pub fn configure(&self, settings: Settings) {
        self.write(|table| table.settings = Arc::new(settings));
    }

    /// Forgets what was said against a key: it is gone, or its secret is another one now.
    pub fn forget_key(&self, name: &str) {
        self.write(|table| table.forget_key(name));
    }

    /// Forgets a place: it is gone, or somebody else answers under its name now.
    pub fn forget_place(&self, place: &BackendName) {
        self.write(|table| table.forget_place(place));
    }

    /// Begins an attempt on this lane.
    ///
    /// # Errors
    /// Why it may not be asked now: it was put aside, or another call is trying it.
    pub fn begin(&self, lane: &Lane, now: Instant) -> Result<Flight, Refused> {
        self.start(lane, now, false)
    }

    /// The same for a call that has nobody else: a key that was refused may be tried, at once and then ever more rarely.
    ///
    /// # Errors
    /// As [`Health::begin`].
    pub fn begin_alone(&self, lane: &Lane, now: Instant) -> Result<Flight, Refused> {
        self.start(lane, now, true)
    }

    fn start(&self, lane: &Lane, now: Instant, alone: bool) -> Result<Flight, Refused> {
        let tick = self.tick(now);
        if lane.whose == Whose::Caller {
            return Ok(Flight::untold());
        }
        let known = {
            let table = self.read();
            table.lane(lane).map(|entry| (entry, table.settings.clone()))
        };
        let (entry, settings) = match known {
            Some(known) => known,
            None => self.write(|table| (table.make(lane, tick), table.settings.clone())),
        };
        Flight::begin(entry, settings, (self.epoch, self.clock), tick, alone)
    }

    /// How the target of this lane does.
    pub fn state(&self, lane: &Lane, now: Instant) -> State {
        let table = self.read();
        table.sight(lane, self.tick(now)).state
    }

    /// Whether an attempt on this lane may be made now.
    pub fn may_ask(&self, lane: &Lane, now: Instant) -> bool {
        self.read().sight(lane, self.tick(now)).shut.is_none()
    }

    /// Whether it may be asked now, and that is no try of somebody who failed or was put aside.
    pub(crate) fn is_well(&self, lane: &Lane, now: Instant) -> bool {
        let sight = self.read().sight(lane, self.tick(now));
        sight.shut.is_none() && !sight.tries && !sight.reserve
    }

    /// The time in which this share of the first events of this lane's target came; none while too few are known.
    pub fn first_event_within(&self, lane: &Lane, share: f64) -> Option<Duration> {
        let table = self.read();
        table.target(lane)?.first_event_within(share, table.settings())
    }

    /// All that is known, for people and metrics.
    pub fn view(&self, now: Instant) -> View {
        self.read().view(self.tick(now))
    }

    /// What is known of one target, by its place and model.
    pub fn target(&self, place: &BackendName, model: &str, now: Instant) -> Option<TargetView> {
        self.read().target_view(place, model, self.tick(now))
    }

    /// Whether one more attempt of a call of this model may be made; it is then taken from the budget.
    pub(crate) fn may_retry(&self, model: &str, budget: &retry::Settings, now: Instant) -> bool {
        self.budget(model).take(budget, self.tick(now))
    }

    /// Counts a call of this model, which adds to the budget of further attempts.
    pub(crate) fn count_call(&self, model: &str, budget: &retry::Settings, now: Instant) {
        self.budget(model).count(budget, self.tick(now));
    }

    fn budget(&self, model: &str) -> Arc<Budget> {
        let known = self.read().budget(model);
        known.unwrap_or_else(|| self.write(|table| table.make_budget(model)))
    }

    pub(crate) fn tick(&self, now: Instant) -> Tick {
        Tick(Tick::START + micros(now.saturating_duration_since(self.epoch)))
    }

    /// The table, to look at several lanes at once.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        change(&mut self.table.write().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
