//! Anthropic's Messages API as a front door: a call becomes an OpenAI chat, and the answer's events become messages.
//!
//! Nothing is lost in silence: what OpenAI's chat cannot say and would change the answer is refused by name (taken out
//! and named when the caller is lenient); what only advises the service is taken out and named. `cache_control` is
//! left out without a word: caching is the backend's own affair, and the order of everything that it looks at is kept.

pub mod backend;
mod content;
mod fault;
mod flow;
mod members;
mod messages;
pub mod models;
mod request;
mod seal;
mod thinking;
pub mod tokens;
mod tools;
mod write;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use types::{Fault, Kind, Result};

use crate::{
    heard::{Heard, Notes, tree},
    json::Limits,
};

pub use fault::{event, fault, status};
pub use seal::Sealer;
pub use write::Writer;

use request::Wish;
use write::Prompt;

/// Reads a call to `/v1/messages`. The model is the body's, else `path_model`.
///
/// # Errors
/// `BadRequest` when it cannot be read or a thinking block is not what `sealer` signed; `UnsupportedParameter` when it
/// holds something that changes the answer and cannot be said in OpenAI's chat. Both name the member.
pub fn read<'h>(
    body: &Bytes,
    path_model: Option<&str>,
    headers: &dyn Fn(&str) -> Option<&'h str>,
    limits: &Limits,
    sealer: &Arc<dyn Sealer>,
) -> Result<Heard> {
    let mut notes =
        Notes::of(&|name| headers(name).filter(|said| said.trim().eq_ignore_ascii_case("true")).map(|_| "true"));
    let wish = Wish::read(tree(body, limits)?, path_model, &**sealer, &mut notes)?;
    if wish.max_tokens.is_none() {
        let message = "`max_tokens` is missing: say how many tokens the answer may have.";
        return Err(Fault::new(Kind::BadRequest, message).param("max_tokens"));
    }
    let (model, thinking) = (wish.model.clone(), wish.thinking);
    let chat = wish.into_chat();
    let likely = (chat.get("stream") == Some(&Value::Bool(true))).then(|| Prompt::Tokens(tokens::of_chat(&chat)));
    let chat = serde_json::to_vec(&chat).map_err(|error| Fault::new(Kind::Internal, error.to_string()))?;
    let chat = Bytes::from(chat);
    let prompt = likely.unwrap_or_else(|| Prompt::Chat(chat.clone()));
    let writer = Writer::new(&model, prompt, thinking, Arc::clone(sealer));
    Ok(Heard { chat, model, writer: Box::new(writer), dropped: notes.dropped() })
}

/// How many tokens the prompt of a call is likely to have: an estimate, see [`tokens`]. What cannot be said in OpenAI's
/// chat counts nothing.
///
/// # Errors
/// `BadRequest` when the call cannot be read.
pub fn count_tokens(body: &Bytes, path_model: Option<&str>, limits: &Limits, sealer: &dyn Sealer) -> Result<u64> {
    let mut notes = Notes::of(&|_| Some("true"));
    let wish = Wish::read(tree(body, limits)?, path_model, sealer, &mut notes)?;
    Ok(tokens::of_chat(&wish.into_chat()))
}

/// The answer to `/v1/messages/count_tokens`.
pub fn counted(tokens: u64) -> Vec<u8> {
    format!("{{\"input_tokens\":{tokens}}}").into_bytes()
}
