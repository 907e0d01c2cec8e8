//! Reading a transcript, in any of the shapes that backends have.

use serde_json::Value;
use types::ask::{Piece, Transcript};

/// The most pieces that are read.
const MOST: usize = 100_000;

/// Reads a transcript; `None` when there is no text in it. `words`: whether its pieces are words.
pub(super) fn read(value: &Value, words: bool) -> Option<Transcript> {
    let text = text(value)?;
    let mut transcript = Transcript {
        text,
        language: language(value),
        duration: value["duration"].as_f64(),
        segments: pieces(value.get("segments").or_else(|| value.get("chunks"))),
        words: pieces(value.get("words")),
    };
    if words && transcript.words.is_empty() {
        transcript.words = std::mem::take(&mut transcript.segments);
    }
    if transcript.segments.is_empty() && !transcript.words.is_empty() {
        let (first, last) = (&transcript.words[0], &transcript.words[transcript.words.len() - 1]);
        let text = transcript.text.trim().to_owned();
        transcript.segments = vec![Piece { start: first.start, end: last.end, text, speaker: None }];
    }
    Some(transcript)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => {
            let all: Option<Vec<_>> = list.iter().map(text).collect();
            all.filter(|all| !all.is_empty()).map(|all| all.concat())
        }
        Value::Object(object) => {
            ["text", "transcription", "translation", "output"].iter().find_map(|name| text(object.get(*name)?))
        }
        _ => None,
    }
}

fn language(value: &Value) -> Option<String> {
    [&value["language"], &value["detected_language"], &value["inferred_languages"][0]]
        .into_iter()
        .find_map(Value::as_str)
        .map(str::to_owned)
}

fn pieces(list: Option<&Value>) -> Vec<Piece> {
    let list = list.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter().take(MOST).filter_map(piece).collect()
}

fn piece(value: &Value) -> Option<Piece> {
    let said = |names: &[&str]| names.iter().find_map(|name| value[*name].as_str());
    let text = said(&["text", "word"])?.to_owned();
    let start = value["start"].as_f64().or_else(|| value["timestamp"][0].as_f64())?;
    let end = value["end"].as_f64().or_else(|| value["timestamp"][1].as_f64());
    Some(Piece { start, end, text, speaker: said(&["speaker"]).map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_shape_of_a_transcript_is_read() {
        for (value, want) in [
            (json!({"text": "a"}), "a"),
            (json!({"output": "a"}), "a"),
            (json!("a"), "a"),
            (json!(["a", " b"]), "a b"),
            (json!({"transcription": "a", "txt_file": "https://x/y"}), "a"),
            (json!({"output": {"text": "a"}}), "a"),
        ] {
            assert_eq!(read(&value, false).unwrap().text, want);
        }
        assert_eq!(read(&json!({"status": "x"}), false), None);
        assert_eq!(read(&json!([]), false), None);
    }

    #[test]
    fn pieces_have_times_wherever_they_stand_and_the_last_may_be_open() {
        let value = json!({"text": "a b", "chunks": [
            {"timestamp": [0, 1.5], "text": "a", "speaker": null}, {"timestamp": [1.5, null], "text": "b", "speaker": "S1"}]});
        let read_ = read(&value, false).unwrap();
        assert_eq!(read_.segments[0], Piece { start: 0.0, end: Some(1.5), text: "a".into(), speaker: None });
        assert_eq!((read_.segments[1].end, read_.segments[1].speaker.as_deref()), (None, Some("S1")));
        let words = read(&value, true).unwrap();
        assert_eq!((words.words.len(), words.segments.len()), (2, 1));
        assert_eq!((words.segments[0].start, words.segments[0].end), (0.0, None));
    }
}
