//! What is read of a whole answer that passes as it is.

use serde_json::Value;
use types::{Fault, Kind, Result, Sent, Usage};

use super::Dialect;
use crate::{anthropic::backend, openai::chat::Finish, upstream_error};

/// What an answer says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What was used, if the vendor said.
    pub usage: Option<Usage>,
    /// Why it ended.
    pub finish: Option<Finish>,
    /// The response that the vendor keeps.
    pub kept: Option<Kept>,
}

/// A response that the vendor keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The vendor's id of it.
    pub id: String,
    /// Whether it is still to be answered: then what was used is told later.
    pub open: bool,
}

/// Reads a whole answer.
///
/// # Errors
/// The vendor's own error when there is one in a good status; `UpstreamBadReply` when it is no answer at all.
pub fn answer(dialect: Dialect, body: &[u8]) -> Result<Answer> {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let bad = |why: &str| Fault::new(Kind::UpstreamBadReply, why).sent(Sent::Yes);
    match (dialect, &said) {
        (Dialect::Messages, Value::Object(_)) if said["type"] == "error" => Err(backend::fault(body)),
        (Dialect::Messages, Value::Object(_)) if said["content"].is_array() => Ok(Answer {
            usage: said["usage"].is_object().then(|| backend::usage(&said["usage"], Usage::default())),
            finish: said["stop_reason"].as_str().map(backend::finish),
            kept: None,
        }),
        (Dialect::Responses, Value::Object(_)) if said["object"] == "response" => Ok(of_response(&said)),
        (_, Value::Object(_)) if upstream_error::speaks_of_one(body) => Err(upstream_error::in_good_status(body)),
        _ => Err(bad("The backend's answer is not what this endpoint answers.")),
    }
}

/// What a response says, whole or as the last event of a stream holds it.
pub(super) fn of_response(said: &Value) -> Answer {
    let finish = match said["status"].as_str().unwrap_or_default() {
        "completed" if called(said) => Some(Finish::ToolCalls),
        "completed" => Some(Finish::Stop),
        "incomplete" if said["incomplete_details"]["reason"] == "content_filter" => Some(Finish::ContentFilter),
        "incomplete" => Some(Finish::Length),
        _ => None,
    };
    Answer { usage: used(&said["usage"]), finish, kept: kept(said) }
}

/// What of a response the vendor keeps; nothing where its call did not want that.
pub(super) fn kept(said: &Value) -> Option<Kept> {
    let id = said["id"].as_str().filter(|_| said["store"] != false)?;
    Some(Kept { id: id.to_owned(), open: matches!(said["status"].as_str(), Some("queued" | "in_progress")) })
}

/// Whether the caller is to run something.
fn called(said: &Value) -> bool {
    let mut items = said["output"].as_array().into_iter().flatten();
    items.any(|item| matches!(item["type"].as_str(), Some("function_call" | "custom_tool_call")))
}

fn used(said: &Value) -> Option<Usage> {
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    said.is_object().then(|| Usage {
        input: count(&said["input_tokens"]),
        output: count(&said["output_tokens"]),
        cached_input: count(&said["input_tokens_details"]["cached_tokens"]),
        reasoning: count(&said["output_tokens_details"]["reasoning_tokens"]),
    })
}
