//! `/v1/audio/transcriptions` and `/v1/audio/translations`: the call, from the fields of a form.

use serde_json::Value;
use types::{
    Fault, Kind, Result,
    ask::{TranscriptFormat, TranscriptionAsk, Upload},
};

use crate::{
    multipart::{Content, Form},
    openai::{
        envelope::{duplicate, missing},
        members::{Members, unsupported, wrong},
    },
};

/// Fields that are lists, with or without brackets behind their name.
const LISTS: &[&str] = &["include", "known_speaker_names", "known_speaker_references", "timestamp_granularities"];

/// A call for a transcription.
#[derive(Clone, Debug, PartialEq)]
pub struct TranscriptionCall {
    /// The model as the caller named it.
    pub model: String,
    /// Whether the text is to come as server-sent events.
    pub stream: bool,
    /// What is asked.
    pub ask: TranscriptionAsk,
}

impl TranscriptionCall {
    /// Reads a form whose fields may stand in any order. `translate`: whether English is wanted whatever is spoken.
    ///
    /// # Errors
    /// `BadRequest` or `UnsupportedParameter`, naming the field.
    pub fn read(form: Form, translate: Translate) -> Result<Self> {
        let mut members = Members::of_form(&form.fields, LISTS)?;
        let model = members.model()?;
        if members.value("file").is_some() {
            return Err(wrong("file", "a file with a file name"));
        }
        let file = file(form)?;
        refuse(&mut members)?;
        let format = format(&mut members)?;
        let (words, segments) = granularities(&mut members, format)?;
        let stream = members.flag("stream")?.unwrap_or(false);
        if stream && !matches!(format, TranscriptFormat::Json | TranscriptFormat::Text) {
            return Err(unsupported("stream", "only `json` and `text` can be streamed; leave `stream` out"));
        }
        let temperature = members.number("temperature")?;
        if temperature.as_ref().and_then(serde_json::Number::as_f64).is_some_and(|t| !(0.0..=2.0).contains(&t)) {
            return Err(wrong("temperature", "a number from 0 to 1"));
        }
        let ask = TranscriptionAsk {
            file,
            translate: translate == Translate::ToEnglish,
            language: members.text("language")?.filter(|language| !language.is_empty()),
            prompt: members.text("prompt")?.filter(|prompt| !prompt.is_empty()),
            temperature,
            format,
            words,
            segments,
            extra: members.rest(&["user"]),
        };
        Ok(Self { model, stream, ask })
    }
}

/// In which language the text is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Translate {
    /// The one that is spoken.
    No,
    /// English.
    ToEnglish,
}

fn file(form: Form) -> Result<Upload> {
    let mut found = None;
    for field in form.fields {
        let Content::File(upload) = field.content else { continue };
        match &*field.name {
            "file" if found.is_some() => return Err(duplicate("file")),
            "file" => found = Some(upload),
            other => return Err(wrong(other, "a text, not a file")),
        }
    }
    match found {
        None => Err(missing("file", "send the sound as a file")),
        Some(upload) if upload.bytes.is_empty() => {
            Err(Fault::new(Kind::BadRequest, "`file` is empty; send the sound as a file.").param("file"))
        }
        Some(upload) => Ok(upload),
    }
}

/// What no backend here can do.
fn refuse(members: &mut Members) -> Result<()> {
    if members.value("include").is_some_and(|list| list != Value::Array(Vec::new())) {
        return Err(unsupported("include", "no backend tells log probabilities; leave it out"));
    }
    for name in ["known_speaker_names", "known_speaker_references"] {
        if members.value(name).is_some() {
            return Err(unsupported(name, "no backend tells speakers by name; leave it out"));
        }
    }
    // How the sound is cut is the backend's own affair; `auto` asks for just that.
    match members.value("chunking_strategy") {
        None => Ok(()),
        Some(Value::String(auto)) if matches!(&*auto, "auto" | "") => Ok(()),
        Some(_) => Err(unsupported("chunking_strategy", "only `auto` can be honoured")),
    }
}

fn format(members: &mut Members) -> Result<TranscriptFormat> {
    const KNOWN: &[&str] = &["json", "text", "srt", "verbose_json", "vtt", "diarized_json"];
    Ok(match members.one_of("response_format", KNOWN)?.as_deref() {
        Some("text") => TranscriptFormat::Text,
        Some("srt") => TranscriptFormat::Srt,
        Some("vtt") => TranscriptFormat::Vtt,
        Some("verbose_json") => TranscriptFormat::VerboseJson,
        Some("diarized_json") => {
            return Err(unsupported("response_format", "`diarized_json` cannot be made; use `verbose_json`"));
        }
        _ => TranscriptFormat::Json,
    })
}

/// Whether times of words and of segments are wanted.
fn granularities(members: &mut Members, format: TranscriptFormat) -> Result<(bool, bool)> {
    const NAME: &str = "timestamp_granularities";
    let (mut words, mut segments) = (false, false);
    let list = match members.value(NAME) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    for item in &list {
        match item.as_str() {
            Some("word") => words = true,
            Some("segment") => segments = true,
            Some("") => {}
            _ => return Err(wrong(NAME, "`word` or `segment`")),
        }
    }
    if (words || segments) && format != TranscriptFormat::VerboseJson {
        let message = "`timestamp_granularities` needs `response_format=verbose_json`.";
        return Err(Fault::new(Kind::BadRequest, message).param(NAME));
    }
    // Subtitles are made of segments, and they are what one gets without asking.
    Ok((words, segments || format.needs_times() && !words))
}
