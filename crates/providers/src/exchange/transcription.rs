//! Writing down what is heard: how each backend wants to be given the sound.

use serde_json::{Map, Value, json};
use types::{Fault, Kind, Result, ask::TranscriptionAsk};
use wire::multipart::{self, Attachment};

use super::{
    Flow, Model, Takes, Written,
    body::{Draft, Leave},
    takes::extension,
};

/// Writes a call for a transcript.
pub(super) fn write(flow: Flow, ask: &TranscriptionAsk, model: &Model<'_>, leave: &mut Leave<'_>) -> Result<Written> {
    let label = label(flow, ask)?;
    match flow {
        Flow::HfInference => hf_inference(ask, label, leave),
        Flow::Fal => fal(ask, label, leave),
        Flow::Replicate => replicate(ask, label, model, leave),
        Flow::Together => form(ask, label, model, leave, "timestamp_granularities"),
        Flow::Openai => form(ask, label, model, leave, "timestamp_granularities[]"),
        _ => Err(super::no_codec(flow)),
    }
}

/// The label under which the sound goes.
fn label(flow: Flow, ask: &TranscriptionAsk) -> Result<&'static str> {
    let kind = ask.file.claimed_type.as_deref().unwrap_or("audio/mpeg");
    match flow.takes(kind) {
        Takes::AsIs(label) => Ok(label),
        Takes::Convert(format) => Err(Fault::new(
            Kind::UnsupportedMediaType,
            format!("The backend does not take sound of this type; send it as {}.", format.name()),
        )
        .param("file")),
        Takes::Refuse => {
            Err(Fault::new(Kind::UnsupportedMediaType, "`file` is not sound that can be told by its bytes.")
                .param("file"))
        }
    }
}

/// Whether the pieces are to be words: only if words are wanted and segments are not.
const fn pieces_are_words(ask: &TranscriptionAsk) -> bool {
    ask.words && !ask.segments
}

const fn needs_times(ask: &TranscriptionAsk) -> bool {
    ask.words || ask.segments || ask.format.needs_times()
}

fn hf_inference(ask: &TranscriptionAsk, label: &str, leave: &mut Leave<'_>) -> Result<Written> {
    let mut draft = Draft::new(Some("parameters"));
    if ask.translate {
        let message = "The backend `hf-inference` writes down what is said, and does not translate it. Backends that do: \
                       fal-ai, replicate, together, deepinfra.";
        return Err(Fault::new(Kind::UnsupportedOperation, message).param("model").code("unsupported_operation"));
    }
    for (name, said) in [("language", ask.language.is_some()), ("prompt", ask.prompt.is_some())] {
        if said {
            leave.out(name);
        }
    }
    if needs_times(ask) {
        draft.say("return_timestamps", if pieces_are_words(ask) { json!("word") } else { json!(true) });
    }
    if let Some(temperature) = &ask.temperature {
        draft.say("generation_parameters", json!({"temperature": temperature}));
    }
    leave.extra(&ask.extra, &[], &mut draft.inner);
    if draft.inner.is_empty() {
        return Ok(Written::typed(label, ask.file.bytes.clone().into()));
    }
    let sound = draft.media.base64(&ask.file.bytes);
    draft.root.insert("inputs".to_owned(), sound);
    Ok(Written { words: pieces_are_words(ask), ..Written::json(draft.write()) })
}

fn fal(ask: &TranscriptionAsk, label: &str, leave: &mut Leave<'_>) -> Result<Written> {
    let mut draft = Draft::new(None);
    let sound = draft.media.data_uri(label, &ask.file.bytes);
    draft.say("audio_url", sound);
    if ask.translate {
        draft.say("task", "translate");
    }
    for (name, value) in [("language", &ask.language), ("prompt", &ask.prompt)] {
        if let Some(value) = value {
            draft.say(name, value.clone());
        }
    }
    if pieces_are_words(ask) {
        draft.say("chunk_level", "word");
    }
    if ask.temperature.as_ref().is_some_and(|number| number.as_f64() != Some(0.0)) {
        leave.refuse("temperature", "")?;
    }
    leave.extra(&ask.extra, &[], &mut draft.inner);
    Ok(Written { words: pieces_are_words(ask), ..Written::json(draft.write()) })
}

/// With the names of `openai/whisper`, which most of its models for this have.
fn replicate(ask: &TranscriptionAsk, label: &str, model: &Model<'_>, leave: &mut Leave<'_>) -> Result<Written> {
    let mut draft = Draft::new(Some("input"));
    draft.version_of(model);
    let sound = draft.media.data_uri(label, &ask.file.bytes);
    draft.say("audio", sound);
    if ask.translate {
        draft.say("translate", true);
    }
    for (name, value) in [("language", &ask.language), ("initial_prompt", &ask.prompt)] {
        if let Some(value) = value {
            draft.say(name, value.clone());
        }
    }
    if let Some(temperature) = &ask.temperature {
        draft.say("temperature", Value::Number(temperature.clone()));
    }
    leave.extra(&ask.extra, &[], &mut draft.inner);
    Ok(Written::json(draft.write()))
}

/// A form, as OpenAI has it: the sound in a file whose name has the right ending.
fn form(ask: &TranscriptionAsk, label: &str, model: &Model<'_>, leave: &mut Leave<'_>, times: &str) -> Result<Written> {
    let mut fields: Vec<(String, String)> = vec![("model".to_owned(), model.id.to_owned())];
    let mut say = |name: &str, value: &str| fields.push((name.to_owned(), value.to_owned()));
    for (name, value) in [("language", &ask.language), ("prompt", &ask.prompt)] {
        if let Some(value) = value {
            say(name, value);
        }
    }
    if let Some(temperature) = &ask.temperature {
        say("temperature", &temperature.to_string());
    }
    if needs_times(ask) {
        say("response_format", "verbose_json");
    }
    for (wanted, level) in [(ask.words, "word"), (ask.segments, "segment")] {
        if wanted {
            say(times, level);
        }
    }
    let mut extra = Map::new();
    leave.extra(&ask.extra, &[], &mut extra);
    for (name, value) in &extra {
        match value {
            Value::String(text) => say(name, text),
            other => say(name, &other.to_string()),
        }
    }
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let file_name = format!("audio.{}", extension(label));
    let file = Attachment { name: "file", file_name: &file_name, content_type: label, bytes: &ask.file.bytes };
    let (content_type, body) = multipart::write(&fields, &[file])?;
    let instead = ask.translate.then_some(("/audio/transcriptions", "/audio/translations"));
    Ok(Written { instead, ..Written::typed(&content_type, body) })
}
