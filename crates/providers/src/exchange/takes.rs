//! Which sound each backend takes as it is, and what the rest must be made into.

use types::ask::AudioFormat;

use super::Flow;

/// What becomes of a sound before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// It goes as it is, under this media type.
    AsIs(&'static str),
    /// It is to be decoded and made into this first: 16 kHz, one channel.
    Convert(AudioFormat),
    /// It is no sound.
    Refuse,
}

/// What sound can be, by the names that bytes are sniffed as and callers use, and what it is called here.
const SOUNDS: &[(&str, &str)] = &[
    ("audio/mpeg", "audio/mpeg"),
    ("audio/mp3", "audio/mpeg"),
    ("audio/wav", "audio/wav"),
    ("audio/wave", "audio/wav"),
    ("audio/x-wav", "audio/wav"),
    ("audio/vnd.wave", "audio/wav"),
    ("audio/flac", "audio/flac"),
    ("audio/x-flac", "audio/flac"),
    ("audio/ogg", "audio/ogg"),
    ("application/ogg", "audio/ogg"),
    ("video/ogg", "audio/ogg"),
    ("audio/opus", "audio/ogg"),
    ("audio/webm", "audio/webm"),
    ("video/webm", "audio/webm"),
    ("audio/mp4", "audio/mp4"),
    ("audio/x-m4a", "audio/mp4"),
    ("audio/m4a", "audio/mp4"),
    ("video/mp4", "audio/mp4"),
    ("audio/aac", "audio/aac"),
    ("audio/aiff", "audio/aiff"),
    ("audio/x-aiff", "audio/aiff"),
    ("audio/x-caf", "audio/x-caf"),
    ("audio/amr", "audio/amr"),
    ("audio/basic", "audio/basic"),
    ("video/x-matroska", "audio/x-matroska"),
    ("audio/x-matroska", "audio/x-matroska"),
];

impl Flow {
    /// What becomes of sound of this media type, which must be what its bytes are.
    pub fn takes(self, media_type: &str) -> Takes {
        let known = SOUNDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(media_type)).map(|(_, known)| *known);
        let Some(sound) = known else { return Takes::Refuse };
        match self {
            Self::Fal => fal(sound),
            Self::HfInference | Self::Replicate => match sound {
                "audio/aiff" | "audio/basic" | "audio/x-caf" | "audio/x-matroska" => Takes::Convert(AudioFormat::Flac),
                known => Takes::AsIs(known),
            },
            Self::Together | Self::Openai => match sound {
                known @ ("audio/mpeg" | "audio/wav" | "audio/flac" | "audio/ogg" | "audio/webm" | "audio/mp4") => {
                    Takes::AsIs(known)
                }
                _ => Takes::Convert(AudioFormat::Wav),
            },
            _ => Takes::Refuse,
        }
    }
}

/// fal looks at the label first: only these three are taken. FLAC is, under MP3's.
const fn fal(sound: &'static str) -> Takes {
    match sound.as_bytes() {
        b"audio/mpeg" | b"audio/flac" => Takes::AsIs("audio/mpeg"),
        b"audio/wav" => Takes::AsIs("audio/x-wav"),
        b"audio/webm" => Takes::AsIs("video/webm"),
        _ => Takes::Convert(AudioFormat::Flac),
    }
}

/// Every kind of sound, once.
pub(crate) fn kinds() -> Vec<&'static str> {
    let mut kinds: Vec<_> = SOUNDS.iter().map(|(_, kind)| *kind).collect();
    kinds.dedup();
    kinds
}

/// The usual ending of a file of this type.
pub(super) fn extension(media_type: &str) -> &'static str {
    match media_type {
        "audio/mpeg" => "mp3",
        "audio/flac" => "flac",
        "audio/ogg" => "ogg",
        "audio/webm" => "webm",
        "audio/mp4" => "m4a",
        _ => "wav",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_goes_under_the_label_that_the_backend_takes() {
        for (flow, kind, want) in [
            (Flow::Fal, "audio/wav", Takes::AsIs("audio/x-wav")),
            (Flow::Fal, "audio/mp3", Takes::AsIs("audio/mpeg")),
            (Flow::Fal, "audio/flac", Takes::AsIs("audio/mpeg")),
            (Flow::Fal, "audio/webm", Takes::AsIs("video/webm")),
            (Flow::Fal, "audio/ogg", Takes::Convert(AudioFormat::Flac)),
            (Flow::Fal, "audio/mp4", Takes::Convert(AudioFormat::Flac)),
            (Flow::HfInference, "audio/x-m4a", Takes::AsIs("audio/mp4")),
            (Flow::HfInference, "AUDIO/FLAC", Takes::AsIs("audio/flac")),
            (Flow::Together, "audio/aac", Takes::Convert(AudioFormat::Wav)),
            (Flow::Openai, "audio/ogg", Takes::AsIs("audio/ogg")),
            (Flow::Fal, "image/png", Takes::Refuse),
            (Flow::HfInference, "video/x-msvideo", Takes::Refuse),
            (Flow::Nebius, "audio/wav", Takes::Refuse),
        ] {
            assert_eq!(flow.takes(kind), want, "{flow:?} {kind}");
        }
    }

    #[test]
    fn a_label_that_was_given_is_taken_as_it_is() {
        for flow in [Flow::Fal, Flow::HfInference, Flow::Replicate, Flow::Together, Flow::Openai] {
            for kind in kinds() {
                if let Takes::AsIs(label) = flow.takes(kind) {
                    assert_eq!(flow.takes(label), Takes::AsIs(label), "{flow:?} {kind}");
                }
            }
        }
    }

    #[test]
    fn what_sound_is_converted_into_is_taken() {
        for flow in [Flow::Fal, Flow::HfInference, Flow::Replicate, Flow::Together, Flow::Openai] {
            for kind in kinds() {
                if let Takes::Convert(format) = flow.takes(kind) {
                    assert!(matches!(flow.takes(format.media_type()), Takes::AsIs(_)), "{flow:?} {kind}");
                }
            }
        }
    }
}
