//! What is written, read back.

use media::audio::{Limits, Pcm, decode, encode};
use media::{Kind, MediaError, sniff};
use types::ask::AudioFormat;

use super::sounds::{channel, peak, purity, sine};

#[test]
fn wav_and_flac_give_back_every_sample() {
    for tones in [&[440.0][..], &[440.0, 880.0]] {
        let sound = sine(22_050, 0.3, tones);
        for (format, kind) in [(AudioFormat::Wav, Kind::Wav), (AudioFormat::Flac, Kind::Flac)] {
            let file = encode(&sound, format).unwrap();
            assert_eq!(sniff(&file), Some(kind));
            let back = decode(&file, &Limits::default()).unwrap();
            assert_eq!((back.rate, back.channels, back.samples.len()), (22_050, tones.len(), sound.samples.len()));
            let worst = back.samples.iter().zip(&sound.samples).fold(0.0_f32, |w, (a, b)| w.max((a - b).abs()));
            assert!(worst <= 0.5 / 32768.0, "{worst}");
            // What was 16 bit once stays as it is.
            assert_eq!(encode(&back, format).unwrap(), file);
        }
    }
}

#[test]
fn pcm_is_24_khz_16_bit_little_endian_mono() {
    let bytes = encode(&sine(48_000, 0.5, &[440.0, 440.0]), AudioFormat::Pcm).unwrap();
    assert_eq!(bytes.len(), 12_000 * 2);
    let back = Pcm::from_s16le(&bytes, 24_000, 1);
    assert!(purity(&back, 0, 440.0) > 0.9999);
    assert!((peak(&back) - 0.5).abs() < 0.01);
}

#[test]
fn mp3_and_opus_give_back_the_tone() {
    for (format, kind) in [(AudioFormat::Mp3, Kind::Mp3), (AudioFormat::Opus, Kind::OggOpus)] {
        for rate in [16_000, 22_050, 24_000, 44_100, 48_000] {
            for tones in [&[440.0][..], &[440.0, 880.0]] {
                let file = encode(&sine(rate, 0.5, tones), format).unwrap();
                assert_eq!(sniff(&file), Some(kind), "{format:?} {rate}");
                let back = decode(&file, &Limits::default()).unwrap();
                assert_eq!(back.channels, tones.len());
                assert!((back.seconds() - 0.5).abs() < 0.06, "{format:?} {rate}: {}", back.seconds());
                for (number, tone) in tones.iter().enumerate() {
                    let pure = purity(&back, number, *tone);
                    assert!(pure > 0.98, "{format:?} {rate} {tones:?}: {pure}");
                }
            }
        }
    }
}

#[test]
fn an_opus_file_is_exactly_as_long_as_the_sound() {
    for frames in [1_usize, 100, 959, 960, 24_000, 24_001] {
        let sound = Pcm { rate: 48_000, channels: 1, samples: vec![0.1; frames] };
        let back = decode(&encode(&sound, AudioFormat::Opus).unwrap(), &Limits::default()).unwrap();
        assert_eq!(back.frames(), frames);
    }
}

#[test]
fn more_than_two_channels_are_mixed_where_the_format_has_two() {
    let sound = sine(48_000, 0.3, &[440.0; 6]);
    for format in [AudioFormat::Mp3, AudioFormat::Opus] {
        let back = decode(&encode(&sound, format).unwrap(), &Limits::default()).unwrap();
        assert_eq!(back.channels, 1);
        assert!(purity(&back, 0, 440.0) > 0.98);
    }
    let back = decode(&encode(&sound, AudioFormat::Flac).unwrap(), &Limits::default()).unwrap();
    assert_eq!(back.channels, 6);
    assert!(purity(&back, 5, 440.0) > 0.9999);
}

#[test]
fn too_loud_a_sound_is_clipped_and_not_wrapped() {
    let mut sound = sine(16_000, 0.2, &[440.0]);
    sound.samples.iter_mut().for_each(|s| *s *= 8.0);
    let back = decode(&encode(&sound, AudioFormat::Wav).unwrap(), &Limits::default()).unwrap();
    assert!(channel(&back, 0).iter().zip(&sound.samples).all(|(a, b)| a * f64::from(*b) >= 0.0));
    sound.samples[0] = f32::NAN;
    sound.samples[1] = f32::INFINITY;
    for format in [AudioFormat::Wav, AudioFormat::Flac, AudioFormat::Mp3, AudioFormat::Opus, AudioFormat::Pcm] {
        assert!(encode(&sound, format).is_ok(), "{format:?}");
    }
}

#[test]
fn aac_is_refused_with_what_to_ask_for() {
    let error = encode(&sine(16_000, 0.1, &[440.0]), AudioFormat::Aac).unwrap_err();
    assert_eq!(error, MediaError::CannotEncode(AudioFormat::Aac));
    assert_eq!(error.to_string(), "sound cannot be converted to aac here; ask for wav, flac, mp3, opus or pcm");
}

#[test]
fn sound_of_no_length_is_a_file_of_no_length() {
    for format in [AudioFormat::Wav, AudioFormat::Flac, AudioFormat::Mp3, AudioFormat::Opus, AudioFormat::Pcm] {
        let empty = Pcm { rate: 24_000, channels: 1, samples: Vec::new() };
        assert!(encode(&empty, format).is_ok(), "{format:?}");
    }
}

#[test]
fn sound_that_cannot_be_is_refused() {
    for pcm in [Pcm { rate: 24_000, channels: 0, samples: vec![0.0] }, Pcm { rate: 0, channels: 1, samples: vec![0.0] }]
    {
        for format in [AudioFormat::Wav, AudioFormat::Flac, AudioFormat::Mp3, AudioFormat::Opus, AudioFormat::Pcm] {
            assert!(encode(&pcm, format).is_err(), "{format:?}");
        }
    }
    let nine = Pcm { rate: 24_000, channels: 9, samples: vec![0.0; 90] };
    assert!(encode(&nine, AudioFormat::Flac).unwrap_err().to_string().contains("9 channels"));
}
