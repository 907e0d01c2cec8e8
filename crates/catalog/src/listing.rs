//! Every model of every backend, in the order in which it is listed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{entry::State, market::Offer, task::Task};

/// What stands before the backend in a listed name.
const PREFIX: &str = "huggingface/";

/// All that can be listed: models of their own in the order of their names, then adapters likewise. Adapters come by the
/// ten thousand; a reader of the first part sees every other model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// One item per backend and model.
    pub items: Vec<Item>,
    /// One sentence per backend (or other source) that could not be asked, or not wholly.
    pub warnings: Vec<Warning>,
    /// When it was put together, in seconds since 1970.
    pub taken_at: u64,
    /// Whether every source answered. A list that was cut for its length counts as an answer.
    pub complete: bool,
}

/// A model at a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// `huggingface/{backend}/{hub id}`: the name that a caller writes.
    pub id: Arc<str>,
    /// The backend's id.
    pub backend: Arc<str>,
    /// The backend's own name of the model, when the Hub says it.
    pub provider_id: Option<Arc<str>>,
    /// What it is mapped for.
    pub task: Task,
    /// Whether it is weights on a base model, as families of LoRA weights are.
    pub adapter: bool,
    /// What is known of its state; `error` as soon as either source says so.
    pub state: State,
    /// When the model was made, in seconds since 1970.
    pub created: Option<u64>,
    /// What goes in and what comes out, when more is known than the task says.
    pub modalities: Option<Box<Modalities>>,
    /// What the router's list says of it.
    pub offer: Option<Box<Offer>>,
}

/// What goes in and what comes out: `text`, `image`, …
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modalities {
    /// What goes in.
    pub input: Vec<Arc<str>>,
    /// What comes out.
    pub output: Vec<Arc<str>>,
}

/// A source that could not be asked, or not wholly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The backend's id, or the name of the source.
    pub source: Arc<str>,
    /// What happened and what is served instead, for the caller.
    pub message: String,
}

impl Listing {
    /// The item of this full name.
    pub fn find(&self, id: &str) -> Option<&Item> {
        let at = |adapter| self.items.binary_search_by(|item| item.place().cmp(&(adapter, id))).ok();
        at(false).or_else(|| at(true)).map(|at| &self.items[at])
    }

    /// The items that stand after this place. The place itself may be gone meanwhile.
    pub fn after(&self, place: (bool, &str)) -> &[Item] {
        &self.items[self.items.partition_point(|item| item.place() <= place)..]
    }

    /// The items of one model at all backends.
    pub fn of_model(&self, hub_id: &str) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.hub_id() == hub_id)
    }
}

impl Item {
    /// Where it stands in the list: whether it is an adapter, and its name.
    pub fn place(&self) -> (bool, &str) {
        (self.adapter, &self.id)
    }

    /// The model's id on the Hub.
    pub fn hub_id(&self) -> &str {
        self.id.get(PREFIX.len() + self.backend.len() + 1..).unwrap_or_default()
    }
}

/// The full name of a model at a backend.
pub(crate) fn name(backend: &str, hub_id: &str) -> Arc<str> {
    format!("{PREFIX}{backend}/{hub_id}").into()
}
