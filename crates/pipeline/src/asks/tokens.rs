//! How many tokens a call is likely to have, in the dialects that ask for it beforehand. Nothing is sent to a backend.

use net::Request;
use types::{Result, SendBody};
use wire::{anthropic, gemini};

use crate::{
    Gateway,
    doors::{Answer, Ask, body_fault, foreign::asked},
    steps::authenticate::authenticate,
};

const JSON: &str = "application/json";

/// `POST /anthropic/v1/messages/count_tokens`.
///
/// # Errors
/// What is wrong with the call.
pub(crate) async fn anthropic(gateway: &Gateway, request: Request) -> Result<Answer> {
    let snapshot = gateway.snapshot();
    authenticate(&request.headers)?;
    let until = request.received + snapshot.config.timeouts.body;
    let held = request.body.collect(snapshot.config.limits.body, until, &gateway.0.budget).await.map_err(body_fault)?;
    let tokens = anthropic::count_tokens(&held.bytes, None, &snapshot.json_limits, &*gateway.0.sealer)?;
    Ok(Answer::whole(JSON, SendBody::from(anthropic::counted(tokens))))
}

/// `POST /genai/v1beta/models/{model}:countTokens`.
///
/// # Errors
/// What is wrong with the call.
pub(crate) async fn gemini(gateway: &Gateway, request: Request) -> Result<Answer> {
    let snapshot = gateway.snapshot();
    authenticate(&request.headers)?;
    let lenient = Ask::of(&request)?.lenient;
    let until = request.received + snapshot.config.timeouts.body;
    let held = request.body.collect(snapshot.config.limits.body, until, &gateway.0.budget).await.map_err(body_fault)?;
    let counted = gemini::count_tokens(&held.bytes, &asked(lenient), &snapshot.json_limits)?;
    Ok(Answer::whole(JSON, SendBody::from(counted)))
}
