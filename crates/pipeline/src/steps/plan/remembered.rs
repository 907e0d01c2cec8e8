//! Lanes of models that were called before, for as long as everything that they were made of is the same.
//!
//! Who serves a model, on which terms and with which keys changes once in minutes; calls come thousands a second.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, Weak},
};

use catalog::{Market, ModelEntry};
use foldhash::fast::RandomState;
use types::Operation;

use super::Lanes;

/// So many models are remembered; one more, and all are made anew.
const MOST: usize = 1024;

/// What decides who serves a model, besides the configuration and a caller's own key.
pub(crate) struct Basis {
    /// What the Hub says.
    pub(crate) entry: Arc<ModelEntry>,
    /// What the router's list says.
    pub(crate) market: Option<Arc<Market>>,
    /// The state of the operator's own servers.
    pub(crate) servers: u64,
}

/// The lanes of one configuration, by the model's name. Names are those that the Hub knows.
#[derive(Default)]
pub(crate) struct Remembered(RwLock<HashMap<Arc<str>, Vec<Made>, RandomState>>);

/// Lanes, and what they were made of: known by its place in memory, which stays taken, and not kept alive.
struct Made {
    operation: Operation,
    entry: Weak<ModelEntry>,
    market: Option<Weak<Market>>,
    servers: u64,
    lanes: Arc<Lanes>,
}

impl Made {
    fn is_of(&self, basis: &Basis) -> bool {
        let market = self.market.as_ref().map(Weak::as_ptr) == basis.market.as_ref().map(Arc::as_ptr);
        market && self.entry.as_ptr() == Arc::as_ptr(&basis.entry) && self.servers == basis.servers
    }
}

impl Remembered {
    /// The lanes of an earlier call, if they would be made the same now.
    pub(crate) fn find(&self, model: &str, operation: Operation, basis: &Basis) -> Option<Arc<Lanes>> {
        let models = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let made = models.get(model)?.iter().find(|made| made.operation == operation)?;
        made.is_of(basis).then(|| made.lanes.clone())
    }

    /// Remembers lanes in the place of older ones.
    pub(super) fn keep(&self, model: &Arc<str>, operation: Operation, basis: &Basis, lanes: &Arc<Lanes>) {
        let mut models = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if models.len() >= MOST && !models.contains_key(model) {
            models.clear();
        }
        let of_model = models.entry(model.clone()).or_default();
        of_model.retain(|made| made.operation != operation);
        let (entry, market) = (Arc::downgrade(&basis.entry), basis.market.as_ref().map(Arc::downgrade));
        of_model.push(Made { operation, entry, market, servers: basis.servers, lanes: lanes.clone() });
    }
}

#[cfg(test)]
mod tests {
    use policy::credentials::{Chosen, Way, Whose};
    use types::BackendName;

    use super::*;
    use crate::steps::resolve::{Candidate, Place};

    fn lanes() -> Arc<Lanes> {
        let place = Place::Backend { id: BackendName::new("groq"), mapped: true };
        let chosen =
            Chosen { secret: None, way: Way::Direct, bill_to: None, whose: Whose::Operator, name: Some("main".into()) };
        Arc::new(Lanes::bare(chosen, Candidate::named(place, "o/m")))
    }

    fn entry() -> Arc<ModelEntry> {
        Arc::new(ModelEntry { hub_id: "o/m".into(), servings: Vec::new() })
    }

    #[test]
    fn lanes_are_those_of_an_earlier_call_until_anything_that_they_were_made_of_is_another_one() {
        let (remembered, lanes, entry) = (Remembered::default(), lanes(), entry());
        let market = Some(Arc::<Market>::default());
        let basis = |servers| Basis { entry: entry.clone(), market: market.clone(), servers };
        let find = |basis: Basis| remembered.find("o/m", Operation::Chat, &basis);
        assert!(find(basis(0)).is_none());
        remembered.keep(&"o/m".into(), Operation::Chat, &basis(0), &lanes);
        assert!(find(basis(0)).is_some_and(|found| Arc::ptr_eq(&found, &lanes)));
        assert!(find(basis(1)).is_none(), "a server of one's own says something else");
        assert!(find(Basis { entry: self::entry(), ..basis(0) }).is_none(), "the Hub was asked again");
        assert!(find(Basis { market: Some(Arc::default()), ..basis(0) }).is_none(), "the router's list is a new one");
        assert!(find(Basis { market: None, ..basis(0) }).is_none());
        assert!(remembered.find("o/m", Operation::Embeddings, &basis(0)).is_none());
        assert!(remembered.find("o/n", Operation::Chat, &basis(0)).is_none());
    }

    #[test]
    fn no_more_than_so_many_models_are_remembered() {
        let (remembered, lanes, entry) = (Remembered::default(), lanes(), entry());
        for n in 0..3 * MOST {
            let basis = Basis { entry: entry.clone(), market: None, servers: 0 };
            remembered.keep(&format!("o/{n}").into(), Operation::Chat, &basis, &lanes);
            assert!(remembered.0.read().unwrap().len() <= MOST);
        }
    }
}
