//! Speaking: how each backend wants to be given a text and a voice.

use serde_json::Value;
use types::{
    Fault, Kind, Result,
    ask::{AudioFormat, SpeechAsk},
};

use super::{
    Flow, Model, Written,
    body::{Draft, Leave},
};

/// Voices that only OpenAI has. The SDKs want one to be named, so most callers name one of these.
const OPENAIS: &[&str] =
    &["alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse"];

/// The voice of Kokoro models when none was named.
const KOKORO: &str = "af_alloy";

/// Writes a call for speech.
pub(super) fn write(flow: Flow, ask: &SpeechAsk, model: &Model<'_>, leave: &mut Leave<'_>) -> Result<Written> {
    let draft = match flow {
        Flow::HfInference => hf_inference(ask, leave)?,
        Flow::Fal => fal(ask, leave)?,
        Flow::Replicate => replicate(ask, model, leave)?,
        Flow::Together => together(ask, model, leave)?,
        Flow::Deepinfra => deepinfra(ask, model, leave)?,
        Flow::Openai => openai(ask, model, leave),
        _ => return Err(super::no_codec(flow)),
    };
    Ok(Written::json(draft.write()))
}

fn hf_inference(ask: &SpeechAsk, leave: &mut Leave<'_>) -> Result<Draft> {
    let mut draft = Draft::new(Some("parameters"));
    draft.root.insert("inputs".to_owned(), ask.input.clone().into());
    if ask.voice.is_some() {
        leave.out("voice");
    }
    if ask.speed.as_ref().is_some_and(|speed| speed.as_f64() != Some(1.0)) {
        leave.refuse("speed", "")?;
    }
    instructions(ask, leave)?;
    leave.extra(&ask.extra, &[], &mut draft.inner);
    Ok(draft)
}

fn fal(ask: &SpeechAsk, leave: &mut Leave<'_>) -> Result<Draft> {
    let mut draft = Draft::new(None);
    flat(ask, leave, &mut draft)?;
    Ok(draft)
}

fn replicate(ask: &SpeechAsk, model: &Model<'_>, leave: &mut Leave<'_>) -> Result<Draft> {
    let mut draft = Draft::new(Some("input"));
    draft.version_of(model);
    flat(ask, leave, &mut draft)?;
    Ok(draft)
}

/// The text as `text`, and what is known of the voice.
fn flat(ask: &SpeechAsk, leave: &mut Leave<'_>, draft: &mut Draft) -> Result<()> {
    draft.say("text", ask.input.clone());
    if let Some(voice) = known_voice(ask, leave) {
        draft.say("voice", voice);
    }
    speed(ask, draft);
    instructions(ask, leave)?;
    leave.extra(&ask.extra, &[], &mut draft.inner);
    Ok(())
}

fn together(ask: &SpeechAsk, model: &Model<'_>, leave: &mut Leave<'_>) -> Result<Draft> {
    let mut draft = Draft::new(None);
    draft.say("model", model.id);
    draft.say("input", ask.input.clone());
    let kokoro = model.id.to_ascii_lowercase().contains("kokoro");
    let voice = if kokoro { known_voice(ask, leave).or(Some(KOKORO)) } else { ask.voice.as_deref() };
    let Some(voice) = voice else {
        let message =
            format!("`voice` is missing: `{}` at together speaks only with a voice of its own. Name one.", model.id);
        return Err(Fault::new(Kind::BadRequest, message).param("voice"));
    };
    draft.say("voice", voice);
    // It has no other formats; what it lacks is made of WAV.
    if let Some(format) = ask.format {
        draft.say("response_format", if format == AudioFormat::Mp3 { "mp3" } else { "wav" });
    }
    speed(ask, &mut draft);
    instructions(ask, leave)?;
    leave.extra(&ask.extra, &["stream_format"], &mut draft.inner);
    Ok(draft)
}

fn deepinfra(ask: &SpeechAsk, model: &Model<'_>, leave: &mut Leave<'_>) -> Result<Draft> {
    let mut draft = Draft::new(None);
    draft.say("model", model.id);
    draft.say("input", ask.input.clone());
    if let Some(voice) = known_voice(ask, leave) {
        draft.say("voice", voice);
    }
    if let Some(format) = ask.format {
        draft.say(
            "response_format",
            if matches!(format, AudioFormat::Aac | AudioFormat::Opus) { "wav" } else { format.name() },
        );
    }
    speed(ask, &mut draft);
    instructions(ask, leave)?;
    leave.extra(&ask.extra, &["stream_format"], &mut draft.inner);
    Ok(draft)
}

fn openai(ask: &SpeechAsk, model: &Model<'_>, leave: &mut Leave<'_>) -> Draft {
    let mut draft = Draft::new(None);
    draft.say("model", model.id);
    draft.say("input", ask.input.clone());
    for (name, value) in [("voice", &ask.voice), ("instructions", &ask.instructions)] {
        if let Some(value) = value {
            draft.say(name, value.clone());
        }
    }
    if let Some(format) = ask.format {
        draft.say("response_format", format.name());
    }
    speed(ask, &mut draft);
    leave.extra(&ask.extra, &[], &mut draft.inner);
    draft
}

fn speed(ask: &SpeechAsk, draft: &mut Draft) {
    if let Some(speed) = &ask.speed {
        draft.say("speed", Value::Number(speed.clone()));
    }
}

fn instructions(ask: &SpeechAsk, leave: &mut Leave<'_>) -> Result<()> {
    if ask.instructions.is_some() { leave.refuse("instructions", "") } else { Ok(()) }
}

/// The voice, unless it is one that only OpenAI has: that one is left out by name.
fn known_voice<'a>(ask: &'a SpeechAsk, leave: &mut Leave<'_>) -> Option<&'a str> {
    let voice = ask.voice.as_deref()?;
    if OPENAIS.contains(&voice) {
        leave.out("voice");
        return None;
    }
    Some(voice)
}
