//! Doors of other dialects: what they say becomes OpenAI's chat, and its answer is written in theirs.

use std::sync::Arc;

use bytes::Bytes;
use types::{
    Fault, Kind, Result,
    ports::{Moment, sessions::SessionId},
};
use wire::{
    anthropic::{self, Sealer},
    bedrock, cohere, gemini,
    heard::Heard,
    json::Limits,
    openai::{chat, completions, embeddings, responses},
};

use super::{Door, Shorten, Wants};
use crate::{
    Gateway, Snapshot,
    call::Call,
    sessions::{Keeping, kept_items},
    steps::{recall::Recalled, send},
};

/// What a foreign door needs besides the body.
pub(crate) struct Around<'a> {
    /// What the path names: a model, or a model with a method.
    pub(crate) named: &'a str,
    /// The query of the path.
    pub(crate) query: Option<&'a str>,
    /// Whether what cannot be said may be left out.
    pub(crate) lenient: bool,
    pub(crate) limits: &'a Limits,
    pub(crate) sealer: &'a Arc<dyn Sealer>,
    /// Our id of the request.
    pub(crate) request_id: &'a str,
}

/// Reads a call at a door of another dialect; nothing where the door is not one.
///
/// # Errors
/// What is wrong with the call, naming the member.
pub(crate) fn read(door: Door, body: &Bytes, around: &Around<'_>) -> Result<Option<(Call, String, Wants)>> {
    let headers = asked(around.lenient);
    let named = Some(around.named).filter(|named| !named.is_empty());
    let limits = around.limits;
    let heard = match door {
        Door::Messages => {
            let lenient = |name: &str| (around.lenient && name == "x-ironbow-lenient").then_some("true");
            anthropic::read(body, named, &lenient, limits, around.sealer)?
        }
        Door::Completions => completions::read(body, named, &headers, limits)?,
        // Recalled before it is read: see `response`.
        Door::Responses => return Err(Fault::new(Kind::Internal, "This door is read elsewhere.")),
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
    let wants = Wants::Translated { write, dropped, keeping: None, shorten: None };
    Ok((Call::Translated(Box::new(chat::Call::read(chat, limits)?)), model, wants))
}

/// What a response gets from where it is made.
pub(crate) struct Origin<'a> {
    gateway: &'a Gateway,
    snapshot: &'a Snapshot,
    /// The response's id.
    id: SessionId,
    /// When it was asked for.
    created: Moment,
}

impl<'a> Origin<'a> {
    /// A response that is made for a request, now.
    ///
    /// # Errors
    /// `Internal` when the request's id is none.
    pub(super) fn new(gateway: &'a Gateway, snapshot: &'a Snapshot, request_id: &str) -> Result<Self> {
        let id = SessionId::parse_response(&format!("resp_{}", request_id.trim_start_matches("req_")));
        let id = id.ok_or_else(|| Fault::new(Kind::Internal, "The request has no id."))?;
        Ok(Self { gateway, snapshot, id, created: crate::clock() })
    }

    /// A response that was asked for before.
    pub(crate) const fn of_job(gateway: &'a Gateway, snapshot: &'a Snapshot, id: SessionId, created: Moment) -> Self {
        Self { gateway, snapshot, id, created }
    }
}

/// Reads a call of the Responses API that has what it refers to.
///
/// # Errors
/// What is wrong with the call, naming the member.
pub(crate) fn response(recalled: Recalled, origin: &Origin<'_>) -> Result<(Call, String, Wants)> {
    let Recalled { mut request, owner } = recalled;
    let config = &origin.snapshot.config.responses;
    let needed = request.conversation().is_some() || request.background();
    let kept = request.asked_to_store().unwrap_or(config.store || needed);
    if !kept {
        request.not_kept();
    }
    let told = responses::Told {
        id: origin.id.as_str().to_owned(),
        created_at: u64::try_from(origin.created.seconds()).unwrap_or(0),
        now: send::now,
        sealer: Arc::clone(&origin.gateway.0.sealer),
    };
    let heard = request.heard(&told)?;
    let keeping = || -> Result<Box<Keeping>> {
        let status = if request.background() { "queued" } else { "in_progress" };
        Ok(Box::new(Keeping {
            seat: origin.gateway.0.archive.seat(&origin.id),
            owner,
            previous: request.previous().and_then(SessionId::parse_response),
            conversation: request.conversation().and_then(SessionId::parse_conversation),
            expires: origin.created.after(config.keep),
            asked: kept_items(request.own_items(origin.id.as_str()), false).collect(),
            demanded: needed || request.asked_to_store() == Some(true),
            answered: heard.answered.clone(),
            waiting: request.waiting(&told, status)?,
        }))
    };
    let keeping = kept.then(keeping).transpose()?;
    let call = Call::Translated(Box::new(chat::Call::read(heard.chat, &origin.snapshot.json_limits)?));
    let shorten = request.may_be_shortened().then(|| Box::new(Shorten { request, told }));
    Ok((call, heard.model, Wants::Translated { write: heard.writer, dropped: heard.dropped, keeping, shorten }))
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
