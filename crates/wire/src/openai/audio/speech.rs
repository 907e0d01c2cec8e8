//! `/v1/audio/speech`: the call, and its sound as events.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};
use types::{
    Fault, Kind, Result, Usage,
    ask::{AudioFormat, SpeechAsk},
};

use crate::{
    json::Limits,
    openai::{
        envelope::missing,
        members::{Members, wrong},
    },
};

/// The longest text that is spoken, in characters.
///
/// (OpenAI's own limit is 4096; models behind other backends take more.)
pub const LONGEST_INPUT: usize = 65_536;

/// A call for speech.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeechCall {
    /// The model as the caller named it.
    pub model: String,
    /// Whether the sound is to come as server-sent events (`stream_format: "sse"`) instead of bare bytes.
    pub events: bool,
    /// What is asked.
    pub ask: SpeechAsk,
}

impl SpeechCall {
    /// Reads a body.
    ///
    /// # Errors
    /// `BadRequest`, naming the member where there is one.
    pub fn read(body: &Bytes, limits: &Limits) -> Result<Self> {
        let mut members = Members::of_json(body, limits)?;
        let model = members.model()?;
        let input = members.text("input")?.ok_or_else(|| missing("input", "send the text to speak"))?;
        if input.trim().is_empty() {
            return Err(Fault::new(Kind::BadRequest, "`input` is empty; send the text to speak.").param("input"));
        }
        if input.chars().nth(LONGEST_INPUT).is_some() {
            return Err(wrong("input", &format!("at most {LONGEST_INPUT} characters long")));
        }
        let voice = match members.value("voice") {
            None => None,
            Some(Value::String(voice)) => Some(voice),
            Some(Value::Object(custom)) => match custom.get("id") {
                Some(Value::String(id)) => Some(id.clone()),
                _ => return Err(wrong("voice.id", "a string")),
            },
            Some(_) => return Err(wrong("voice", "a string, or an object with an `id`")),
        };
        let format = members
            .one_of("response_format", &["mp3", "opus", "aac", "flac", "wav", "pcm"])?
            .and_then(|name| AudioFormat::named(&name));
        let speed = members.number("speed")?;
        if speed.as_ref().and_then(serde_json::Number::as_f64).is_some_and(|speed| !(0.25..=4.0).contains(&speed)) {
            return Err(wrong("speed", "a number from 0.25 to 4.0"));
        }
        let instructions = members.text("instructions")?;
        let events = members.one_of("stream_format", &["sse", "audio"])?.as_deref() == Some("sse");
        let ask = SpeechAsk { input, voice, format, speed, instructions, extra: members.rest(&[]) };
        Ok(Self { model, events, ask })
    }
}

/// Some of the sound as an event.
pub fn sound_delta(sound: &[u8]) -> Bytes {
    const OPENING: &str = "data: {\"type\":\"speech.audio.delta\",\"audio\":\"";
    let mut event = String::with_capacity(OPENING.len() + sound.len().div_ceil(3) * 4 + 4);
    event.push_str(OPENING);
    STANDARD.encode_string(sound, &mut event);
    event.push_str("\"}\n\n");
    event.into()
}

/// The event that ends the sound, with what was used if the backend said.
pub fn sound_done(usage: Option<&Usage>) -> Bytes {
    let mut event = json!({"type": "speech.audio.done"});
    if let Some(usage) = usage {
        event["usage"] =
            json!({"input_tokens": usage.input, "output_tokens": usage.output, "total_tokens": usage.total()});
    }
    format!("data: {event}\n\n").into()
}
