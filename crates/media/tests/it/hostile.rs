//! Files that were damaged by accident or on purpose: an error or some sound, never a panic, never without end.

use std::sync::LazyLock;

use media::audio::{Limits, Mix, decode, decode_as, duration};
use media::sniff;
use proptest::prelude::*;

use super::sounds::{SOUNDS, bytes};

static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let others = ["speex.ogg", "surround.opus", "tone.au"];
    SOUNDS.iter().map(|s| s.name).chain(others).map(bytes).collect()
});

/// Small enough that a file which claims hours is refused soon.
const LIMITS: Limits = Limits { bytes: 1 << 20, decoded: 500_000, kept: 500_000, channels: 8 };

fn survive(file: &[u8]) {
    let _ = sniff(file);
    let seconds = duration(file);
    assert!(seconds.is_none_or(f64::is_finite));
    if let Ok(pcm) = decode(file, &LIMITS) {
        assert!(pcm.samples.len() <= LIMITS.kept && pcm.channels > 0 && !pcm.samples.is_empty());
    }
}

/// So many cases, or more if the environment asks for more (`PROPTEST_CASES`), as the long run of the tests does.
fn cases(at_least: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(at_least), ..asked }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn no_changed_bytes_can_break_it(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut file = which.get(&FILES).clone();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        survive(&file);
    }

    #[test]
    fn no_changed_head_can_break_it(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((0_usize..400, prop::sample::select(vec![0_u8, 1, 0x7F, 0x80, 0xFF])), 1..8),
    ) {
        let mut file = which.get(&FILES).clone();
        for (at, byte) in changes {
            let at = at % file.len();
            file[at] = byte;
        }
        survive(&file);
    }

    #[test]
    fn no_cut_and_no_splice_can_break_it(
        first in any::<prop::sample::Index>(),
        second in any::<prop::sample::Index>(),
        end in any::<prop::sample::Index>(),
        start in any::<prop::sample::Index>(),
    ) {
        let (first, second) = (first.get(&FILES), second.get(&FILES));
        let file = [&first[..end.index(first.len())], &second[start.index(second.len())..]].concat();
        survive(&file);
    }

    #[test]
    fn no_made_up_bytes_can_break_it(
        magic in prop::sample::select(vec![&b"RIFF\0\0\0\0WAVEfmt "[..], b"OggS\0\x02", b"fLaC", b"\x1A\x45\xDF\xA3", b"\0\0\0\x18ftypM4A ", b"caff\0\x01", b"\xFF\xFB\x90", b"\xFF\xF1\x50", b"ID3\x04"]),
        rest in prop::collection::vec(any::<u8>(), 0..2_000),
    ) {
        survive(&[magic, &rest].concat());
    }
}

#[test]
fn every_beginning_of_every_file_is_survived() {
    for file in FILES.iter() {
        for end in (0..file.len()).step_by(file.len() / 40 + 1) {
            survive(&file[..end]);
        }
    }
}

#[test]
fn a_rate_out_of_this_world_is_refused() {
    let mut file = bytes("tone.wav");
    for rate in [0_u32, 1, 999, 4_000_000_000] {
        file[24..28].copy_from_slice(&rate.to_le_bytes());
        assert!(decode_as(&file, &LIMITS, 16_000, Mix::Mono).is_err(), "{rate}");
    }
}
