//! What the Hub says of one model: who serves it, under which name, and in what state.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What Hugging Face calls chat in a mapping.
pub const CHAT_TASK: &str = "conversational";

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

/// What a model's entry says of chat at one backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// The backend serves it for chat.
    Chat(&'a Serving),
    /// The backend serves it, for another task.
    OtherTask(&'a Serving),
    /// The backend does not serve it.
    Absent,
}

impl ModelEntry {
    /// What it says of chat at `backend`.
    pub fn chat(&self, backend: &str) -> Found<'_> {
        let mut found = Found::Absent;
        for serving in self.servings.iter().filter(|s| &*s.backend == backend) {
            if serving.is_chat() {
                return Found::Chat(serving);
            }
            found = Found::OtherTask(serving);
        }
        found
    }

    /// Everyone who serves it for chat, in the Hub's order.
    pub fn chatting(&self) -> impl Iterator<Item = &Serving> {
        self.servings.iter().filter(|s| s.is_chat())
    }
}

impl Serving {
    /// Whether it is mapped for chat.
    pub fn is_chat(&self) -> bool {
        &*self.task == CHAT_TASK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serving(backend: &str, task: &str) -> Serving {
        Serving { backend: backend.into(), provider_id: "m".into(), task: task.into(), state: State::Live }
    }

    #[test]
    fn chat_is_found_among_other_tasks_of_the_same_backend() {
        let entry = ModelEntry {
            hub_id: "o/m".into(),
            servings: vec![serving("a", "text-to-image"), serving("a", CHAT_TASK), serving("b", "text-to-image")],
        };
        assert!(matches!(entry.chat("a"), Found::Chat(s) if s.is_chat()));
        assert!(matches!(entry.chat("b"), Found::OtherTask(_)));
        assert_eq!(entry.chat("c"), Found::Absent);
        assert_eq!(entry.chatting().count(), 1);
    }
}
