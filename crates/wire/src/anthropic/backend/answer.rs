//! A whole answer of Anthropic's as events.

use serde_json::Value;
use types::{Result, Usage};

use super::{bad, fault, finish};
use crate::events::Event;

/// The events of a whole answer; `created` is when it came, since Anthropic does not say.
///
/// # Errors
/// Anthropic's own error when there is one in a good status; `UpstreamBadReply` when it is no message.
pub fn of_answer(body: &[u8], created: u64) -> Result<Vec<Event>> {
    let said: Value = serde_json::from_slice(body).map_err(|_| bad("it is not JSON"))?;
    if said["type"] == "error" {
        return Err(fault(body));
    }
    let Some(blocks) = said["content"].as_array() else { return Err(bad("it holds no `content`")) };
    let mut events = vec![start(&said, created)];
    let mut calls = 0;
    for block in blocks {
        let text = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
        match block["type"].as_str().unwrap_or_default() {
            "text" => events.push(Event::Text { choice: 0, text: text("text") }),
            "thinking" => {
                events.push(Event::Reasoning { choice: 0, text: text("thinking") });
                events.push(Event::Thought { choice: 0, block: block.clone() });
            }
            "redacted_thinking" => events.push(Event::Thought { choice: 0, block: block.clone() }),
            "tool_use" => {
                let index = calls;
                calls += 1;
                events.push(Event::ToolStart { choice: 0, index, id: text("id"), name: text("name") });
                events.push(Event::ToolArguments { choice: 0, index, json: block["input"].to_string() });
            }
            // Tools that Anthropic runs itself are not offered by callers of other dialects.
            _ => {}
        }
    }
    if let Some(reason) = said["stop_reason"].as_str() {
        events.push(Event::Finish { choice: 0, reason: finish(reason) });
    }
    if said["usage"].is_object() {
        events.push(Event::Usage(usage(&said["usage"], Usage::default())));
    }
    events.push(Event::Done);
    Ok(events)
}

/// How an answer begins. Its id is made one of OpenAI's chat, whole and streamed.
pub(super) fn start(message: &Value, created: u64) -> Event {
    let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    Event::Start { id: format!("chatcmpl-{}", text("id")), model: text("model"), created }
}

/// What a usage object says; what it does not say is as `before`. Anthropic counts what was read from and written to
/// its cache beside the other tokens of the prompt, not among them.
pub fn usage(said: &Value, before: Usage) -> Usage {
    let count = |name: &str| said[name].as_u64();
    let cached = count("cache_read_input_tokens");
    let written = count("cache_creation_input_tokens").unwrap_or(0);
    let input = count("input_tokens").map(|input| input + written + cached.unwrap_or(0));
    Usage {
        input: input.unwrap_or(before.input),
        output: count("output_tokens").unwrap_or(before.output),
        cached_input: cached.unwrap_or(before.cached_input),
        reasoning: said["output_tokens_details"]["thinking_tokens"].as_u64().unwrap_or(before.reasoning),
    }
}
