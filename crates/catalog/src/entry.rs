//! What the Hub says of one model: who serves it, under which name, and in what state.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use types::Operation;

/// One model with everyone who serves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelEntry {
    /// The model's present id on the Hub, which is not the asked one when the model was renamed.
    pub hub_id: Arc<str>,
    /// Who serves it, in the Hub's order. Empty when nobody does.
    pub servings: Vec<Serving>,
}

/// One backend that serves a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// The backend's id.
    pub backend: Arc<str>,
    /// The backend's own name of the model.
    pub provider_id: Arc<str>,
    /// The task it is mapped for, in the Hub's words.
    pub task: Arc<str>,
    /// What Hugging Face's own checks last said.
    pub state: State,
    /// What the model is beside a base model of the backend's, when it is no model of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Adapter>,
}

/// Weights that change a base model: the backend runs the base and fetches these from the model's repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adapter {
    /// E.g. `lora`.
    pub kind: Arc<str>,
    /// The file in the repository, if the mapping names it.
    pub weights_path: Option<Arc<str>>,
}

/// What Hugging Face's own checks last said of a serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It works.
    Live,
    /// It is being tried out; usable.
    Staging,
    /// The last check failed; it may work again.
    Error,
    /// A word that we do not know.
    Unknown,
}

impl State {
    /// The Hub's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Staging => "staging",
            Self::Error => "error",
            Self::Unknown => "unknown",
        }
    }
}

/// What a model's entry says of an operation at one backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// The backend serves it for this operation.
    Served(&'a Serving),
    /// The backend serves it, for another task.
    OtherTask(&'a Serving),
    /// The backend does not serve it.
    Absent,
}

impl ModelEntry {
    /// What it says of `operation` at `backend`. Of several tasks that fit, the operation's usual one comes first.
    pub fn serving(&self, backend: &str, operation: Operation) -> Found<'_> {
        let here = || self.servings.iter().filter(|s| &*s.backend == backend);
        let fits = |task: &&str| here().find(|s| &*s.task == *task);
        match operation.tasks().iter().find_map(fits) {
            Some(serving) => Found::Served(serving),
            None => here().next_back().map_or(Found::Absent, Found::OtherTask),
        }
    }

    /// Everyone who serves it for `operation`, in the Hub's order.
    pub fn servings_of(&self, operation: Operation) -> impl Iterator<Item = &Serving> {
        self.servings.iter().filter(move |s| s.is_for(operation))
    }
}

impl Serving {
    /// Whether it is mapped for this operation.
    pub fn is_for(&self, operation: Operation) -> bool {
        operation.tasks().contains(&&*self.task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serving(backend: &str, task: &str) -> Serving {
        Serving {
            backend: backend.into(),
            provider_id: "m".into(),
            task: task.into(),
            state: State::Live,
            adapter: None,
        }
    }

    fn entry(servings: Vec<Serving>) -> ModelEntry {
        ModelEntry { hub_id: "o/m".into(), servings }
    }

    #[test]
    fn an_operation_is_found_among_other_tasks_of_the_same_backend() {
        let entry =
            entry(vec![serving("a", "text-to-image"), serving("a", "conversational"), serving("b", "text-to-image")]);
        assert!(matches!(entry.serving("a", Operation::Chat), Found::Served(s) if &*s.task == "conversational"));
        assert!(matches!(entry.serving("a", Operation::ImageStream), Found::Served(s) if &*s.task == "text-to-image"));
        assert!(matches!(entry.serving("b", Operation::Chat), Found::OtherTask(_)));
        assert!(matches!(entry.serving("b", Operation::ImageEdit), Found::OtherTask(_)));
        assert_eq!(entry.serving("c", Operation::Chat), Found::Absent);
        assert_eq!(entry.servings_of(Operation::Chat).count(), 1);
        assert_eq!(entry.servings_of(Operation::Image).count(), 2);
    }

    #[test]
    fn embeddings_are_found_under_either_of_their_tasks() {
        for task in ["feature-extraction", "sentence-similarity"] {
            let entry = entry(vec![serving("a", task)]);
            assert!(matches!(entry.serving("a", Operation::Embeddings), Found::Served(_)), "{task}");
        }
        let both = entry(vec![serving("a", "sentence-similarity"), serving("a", "feature-extraction")]);
        assert!(
            matches!(both.serving("a", Operation::Embeddings), Found::Served(s) if &*s.task == "feature-extraction")
        );
    }

    #[test]
    fn every_operation_has_a_task_by_which_it_is_found() {
        for operation in Operation::ALL {
            for task in operation.tasks() {
                assert!(matches!(entry(vec![serving("a", task)]).serving("a", *operation), Found::Served(_)));
            }
        }
    }
}
