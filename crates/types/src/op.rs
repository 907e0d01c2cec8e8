//! What can be asked of a backend.

use serde::{Deserialize, Serialize};

/// One operation, as OpenAI's endpoints name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `/v1/chat/completions`
    Chat,
    /// `/v1/embeddings`
    Embeddings,
    /// `/v1/audio/speech`
    Speech,
    /// `/v1/audio/transcriptions`
    Transcription,
    /// `/v1/images/generations`
    Image,
    /// `/v1/images/generations` with `stream: true`
    ImageStream,
    /// `/v1/images/edits`
    ImageEdit,
    /// `/v1/images/edits` with `stream: true`
    ImageEditStream,
}

impl Operation {
    /// Every operation, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::Chat,
        Self::Embeddings,
        Self::Speech,
        Self::Transcription,
        Self::Image,
        Self::ImageStream,
        Self::ImageEdit,
        Self::ImageEditStream,
    ];

    /// What it is called in documentation, logs and faults.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
            Self::Speech => "speech",
            Self::Transcription => "transcription",
            Self::Image => "image",
            Self::ImageStream => "image stream",
            Self::ImageEdit => "image edit",
            Self::ImageEditStream => "edit stream",
        }
    }

    /// The tasks by which the Hub's mapping knows it; the first is the usual one.
    pub const fn tasks(self) -> &'static [&'static str] {
        match self {
            Self::Chat => &["conversational"],
            Self::Embeddings => &["feature-extraction", "sentence-similarity"],
            Self::Speech => &["text-to-speech"],
            Self::Transcription => &["automatic-speech-recognition"],
            Self::Image | Self::ImageStream => &["text-to-image"],
            Self::ImageEdit | Self::ImageEditStream => &["image-to-image"],
        }
    }
}
