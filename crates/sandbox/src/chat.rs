//! Chat as a backend serves it: who may, on which path, with which body; then the answer, whole or as a stream.

mod check;
mod emit;
pub(crate) mod errors;
mod instance;
pub(crate) mod script;
pub(crate) mod style;

use serde_json::Value;

use crate::ask::{Ask, members, text};
use crate::backends::{Backend, Schema, State};
use crate::faults::Faults;
use crate::place::Door;
use crate::reply::Reply;
use crate::tokens::Class;
use crate::world;
use errors::{Kind, Refusal, Shape};
use style::Style;

/// What the router takes at most, 2 MiB.
const ROUTED_LIMIT: usize = 2_097_152;

/// What a server takes and how it speaks.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) schema: Schema,
    pub(crate) refusal: Shape,
    pub(crate) style: &'static Style,
    pub(crate) strict: Option<&'static [&'static str]>,
    pub(crate) refused: &'static [&'static str],
    pub(crate) developer_role: bool,
    pub(crate) max_completion_tokens: bool,
    pub(crate) prefills: bool,
    /// Text Generation Inference, whose body parser has its own ways.
    pub(crate) tgi: bool,
}

impl Backend {
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            schema: self.schema,
            refusal: self.refusal,
            style: self.style,
            strict: self.strict,
            refused: self.refused,
            developer_role: self.developer_role,
            max_completion_tokens: self.max_completion_tokens,
            prefills: self.prefills,
            tgi: self.refusal == Shape::Tgi,
        }
    }
}

/// A request on a backend's path, routed or direct.
pub(crate) fn answer(ask: &Ask, backend: &'static Backend, door: Door, route: &str, faults: &Faults) -> Reply {
    let model = match admit(ask, backend, door, route) {
        Ok(model) => model,
        Err(reply) => return reply,
    };
    serve(ask, &backend.rules(), |named| {
        let id = match model {
            Some(id) => id,
            None => named.ok_or_else(|| check::missing("model", ask))?,
        };
        let known = faults.moved(backend.id, id).unwrap_or_else(|| world::serves(backend.id, id));
        if known { Ok(id.to_owned()) } else { Err(no_model(backend, id)) }
    })
}

pub(crate) fn no_model(backend: &Backend, id: &str) -> Refusal {
    let message = if backend.refusal == Shape::Tgi {
        format!("Model {id} does not exist")
    } else {
        format!("The model `{id}` does not exist or you do not have access to it.")
    };
    Refusal::new(Kind::NoModel, message).about("model")
}

/// Who may ask at all: the key, and what goes with it.
pub(crate) fn enter(ask: &Ask, backend: &Backend, door: Door) -> Result<(), Reply> {
    let refuse = |refusal: Refusal| Err(refusal.reply(backend.refusal));
    match door {
        Door::Routed => routed(ask, backend)?,
        Door::Direct if !ask.credential.opens(backend.id, backend.scheme) => {
            return refuse(Refusal::new(Kind::Key, "Incorrect API key provided"));
        }
        Door::Direct if ask.header("x-hf-bill-to").is_some() => {
            return refuse(Refusal::new(Kind::Unsupported, "x-hf-bill-to means nothing without an hf_ token"));
        }
        Door::Direct => {}
    }
    if let Some((name, value)) = backend.headers.iter().find(|(name, value)| ask.header(name) != Some(value)) {
        return refuse(Refusal::new(Kind::Unsupported, format!("The header {name} must be {value}")));
    }
    Ok(())
}

/// What the router takes of a body.
pub(crate) fn small(ask: &Ask, door: Door) -> Result<(), Reply> {
    if door == Door::Routed && ask.body.len() > ROUTED_LIMIT {
        return Err(Refusal::new(Kind::TooLarge, "Payload too large: at most 2097152 bytes").reply(Shape::Router));
    }
    Ok(())
}

/// A body that must be JSON is labelled so.
pub(crate) fn labelled(ask: &Ask) -> Result<(), Refusal> {
    if ask.is_json() {
        return Ok(());
    }
    let mut refusal = Refusal::new(Kind::Unsupported, "Expected request with `Content-Type: application/json`");
    refusal.status = 415;
    Err(refusal)
}

pub(crate) fn wrong_method() -> Refusal {
    let mut refusal = Refusal::new(Kind::NoPath, "Method not allowed");
    refusal.status = 405;
    refusal
}

/// Key, path, headers and size; the model id where the path holds it.
fn admit<'a>(ask: &Ask, backend: &Backend, door: Door, route: &'a str) -> Result<Option<&'a str>, Reply> {
    let refuse = |refusal: Refusal| Err(refusal.reply(backend.refusal));
    enter(ask, backend, door)?;
    small(ask, door)?;
    let Some(model) = backend.chat_route(route) else {
        return refuse(Refusal::new(Kind::NoPath, format!("Invalid URL ({} /{route})", ask.method)));
    };
    if ask.method != "POST" {
        return refuse(wrong_method());
    }
    labelled(ask).map_err(|refusal| refusal.reply(backend.refusal))?;
    Ok(model)
}

/// What the router asks before it lets a call through.
fn routed(ask: &Ask, backend: &Backend) -> Result<(), Reply> {
    router_key(ask)?;
    if backend.state == State::Removed && !ask.knobs.revived.iter().any(|id| id == backend.id) {
        let message = format!("Provider {} is no longer supported", backend.id);
        return Err(Refusal::new(Kind::Unsupported, message).reply(Shape::Router));
    }
    Ok(())
}

/// The router takes good `hf_` tokens only.
pub(crate) fn router_key(ask: &Ask) -> Result<(), Reply> {
    if ask.credential.class != Class::Hf {
        return Err(Refusal::new(Kind::Key, "").reply(Shape::Router));
    }
    if ask.credential.penniless {
        let message = "You have exceeded your monthly included credits for Inference Providers.";
        return Err(Refusal::new(Kind::Payment, message).reply(Shape::Router));
    }
    Ok(())
}

/// Reads the body, lets `resolve` find the model, and answers.
pub(crate) fn serve(ask: &Ask, rules: &Rules, resolve: impl FnOnce(Option<&str>) -> Result<String, Refusal>) -> Reply {
    match read(ask, rules, resolve) {
        Ok((body, model)) if rules.tgi && model == "google/gemma-2b" => {
            drop(body);
            Reply::json(422, r#"{"error":"Template error: template not found","error_type":"template_error"}"#)
        }
        Ok((body, model)) => speak(ask, rules, &body, &model),
        Err(refusal) => refusal.reply(rules.refusal),
    }
}

fn read(
    ask: &Ask,
    rules: &Rules,
    resolve: impl FnOnce(Option<&str>) -> Result<String, Refusal>,
) -> Result<(Value, String), Refusal> {
    let malformed = |message: String| Refusal::new(Kind::Malformed, message);
    let body: Value = serde_json::from_slice(&ask.body).map_err(|error| malformed(error.to_string()))?;
    let Some(names) = members(&ask.body) else { return Err(malformed("expected an object".into())) };
    if let Some(double) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        return Err(malformed(format!("duplicate field `{}`", double.1)).about(double.1));
    }
    let model = resolve(text(&body, "model"))?;
    check::check(&body, rules, ask)?;
    Ok((body, model))
}

fn speak(ask: &Ask, rules: &Rules, body: &Value, model: &str) -> Reply {
    let style = if rules.tgi && ask.knobs.old_tgi { &style::OLD_TGI } else { rules.style };
    let schema = check::schema(body, rules, ask.knobs.lenient_schema);
    let script = script::Script::of(body, rules, &ask.knobs, schema);
    let answer = emit::Answer { style, script: &script, model, seed: &ask.body };
    let reply = if body.get("stream") == Some(&Value::Bool(true)) {
        let usage = body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
        Reply::events(style.media_type, answer.frames(usage), ask.knobs.gap())
    } else {
        Reply::json(200, answer.whole())
    };
    style.headers.iter().fold(reply, |reply, (name, value)| reply.with(name, value))
}
