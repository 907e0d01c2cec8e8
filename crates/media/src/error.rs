//! Why a file could not be read or written, in sentences that a caller can act on.

use types::ask::AudioFormat;

use crate::Kind;

/// Why a sound could not be decoded or encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The bytes begin like no format that is known here.
    #[error("the file is no sound that is known here; send wav, flac, mp3, ogg, webm, m4a, aac or aiff")]
    Unknown,
    /// The bytes are something else than sound.
    #[error("the file is {} ({}), not sound", .0.name(), .0.media_type())]
    NotSound(Kind),
    /// A format or codec that nothing here decodes.
    #[error("{} cannot be decoded here: {why}; send wav, flac, mp3, ogg, webm, m4a, aac or aiff", .kind.name())]
    CannotDecode {
        /// What the file is.
        kind: Kind,
        /// What is missing.
        why: &'static str,
    },
    /// The file is damaged, cut off or not what its beginning says.
    #[error("the {} file is damaged: {why}", .kind.name())]
    Damaged {
        /// What the file begins like.
        kind: Kind,
        /// What went wrong.
        why: String,
    },
    /// The file has no sound in it.
    #[error("the {} file has no sound in it", .0.name())]
    Silent(Kind),
    /// The file has more bytes than may be decoded.
    #[error("the file has {bytes} bytes; at most {limit} are decoded here")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// How many may be.
        limit: usize,
    },
    /// The sound is longer than may be decoded.
    #[error("the sound is too long: at most {limit} samples (over all channels) are decoded here; send it in pieces")]
    TooLong {
        /// How many samples may be, over all channels.
        limit: u64,
    },
    /// The sound has too many channels.
    #[error("the sound has {channels} channels; at most {limit} are decoded here")]
    TooManyChannels {
        /// Its channels.
        channels: usize,
        /// How many may be.
        limit: usize,
    },
    /// A sampling rate that nothing here works with.
    #[error("a sampling rate of {0} Hz is not supported; it must be from 1000 to 768000 Hz")]
    Rate(u32),
    /// Nothing here encodes this format.
    #[error("sound cannot be converted to {} here; ask for wav, flac, mp3, opus or pcm", .0.name())]
    CannotEncode(AudioFormat),
    /// An encoder refused the sound.
    #[error("the sound could not be written as {}: {why}", .format.name())]
    Encoder {
        /// The wanted format.
        format: AudioFormat,
        /// What it said.
        why: String,
    },
}
