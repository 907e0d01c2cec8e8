//! Another sampling rate, by a windowed sinc in polyphase form: for each position between two samples that occurs, the weights
//! are computed once.

use super::{Mix, Pcm, mixed_down};
use crate::MediaError;

/// The rates that are worked with.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Zero crossings of the sinc on either side. More make a steeper filter.
const CROSSINGS: f64 = 32.0;

/// Where the filter begins to close, as a part of half the lower rate. What is above half of it must be gone, or it would fold back.
const CUTOFF: f64 = 0.92;

/// Shape of the Kaiser window: about 90 dB between what passes and what does not.
const BETA: f64 = 9.0;

/// How many weights there are at most, for all phases together. Rates with hardly a common factor share the nearest phase.
const WEIGHTS: usize = 1 << 20;

/// How many used samples are carried before they are dropped.
const CARRIED: usize = 1 << 14;

/// The same sound at another rate, and mixed as wanted.
pub fn resample(pcm: &Pcm, rate: u32, mix: Mix) -> Result<Pcm, MediaError> {
    let mut room = Vec::new();
    let channels = if mix == Mix::Mono { 1 } else { pcm.channels.max(1) };
    let samples = mixed_down(&pcm.samples, pcm.channels, mix, &mut room);
    let mut resampled = Pcm { rate, channels, samples: Vec::new() };
    let mut resampler = Resampler::new(pcm.rate, rate, channels)?;
    resampler.push(samples, &mut resampled.samples);
    resampler.finish(&mut resampled.samples);
    Ok(resampled)
}

/// Refuses rates that no sound has.
pub(super) fn check_rate(rate: u32) -> Result<(), MediaError> {
    if RATES.contains(&rate) { Ok(()) } else { Err(MediaError::Rate(rate)) }
}

/// Takes sound piece by piece and gives it at another rate.
pub(super) struct Resampler {
    /// What is not used up, per channel. Sample `base` of the sound stands at index 0.
    history: Vec<Vec<f32>>,
    /// The sound's first sample has this index until used ones are dropped: before it are zeros for the first windows.
    dropped: u64,
    /// Samples taken so far, per channel.
    taken: u64,
    /// Samples given so far, per channel.
    given: u64,
    /// Rates without their common factor.
    up: u64,
    down: u64,
    /// Half the width of the window, in samples of the sound.
    half: usize,
    /// Weights for every phase, `2 * half` each.
    phases: Vec<Vec<f32>>,
}

impl Resampler {
    pub(super) fn new(from: u32, to: u32, channels: usize) -> Result<Self, MediaError> {
        check_rate(from)?;
        check_rate(to)?;
        let common = gcd(from, to);
        let (up, down) = (u64::from(to / common), u64::from(from / common));
        let scale = (f64::from(to) / f64::from(from)).min(1.0) * CUTOFF;
        let half = if up == down { 0 } else { (CROSSINGS / scale).ceil() as usize };
        let count = (up as usize).min(WEIGHTS / (2 * half).max(1)).max(1);
        let phases = (0..count).map(|phase| weights(phase as f64 / count as f64, scale, half)).collect();
        let history = vec![vec![0.0; half]; channels.max(1)];
        Ok(Self { history, dropped: 0, taken: 0, given: 0, up, down, half, phases })
    }

    /// Takes whole frames, gives what can be given.
    pub(super) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let channels = self.history.len();
        self.taken += (samples.len() / channels) as u64;
        if self.half == 0 {
            out.extend_from_slice(samples);
            return;
        }
        for (channel, history) in self.history.iter_mut().enumerate() {
            history.extend(samples.iter().skip(channel).step_by(channels));
        }
        self.give(u64::MAX, out);
    }

    /// Gives the rest: the sound is followed by silence.
    pub(super) fn finish(&mut self, out: &mut Vec<f32>) {
        if self.half == 0 {
            return;
        }
        for history in &mut self.history {
            history.extend(std::iter::repeat_n(0.0, self.half + 1));
        }
        let whole = u128::from(self.taken) * u128::from(self.up);
        self.give(u64::try_from(whole.div_ceil(u128::from(self.down))).unwrap_or(u64::MAX), out);
    }

    /// Gives samples up to number `end`, as far as their windows are filled.
    fn give(&mut self, end: u64, out: &mut Vec<f32>) {
        let width = 2 * self.half;
        while self.given < end {
            let position = u128::from(self.given) * u128::from(self.down);
            let (whole, part) = (position / u128::from(self.up), position % u128::from(self.up));
            // The window of position x covers samples x-half+1 to x+half; `half` zeros stand before the first sample.
            let from = whole as u64 + 1 - self.dropped;
            let range = from as usize..from as usize + width;
            if range.end > self.history[0].len() {
                break;
            }
            let phase = (part * self.phases.len() as u128 / u128::from(self.up)) as usize;
            let weights = &self.phases[phase];
            out.extend(self.history.iter().map(|history| dot(&history[range.clone()], weights)));
            self.given += 1;
        }
        self.forget();
    }

    /// Drops samples that no window needs any more.
    fn forget(&mut self) {
        let next = u128::from(self.given) * u128::from(self.down) / u128::from(self.up);
        let used = (next as u64).saturating_sub(self.dropped).min(self.history[0].len() as u64) as usize;
        if used >= CARRIED {
            for history in &mut self.history {
                history.drain(..used);
            }
            self.dropped += used as u64;
        }
    }
}

/// The weights for a position `part` of the way from one sample to the next. They sum up to one.
fn weights(part: f64, scale: f64, half: usize) -> Vec<f32> {
    let raw: Vec<f64> = (0..2 * half)
        .map(|i| {
            let distance = i as f64 - (half as f64 - 1.0) - part;
            sinc(distance * scale) * kaiser(distance / half as f64)
        })
        .collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|w| (w / sum) as f32).collect()
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

/// The Kaiser window; `x` is from -1 to 1.
fn kaiser(x: f64) -> f64 {
    let inside = (1.0 - x * x).max(0.0);
    bessel(BETA * inside.sqrt()) / bessel(BETA)
}

/// The modified Bessel function of order zero, by its series.
fn bessel(x: f64) -> f64 {
    let mut sum = 1.0;
    let mut term = 1.0;
    for k in 1..40 {
        let factor = x / (2.0 * f64::from(k));
        term *= factor * factor;
        sum += term;
    }
    sum
}

/// Eight sums side by side, so that the compiler can compute them at once.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
