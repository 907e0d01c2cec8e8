//! Every chat model of every backend, merged from the Hub's lists and the router's: pure.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{entry::State, market::Market, market::Offer};

/// What stands before the backend in a listed name.
const PREFIX: &str = "huggingface";

/// All that can be listed, in the order of the names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// One item per backend and model.
    pub items: Vec<Item>,
    /// One sentence per backend (or other source) that could not be asked, or not wholly.
    pub warnings: Vec<Warning>,
    /// When it was put together, in seconds since 1970.
    pub taken_at: u64,
}

/// A model at a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// `huggingface/{backend}/{hub id}`: the name that a caller writes.
    pub id: Arc<str>,
    /// The backend's id.
    pub backend: Arc<str>,
    /// The model's id on the Hub.
    pub hub_id: Arc<str>,
    /// The backend's own name of the model, when the Hub says it.
    pub provider_id: Option<Arc<str>>,
    /// What is known of its state; `error` as soon as either source says so.
    pub state: State,
    /// When the model was made, in seconds since 1970.
    pub created: Option<u64>,
    /// What the router's list says of it.
    pub offer: Option<Offer>,
}

/// A source that could not be asked, or not wholly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The backend's id, or the name of the source.
    pub source: Arc<str>,
    /// What happened and what is served instead, for the caller.
    pub message: String,
}

/// One model of one backend, as the Hub's list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) hub_id: Arc<str>,
    pub(crate) provider_id: Arc<str>,
    pub(crate) state: State,
    pub(crate) created: Option<u64>,
}

/// What one backend's list came to.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) backend: Arc<str>,
    pub(crate) listed: Vec<Listed>,
    /// Why the list is missing or cut.
    pub(crate) trouble: Option<String>,
    /// Whether `listed` is all there is.
    pub(crate) whole: bool,
}

impl Listing {
    /// The item of this full name.
    pub fn find(&self, id: &str) -> Option<&Item> {
        self.items.binary_search_by(|item| (*item.id).cmp(id)).ok().map(|at| &self.items[at])
    }

    /// The items of one model at all backends.
    pub fn of_model(&self, hub_id: &str) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| &*item.hub_id == hub_id)
    }
}

/// The full name of a model at a backend.
fn name(backend: &str, hub_id: &str) -> Arc<str> {
    format!("{PREFIX}/{backend}/{hub_id}").into()
}

/// Puts the lists together. A backend whose list is missing or cut keeps what the previous listing had of it. At most
/// `most` items; more are cut with a warning.
pub(crate) fn merge(
    previous: Option<&Listing>,
    asked: Vec<Asked>,
    market: Option<&Market>,
    most: usize,
    now: u64,
) -> Listing {
    let mut items = BTreeMap::new();
    let mut warnings = Vec::new();
    let backends: Vec<Arc<str>> = asked.iter().map(|a| Arc::clone(&a.backend)).collect();
    let before = previous.map(by_backend).unwrap_or_default();
    for one in asked {
        if !one.whole {
            let earlier = before.get(&one.backend).map_or(&[][..], Vec::as_slice);
            for item in earlier {
                items.insert(Arc::clone(&item.id), Item { offer: None, ..(*item).clone() });
            }
            let served = if earlier.is_empty() { "not listed" } else { "listed as they were earlier" };
            let trouble = one.trouble.unwrap_or_else(|| "its list is not complete".into());
            let message = format!("Models of `{}` that could not be asked for are {served}: {trouble}.", one.backend);
            warnings.push(Warning { source: Arc::clone(&one.backend), message });
        }
        for listed in one.listed {
            let id = name(&one.backend, &listed.hub_id);
            let item = Item {
                id: Arc::clone(&id),
                backend: Arc::clone(&one.backend),
                hub_id: listed.hub_id,
                provider_id: Some(listed.provider_id),
                state: listed.state,
                created: listed.created,
                offer: None,
            };
            items.insert(id, item);
        }
    }
    match market {
        Some(market) => add_offers(&mut items, market, &backends),
        None => warnings.push(Warning {
            source: "router".into(),
            message: "The router's list could not be asked for: prices and limits are not shown.".into(),
        }),
    }
    let mut items: Vec<Item> = items.into_values().collect();
    if items.len() > most {
        items.truncate(most);
        warnings
            .push(Warning { source: "listing".into(), message: format!("Only the first {most} models are listed.") });
    }
    Listing { items, warnings, taken_at: now }
}

fn by_backend(listing: &Listing) -> HashMap<Arc<str>, Vec<&Item>> {
    let mut by_backend: HashMap<_, Vec<_>> = HashMap::new();
    for item in &listing.items {
        by_backend.entry(Arc::clone(&item.backend)).or_default().push(item);
    }
    by_backend
}

/// Adds what the router says: to what the Hub lists, and models that only the router lists. A backend that is not among
/// ours stays out.
fn add_offers(items: &mut BTreeMap<Arc<str>, Item>, market: &Market, backends: &[Arc<str>]) {
    for model in market.models() {
        for offer in &model.offers {
            let Some(backend) = backends.iter().find(|b| **b == offer.backend) else { continue };
            let item = items.entry(name(backend, &model.hub_id)).or_insert_with_key(|id| Item {
                id: Arc::clone(id),
                backend: Arc::clone(backend),
                hub_id: Arc::clone(&model.hub_id),
                provider_id: None,
                state: offer.state,
                created: None,
                offer: None,
            });
            item.created = item.created.or(model.created);
            if offer.state == State::Error {
                item.state = State::Error;
            }
            item.offer = Some(offer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::MarketModel;

    fn listed(hub_id: &str, state: State) -> Listed {
        Listed { hub_id: hub_id.into(), provider_id: "own".into(), state, created: Some(5) }
    }

    fn asked(backend: &str, listed: Vec<Listed>) -> Asked {
        Asked { backend: backend.into(), listed, trouble: None, whole: true }
    }

    fn failed(backend: &str) -> Asked {
        Asked { backend: backend.into(), listed: vec![], trouble: Some("no answer in time".into()), whole: false }
    }

    fn market(hub_id: &str, backend: &str, state: State) -> Market {
        let offer = Offer { context_length: Some(8192), ..Offer::bare(backend, state) };
        Market::of(vec![MarketModel {
            hub_id: hub_id.into(),
            created: Some(9),
            offers: vec![offer],
            ..MarketModel::default()
        }])
    }

    #[test]
    fn items_are_named_by_route_sorted_and_found_by_their_full_name() {
        let lists =
            vec![asked("b", vec![listed("o/z", State::Live), listed("o/a", State::Staging)]), asked("a", vec![])];
        let listing = merge(None, lists, None, 100, 7);
        let ids: Vec<&str> = listing.items.iter().map(|i| &*i.id).collect();
        assert_eq!(ids, ["huggingface/b/o/a", "huggingface/b/o/z"]);
        assert_eq!(listing.find("huggingface/b/o/a").unwrap().state, State::Staging);
        assert!(listing.find("huggingface/a/o/a").is_none());
        assert_eq!(listing.of_model("o/z").count(), 1);
        assert_eq!(listing.taken_at, 7);
    }

    #[test]
    fn the_routers_list_adds_terms_states_and_models() {
        let lists = vec![asked("a", vec![listed("o/m", State::Live)])];
        let listing = merge(None, lists.clone(), Some(&market("o/m", "a", State::Error)), 100, 0);
        let item = listing.find("huggingface/a/o/m").unwrap();
        assert_eq!((item.state, item.created), (State::Error, Some(5)));
        assert_eq!(item.offer.as_ref().unwrap().context_length, Some(8192));
        assert!(listing.warnings.is_empty());
        let more = merge(None, lists.clone(), Some(&market("o/new", "a", State::Live)), 100, 0);
        assert_eq!(more.find("huggingface/a/o/new").unwrap().provider_id, None);
        let foreign = merge(None, lists, Some(&market("o/new", "stranger", State::Live)), 100, 0);
        assert_eq!(foreign.items.len(), 1);
    }

    #[test]
    fn a_backend_that_fails_is_named_and_keeps_its_earlier_items() {
        let both = vec![asked("a", vec![listed("o/m", State::Live)]), asked("b", vec![listed("o/n", State::Live)])];
        let first = merge(None, both, None, 100, 1);
        let second = merge(Some(&first), vec![asked("a", vec![]), failed("b")], None, 100, 2);
        assert!(second.find("huggingface/b/o/n").is_some(), "kept");
        assert!(second.find("huggingface/a/o/m").is_none(), "gone upstream is gone here");
        let warning = second.warnings.iter().find(|w| &*w.source == "b").unwrap();
        assert!(warning.message.contains("no answer in time") && warning.message.contains("earlier"), "{warning:?}");
        assert!(second.warnings.iter().any(|w| &*w.source == "router"));
    }

    #[test]
    fn a_cut_listing_says_so() {
        let many = (0..10).map(|i| listed(&format!("o/{i}"), State::Live)).collect();
        let listing = merge(None, vec![asked("a", many)], None, 4, 0);
        assert_eq!(listing.items.len(), 4);
        assert!(listing.warnings.iter().any(|w| w.message.contains("first 4")));
    }
}
