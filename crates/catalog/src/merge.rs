//! Puts the Hub's lists and the router's together: pure.

use std::sync::Arc;

use types::Operation;

use crate::{
    entry::State,
    listing::{Item, Listing, Modalities, Warning, name},
    market::{Market, MarketModel, Offer},
    task::Task,
};

/// What one backend's list for one operation came to.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) backend: Arc<str>,
    pub(crate) operation: Operation,
    pub(crate) listed: Vec<Item>,
    pub(crate) end: End,
}

/// How a list ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It is all there is.
    Whole,
    /// It goes on, and that is not read.
    Cut,
    /// The rest could not be had. The words are for the caller.
    Broken(String),
}

impl Asked {
    fn is_for(&self, item: &Item) -> bool {
        self.backend == item.backend && item.task.is_for(self.operation)
    }
}

/// Puts the lists together. Where a list broke off, what the previous listing had in its place stays. At most `most`
/// items; more are cut with a warning.
pub(crate) fn merge(
    previous: Option<&Listing>,
    asked: Vec<Asked>,
    market: Option<&Market>,
    most: usize,
    now: u64,
) -> Listing {
    let mut warnings = warnings(previous, &asked);
    let chatting: Vec<Arc<str>> =
        asked.iter().filter(|one| one.operation == Operation::Chat).map(|one| Arc::clone(&one.backend)).collect();
    let broken: Vec<&Asked> = asked.iter().filter(|one| matches!(one.end, End::Broken(_))).collect();
    let complete = broken.is_empty() && market.is_some();
    let earlier = previous.map_or(&[][..], |previous| &previous.items);
    let kept = earlier.iter().filter(|item| broken.iter().any(|one| one.is_for(item)));
    let kept: Vec<Item> = kept.map(|item| Item { offer: None, ..item.clone() }).collect();

    let mut items: Vec<Item> = Vec::with_capacity(asked.iter().map(|one| one.listed.len()).sum::<usize>() + kept.len());
    for one in asked {
        items.extend(one.listed);
    }
    items.extend(kept);
    // Of two with one name the first stays: what was just heard before what was kept.
    items.sort_by(|a, b| a.id.cmp(&b.id));
    items.dedup_by(|later, first| later.id == first.id);
    match market {
        Some(market) => add_offers(&mut items, market, &chatting),
        None => warnings.push(Warning {
            source: "router".into(),
            message: "The router's list could not be asked for: prices and limits are not shown.".into(),
        }),
    }
    items.sort_by(|a, b| a.place().cmp(&b.place()));
    if items.len() > most {
        items.truncate(most);
        let message = format!("Only the first {most} models are listed.");
        warnings.push(Warning { source: "listing".into(), message });
    }
    items.shrink_to_fit();
    Listing { items, warnings, taken_at: now, complete }
}

/// One sentence per backend for what is missing, one for what was cut.
fn warnings(previous: Option<&Listing>, asked: &[Asked]) -> Vec<Warning> {
    let mut backends: Vec<&Arc<str>> = asked.iter().map(|one| &one.backend).collect();
    backends.sort_unstable();
    backends.dedup();
    let mut warnings = Vec::new();
    for backend in backends {
        let of_backend = || asked.iter().filter(|one| one.backend == *backend);
        let mut broken = Vec::new();
        let mut troubles: Vec<&str> = Vec::new();
        for one in of_backend() {
            let End::Broken(trouble) = &one.end else { continue };
            broken.push(one);
            if !troubles.contains(&trouble.as_str()) {
                troubles.push(trouble);
            }
        }
        if !broken.is_empty() {
            let earlier = previous.map_or(&[][..], |previous| &previous.items);
            let kept = earlier.iter().any(|item| broken.iter().any(|one| one.is_for(item)));
            let served = if kept { "listed as they were earlier" } else { "not listed" };
            let what = operations(broken.iter().copied());
            let why = troubles.join("; ");
            let message = format!("Models of `{backend}` ({what}) that could not be asked for are {served}: {why}.");
            warnings.push(Warning { source: Arc::clone(backend), message });
        }
        let cut: Vec<&Asked> = of_backend().filter(|one| one.end == End::Cut).collect();
        if !cut.is_empty() {
            let what = operations(cut.iter().copied());
            let message = format!("Of `{backend}` ({what}) only the most liked models are listed: it has more.");
            warnings.push(Warning { source: Arc::clone(backend), message });
        }
    }
    warnings
}

fn operations<'a>(asked: impl Iterator<Item = &'a Asked>) -> String {
    asked.map(|one| one.operation.name()).collect::<Vec<_>>().join(", ")
}

/// Adds what the router says: to what the Hub lists, and chat models that only the router lists. A backend that is not
/// among ours stays out. `items` are in the order of their names.
fn add_offers(items: &mut Vec<Item>, market: &Market, backends: &[Arc<str>]) {
    let mut more: Vec<Item> = Vec::new();
    for model in market.models() {
        for offer in &model.offers {
            let Some(backend) = backends.iter().find(|b| **b == offer.backend) else { continue };
            let id = name(backend, &model.hub_id);
            match items.binary_search_by(|item| item.id.cmp(&id)) {
                Ok(at) => add_offer(&mut items[at], model, offer),
                Err(_) => {
                    let mut item = Item {
                        id,
                        backend: Arc::clone(backend),
                        provider_id: None,
                        task: Task::of(Operation::Chat),
                        adapter: false,
                        state: offer.state,
                        created: None,
                        modalities: None,
                        offer: None,
                    };
                    add_offer(&mut item, model, offer);
                    more.push(item);
                }
            }
        }
    }
    more.sort_by(|a, b| a.id.cmp(&b.id));
    more.dedup_by(|later, first| later.id == first.id);
    items.append(&mut more);
}

fn add_offer(item: &mut Item, model: &MarketModel, offer: &Offer) {
    item.created = item.created.or(model.created);
    if offer.state == State::Error {
        item.state = State::Error;
    }
    if !(model.input.is_empty() && model.output.is_empty()) {
        let modalities = Modalities { input: model.input.clone(), output: model.output.clone() };
        item.modalities = Some(Box::new(modalities));
    }
    item.offer = Some(Box::new(offer.clone()));
}

#[cfg(test)]
mod tests;
