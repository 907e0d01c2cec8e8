//! OpenAI's endpoints of sound: speech, transcriptions, translations.

use bytes::Bytes;
use providers::exchange::Work;
use types::Result;
use wire::{
    json::Limits,
    multipart::Form,
    openai::audio::{SpeechCall, TranscriptionCall, Translate},
};

use super::Wants;
use crate::call::Call;

/// Reads `/v1/audio/speech`.
pub(super) fn speech(body: &Bytes, limits: &Limits) -> Result<(Call, String, Wants)> {
    let SpeechCall { model, events, ask } = SpeechCall::read(body, limits)?;
    let wants = Wants::Speech { format: ask.format, events };
    Ok((Call::Work(Work::Speech(ask)), model, wants))
}

/// Reads `/v1/audio/transcriptions`, or `/v1/audio/translations` where English is wanted.
pub(super) fn transcription(form: Form, english: bool) -> Result<(Call, String, Wants)> {
    let translate = if english { Translate::ToEnglish } else { Translate::No };
    let TranscriptionCall { model, stream, ask } = TranscriptionCall::read(form, translate)?;
    let wants = Wants::Transcript { ask: Box::new(ask.clone()), events: stream };
    Ok((Call::Work(Work::Transcription(ask)), model, wants))
}
