//! Samples into files.

use std::panic::catch_unwind;

use flacenc::bitsink::ByteSink;
use flacenc::component::BitRepr;
use flacenc::config::Encoder as FlacSettings;
use flacenc::error::{SourceError, Verify};
use flacenc::source::{Fill, Source};
use rusty_mp3::{Mp3Encoder, Mp3EncoderConfig};
use types::ask::AudioFormat;

use super::resample::{check_rate, resample};
use super::{Mix, Pcm, opus};
use crate::MediaError;

/// The rate of bare samples, as OpenAI's `pcm` has it.
const PCM_RATE: u32 = 24_000;

/// Rates that MP3 and Opus files can have, rising.
const MP3_RATES: &[u32] = &[8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
const OPUS_RATES: &[u32] = &[8_000, 12_000, 16_000, 24_000, 48_000];

/// How many channels FLAC can have.
const FLAC_CHANNELS: usize = 8;

/// The sound as a file.
///
/// WAV and FLAC have 16 bit and keep rate and channels. `pcm` is OpenAI's: 24 kHz, 16 bit, little endian, mono, no header. MP3 and
/// Opus take the next rate that they can have, and mono where there are more than two channels. AAC is not written here.
pub fn encode(pcm: &Pcm, format: AudioFormat) -> Result<Vec<u8>, MediaError> {
    check_rate(pcm.rate)?;
    let refused = |why: &str| MediaError::Encoder { format, why: why.to_owned() };
    if pcm.channels == 0 {
        return Err(refused("it has no channel"));
    }
    // The samples may come from a stranger's file; what an encoder makes of odd ones must not end more than this one sound.
    catch_unwind(|| written(pcm, format)).unwrap_or_else(|_| Err(refused("its encoder gave up")))
}

fn written(pcm: &Pcm, format: AudioFormat) -> Result<Vec<u8>, MediaError> {
    match format {
        AudioFormat::Wav => wav(pcm),
        AudioFormat::Pcm => Ok(s16le(&resample(pcm, PCM_RATE, Mix::Mono)?.samples)),
        AudioFormat::Flac => flac(pcm),
        AudioFormat::Mp3 => mp3(&fitted(pcm, MP3_RATES)?),
        AudioFormat::Opus => opus::encode_ogg(&fitted(pcm, OPUS_RATES)?),
        AudioFormat::Aac => Err(MediaError::CannotEncode(format)),
    }
}

/// The sound at the lowest of these rates that loses nothing, with at most two channels.
fn fitted(pcm: &Pcm, rates: &[u32]) -> Result<Pcm, MediaError> {
    let highest = rates.last().copied().unwrap_or(pcm.rate);
    let rate = rates.iter().copied().find(|r| *r >= pcm.rate).unwrap_or(highest);
    resample(pcm, rate, if pcm.channels > 2 { Mix::Mono } else { Mix::Keep })
}

/// A sample in 16 bit. The inverse of dividing by 32768, so that what was 16 bit comes back as it was.
fn s16(sample: f32) -> i16 {
    (sample * 32768.0).round().clamp(-32768.0, 32767.0) as i16
}

fn s16le(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|s| s16(*s).to_le_bytes()).collect()
}

fn wav(pcm: &Pcm) -> Result<Vec<u8>, MediaError> {
    let too_large = |_| MediaError::Encoder { format: AudioFormat::Wav, why: "it would pass 4 GiB".to_owned() };
    let data = u32::try_from(pcm.samples.len() * 2).map_err(too_large)?;
    let channels = u16::try_from(pcm.channels).map_err(too_large)?;
    let frame = channels * 2;
    let mut file = Vec::with_capacity(44 + pcm.samples.len() * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&data.saturating_add(36).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    file.extend_from_slice(&1_u16.to_le_bytes());
    file.extend_from_slice(&channels.to_le_bytes());
    file.extend_from_slice(&pcm.rate.to_le_bytes());
    file.extend_from_slice(&pcm.rate.saturating_mul(frame.into()).to_le_bytes());
    file.extend_from_slice(&frame.to_le_bytes());
    file.extend_from_slice(&16_u16.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&data.to_le_bytes());
    file.extend(s16le(&pcm.samples));
    Ok(file)
}

fn flac(pcm: &Pcm) -> Result<Vec<u8>, MediaError> {
    let refused = |why: String| MediaError::Encoder { format: AudioFormat::Flac, why };
    if pcm.channels > FLAC_CHANNELS {
        return Err(refused(format!("it has {} channels, FLAC has at most {FLAC_CHANNELS}", pcm.channels)));
    }
    let settings = FlacSettings::default().into_verified().map_err(|(_, e)| refused(e.to_string()))?;
    let source = Samples { pcm, at: 0, block: Vec::new() };
    let mut stream = flacenc::encode_with_fixed_block_size(&settings, source, settings.block_size)
        .map_err(|e| refused(e.to_string()))?;
    // The encoder counts the shorter last block as the smallest, by which strict decoders take the sizes for varying.
    stream
        .stream_info_mut()
        .set_block_sizes(settings.block_size, settings.block_size)
        .map_err(|e| refused(e.to_string()))?;
    let mut file = ByteSink::new();
    stream.write(&mut file).map_err(|e| refused(e.to_string()))?;
    Ok(file.into_inner())
}

/// Samples as the FLAC encoder takes them: block by block, so that a long sound is not held twice.
struct Samples<'a> {
    pcm: &'a Pcm,
    at: usize,
    block: Vec<i32>,
}

impl Source for Samples<'_> {
    fn channels(&self) -> usize {
        self.pcm.channels
    }

    fn bits_per_sample(&self) -> usize {
        16
    }

    fn sample_rate(&self) -> usize {
        self.pcm.rate as usize
    }

    fn read_samples<F: Fill>(&mut self, frames: usize, dest: &mut F) -> Result<usize, SourceError> {
        let rest = self.pcm.samples.get(self.at..).unwrap_or_default();
        let taken = &rest[..rest.len().min(frames * self.pcm.channels)];
        self.at += taken.len();
        self.block.clear();
        self.block.extend(taken.iter().map(|s| i32::from(s16(*s))));
        dest.fill_interleaved(&self.block)?;
        Ok(taken.len() / self.pcm.channels)
    }

    fn len_hint(&self) -> Option<usize> {
        Some(self.pcm.frames())
    }
}

fn mp3(pcm: &Pcm) -> Result<Vec<u8>, MediaError> {
    let refused = |e: rusty_mp3::Error| MediaError::Encoder { format: AudioFormat::Mp3, why: e.to_string() };
    // Zero stands for the usual rate: 128 kbit/s, half of it at 24 kHz and below.
    let mut encoder = Mp3Encoder::new(Mp3EncoderConfig { bitrate_kbps: 0, vbr_quality: None });
    encoder.push_pcm_f32(&pcm.samples, pcm.channels as u16, pcm.rate).map_err(refused)?;
    encoder.finish();
    let mut file = Vec::new();
    loop {
        match encoder.next_packet() {
            Ok(packet) => file.extend_from_slice(&packet),
            Err(rusty_mp3::Error::Eof | rusty_mp3::Error::Again) => return Ok(file),
            Err(other) => return Err(refused(other)),
        }
    }
}
