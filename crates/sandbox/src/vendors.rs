//! Vendors that callers reach in the vendors' own dialects: Anthropic with everything, OpenAI's responses. (OpenAI's chat
//! is in `chat`, its embeddings are in `tasks`.)

mod anthropic;
mod kept;
mod responses;

use serde_json::Value;

use crate::ask::{Ask, members};
use crate::backends::{Backend, Schema};
use crate::chat::errors::{Kind, Refusal, Shape};
use crate::chat::{self, Rules, style};
use crate::place::Door;
use crate::reply::Reply;

pub(crate) use kept::Kept;

/// What a vendor's path asks for; none: nothing of this dialect is there.
pub(crate) fn operation(backend: &Backend, route: &str) -> Option<&'static str> {
    match (backend.id, route) {
        ("anthropic", "v1/messages") => Some("messages"),
        ("anthropic", "v1/messages/count_tokens") => Some("count_tokens"),
        ("anthropic", _) if route == "v1/models" || route.starts_with("v1/models/") => Some("models"),
        ("openai", "v1/responses") => Some("responses"),
        ("openai", _) if route.starts_with("v1/responses/") => Some("kept_responses"),
        ("openai", "v1/models") => Some("models"),
        _ => None,
    }
}

/// Answers at a vendor's path.
pub(crate) fn answer(ask: &Ask, backend: &Backend, door: Door, route: &str, kept: &Kept) -> Reply {
    if let Err(reply) = chat::enter(ask, backend, door) {
        return reply;
    }
    let answered = match backend.id {
        "anthropic" => anthropic::answer(ask, route),
        _ => match route.strip_prefix("v1/responses/") {
            Some(rest) => kept.answer(ask, rest),
            None if route == "v1/models" => Ok(responses::models(backend)),
            None => responses::answer(ask, backend, kept),
        },
    };
    answered.unwrap_or_else(|refusal| refusal.reply(backend.refusal))
}

/// A script is made from a chat: these are the rules of that chat.
const PLAIN: Rules = Rules {
    schema: Schema::OpenAi,
    refusal: Shape::OpenAi,
    style: &style::OPENAI,
    strict: None,
    refused: &[],
    developer_role: true,
    max_completion_tokens: true,
    prefills: false,
    tgi: false,
};

/// The body as a JSON object without doubled members.
fn object(ask: &Ask) -> Result<Value, Refusal> {
    chat::labelled(ask)?;
    let malformed = |message: String| Refusal::new(Kind::Malformed, message);
    let body: Value = serde_json::from_slice(&ask.body)
        .map_err(|error| malformed(format!("The request body is not valid JSON: {error}")))?;
    let Some(names) = members(&ask.body) else { return Err(malformed("The request body must be an object".into())) };
    match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        Some((_, name)) => Err(malformed(format!("{name}: duplicate member")).about(name)),
        None => Ok(body),
    }
}

/// Refuses, naming the member.
fn bad<T>(member: &str, message: impl AsRef<str>) -> Result<T, Refusal> {
    Err(Refusal::new(Kind::Malformed, format!("{member}: {}", message.as_ref())).about(member))
}
