//! What comes out of files of every format.

use media::audio::{Limits, Mix, Pcm, decode, decode_as, duration, encode, resample};
use media::{Kind, MediaError};
use types::ask::AudioFormat;

use super::sounds::{SOUNDS, bytes, peak, purity, sine};

#[test]
fn every_format_gives_its_tone() {
    for sound in SOUNDS {
        let name = sound.name;
        let pcm = decode(&bytes(name), &Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((pcm.rate, pcm.channels), (sound.rate, sound.channels), "{name}");
        assert!((pcm.seconds() - sound.seconds).abs() < 0.08, "{name} lasts {}", pcm.seconds());
        assert!(peak(&pcm) > 0.3 && peak(&pcm) < 0.9, "{name} peaks at {}", peak(&pcm));
        for (number, tone) in [440.0, 880.0].into_iter().enumerate().take(pcm.channels) {
            let pure = purity(&pcm, number, tone);
            assert!(pure > 0.97, "{name}, channel {number}: {pure}");
        }
    }
}

#[test]
fn formats_without_loss_or_with_trimming_give_the_very_length() {
    for name in ["tone.wav", "tone.aiff", "tone.caf", "tone.flac", "flac.oga", "alac.m4a"] {
        assert_eq!(decode(&bytes(name), &Limits::default()).unwrap().frames(), 8_000, "{name}");
    }
    let (wav, flac) = (bytes("tone.wav"), bytes("tone.flac"));
    assert_eq!(decode(&wav, &Limits::default()).unwrap(), decode(&flac, &Limits::default()).unwrap());
    for (name, frames) in [("voice.opus", 24_000), ("stereo.opus", 24_000), ("vorbis.ogg", 22_050)] {
        assert_eq!(decode(&bytes(name), &Limits::default()).unwrap().frames(), frames, "{name}");
    }
}

#[test]
fn every_format_becomes_what_transcription_wants() {
    for sound in SOUNDS {
        let name = sound.name;
        let pcm = decode_as(&bytes(name), &Limits::default(), 16_000, Mix::Mono).unwrap();
        assert_eq!((pcm.rate, pcm.channels), (16_000, 1), "{name}");
        assert!((pcm.seconds() - sound.seconds).abs() < 0.08, "{name} lasts {}", pcm.seconds());
        if sound.channels == 1 {
            assert!(purity(&pcm, 0, 440.0) > 0.97, "{name}");
        } else {
            let (low, high) = (purity(&pcm, 0, 440.0), purity(&pcm, 0, 880.0));
            assert!((low - 0.5).abs() < 0.05 && (high - 0.5).abs() < 0.05, "{name}: {low} and {high}");
        }
    }
}

#[test]
fn decoding_at_another_rate_gives_what_decoding_and_resampling_give() {
    let file = bytes("stereo.opus");
    let at_once = decode_as(&file, &Limits::default(), 16_000, Mix::Mono).unwrap();
    let after = resample(&decode(&file, &Limits::default()).unwrap(), 16_000, Mix::Mono).unwrap();
    assert_eq!(at_once, after);
}

#[test]
fn the_length_is_known_without_decoding() {
    for sound in SOUNDS {
        let seconds = duration(&bytes(sound.name));
        let seconds = seconds.unwrap_or_else(|| panic!("{} has no length", sound.name));
        assert!((seconds - sound.seconds).abs() < 0.08, "{}: {seconds}", sound.name);
    }
    assert_eq!(duration(b"no sound at all"), None);
    assert_eq!(duration(b""), None);
}

#[test]
fn a_wav_that_was_written_as_a_stream_claims_anything_and_is_as_long_as_it_is() {
    let mut file = bytes("tone.wav");
    for at in [4, memchr::memmem::find(&file, b"data").unwrap() + 4] {
        file[at..at + 4].copy_from_slice(&[0xFF; 4]);
    }
    assert_eq!(decode(&file, &Limits::default()).unwrap().frames(), 8_000);
    let seconds = duration(&file).unwrap();
    assert!((seconds - 0.5).abs() < 0.01, "{seconds}");
}

#[test]
fn a_file_that_is_cut_off_gives_what_it_has() {
    // Ogg and FLAC have pages and blocks that count only when they are whole: these must be longer to have some.
    let long = sine(16_000, 3.0, &[440.0]);
    let (flac, opus) = (encode(&long, AudioFormat::Flac).unwrap(), encode(&long, AudioFormat::Opus).unwrap());
    // WebM and MP4 are written as browsers record them; their finished forms say their length first, and are refused.
    let names = ["tone.wav", "tone-stereo.mp3", "browser.webm", "safari.mp4", "tone.aac"];
    for (name, file, whole) in
        names.map(|n| (n, bytes(n), 0.5)).into_iter().chain([("flac", flac, 3.0), ("opus", opus, 3.0)])
    {
        let half = &file[..file.len() * 2 / 3];
        let pcm = decode(half, &Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(pcm.seconds() > whole / 4.0 && pcm.seconds() < whole * 0.9, "{name}: {}", pcm.seconds());
    }
}

#[test]
fn a_voice_note_that_is_broken_in_the_middle_does_not_pass_for_a_shorter_one() {
    let mut file = encode(&sine(16_000, 3.0, &[440.0]), AudioFormat::Opus).unwrap();
    let middle = file.len() / 2;
    file[middle] ^= 1;
    let error = decode(&file, &Limits::default()).unwrap_err();
    assert!(matches!(error, MediaError::Damaged { kind: Kind::OggOpus, .. }), "{error}");
}

#[test]
fn a_finished_film_that_is_cut_off_is_damaged() {
    for name in ["vorbis.webm", "tone-stereo.m4a"] {
        let file = bytes(name);
        let error = decode(&file[..file.len() * 2 / 3], &Limits::default()).unwrap_err();
        assert!(matches!(error, MediaError::Damaged { .. }), "{name}: {error}");
    }
}

#[test]
fn what_cannot_be_decoded_is_refused_by_name() {
    let refusal = |file: &[u8]| decode(file, &Limits::default()).unwrap_err();
    for (name, kind) in [("tone.au", Kind::Au), ("speex.ogg", Kind::Ogg), ("surround.opus", Kind::OggOpus)] {
        let error = refusal(&bytes(name));
        let text = error.to_string();
        assert!(matches!(&error, MediaError::CannotDecode { kind: k, .. } if *k == kind), "{name}: {error:?}");
        assert!(text.contains(kind.name()), "{name}: {text}");
    }
    assert_eq!(refusal(b"\x89PNG\r\n\x1a\n rest").to_string(), "the file is PNG (image/png), not sound");
    assert_eq!(refusal(b"plain text"), MediaError::Unknown);
    assert_eq!(refusal(b""), MediaError::Unknown);
    assert!(matches!(refusal(b"#!AMR\n\x3c rest"), MediaError::CannotDecode { kind: Kind::Amr, .. }));
}

#[test]
fn a_file_without_sound_says_so() {
    let mut empty = bytes("tone.wav")[..44].to_vec();
    empty[36..44].copy_from_slice(b"data\0\0\0\0");
    let error = decode(&empty, &Limits::default()).unwrap_err();
    assert_eq!(error, MediaError::Silent(Kind::Wav), "{error}");
}

#[test]
fn every_limit_is_kept() {
    let file = bytes("stereo.opus");
    let refused = |limits: Limits| decode(&file, &limits).unwrap_err();
    let all = Limits::default();
    assert_eq!(refused(Limits { bytes: 100, ..all }), MediaError::TooLarge { bytes: file.len(), limit: 100 });
    assert_eq!(refused(Limits { decoded: 9_600, ..all }), MediaError::TooLong { limit: 9_600 });
    assert_eq!(refused(Limits { kept: 9_600, ..all }), MediaError::TooLong { limit: 9_600 });
    assert_eq!(refused(Limits { channels: 1, ..all }), MediaError::TooManyChannels { channels: 2, limit: 1 });
    // What is kept is what comes out: a third of the samples of one channel here.
    let small = Limits { kept: 8_500, ..all };
    assert_eq!(decode_as(&file, &small, 16_000, Mix::Mono).unwrap().frames(), 8_000);
    assert_eq!(decode_as(&file, &all, 10, Mix::Mono), Err(MediaError::Rate(10)));
}

#[test]
fn half_an_hour_of_packed_silence_is_refused_by_its_samples() {
    let silence = Pcm { rate: 48_000, channels: 1, samples: vec![0.0; 480_000] };
    let file = encode(&silence, AudioFormat::Flac).unwrap();
    assert!(file.len() < 10_000, "{}", file.len());
    let limits = Limits { decoded: 240_000, ..Limits::default() };
    assert_eq!(decode(&file, &limits).unwrap_err(), MediaError::TooLong { limit: 240_000 });
}

#[test]
fn bare_samples_are_read_as_they_are() {
    let pcm = Pcm::from_s16le(&[0, 0x40, 0, 0x80, 0xFF, 0x7F, 1], 24_000, 1);
    assert_eq!(pcm.samples, [0.5, -1.0, 32767.0 / 32768.0]);
    assert_eq!(Pcm::from_s16le(&[0; 6], 24_000, 2).frames(), 1);
    assert_eq!(sine(8_000, 1.0, &[100.0]).seconds(), 1.0);
}
