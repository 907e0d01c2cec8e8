//! Doors of other dialects: what they say becomes OpenAI's chat, and its answer is written in theirs.

use std::sync::Arc;

use bytes::Bytes;
use types::{Fault, Kind, Result};
use wire::{
    anthropic::{self, Sealer},
    bedrock, cohere, gemini,
    heard::Heard,
    json::Limits,
    openai::{chat, completions, embeddings, responses},
};

use super::{Door, Wants};
use crate::{call::Call, steps::send::now};

/// What a foreign door needs besides the body.
pub(super) struct Around<'a> {
    /// What the path names: a model, or a model with a method.
    pub(super) named: &'a str,
    /// The query of the path.
    pub(super) query: Option<&'a str>,
    /// Whether what cannot be said may be left out.
    pub(super) lenient: bool,
    pub(super) limits: &'a Limits,
    pub(super) sealer: &'a Arc<dyn Sealer>,
    /// Our id of the request.
    pub(super) request_id: &'a str,
}

/// Reads a call at a door of another dialect; nothing where the door is not one.
///
/// # Errors
/// What is wrong with the call, naming the member.
pub(super) fn read(door: Door, body: &Bytes, around: &Around<'_>) -> Result<Option<(Call, String, Wants)>> {
    let headers = asked(around.lenient);
    let named = Some(around.named).filter(|named| !named.is_empty());
    let limits = around.limits;
    let heard = match door {
        Door::Messages => {
            let lenient = |name: &str| (around.lenient && name == "x-ironbow-lenient").then_some("true");
            anthropic::read(body, named, &lenient, limits, around.sealer)?
        }
        Door::Completions => completions::read(body, named, &headers, limits)?,
        Door::Responses => return response(body, named, &headers, around).map(Some),
        Door::Gemini => {
            let target = gemini::Target::read(around.named, around.query)?;
            match target.ask {
                gemini::Ask::Generate(way) => gemini::read(body, &target.model, way, &headers, limits)?,
                gemini::Ask::Embed | gemini::Ask::EmbedBatch => {
                    let heard = gemini::embeddings(body, &target.model, target.ask, &headers, limits)?;
                    let call = embeddings::Call::read(heard.call.clone(), limits)?;
                    let dropped = heard.dropped.clone();
                    let write = Box::new(move |body: &[u8]| heard.answer(body));
                    return Ok(Some((Call::Embeddings(call), target.model, Wants::Vectors { write, dropped })));
                }
                // Counted before anything is planned: see `edge`.
                gemini::Ask::Count => return Err(Fault::new(Kind::NotFound, "Tokens are counted elsewhere.")),
            }
        }
        Door::CohereChat => cohere::read(body, named, &headers, limits)?,
        Door::CohereEmbed => {
            let heard = cohere::embeddings(body, named, &headers, limits)?;
            let call = embeddings::Call::read(heard.call.clone(), limits)?;
            let (model, dropped) = (heard.model.clone(), heard.dropped.clone());
            let id = around.request_id.to_owned();
            let write = Box::new(move |body: &[u8]| heard.answer(body, &id));
            return Ok(Some((Call::Embeddings(call), model, Wants::Vectors { write, dropped })));
        }
        Door::Converse => bedrock::read(body, &bedrock::model(around.named)?, bedrock::Way::Whole, &headers, limits)?,
        Door::ConverseStream => {
            bedrock::read(body, &bedrock::model(around.named)?, bedrock::Way::Stream, &headers, limits)?
        }
        _ => return Ok(None),
    };
    let Heard { chat, model, writer, dropped } = heard;
    translated(chat, model, writer, dropped, limits).map(Some)
}

/// What a call's headers ask of a translation, as the dialects look it up.
pub(crate) fn asked(lenient: bool) -> impl for<'n> Fn(&'n str) -> Option<&'n str> {
    move |name| (lenient && name == "x-ironbow-lenient").then_some("true")
}

fn translated(
    chat: Bytes,
    model: String,
    write: Box<dyn wire::events::Write>,
    dropped: Vec<String>,
    limits: &Limits,
) -> Result<(Call, String, Wants)> {
    Ok((Call::Translated(chat::Call::read(chat, limits)?), model, Wants::Translated { write, dropped }))
}

/// The Responses API without memory: what would have to be kept between calls is refused by name.
fn response(
    body: &Bytes,
    named: Option<&str>,
    headers: &dyn Fn(&str) -> Option<&str>,
    around: &Around<'_>,
) -> Result<(Call, String, Wants)> {
    let mut request = responses::Request::read(body, named, headers, around.limits)?;
    let kept = [
        ("previous_response_id", request.previous().is_some()),
        ("conversation", request.conversation().is_some()),
        ("background", request.background()),
    ];
    if let Some((member, _)) = kept.into_iter().find(|(_, asked)| *asked) {
        let text = format!(
            "`{member}` needs responses that are kept, and this gateway keeps none. Send the items of the history themselves, with `store: false`."
        );
        return Err(Fault::new(Kind::UnsupportedParameter, text).param(member));
    }
    let asked = request.not_kept();
    let id = format!("resp_{}", around.request_id.trim_start_matches("req_"));
    let told = responses::Told { id, created_at: now(), sealer: Arc::clone(around.sealer) };
    let mut heard = request.heard(&told)?;
    if asked {
        heard.dropped.push("store".to_owned());
    }
    translated(heard.chat, heard.model, heard.writer, heard.dropped, around.limits)
}

/// A fault as the door's dialect says it: status, media type, body.
pub(crate) fn fault(door: Option<Door>, fault: &Fault, request_id: &str) -> (u16, &'static str, Vec<u8>) {
    match door {
        Some(Door::Messages) => anthropic::fault(fault, request_id),
        Some(Door::Gemini) => gemini::fault(fault, request_id),
        Some(Door::CohereChat | Door::CohereEmbed) => cohere::fault(fault, request_id),
        Some(Door::Converse | Door::ConverseStream) => bedrock::fault(fault, request_id),
        _ => (wire::openai::fault::status(fault), "application/json", wire::openai::fault::body(fault, request_id)),
    }
}
