//! Opus: decoding packets from any container, and writing Ogg files.

use std::io::Cursor;

use opus_pure::{
    Application, MAX_PACKET_BYTES, MAX_PACKET_SAMPLES, OggOpusReader, OggOpusWriter, OggPacket, OpusDecoder,
    OpusEncoder, OpusHead, Trim,
};
use types::ask::AudioFormat;

use super::{Block, Pcm, Sink, damaged};
use crate::{Kind, MediaError};

/// Opus is always decoded at its own highest rate.
const RATE: u32 = 48_000;

/// Bits a second for the first channel and for each further one: speech and music sound as they were.
const BITRATE: i32 = 64_000;
const BITRATE_MORE: i32 = 32_000;

/// How many packets may be broken before the file counts as damaged.
pub(super) const MAX_BROKEN: usize = 1_000;

pub(super) fn decode_ogg(bytes: &[u8], kind: Kind, sink: &mut Sink<'_>) -> Result<(), MediaError> {
    let mut reader = OggOpusReader::new(Cursor::new(bytes)).map_err(|e| damaged(kind, e.to_string()))?;
    let mut packets = Packets::new(reader.head(), kind)?;
    let channels = packets.channels;
    let mut trim = Trim::new(reader.head(), RATE.cast_signed(), channels).map_err(|e| damaged(kind, e.to_string()))?;
    let mut packet = OggPacket::default();
    loop {
        match reader.read_packet_into(&mut packet) {
            Ok(true) => {}
            Ok(false) => return packets.end(),
            // A file that is cut off ends where it ends: everything is read then.
            Err(_) if reader.get_ref().position() >= bytes.len() as u64 => return packets.end(),
            Err(other) => return Err(damaged(kind, other.to_string())),
        }
        let Some(decoded) = packets.decode(&packet.data)? else { continue };
        let samples = trim.keep(&packet, decoded);
        sink(Block { rate: RATE, channels, samples })?;
    }
}

/// Decodes packets one after the other, and counts the broken ones.
pub(super) struct Packets {
    kind: Kind,
    decoder: OpusDecoder,
    room: Vec<f32>,
    whole: usize,
    broken: usize,
    pub(super) channels: usize,
}

impl Packets {
    fn new(head: &OpusHead, kind: Kind) -> Result<Self, MediaError> {
        if head.mapping_family != 0 || !(1..=2).contains(&head.channel_count) {
            return Err(MediaError::CannotDecode { kind, why: "its Opus has more than two channels" });
        }
        let decoder = head.decoder(RATE.cast_signed()).map_err(|e| damaged(kind, e.to_string()))?;
        let channels = usize::from(head.channel_count);
        Ok(Self { kind, decoder, room: vec![0.0; MAX_PACKET_SAMPLES * channels], whole: 0, broken: 0, channels })
    }

    /// The samples of a packet; none where it is broken, as long as few are.
    pub(super) fn decode(&mut self, packet: &[u8]) -> Result<Option<&[f32]>, MediaError> {
        // An empty packet would mean a lost one, for which the decoder invents sound.
        let result =
            if packet.is_empty() { None } else { self.decoder.decode(packet, MAX_PACKET_SAMPLES, &mut self.room).ok() };
        let Some(frames) = result else {
            self.broken += 1;
            return if self.broken > MAX_BROKEN { self.end().map(|()| None) } else { Ok(None) };
        };
        self.whole += 1;
        Ok(self.room.get(..frames * self.channels))
    }

    /// Whether what came out may pass as the sound of the file.
    pub(super) fn end(&self) -> Result<(), MediaError> {
        if self.broken > self.whole || self.broken > MAX_BROKEN {
            return Err(damaged(self.kind, format!("{} of its packets cannot be decoded", self.broken)));
        }
        Ok(())
    }
}

/// A decoder from the header as WebM and MP4 carry it, and how many frames of what it gives are to be skipped.
pub(super) fn from_header(header: &[u8], kind: Kind) -> Result<(Packets, usize), MediaError> {
    let cut_off = || damaged(kind, "the header of its Opus is cut off");
    let [version, channels, skip_a, skip_b, _, _, _, _, gain_a, gain_b, family] =
        *header.get(8..19).and_then(<[u8]>::first_chunk::<11>).ok_or_else(cut_off)?;
    if family != 0 || !(1..=2).contains(&channels) {
        return Err(MediaError::CannotDecode { kind, why: "its Opus has more than two channels" });
    }
    let mut head = OpusHead::new(channels, RATE).map_err(|e| damaged(kind, e.to_string()))?;
    // Version 0 is the box of MP4, whose numbers have the other order of bytes.
    let in_mp4 = version == 0;
    head.output_gain_q8 =
        if in_mp4 { i16::from_be_bytes([gain_a, gain_b]) } else { i16::from_le_bytes([gain_a, gain_b]) };
    let skip = if in_mp4 { u16::from_be_bytes([skip_a, skip_b]) } else { u16::from_le_bytes([skip_a, skip_b]) };
    Ok((Packets::new(&head, kind)?, usize::from(skip)))
}

/// An Ogg file that holds exactly this sound. Its rate must be one that Opus takes, its channels one or two.
pub(super) fn encode_ogg(pcm: &Pcm) -> Result<Vec<u8>, MediaError> {
    write_ogg(pcm).map_err(|e| MediaError::Encoder { format: AudioFormat::Opus, why: e.to_string() })
}

fn write_ogg(pcm: &Pcm) -> opus_pure::Result<Vec<u8>> {
    let channels = pcm.channels;
    let mut encoder = OpusEncoder::new(pcm.rate.cast_signed(), channels, Application::Audio)?;
    encoder.bitrate_bps = BITRATE + BITRATE_MORE * (i32::from(channels > 1));
    let head = OpusHead::for_encoder(&encoder, pcm.rate);
    // Opus has whole frames only and lags behind its input: silence after the end brings the last samples out, and the last
    // packet says where the sound ended.
    let frame = pcm.rate as usize / 50;
    let ticks = (RATE / pcm.rate) as usize;
    let frames = (pcm.frames() + usize::from(head.pre_skip).div_ceil(ticks)).div_ceil(frame);
    let end = u64::from(head.pre_skip) + (pcm.frames() * ticks) as u64;
    let mut writer = OggOpusWriter::new(Vec::new(), head)?;
    let mut packet = vec![0_u8; MAX_PACKET_BYTES];
    let mut block = vec![0.0_f32; frame * channels];
    for number in 0..frames {
        let from = (number * frame * channels).min(pcm.samples.len());
        let to = (from + frame * channels).min(pcm.samples.len());
        block[..to - from].copy_from_slice(&pcm.samples[from..to]);
        block[to - from..].fill(0.0);
        let length = encoder.encode(&block, frame, &mut packet)?;
        let packet = &packet[..length];
        if number + 1 == frames {
            let left = end.saturating_sub(writer.granule().unsigned_abs());
            writer.write_packet_with_duration(packet, u32::try_from(left).unwrap_or(0))?;
        } else {
            writer.write_packet(packet)?;
        }
    }
    writer.finish()
}
