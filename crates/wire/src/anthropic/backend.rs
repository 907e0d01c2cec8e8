//! Anthropic as a backend: OpenAI's chat becomes a call to `/v1/messages`, and what comes back becomes events.
//!
//! This is the way for callers of other dialects; Anthropic's own go through [`crate::native`], byte for byte.

mod answer;
mod call;
mod messages;
mod stream;
mod told;
mod tools;

pub use answer::{of_answer, usage};
pub use call::encode;
pub use stream::Stream;
pub(crate) use told::Told;

use serde_json::Value;
use types::{Fault, Kind, Sent};

use crate::{openai::chat::Finish, upstream_error};

/// Why an answer ended, in OpenAI's words.
pub fn finish(reason: &str) -> Finish {
    match reason {
        "end_turn" | "stop_sequence" | "pause_turn" => Finish::Stop,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::ContentFilter,
        _ => Finish::Other,
    }
}

/// The fault of an error that stands in an answer or in a stream with a good status, `{"type": "error", "error": …}`:
/// with the status that Anthropic documents for its type.
pub fn fault(body: &[u8]) -> Box<Fault> {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let status = match said["error"]["type"].as_str().unwrap_or_default() {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 500,
    };
    upstream_error::read(status, &|_| None, body, 0)
}

/// Takes a member out of what may be an object.
fn take(value: &mut Value, name: &str) -> Value {
    value.get_mut(name).map(Value::take).unwrap_or_default()
}

fn bad(why: &str) -> Box<Fault> {
    Fault::new(Kind::UpstreamBadReply, format!("The backend's answer cannot be read: {why}.")).sent(Sent::Yes)
}
