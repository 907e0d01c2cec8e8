//! The files of `tests/sounds`, and a way to hear which tone is in samples.

use std::f64::consts::TAU;
use std::path::Path;

use media::Kind;
use media::audio::Pcm;

/// A file, what it is, and the sound that must come out of it.
pub(crate) struct Sound {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) rate: u32,
    pub(crate) channels: usize,
    pub(crate) seconds: f64,
}

const fn sound(name: &'static str, kind: Kind, rate: u32, channels: usize) -> Sound {
    Sound { name, kind, rate, channels, seconds: 0.5 }
}

/// Every file that can be decoded.
pub(crate) const SOUNDS: &[Sound] = &[
    sound("tone.wav", Kind::Wav, 16_000, 1),
    Sound { seconds: 0.06, ..sound("wav24-stereo.wav", Kind::Wav, 44_100, 2) },
    Sound { seconds: 0.2, ..sound("wav-float.wav", Kind::Wav, 16_000, 1) },
    sound("wav-adpcm.wav", Kind::Wav, 16_000, 1),
    sound("wav-ima.wav", Kind::Wav, 16_000, 1),
    sound("wav-mulaw.wav", Kind::Wav, 8_000, 1),
    sound("tone.aiff", Kind::Aiff, 16_000, 1),
    sound("tone.caf", Kind::Caf, 16_000, 1),
    sound("tone.flac", Kind::Flac, 16_000, 1),
    sound("flac.oga", Kind::OggFlac, 16_000, 1),
    sound("tone-stereo.mp3", Kind::Mp3, 44_100, 2),
    sound("tone-id3.mp3", Kind::Mp3, 16_000, 1),
    sound("tone.mp2", Kind::Mp3, 16_000, 1),
    sound("tone.aac", Kind::Aac, 16_000, 1),
    sound("tone-stereo.m4a", Kind::M4a, 44_100, 2),
    sound("safari.mp4", Kind::M4a, 16_000, 1),
    sound("alac.m4a", Kind::M4a, 16_000, 1),
    sound("opus.mp4", Kind::M4a, 48_000, 1),
    sound("voice.opus", Kind::OggOpus, 48_000, 1),
    sound("stereo.opus", Kind::OggOpus, 48_000, 2),
    sound("vorbis.ogg", Kind::OggVorbis, 44_100, 2),
    sound("browser.webm", Kind::WebmAudio, 48_000, 1),
    sound("vorbis.webm", Kind::WebmAudio, 44_100, 2),
    sound("voice.mka", Kind::Matroska, 48_000, 1),
    sound("video.webm", Kind::WebmVideo, 48_000, 1),
    sound("video.mp4", Kind::Mp4, 16_000, 1),
];

/// The bytes of a file.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sounds").join(name)).unwrap()
}

/// A sine on every channel, each with its frequency.
pub(crate) fn sine(rate: u32, seconds: f64, tones: &[f64]) -> Pcm {
    let frames = (f64::from(rate) * seconds).round() as usize;
    let at = |frame: usize, tone: f64| (0.5 * (TAU * tone * frame as f64 / f64::from(rate)).sin()) as f32;
    let samples = (0..frames).flat_map(|frame| tones.iter().map(move |tone| at(frame, *tone))).collect();
    Pcm { rate, channels: tones.len(), samples }
}

/// One channel alone.
pub(crate) fn channel(pcm: &Pcm, number: usize) -> Vec<f64> {
    pcm.samples.iter().skip(number).step_by(pcm.channels).map(|s| f64::from(*s)).collect()
}

/// Which part of a channel's power this tone has, from 0 to 1. Begin and end are left out: codecs fade in.
///
/// The sine that fits best (least squares over its sine and cosine) is taken away, and what is left compared with what was.
pub(crate) fn purity(pcm: &Pcm, number: usize, tone: f64) -> f64 {
    let samples = channel(pcm, number);
    let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
    let waves = |at: usize| (TAU * tone * at as f64 / f64::from(pcm.rate)).sin_cos();
    let (mut ss, mut sc, mut cc, mut xs, mut xc) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (at, x) in middle.iter().enumerate() {
        let (s, c) = waves(at);
        (ss, sc, cc, xs, xc) = (ss + s * s, sc + s * c, cc + c * c, xs + x * s, xc + x * c);
    }
    let determinant = ss * cc - sc * sc;
    let (a, b) = ((xs * cc - xc * sc) / determinant, (xc * ss - xs * sc) / determinant);
    let power: f64 = middle.iter().map(|x| x * x).sum();
    let left: f64 = middle.iter().enumerate().map(|(at, x)| x - a * waves(at).0 - b * waves(at).1).map(|x| x * x).sum();
    1.0 - left / power
}

/// The loudest sample.
pub(crate) fn peak(pcm: &Pcm) -> f32 {
    pcm.samples.iter().fold(0.0, |peak, s| peak.max(s.abs()))
}
