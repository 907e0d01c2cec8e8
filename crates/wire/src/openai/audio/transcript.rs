//! Writing what was heard, in each of the formats, and as events.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{
    Fault, Kind, Result, Sent,
    ask::{Piece, Transcript, TranscriptFormat, TranscriptionAsk},
};

use super::captions::{self, Cue};

/// A transcript as the caller gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes.
    pub body: Bytes,
}

/// Writes a transcript as `ask` wants it.
///
/// Of a segment's members only those are written whose value is known: the log probability, the compression ratio and
/// the probability of silence are Whisper's own, and no backend tells them.
///
/// # Errors
/// `UpstreamBadReply` when the format needs times and neither times nor the length of the sound are known.
pub fn transcript(transcript: &Transcript, ask: &TranscriptionAsk) -> Result<Written> {
    const PLAIN: &str = "text/plain; charset=utf-8";
    let (content_type, body) = match ask.format {
        TranscriptFormat::Json => ("application/json", plain(transcript).to_string()),
        TranscriptFormat::Text => (PLAIN, format!("{}\n", transcript.text.trim())),
        TranscriptFormat::VerboseJson => ("application/json", verbose(transcript, ask).to_string()),
        TranscriptFormat::Srt => (PLAIN, captions::srt(&timed(transcript, &mut None)?)),
        TranscriptFormat::Vtt => ("text/vtt; charset=utf-8", captions::vtt(&timed(transcript, &mut None)?)),
    };
    Ok(Written { content_type, body: body.into() })
}

fn plain(transcript: &Transcript) -> Value {
    let mut answer = json!({"text": transcript.text});
    if let Some(usage) = usage(transcript) {
        answer["usage"] = usage;
    }
    answer
}

fn usage(transcript: &Transcript) -> Option<Value> {
    let seconds = transcript.duration.filter(|seconds| seconds.is_finite())?;
    Some(json!({"type": "duration", "seconds": seconds.ceil() as u64}))
}

fn verbose(transcript: &Transcript, ask: &TranscriptionAsk) -> Value {
    let mut answer = Map::new();
    answer.insert("task".into(), if ask.translate { "translate" } else { "transcribe" }.into());
    let language = transcript.language.as_deref().or(ask.language.as_deref());
    // The schema wants a text.
    answer.insert("language".into(), language.unwrap_or("unknown").into());
    let ends = transcript.segments.iter().chain(&transcript.words).filter_map(|piece| piece.end);
    let duration = transcript.duration.or_else(|| ends.max_by(f64::total_cmp));
    if let Some(duration) = duration {
        answer.insert("duration".into(), seconds(duration));
    }
    answer.insert("text".into(), transcript.text.as_str().into());
    if ask.segments {
        answer.insert("segments".into(), segments(transcript, ask).into());
    }
    if ask.words {
        let words = captions::cues(&transcript.words, transcript);
        let word =
            |cue: &Cue<'_>| json!({"word": cue.piece.text.trim(), "start": time(cue.start), "end": time(cue.end)});
        answer.insert("words".into(), words.iter().map(word).collect());
    }
    if let Some(usage) = usage(transcript) {
        answer.insert("usage".into(), usage);
    }
    answer.into()
}

fn segments(transcript: &Transcript, ask: &TranscriptionAsk) -> Vec<Value> {
    let cues = captions::cues(&transcript.segments, transcript);
    let segment = |(id, cue): (usize, &Cue<'_>)| {
        let mut segment = json!({"id": id, "seek": 0, "start": time(cue.start), "end": time(cue.end),
            "text": cue.piece.text, "tokens": []});
        if let Some(temperature) = &ask.temperature {
            segment["temperature"] = temperature.clone().into();
        }
        if let Some(speaker) = &cue.piece.speaker {
            segment["speaker"] = speaker.as_str().into();
        }
        segment
    };
    cues.iter().enumerate().map(segment).collect()
}

/// The segments; where there are none, all of the text as one, if it is known how long the sound is.
fn timed<'a>(transcript: &'a Transcript, whole: &'a mut Option<Piece>) -> Result<Vec<Cue<'a>>> {
    if !transcript.segments.is_empty() {
        return Ok(captions::cues(&transcript.segments, transcript));
    }
    if transcript.text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let Some(duration) = transcript.duration else {
        let message =
            "The backend told no times, which subtitles need. Ask for `json` or `text`, or choose another model.";
        return Err(Fault::new(Kind::UpstreamBadReply, message).sent(Sent::Yes).param("response_format"));
    };
    let whole = whole.insert(Piece { start: 0.0, end: Some(duration), text: transcript.text.clone(), speaker: None });
    Ok(captions::cues(std::slice::from_ref(whole), transcript))
}

fn time(milliseconds: u64) -> Value {
    seconds(milliseconds as f64 / 1000.0)
}

fn seconds(seconds: f64) -> Value {
    serde_json::Number::from_f64(seconds).map_or(Value::Null, Value::from)
}

/// Some of the text as an event.
pub fn text_delta(text: &str) -> Bytes {
    event(&json!({"type": "transcript.text.delta", "delta": text}))
}

/// The event that ends the text, with all of it.
pub fn text_done(transcript: &Transcript) -> Bytes {
    let mut done = json!({"type": "transcript.text.done", "text": transcript.text});
    // In a stream OpenAI counts tokens only; seconds have no place there.
    if let Some(usage) = usage(transcript).filter(|usage| usage["type"] == "tokens") {
        done["usage"] = usage;
    }
    event(&done)
}

fn event(value: &Value) -> Bytes {
    format!("data: {value}\n\n").into()
}
