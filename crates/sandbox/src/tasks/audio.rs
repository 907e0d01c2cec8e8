//! Speech and transcription as all backends need them: text made into files of sound, and sound made into text.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::media::hear::{Heard, hear};
use crate::media::{flac, tones, wav};
use crate::reply::{Content, Reply};

/// The text spoken, in a format; none if this sandbox cannot make it.
pub(super) fn spoken(text: &str, format: &str) -> Option<(&'static str, Vec<u8>)> {
    Some(match format {
        "wav" => ("audio/wav", wav::write(&tones::spoken(text), tones::RATE)),
        "flac" => ("audio/flac", flac::write(&tones::spoken(text))),
        "mp3" => ("audio/mpeg", wav::mp3(text)),
        "pcm" => ("audio/pcm", tones::spoken(text).iter().flat_map(|sample| sample.to_le_bytes()).collect()),
        _ => return None,
    })
}

/// The sound at once, or in pieces if the settings say so.
pub(super) fn sent(ask: &Ask, media: &str, sound: Vec<u8>) -> Reply {
    let reply = Reply::whole(200, media, sound);
    let gap = ask.knobs.gap();
    match (&reply.content, ask.knobs.chunks) {
        (Content::Whole(body), Some(count)) => {
            let size = body.len().div_ceil(count.max(1)).max(1);
            let frames = body.chunks(size).map(Bytes::copy_from_slice).collect();
            Reply { content: Content::Events { frames, gap }, ..reply }
        }
        (Content::Whole(body), None) if gap > Duration::ZERO => {
            let frames = body.chunks(8192).map(Bytes::copy_from_slice).collect();
            Reply { content: Content::Events { frames, gap }, ..reply }
        }
        _ => reply,
    }
}

/// What was heard; translated, if that was asked.
pub(super) fn listen(bytes: &[u8], ask: &Ask, translate: bool) -> Heard {
    let mut heard = hear(bytes);
    if let Some(answer) = &ask.knobs.answer {
        heard.text.clone_from(answer);
    }
    if translate {
        heard.text = format!("translation: {}", heard.text);
    }
    heard
}

/// One stretch of a transcript.
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) start: f64,
    pub(super) end: f64,
}

impl Piece {
    /// As whisper's pipeline has it; nobody knows when the last one ends.
    pub(super) fn chunk(&self, open: bool) -> Value {
        json!({"text": self.text, "timestamp": [self.start, if open { Value::Null } else { json!(self.end) }]})
    }

    pub(super) fn segment(&self, id: usize) -> Value {
        json!({"id": id, "start": self.start, "end": self.end, "text": self.text})
    }

    pub(super) fn word(&self) -> Value {
        json!({"word": self.text.trim(), "start": self.start, "end": self.end})
    }
}

/// The text in pieces of so many words, each beginning with a space; time passes as the letters do.
pub(super) fn pieces(heard: &Heard, words: usize) -> Vec<Piece> {
    let all: Vec<&str> = heard.text.split_whitespace().collect();
    let letters = all.iter().map(|word| word.len()).sum::<usize>().max(1) as f64;
    let seconds = f64::from(heard.seconds.unwrap_or(1.0));
    let mut passed = 0;
    let rounded = |letters_passed: usize| (seconds * letters_passed as f64 / letters * 100.0).round() / 100.0;
    all.chunks(words.max(1))
        .map(|words| {
            let start = rounded(passed);
            passed += words.iter().map(|word| word.len()).sum::<usize>();
            Piece { text: format!(" {}", words.join(" ")), start, end: rounded(passed) }
        })
        .collect()
}

/// How many words a segment has.
pub(super) const SEGMENT: usize = 4;
