//! Text as sound and back: every byte is two tones at once for 40 ms, one for each of its halves.
//!
//! The upper half `h` sounds at `600 + 100 h` Hz, the lower half `l` at `2300 + 100 l` Hz. Two bytes of a checksum (Fletcher-16)
//! follow the text. The tones survive resampling down to 8 kHz and most codecs, and a start that is up to 100 ms late.

use std::f32::consts::TAU;

/// Samples a second of what is spoken here.
pub(crate) const RATE: u32 = 16_000;
/// How long one byte sounds, in milliseconds.
const SLOT: usize = 40;
const LOUD: f32 = 0.3;

fn frequencies(byte: u8) -> (f32, f32) {
    (high(byte >> 4), low(byte & 15))
}

fn high(half: u8) -> f32 {
    600.0 + 100.0 * f32::from(half)
}

fn low(half: u8) -> f32 {
    2300.0 + 100.0 * f32::from(half)
}

fn checksum(text: &[u8]) -> [u8; 2] {
    let (mut one, mut two) = (0_u16, 0_u16);
    for byte in text {
        one = (one + u16::from(*byte)) % 255;
        two = (two + one) % 255;
    }
    [one.to_le_bytes()[0], two.to_le_bytes()[0]]
}

fn slot(rate: u32) -> usize {
    rate as usize * SLOT / 1000
}

/// The text as samples at `RATE`, mono.
pub(crate) fn spoken(text: &str) -> Vec<i16> {
    let slot = slot(RATE);
    let mut out = Vec::with_capacity((text.len() + 2) * slot);
    for byte in text.bytes().chain(checksum(text.as_bytes())) {
        let (high, low) = frequencies(byte);
        let mut at = (0.0_f32, 0.0_f32);
        let step = (TAU * high / RATE as f32, TAU * low / RATE as f32);
        for _ in 0..slot {
            out.push((LOUD * (at.0.sin() + at.1.sin()) * 32_767.0) as i16);
            at = ((at.0 + step.0) % TAU, (at.1 + step.1) % TAU);
        }
    }
    out
}

/// How strongly a frequency sounds in some samples.
fn power(samples: &[f32], rate: u32, frequency: f32) -> f32 {
    let turn = 2.0 * (TAU * frequency / rate as f32).cos();
    let (mut one, mut two) = (0.0_f32, 0.0_f32);
    for sample in samples {
        (one, two) = (sample + turn * one - two, one);
    }
    one * one + two * two - turn * one * two
}

/// The loudest of sixteen tones, if it is clearly louder than all others together.
fn loudest(samples: &[f32], rate: u32, tone: fn(u8) -> f32) -> Option<u8> {
    let powers: Vec<f32> = (0..16).map(|half| power(samples, rate, tone(half))).collect();
    let (best, loud) = (0..16_u8).zip(&powers).max_by(|a, b| a.1.total_cmp(b.1))?;
    let all: f32 = powers.iter().sum();
    (*loud > all * 0.5 && *loud > 1e-6).then_some(best)
}

fn byte(samples: &[f32], rate: u32) -> Option<u8> {
    Some(loudest(samples, rate, high)? << 4 | loudest(samples, rate, low)?)
}

/// The text that samples between -1 and 1 speak, if it is this code.
pub(crate) fn heard(samples: &[f32], rate: u32) -> Option<String> {
    if !(8_000..=192_000).contains(&rate) {
        return None;
    }
    let slot = slot(rate);
    // Codecs begin late, some with silence.
    (0..=40).find_map(|try_at| heard_from(samples.get(try_at * slot / 16..)?, rate, slot))
}

fn heard_from(samples: &[f32], rate: u32, slot: usize) -> Option<String> {
    let mut bytes = Vec::new();
    for samples in samples.chunks(slot) {
        // The middle of a slot is enough, and says the same when the start is a little off.
        let middle = samples.get(slot / 8..samples.len().min(slot - slot / 8)).unwrap_or_default();
        if middle.len() < slot / 2 {
            break;
        }
        match byte(middle, rate) {
            Some(byte) => bytes.push(byte),
            None if bytes.is_empty() => return None,
            None => break,
        }
    }
    let (text, sum) = bytes.split_last_chunk::<2>()?;
    if checksum(text) != *sum {
        return None;
    }
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::{RATE, heard, spoken};

    fn floats(samples: &[i16]) -> Vec<f32> {
        samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect()
    }

    #[test]
    fn what_is_spoken_is_heard() {
        for text in ["a", "hello there", "Zwölf Boxkämpfer — 1 2 3?!", &"long ".repeat(40)] {
            assert_eq!(heard(&floats(&spoken(text)), RATE).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_late_start_half_the_rate_and_a_tail_do_no_harm() {
        let mut late = vec![0.0; 700];
        late.extend(floats(&spoken("late but whole")));
        late.extend([0.0; 3000]);
        assert_eq!(heard(&late, RATE).as_deref(), Some("late but whole"));
        let half: Vec<f32> = late.chunks(2).map(|two| two.iter().sum::<f32>() / 2.0).collect();
        assert_eq!(heard(&half, RATE / 2).as_deref(), Some("late but whole"));
    }

    #[test]
    fn other_sound_is_no_text() {
        assert_eq!(heard(&[0.0; 16_000], RATE), None);
        let noise: Vec<f32> = (0..16_000_u64).map(|n| (super::super::mixed(n) % 2000) as f32 / 1000.0 - 1.0).collect();
        assert_eq!(heard(&noise, RATE), None);
    }
}
