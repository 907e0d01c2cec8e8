//! Anthropic: messages whole and streamed, counting of tokens, the list of models, errors, all in its own dialect.

mod check;
mod emit;
mod plain;

use serde_json::Value;

use super::{PLAIN, object};
use crate::ask::{Ask, text};
use crate::backends;
use crate::chat;
use crate::chat::errors::{Kind, Refusal};
use crate::chat::script::Script;
use crate::fill::quoted;
use crate::reply::Reply;

/// The version that clients must name.
const VERSION: &str = "2023-06-01";

pub(super) fn answer(ask: &Ask, route: &str) -> Result<Reply, Refusal> {
    match ask.header("anthropic-version") {
        Some(VERSION) => {}
        Some(other) => {
            return Err(Refusal::new(
                Kind::Malformed,
                format!("anthropic-version: \"{other}\" is not a valid version"),
            ));
        }
        None => return Err(Refusal::new(Kind::Malformed, "anthropic-version: header is required")),
    }
    let reply = match (ask.method.as_str(), route) {
        ("POST", "v1/messages") => messages(ask)?,
        ("POST", "v1/messages/count_tokens") => count(ask)?,
        ("GET", "v1/models") => Reply::json(200, list()),
        ("GET", _) if route.starts_with("v1/models/") => one(route.trim_start_matches("v1/models/"))?,
        _ => return Err(chat::wrong_method()),
    };
    Ok(reply
        .with("request-id", "req_011CSandbox0000000000000000")
        .with("anthropic-organization-id", "00000000-0000-4000-8000-000000000000")
        .with("anthropic-ratelimit-requests-limit", "4000")
        .with("anthropic-ratelimit-requests-remaining", "3999"))
}

fn models() -> &'static [&'static str] {
    backends::find("anthropic").map_or(&[], |backend| backend.own_models)
}

/// The call's body, checked, and its model.
fn called(ask: &Ask, counted: bool) -> Result<(Value, String), Refusal> {
    let body = object(ask)?;
    check::check(&body, ask, counted)?;
    let model = text(&body, "model").unwrap_or_default().to_owned();
    if !models().contains(&model.as_str()) {
        return Err(Refusal::new(Kind::NoModel, format!("model: {model}")));
    }
    Ok((body, model))
}

fn messages(ask: &Ask) -> Result<Reply, Refusal> {
    let (body, model) = called(ask, false)?;
    let chat = plain::chat(&body);
    let schema = body.pointer("/output_config/format/schema").cloned();
    let script = Script::of(&chat, &PLAIN, &ask.knobs, schema);
    let answer = emit::Answer { script: &script, model: &model, seed: &ask.body };
    if body.get("stream") == Some(&Value::Bool(true)) {
        return Ok(Reply::events("text/event-stream; charset=utf-8", answer.frames(), ask.knobs.gap()));
    }
    Ok(Reply::json(200, answer.whole()))
}

/// Counts as the answer would: words of the messages.
fn count(ask: &Ask) -> Result<Reply, Refusal> {
    let (body, _) = called(ask, true)?;
    let script = Script::of(&plain::chat(&body), &PLAIN, &ask.knobs, None);
    Ok(Reply::json(200, format!(r#"{{"input_tokens":{}}}"#, script.prompt_tokens)))
}

fn item(model: &str) -> String {
    format!(
        r#"{{"type":"model","id":{},"display_name":{},"created_at":"2025-01-01T00:00:00Z","max_input_tokens":200000,"max_tokens":64000}}"#,
        quoted(model),
        quoted(&model.replace('-', " "))
    )
}

fn list() -> String {
    let items: Vec<String> = models().iter().map(|model| item(model)).collect();
    let ends = |model: Option<&&str>| model.map_or("null".to_owned(), |model| quoted(model));
    format!(
        r#"{{"data":[{}],"has_more":false,"first_id":{},"last_id":{}}}"#,
        items.join(","),
        ends(models().first()),
        ends(models().last())
    )
}

fn one(id: &str) -> Result<Reply, Refusal> {
    if models().contains(&id) {
        return Ok(Reply::json(200, item(id)));
    }
    Err(Refusal::new(Kind::NoModel, format!("model: {id}")))
}
