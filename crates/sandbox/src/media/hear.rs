//! What is in a recording: the text of this sandbox's own tones, or a description of bytes that say nothing to it.

use super::{flac, hex, sniff, tones, wav};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Heard {
    pub(crate) text: String,
    /// How long it is, if that could be told.
    pub(crate) seconds: Option<f32>,
}

/// Listens to a file.
pub(crate) fn hear(bytes: &[u8]) -> Heard {
    if let Some(text) = wav::mp3_text(bytes) {
        return Heard { text, seconds: None };
    }
    let sound = wav::read(bytes).or_else(|| flac::read(bytes));
    let seconds = sound.as_ref().filter(|(_, rate)| *rate > 0).map(|(all, rate)| all.len() as f32 / *rate as f32);
    match sound.and_then(|(samples, rate)| tones::heard(&samples, rate)) {
        Some(text) => Heard { text, seconds },
        None => {
            let kind = sniff::kind(bytes).map_or("application/octet-stream", |(media, _)| media);
            Heard { text: format!("heard {} bytes of {kind} {}", bytes.len(), hex(bytes)), seconds }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{flac, hear, tones, wav};

    #[test]
    fn every_format_says_its_text() {
        let samples = tones::spoken("ok go");
        for file in [wav::write(&samples, tones::RATE), flac::write(&samples), wav::mp3("ok go")] {
            assert_eq!(hear(&file).text, "ok go");
        }
        let half: Vec<i16> = samples.chunks(2).map(|two| two[0]).collect();
        let heard = hear(&wav::write(&half, 8000));
        assert_eq!((heard.text.as_str(), heard.seconds), ("ok go", Some(0.28)));
    }

    #[test]
    fn other_bytes_are_described() {
        assert_eq!(hear(b"OggS....").text, format!("heard 8 bytes of audio/ogg {}", super::hex(b"OggS....")));
    }
}
