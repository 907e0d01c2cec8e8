//! Rates: tones stay, what does not fit is gone, lengths are exact.

use media::audio::{Mix, Pcm, resample};

use super::sounds::{channel, peak, purity, sine};

const RATES: &[u32] = &[8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];

#[test]
fn a_tone_stays_the_same_tone_at_every_rate() {
    for from in RATES {
        for to in RATES {
            let out = resample(&sine(*from, 0.4, &[440.0]), *to, Mix::Keep).unwrap();
            let noise = 1.0 - purity(&out, 0, 440.0);
            assert!(noise < 1e-6, "{from} to {to}: {noise}");
            let expected = (f64::from(*from) * 0.4).round() * f64::from(*to) / f64::from(*from);
            assert_eq!(out.frames(), expected.ceil() as usize, "{from} to {to}");
            assert!((peak(&out) - 0.5).abs() < 0.05, "{from} to {to}: {}", peak(&out));
        }
    }
}

#[test]
fn rates_without_a_common_factor_work_too() {
    for (from, to) in [(44_056, 16_000), (48_000, 44_101), (15_999, 16_001), (1_000, 48_000), (768_000, 1_000)] {
        let out = resample(&sine(from, 0.4, &[100.0]), to, Mix::Keep).unwrap();
        let noise = 1.0 - purity(&out, 0, 100.0);
        assert!(noise < 1e-4, "{from} to {to}: {noise}");
    }
}

#[test]
fn what_the_lower_rate_cannot_hold_is_gone() {
    for tone in [8_500.0, 10_000.0, 15_000.0, 23_000.0] {
        let out = resample(&sine(48_000, 0.4, &[tone]), 16_000, Mix::Keep).unwrap();
        let middle = &out.samples[1_000..5_000];
        let loudest = middle.iter().fold(0.0_f32, |p, s| p.max(s.abs()));
        assert!(loudest < 0.001, "{tone} Hz leaves {loudest}");
    }
}

#[test]
fn a_step_stays_where_it_was() {
    let mut samples = vec![0.0; 4_800];
    samples[2_400..].fill(0.5);
    let out = resample(&Pcm { rate: 48_000, channels: 1, samples }, 16_000, Mix::Keep).unwrap();
    let crossing = out.samples.iter().position(|s| *s >= 0.25).unwrap();
    assert!((799..=801).contains(&crossing), "{crossing}");
    assert!((out.samples[1_200] - 0.5).abs() < 0.001);
}

#[test]
fn channels_stay_apart_or_become_their_mean() {
    let stereo = sine(48_000, 0.4, &[440.0, 880.0]);
    let kept = resample(&stereo, 16_000, Mix::Keep).unwrap();
    assert!(purity(&kept, 0, 440.0) > 0.9999 && purity(&kept, 1, 880.0) > 0.9999);
    let mono = resample(&stereo, 48_000, Mix::Mono).unwrap();
    let (left, right) = (channel(&stereo, 0), channel(&stereo, 1));
    let means = left.iter().zip(&right).map(|(a, b)| f64::midpoint(*a, *b));
    assert!(means.zip(channel(&mono, 0)).all(|(a, b)| (a - b).abs() < 1e-6));
    assert_eq!(resample(&stereo, 48_000, Mix::Keep).unwrap(), stereo);
}

#[test]
fn rates_that_no_sound_has_are_refused() {
    for rate in [0, 999, 768_001, u32::MAX] {
        assert!(resample(&sine(16_000, 0.1, &[440.0]), rate, Mix::Keep).is_err());
        assert!(resample(&Pcm { rate, channels: 1, samples: vec![0.0] }, 16_000, Mix::Keep).is_err());
    }
}
