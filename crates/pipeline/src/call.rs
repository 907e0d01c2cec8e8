//! A call as a door has read it.

use providers::exchange::Work;
use types::Operation;
use wire::openai::{chat, embeddings};

use crate::steps::dispatch::Shown;

/// What is asked, in the form in which its codec works on it.
pub(crate) enum Call {
    /// Chat: bytes that are spliced.
    Chat(chat::Call),
    /// Chat that was said in another dialect: the answer is read as events, and needs its usage.
    Translated(chat::Call),
    /// Embeddings: bytes that are spliced.
    Embeddings(embeddings::Call),
    /// A stream of pictures, with how it is shown.
    Pictures(Work, Shown),
    /// Sound and pictures: read, and written anew for the backend.
    Work(Work),
}

impl Call {
    /// The operation that a backend must be able to do.
    pub(crate) const fn operation(&self) -> Operation {
        match self {
            Self::Chat(_) | Self::Translated(_) => Operation::Chat,
            Self::Embeddings(_) => Operation::Embeddings,
            Self::Pictures(Work::Edit(_), _) => Operation::ImageEditStream,
            Self::Pictures(..) => Operation::ImageStream,
            Self::Work(Work::Speech(_)) => Operation::Speech,
            Self::Work(Work::Transcription(_)) => Operation::Transcription,
            Self::Work(Work::Image(_)) => Operation::Image,
            Self::Work(Work::Edit(_)) => Operation::ImageEdit,
        }
    }

    /// Whether a stream of events is asked for.
    pub(crate) const fn stream(&self) -> bool {
        match self {
            Self::Chat(call) | Self::Translated(call) => call.stream(),
            Self::Pictures(..) => true,
            Self::Embeddings(_) | Self::Work(_) => false,
        }
    }
}
