//! What the answer to a call must be, as far as the call says.

use types::{
    Result,
    ask::{AudioFormat, Delivery, TranscriptionAsk},
};
use wire::{events, openai::responses};

use crate::sessions::Keeping;

/// A call whose oldest items may be left out.
pub(crate) struct Shorten {
    /// The call, with its past.
    pub(crate) request: responses::Request,
    /// What its translation was told.
    pub(crate) told: responses::Told,
}

/// What the answer must be, as far as the call says.
pub(crate) enum Wants {
    /// What the codec wrote.
    AsItIs,
    /// The same in another dialect.
    Translated {
        /// What writes it.
        write: Box<dyn events::Write>,
        /// Members that had no place in the translation.
        dropped: Vec<String>,
        /// What is to be kept of it.
        keeping: Option<Box<Keeping>>,
        /// The call itself, where it may be shortened.
        shorten: Option<Box<Shorten>>,
    },
    /// Vectors as another dialect writes them.
    Vectors {
        /// What writes it, from OpenAI's answer.
        write: VectorsWriter,
        /// Members that had no place in the translation.
        dropped: Vec<String>,
    },
    /// Sound.
    Speech {
        /// In this format; none: the backend's own.
        format: Option<AudioFormat>,
        /// As events instead of bare bytes.
        events: bool,
    },
    /// A transcript, written as the call says.
    Transcript {
        /// The call.
        ask: Box<TranscriptionAsk>,
        /// As events.
        events: bool,
    },
    /// Pictures.
    Pictures {
        /// As addresses or in base64; none: as the backend gives them.
        delivery: Option<Delivery>,
        /// Where this gateway was called: the begin of addresses that lead to it.
        base: String,
    },
}

impl Wants {
    /// Members of the call that had no place in the translation.
    pub(crate) fn dropped(&self) -> &[String] {
        match self {
            Self::Translated { dropped, .. } | Self::Vectors { dropped, .. } => dropped,
            _ => &[],
        }
    }

    /// Takes out what is to be kept.
    pub(crate) fn keeping(&mut self) -> Option<Box<Keeping>> {
        match self {
            Self::Translated { keeping, .. } => keeping.take(),
            _ => None,
        }
    }

    /// Takes out what is to be kept of a response that nobody waits for.
    pub(super) fn background(&mut self) -> Option<Box<Keeping>> {
        match self {
            Self::Translated { keeping, .. } => keeping.take_if(|keeping| keeping.waiting["background"] == true),
            _ => None,
        }
    }

    /// Whether the answer is a stream of events.
    pub(super) const fn events(&self) -> bool {
        matches!(self, Self::Speech { events: true, .. } | Self::Transcript { events: true, .. })
    }
}

/// Writes OpenAI's answer of vectors in another dialect.
pub(crate) type VectorsWriter = Box<dyn Fn(&[u8]) -> Result<Vec<u8>> + Send + Sync>;
