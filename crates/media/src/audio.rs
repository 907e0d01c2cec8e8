//! Sound: decoding, resampling, encoding, all under limits.

mod containers;
mod encode;
mod opus;
mod resample;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use containers::duration;
pub use encode::encode;
pub use resample::resample;

use crate::{Kind, MediaError, sniff};
use resample::Resampler;

/// Sound as samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Pcm {
    /// Samples a second, per channel.
    pub rate: u32,
    /// How many channels there are, at least one.
    pub channels: usize,
    /// The samples, the channels' in turn; full scale is from -1 to 1.
    pub samples: Vec<f32>,
}

impl Pcm {
    /// Bare samples of 16 bit, little endian, as speech backends send them. A last half sample is left out.
    pub fn from_s16le(bytes: &[u8], rate: u32, channels: usize) -> Self {
        let (pairs, _) = bytes.as_chunks::<2>();
        let channels = channels.max(1);
        let mut samples: Vec<f32> = pairs.iter().map(|b| f32::from(i16::from_le_bytes(*b)) / 32768.0).collect();
        samples.truncate(samples.len() / channels * channels);
        Self { rate, channels, samples }
    }

    /// How many samples each channel has.
    pub fn frames(&self) -> usize {
        self.samples.len() / self.channels.max(1)
    }

    /// How long it is, in seconds.
    pub fn seconds(&self) -> f64 {
        self.frames() as f64 / f64::from(self.rate.max(1))
    }
}

/// What becomes of several channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// They stay as they are.
    Keep,
    /// One channel: their mean.
    Mono,
}

/// How much is decoded at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Samples that come out of the decoder, over all channels: this bounds the time.
    pub decoded: u64,
    /// Samples that are kept at a time, over all channels, four bytes each: this bounds the memory.
    pub kept: usize,
    /// Channels.
    pub channels: usize,
}

impl Default for Limits {
    /// A file of 64 MiB, half an hour of stereo at 48 kHz, 256 MiB of samples, eight channels.
    fn default() -> Self {
        Self { bytes: 64 << 20, decoded: 30 * 60 * 48_000 * 2, kept: 64 << 20, channels: 8 }
    }
}

/// The whole sound of a file, at its own rate and with its own channels.
///
/// Reads WAV (PCM, ADPCM), AIFF, CAF, FLAC, MP3, AAC, Ogg (Opus, Vorbis, FLAC), MP4 and M4A (AAC-LC, ALAC, Opus), WebM and
/// Matroska (Opus, Vorbis), and the sound of a video in one of those. What a damaged or cut-off file still holds comes out, as
/// in a player, unless more of it is broken than whole.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Pcm, MediaError> {
    let mut pcm = Pcm { rate: 0, channels: 1, samples: Vec::new() };
    each_block(bytes, limits, &mut |block| {
        (pcm.rate, pcm.channels) = (block.rate, block.channels);
        keep(&mut pcm.samples, block.samples, limits)
    })?;
    Ok(pcm)
}

/// The whole sound of a file at another rate, mixed while it is decoded: half an hour of stereo needs the memory of what comes
/// out, not of what is in the file.
pub fn decode_as(bytes: &[u8], limits: &Limits, rate: u32, mix: Mix) -> Result<Pcm, MediaError> {
    let mut pcm = Pcm { rate, channels: 1, samples: Vec::new() };
    let mut resampler: Option<Resampler> = None;
    let mut mixed = Vec::new();
    each_block(bytes, limits, &mut |block| {
        let samples = mixed_down(block.samples, block.channels, mix, &mut mixed);
        let channels = if mix == Mix::Mono { 1 } else { block.channels };
        if resampler.is_none() {
            pcm.channels = channels;
            resampler = Some(Resampler::new(block.rate, rate, channels)?);
        }
        if let Some(resampler) = &mut resampler {
            resampler.push(samples, &mut pcm.samples);
        }
        keep(&mut pcm.samples, &[], limits)
    })?;
    if let Some(resampler) = &mut resampler {
        resampler.finish(&mut pcm.samples);
    }
    Ok(pcm)
}

/// A piece of sound as it comes from a decoder.
struct Block<'a> {
    rate: u32,
    channels: usize,
    samples: &'a [f32],
}

type Sink<'a> = dyn FnMut(Block<'_>) -> Result<(), MediaError> + 'a;

/// Decodes a file piece by piece. The limits are kept here, for every codec alike.
fn each_block(bytes: &[u8], limits: &Limits, sink: &mut Sink<'_>) -> Result<(), MediaError> {
    let kind = recognised(bytes)?;
    if bytes.len() > limits.bytes {
        return Err(MediaError::TooLarge { bytes: bytes.len(), limit: limits.bytes });
    }
    let mut shape = None;
    let mut decoded = 0_u64;
    let mut metered = |block: Block<'_>| {
        let Block { rate, channels, samples } = block;
        if samples.is_empty() || channels == 0 {
            return Ok(());
        }
        if channels > limits.channels {
            return Err(MediaError::TooManyChannels { channels, limit: limits.channels });
        }
        if *shape.get_or_insert((rate, channels)) != (rate, channels) {
            return Err(damaged(kind, "its rate or its channels change on the way"));
        }
        resample::check_rate(rate)?;
        decoded += samples.len() as u64;
        if decoded > limits.decoded {
            return Err(MediaError::TooLong { limit: limits.decoded });
        }
        sink(block)
    };
    contained(kind, || match kind {
        Kind::OggOpus => opus::decode_ogg(bytes, kind, &mut metered),
        _ => containers::decode(bytes, kind, &mut metered),
    })?;
    if decoded == 0 { Err(MediaError::Silent(kind)) } else { Ok(()) }
}

/// What the file is, if it may hold sound that something here decodes.
fn recognised(bytes: &[u8]) -> Result<Kind, MediaError> {
    let kind = sniff(bytes).ok_or(MediaError::Unknown)?;
    match kind {
        _ if kind.is_image() => Err(MediaError::NotSound(kind)),
        Kind::Amr | Kind::Au | Kind::Asf | Kind::Avi => {
            Err(MediaError::CannotDecode { kind, why: "there is no decoder for this format" })
        }
        Kind::Ogg => Err(MediaError::CannotDecode { kind, why: "the codec inside is not Opus, Vorbis or FLAC" }),
        _ => Ok(kind),
    }
}

/// Decoders meet bytes that nobody vouches for. They are written to return errors; should one panic all the same, the file is at
/// fault and the gateway goes on.
fn contained<T>(kind: Kind, work: impl FnOnce() -> Result<T, MediaError>) -> Result<T, MediaError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(damaged(kind, "its decoder gave up")))
}

fn damaged(kind: Kind, why: impl Into<String>) -> MediaError {
    MediaError::Damaged { kind, why: why.into() }
}

fn keep(kept: &mut Vec<f32>, more: &[f32], limits: &Limits) -> Result<(), MediaError> {
    if kept.len() + more.len() > limits.kept {
        return Err(MediaError::TooLong { limit: limits.kept as u64 });
    }
    kept.extend_from_slice(more);
    Ok(())
}

/// The samples as they are to be, in `room` where they had to be written anew.
fn mixed_down<'a>(samples: &'a [f32], channels: usize, mix: Mix, room: &'a mut Vec<f32>) -> &'a [f32] {
    if mix == Mix::Keep || channels < 2 {
        return samples;
    }
    room.clear();
    room.extend(samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32));
    room
}
