//! The Hub's tasks that an operation covers: the only ones that are listed.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use types::Operation;

/// A task by the Hub's name. Only those exist that an operation covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Task(&'static str);

impl Task {
    /// Every task, in the order of the operations.
    pub fn all() -> impl Iterator<Item = Self> {
        let names = Operation::ALL.iter().enumerate().flat_map(|(at, operation)| {
            let earlier = &Operation::ALL[..at];
            operation.tasks().iter().filter(move |task| !earlier.iter().any(|e| e.tasks().contains(task)))
        });
        names.copied().map(Self)
    }

    /// The task of this name.
    pub fn named(name: &str) -> Option<Self> {
        Operation::ALL.iter().flat_map(|operation| operation.tasks()).find(|task| **task == name).copied().map(Self)
    }

    /// The task by which the Hub usually knows this operation.
    pub fn of(operation: Operation) -> Self {
        Self(operation.tasks().first().copied().unwrap_or_default())
    }

    /// The Hub's name of it.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Whether a model mapped for it can be asked for this operation.
    pub fn is_for(self, operation: Operation) -> bool {
        operation.tasks().contains(&self.0)
    }

    /// Every operation that it stands for.
    pub fn operations(self) -> impl Iterator<Item = Operation> {
        Operation::ALL.iter().copied().filter(move |operation| self.is_for(*operation))
    }

    /// What goes in and what comes out, where the task alone tells.
    pub fn modalities(self) -> Option<(&'static [&'static str], &'static [&'static str])> {
        Some(match self.operations().next()? {
            // Some models that chat see or hear, too.
            Operation::Chat => return None,
            Operation::Embeddings => (&["text"], &["embeddings"]),
            Operation::Speech => (&["text"], &["audio"]),
            Operation::Transcription => (&["audio"], &["text"]),
            Operation::Image | Operation::ImageStream => (&["text"], &["image"]),
            Operation::ImageEdit | Operation::ImageEditStream => (&["text", "image"], &["image"]),
        })
    }
}

impl Serialize for Task {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Task {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| D::Error::custom("a task that is not known"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_of_an_operation_is_there_once() {
        let names: Vec<&str> = Task::all().map(Task::name).collect();
        assert_eq!(
            names,
            [
                "conversational",
                "feature-extraction",
                "sentence-similarity",
                "text-to-speech",
                "automatic-speech-recognition",
                "text-to-image",
                "image-to-image"
            ]
        );
        for task in Task::all() {
            assert_eq!(Task::named(task.name()), Some(task));
            assert!(task.operations().count() > 0);
            assert_eq!(serde_json::from_str::<Task>(&serde_json::to_string(&task).unwrap()).unwrap(), task);
        }
        assert_eq!(Task::named("fill-mask"), None);
        assert!(serde_json::from_str::<Task>("\"fill-mask\"").is_err());
    }

    #[test]
    fn a_task_leads_to_its_operations() {
        let of = |name: &str| Task::named(name).unwrap().operations().collect::<Vec<_>>();
        assert_eq!(of("text-to-image"), [Operation::Image, Operation::ImageStream]);
        assert_eq!(of("sentence-similarity"), [Operation::Embeddings]);
        assert_eq!(Task::of(Operation::ImageEditStream).name(), "image-to-image");
    }
}
