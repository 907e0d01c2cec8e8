//! Calls and answers about sound and pictures, in no backend's dialect: what a door reads and a backend's codec writes.
//!
//! (Chat and embeddings stay bytes: their codecs splice. These here are small beside the media that they carry.)

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Blob;

/// Members of a call that no field here stands for, passed on to the backend as they are.
pub type Extra = Map<String, Value>;

/// A file that came with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its bytes.
    pub bytes: Blob,
    /// The name that the caller gave it; never used as a path.
    pub file_name: Option<String>,
    /// The media type that the caller claims; what counts is what the bytes are.
    pub claimed_type: Option<String>,
}

/// `/v1/audio/speech`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpeechAsk {
    /// The text to speak.
    pub input: String,
    /// The voice.
    pub voice: Option<String>,
    /// The format that the caller wants; none: the backend's own.
    pub format: Option<AudioFormat>,
    /// The speed as the caller wrote the number.
    pub speed: Option<serde_json::Number>,
    /// How to speak.
    pub instructions: Option<String>,
    /// Further members.
    pub extra: Extra,
}

/// Formats of sound that OpenAI's endpoint names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AudioFormat {
    /// MPEG layer 3.
    Mp3,
    /// Opus in Ogg.
    Opus,
    /// AAC.
    Aac,
    /// FLAC.
    Flac,
    /// RIFF WAVE, 16 bit.
    Wav,
    /// Bare samples: 24 kHz, 16 bit, little endian, mono.
    Pcm,
}

impl AudioFormat {
    /// The name as OpenAI writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mp3 => "mp3",
            Self::Opus => "opus",
            Self::Aac => "aac",
            Self::Flac => "flac",
            Self::Wav => "wav",
            Self::Pcm => "pcm",
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Mp3 => "audio/mpeg",
            Self::Opus => "audio/ogg",
            Self::Aac => "audio/aac",
            Self::Flac => "audio/flac",
            Self::Wav => "audio/wav",
            Self::Pcm => "audio/pcm",
        }
    }

    /// The format of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Mp3, Self::Opus, Self::Aac, Self::Flac, Self::Wav, Self::Pcm].into_iter().find(|f| f.name() == name)
    }
}

/// `/v1/audio/transcriptions` and `/v1/audio/translations`
#[derive(Clone, Debug, PartialEq)]
pub struct TranscriptionAsk {
    /// The sound.
    pub file: Upload,
    /// Whether English is wanted whatever is spoken.
    pub translate: bool,
    /// The spoken language (ISO 639-1).
    pub language: Option<String>,
    /// Words that help to understand.
    pub prompt: Option<String>,
    /// The temperature as the caller wrote the number.
    pub temperature: Option<serde_json::Number>,
    /// How the answer is to be written.
    pub format: TranscriptFormat,
    /// Whether times of words are wanted.
    pub words: bool,
    /// Whether times of segments are wanted.
    pub segments: bool,
    /// Further members.
    pub extra: Extra,
}

/// How a transcript is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TranscriptFormat {
    /// `{"text": …}`
    #[default]
    Json,
    /// The text alone.
    Text,
    /// With language, duration, segments, words.
    VerboseJson,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
}

impl TranscriptFormat {
    /// Whether times must be known to write it.
    pub const fn needs_times(self) -> bool {
        matches!(self, Self::VerboseJson | Self::Srt | Self::Vtt)
    }
}

/// `/v1/images/generations`, and what an edit shares with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageAsk {
    /// What to show.
    pub prompt: String,
    /// How many pictures; none: the backend's own number, which is one.
    pub n: Option<u32>,
    /// Width and height; none for `auto` and when nothing was said.
    pub size: Option<(u32, u32)>,
    /// How the caller wants them; none: as the backend gives them.
    pub delivery: Option<Delivery>,
    /// `png`, `jpeg`, `webp`.
    pub output_format: Option<String>,
    /// The seed as the caller wrote the number: seeds pass 2^63.
    pub seed: Option<serde_json::Number>,
    /// What not to show.
    pub negative_prompt: Option<String>,
    /// Steps of the diffusion.
    pub num_inference_steps: Option<serde_json::Number>,
    /// How closely to follow the prompt.
    pub guidance_scale: Option<serde_json::Number>,
    /// `low` or `auto`.
    pub moderation: Option<String>,
    /// Further members (`quality`, `style`, `background`, `user`, and what only backends know).
    pub extra: Extra,
}

/// How pictures are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// An address to fetch.
    Url,
    /// Base64 in the answer.
    B64Json,
}

/// `/v1/images/edits`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EditAsk {
    /// What a generation says too.
    pub image: ImageAsk,
    /// The pictures to edit, at least one.
    pub images: Vec<Picture>,
    /// Where to edit.
    pub mask: Option<Picture>,
    /// Whether several pictures go as a list; none: by their number and the model.
    pub use_image_urls: Option<bool>,
}

/// A picture that came with a call: its bytes, or an address that the backend is to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picture {
    /// The bytes.
    Bytes(Upload),
    /// A public address; passed on, never fetched here.
    Url(String),
}

/// What was heard.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// All of it.
    pub text: String,
    /// The language, where the backend says.
    pub language: Option<String>,
    /// How long the sound is, in seconds, where that is known.
    pub duration: Option<f64>,
    /// Pieces with times, where the backend gives them.
    pub segments: Vec<Piece>,
    /// Words with times, where the backend gives them.
    pub words: Vec<Piece>,
}

/// A piece of a transcript.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    /// Begin in seconds.
    pub start: f64,
    /// End in seconds; a backend may leave the last one open.
    pub end: Option<f64>,
    /// What is said.
    pub text: String,
    /// Who says it.
    pub speaker: Option<String>,
}

/// A picture that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// At an address of the backend.
    Url(String),
    /// As base64, without the prefix of a data URI.
    Base64(String),
    /// As bytes.
    Bytes(Bytes),
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Pictures, in order, with the seed that was used and the prompt as it was understood, where the backend says.
    Images {
        /// The pictures.
        made: Vec<Made>,
        /// Further members of the backend's answer that a caller may want (`seed`, `timings`, …).
        extra: Extra,
    },
    /// A transcript.
    Transcript(Transcript),
    /// Sound; its type is sniffed from the bytes.
    Sound(Bytes),
}
