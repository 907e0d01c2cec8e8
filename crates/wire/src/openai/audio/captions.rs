//! Subtitles: pieces of a transcript with exact times.

use std::{borrow::Cow, fmt};

use types::ask::{Piece, Transcript};

/// One piece with both its ends, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cue<'a> {
    pub start: u64,
    pub end: u64,
    pub piece: &'a Piece,
}

/// The pieces with their ends: an open one ends where the next begins, the last one where the sound does.
pub(super) fn cues<'a>(pieces: &'a [Piece], transcript: &Transcript) -> Vec<Cue<'a>> {
    let begin = |piece: &Piece| milliseconds(piece.start);
    let cue = |(at, piece): (usize, &'a Piece)| {
        let start = begin(piece);
        let end = piece.end.map(milliseconds);
        let next = pieces.get(at + 1).map(begin).filter(|next| *next >= start);
        let end = end.or(next).or(transcript.duration.map(milliseconds)).unwrap_or(start).max(start);
        Cue { start, end, piece }
    };
    pieces.iter().enumerate().map(cue).collect()
}

/// Seconds as whole milliseconds; what is below zero or no number is zero.
pub(super) fn milliseconds(seconds: f64) -> u64 {
    // Casting saturates.
    (seconds * 1000.0).round() as u64
}

/// SubRip.
pub(super) fn srt(cues: &[Cue<'_>]) -> String {
    let mut text = String::new();
    for (at, cue) in cues.iter().enumerate() {
        let (start, end) = (Stamp(cue.start, ','), Stamp(cue.end, ','));
        text += &format!("{}\n{start} --> {end}\n{}\n\n", at + 1, words(&cue.piece.text));
    }
    text
}

/// WebVTT.
pub(super) fn vtt(cues: &[Cue<'_>]) -> String {
    let mut text = String::from("WEBVTT\n\n");
    for cue in cues {
        let (start, end) = (Stamp(cue.start, '.'), Stamp(cue.end, '.'));
        let words = words(&cue.piece.text).replace('&', "&amp;").replace('<', "&lt;");
        text += &format!("{start} --> {end}\n{words}\n\n");
    }
    text
}

/// The words of a cue: a blank line would end it, an arrow would begin another.
fn words(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if !text.contains(['\n', '\r']) && !text.contains("-->") {
        return text.into();
    }
    let lines: Vec<_> = text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("\n").replace("-->", "->").into()
}

/// `HH:MM:SS,mmm`
struct Stamp(u64, char);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(time, mark) = self;
        let (hours, minutes, seconds) = (time / 3_600_000, time / 60_000 % 60, time / 1000 % 60);
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}{mark}{:03}", time % 1000)
    }
}
