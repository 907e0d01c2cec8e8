//! The doors: they decode a call of their dialect and encode its answer. They decide nothing.

mod answer;
mod ask;
mod audio;
mod faults;
pub(crate) mod foreign;
mod hear;
mod images;
mod texts;
mod wants;

use serde::{Deserialize, Serialize};

pub(crate) use answer::{Answer, EVENTS, Flow, dress, name_attempts, name_backend, name_dropped};
pub(crate) use ask::Ask;
pub(crate) use faults::{answer_fault, body_fault};
pub(crate) use hear::{Later, Said, Stored};
pub(crate) use wants::{Shorten, Wants};

/// A door, by the endpoint that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Door {
    /// `/v1/chat/completions`
    Chat,
    /// `/v1/embeddings`
    Embeddings,
    /// `/v1/audio/speech`
    Speech,
    /// `/v1/audio/transcriptions`
    Transcriptions,
    /// `/v1/audio/translations`
    Translations,
    /// `/v1/images/generations`
    Images,
    /// `/v1/images/edits`
    Edits,
    /// `/v1/completions`, the older way to ask for text.
    Completions,
    /// `/v1/responses`
    Responses,
    /// Anthropic's `/v1/messages`
    Messages,
    /// Google's `models/{model}:generateContent` and its kin.
    Gemini,
    /// Cohere's `/v2/chat`
    CohereChat,
    /// Cohere's `/v2/embed`
    CohereEmbed,
    /// Bedrock's `model/{model}/converse`
    Converse,
    /// Bedrock's `model/{model}/converse-stream`
    ConverseStream,
}

impl Door {
    /// Whether the body may be a form.
    pub(crate) const fn takes_forms(self) -> bool {
        matches!(self, Self::Transcriptions | Self::Translations | Self::Edits)
    }

    /// Whether the body may be JSON.
    pub(crate) const fn takes_json(self) -> bool {
        !matches!(self, Self::Transcriptions | Self::Translations)
    }
}
