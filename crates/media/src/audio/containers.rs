//! Everything but Ogg Opus: containers are taken apart by symphonia, which also decodes all codecs but Opus.

use std::io::Cursor;

use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use super::opus::{self, MAX_BROKEN, Packets};
use super::{Block, Sink, contained, damaged, recognised};
use crate::{Kind, MediaError};

/// How many packets without a byte are stepped over: a small table can claim billions.
const MAX_EMPTY: usize = 10_000;

/// How long the sound is, in seconds, as its packets say; none where they do not, or where this is no sound.
///
/// Nothing is decoded, and what the head of the file claims is not believed: files that were written as a stream claim anything.
pub fn duration(bytes: &[u8]) -> Option<f64> {
    let kind = recognised(bytes).ok()?;
    contained(kind, || Ok(measured(bytes, kind))).ok()?
}

fn measured(bytes: &[u8], kind: Kind) -> Option<f64> {
    let mut format = open(bytes, kind).ok()?;
    let track = sound_track(format.as_ref())?;
    let base = track.time_base?;
    let mut walk = Walk::new(track.id);
    let (mut first, mut end, mut sum) = (None, i64::MIN, 0_u64);
    while let Ok(Some(packet)) = walk.next(format.as_mut(), kind) {
        let pts = packet.pts.get();
        let length = i64::try_from(packet.dur.get()).ok()?;
        first.get_or_insert(pts);
        end = end.max(pts.saturating_add(length));
        sum = sum.saturating_add(packet.dur.get());
    }
    // Some containers count time in packets, others do not say how long a packet is.
    let span = end.saturating_sub(first?.max(0)).max(0).unsigned_abs();
    let ticks = if sum == 0 { span } else { sum };
    let seconds = ticks as f64 * f64::from(base.numer.get()) / f64::from(base.denom.get());
    (seconds > 0.0).then_some(seconds)
}

pub(super) fn decode(bytes: &[u8], kind: Kind, sink: &mut Sink<'_>) -> Result<(), MediaError> {
    let mut format = open(bytes, kind)?;
    let track = sound_track(format.as_ref()).ok_or(MediaError::Silent(kind))?;
    let id = track.id;
    let parameters = track.codec_params.as_ref().and_then(|p| p.audio()).ok_or(MediaError::Silent(kind))?.clone();
    if parameters.codec == CODEC_ID_OPUS {
        return opus_packets(format.as_mut(), id, &parameters, kind, sink);
    }
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(&parameters, &AudioDecoderOptions::default())
        .map_err(|e| match e {
            Error::Unsupported(_) => MediaError::CannotDecode { kind, why: "there is no decoder for the codec inside" },
            other => damaged(kind, other.to_string()),
        })?;
    packets(format.as_mut(), id, decoder.as_mut(), kind, sink)
}

fn open(bytes: &[u8], kind: Kind) -> Result<Box<dyn FormatReader + '_>, MediaError> {
    let source = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let mut hint = Hint::new();
    hint.with_extension(kind.extension());
    symphonia::default::get_probe()
        .probe(&hint, source, FormatOptions::default(), MetadataOptions::default())
        .map_err(|e| damaged(kind, e.to_string()))
}

fn sound_track(format: &dyn FormatReader) -> Option<&Track> {
    format.default_track(TrackType::Audio)
}

/// Steps through the packets of one track.
struct Walk {
    track: u32,
    empty: usize,
}

impl Walk {
    fn new(track: u32) -> Self {
        Self { track, empty: 0 }
    }

    /// The next packet of the track. A file that is cut off ends where it ends.
    fn next(&mut self, format: &mut dyn FormatReader, kind: Kind) -> Result<Option<Packet>, MediaError> {
        loop {
            let packet = match format.next_packet() {
                Ok(Some(packet)) => packet,
                // A reset means that another sound follows in the same file: the first one is taken.
                Ok(None) | Err(Error::IoError(_) | Error::ResetRequired) => return Ok(None),
                Err(other) => return Err(damaged(kind, other.to_string())),
            };
            if packet.data.is_empty() {
                self.empty += 1;
                if self.empty > MAX_EMPTY {
                    return Err(damaged(kind, "too many of its packets are empty"));
                }
            } else if packet.track_id == self.track {
                return Ok(Some(packet));
            }
        }
    }
}

fn packets(
    format: &mut dyn FormatReader,
    track: u32,
    decoder: &mut dyn AudioDecoder,
    kind: Kind,
    sink: &mut Sink<'_>,
) -> Result<(), MediaError> {
    let (mut whole, mut broken) = (0_usize, 0_usize);
    let mut samples = Vec::new();
    let mut walk = Walk::new(track);
    while let Some(packet) = walk.next(format, kind)? {
        match decoder.decode(&packet) {
            Ok(buffer) => {
                whole += 1;
                buffer.copy_to_vec_interleaved(&mut samples);
                let (rate, channels) = (buffer.spec().rate(), buffer.spec().channels().count());
                sink(Block { rate, channels, samples: &samples })?;
            }
            Err(Error::DecodeError(_) | Error::IoError(_)) if broken < MAX_BROKEN => broken += 1,
            Err(Error::Unsupported(_)) => {
                return Err(MediaError::CannotDecode {
                    kind,
                    why: "it uses a part of its codec that is not supported",
                });
            }
            Err(other) => return Err(damaged(kind, other.to_string())),
        }
    }
    if broken > whole {
        return Err(damaged(kind, format!("{broken} of its packets cannot be decoded")));
    }
    Ok(())
}

fn opus_packets(
    format: &mut dyn FormatReader,
    track: u32,
    parameters: &AudioCodecParameters,
    kind: Kind,
    sink: &mut Sink<'_>,
) -> Result<(), MediaError> {
    let header = parameters.extra_data.as_deref().unwrap_or_default();
    let (mut decoder, skip): (Packets, usize) = opus::from_header(header, kind)?;
    let channels = decoder.channels;
    let mut skip = skip * channels;
    let mut walk = Walk::new(track);
    while let Some(packet) = walk.next(format, kind)? {
        let Some(samples) = decoder.decode(&packet.data)? else { continue };
        let skipped = skip.min(samples.len());
        skip -= skipped;
        sink(Block { rate: 48_000, channels, samples: &samples[skipped..] })?;
    }
    decoder.end()
}
