//! A chat as a call to `/v1/messages`.
//!
//! | OpenAI's chat | becomes |
//! |---|---|
//! | the first `system` and `developer` messages | `system`; later ones stay in place, in the user's turn, marked |
//! | `max_tokens`, `max_completion_tokens` | `max_tokens`; 8192, and room to think, when neither is given |
//! | `stop` | `stop_sequences` |
//! | `tools`, `tool_choice`, `parallel_tool_calls` | `tools`, `tool_choice` |
//! | `response_format` with a schema | `output_config.format` |
//! | `reasoning_effort` | `thinking` with a budget for models up to Claude 4.5, `thinking` that adapts and `output_config.effort` for later ones |
//! | `user` | `metadata.user_id` |
//! | members that only advise OpenAI's service | taken out and named |
//! | what changes the answer and Anthropic does not have | refused by name |
//! | members that are not OpenAI's | passed on |

use serde_json::{Map, Value, json};
use types::{Fault, Kind, Result};

use super::{messages, take, tools};
use crate::heard::unread;
use crate::openai::{
    chat::{Ask, Call, Dropped, Encoded, encode::unable_to_go_on},
    detours,
};

/// Members that advise the service; where they would be refused, they are taken out and named.
const ADVISORY: &[&str] = &[
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "seed",
    "service_tier",
    "store",
    "verbosity",
];

/// Members that change the answer and have no counterpart.
const REFUSED: &[&str] = &[
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "n",
    "presence_penalty",
    "top_logprobs",
    "web_search_options",
];

/// The answer's limit when the call has none: Anthropic demands one.
const MAX_TOKENS: u64 = 8192;

/// What is left out on the way.
pub(super) struct Writing<'a> {
    pub(super) ask: Ask<'a>,
    pub(super) dropped: Vec<Dropped>,
}

impl Writing<'_> {
    /// Names what was taken out.
    pub(super) fn took_out(&mut self, member: impl Into<String>) {
        let member = member.into();
        if !self.dropped.iter().any(|dropped| dropped.member == member) {
            self.dropped.push(Dropped { member: member.into() });
        }
    }

    /// Names the members of an object that Anthropic has no place for: all but these.
    pub(super) fn unread(&mut self, place: &str, said: &Value, known: &[&str]) {
        for name in said.as_object().map(|members| unread(members, known)).unwrap_or_default() {
            self.took_out(format!("{place}.{name}"));
        }
    }

    /// Refuses by name; takes out and names when the caller is lenient.
    pub(super) fn refuse(&mut self, member: &str, why: &str) -> Result<()> {
        let dropped = self.ask.leave_out(member.to_owned(), member, why)?;
        self.dropped.push(dropped);
        Ok(())
    }
}

/// Writes `call` for Anthropic, which calls the model `model`.
///
/// Equal calls give equal bytes; the order of messages, tools and further members is kept.
///
/// # Errors
/// `UnsupportedParameter` for what cannot be said there when `ask` is not lenient; `BadRequest` for a message that
/// cannot be read.
pub fn encode(call: &Call, model: &str, ask: Ask<'_>) -> Result<Encoded> {
    if call.goes_on() {
        return Err(unable_to_go_on(ask.backend));
    }
    let mut members: Map<String, Value> = serde_json::from_slice(call.body())
        .map_err(|error| Fault::new(Kind::BadRequest, format!("The body is not valid JSON: {error}.")))?;
    let mut writing = Writing { ask, dropped: Vec::new() };
    members.retain(|name, value| !value.is_null() && !detours::is_one(name.as_bytes()));
    let said = members.shift_remove("messages").unwrap_or_default();
    let turns = messages::read(said, &mut writing)?;
    let (tools, choice) = tools::read(&mut members, &mut writing)?;
    let forced = choice.as_ref().is_some_and(|choice| matches!(choice["type"].as_str(), Some("any" | "tool")));
    let thought = thinking(&mut members, model, call.max_tokens(), turns.goes_on_unthought || forced, &mut writing);
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    body.insert("max_tokens".into(), call.max_tokens().unwrap_or(MAX_TOKENS + thought.budget).into());
    if !turns.system.is_empty() {
        body.insert("system".into(), turns.system.into());
    }
    body.insert("messages".into(), turns.messages.into());
    if !tools.is_empty() {
        body.insert("tools".into(), tools.into());
    }
    put(&mut body, "tool_choice", choice);
    put(&mut body, "thinking", thought.asked);
    let mut config = thought.config;
    if let Some(format) = format(members.shift_remove("response_format"), &mut writing)? {
        config.insert("format".into(), format);
    }
    if !config.is_empty() {
        body.insert("output_config".into(), config.into());
    }
    for (name, value) in members {
        member(&name, value, &mut body, &mut writing)?;
    }
    let bytes = serde_json::to_vec(&body).map_err(|error| Fault::new(Kind::Internal, error.to_string()))?;
    Ok(Encoded { body: bytes.into(), dropped: writing.dropped })
}

fn put(body: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        body.insert(name.to_owned(), value);
    }
}

/// A member that needs no other.
fn member(name: &str, value: Value, body: &mut Map<String, Value>, writing: &mut Writing<'_>) -> Result<()> {
    match name {
        "model" | "max_tokens" | "max_completion_tokens" | "stream_options" => {}
        "stream" => {
            if value == true {
                body.insert(name.to_owned(), value);
            }
        }
        "stop" => {
            let stops = match value {
                Value::Array(stops) => stops,
                one => vec![one],
            };
            if !stops.is_empty() {
                body.insert("stop_sequences".into(), stops.into());
            }
        }
        "user" => {
            body.insert("metadata".into(), json!({ "user_id": value }));
        }
        "modalities" if value == json!(["text"]) => {}
        "modalities" => writing.refuse(name, "")?,
        _ if ADVISORY.contains(&name) => writing.took_out(name),
        _ if REFUSED.contains(&name) => {
            if !asks_for_nothing(name, &value) {
                writing.refuse(name, "")?;
            }
        }
        _ if body.contains_key(name) => writing.refuse(name, ": it is said in another way here")?,
        _ => {
            body.insert(name.to_owned(), value);
        }
    }
    Ok(())
}

fn asks_for_nothing(name: &str, value: &Value) -> bool {
    match name {
        "n" => *value == 1,
        "logprobs" => *value == false,
        "function_call" => *value == "auto" || *value == "none",
        "functions" => *value == json!([]),
        "logit_bias" => *value == json!({}),
        _ => value.as_f64() == Some(0.0),
    }
}

fn format(said: Option<Value>, writing: &mut Writing<'_>) -> Result<Option<Value>> {
    let Some(mut said) = said else { return Ok(None) };
    match said["type"].as_str().unwrap_or_default() {
        "text" => Ok(None),
        "json_schema" if said["json_schema"]["schema"].is_object() => {
            writing.unread("response_format", &said, &["type", "json_schema"]);
            let inner = &said["json_schema"];
            writing.unread("response_format.json_schema", inner, &["name", "description", "strict", "schema"]);
            let schema = take(&mut take(&mut said, "json_schema"), "schema");
            Ok(Some(json!({ "type": "json_schema", "schema": schema })))
        }
        _ => {
            writing.refuse("response_format", " in this form: give a JSON schema")?;
            Ok(None)
        }
    }
}

/// How the model is asked to think.
#[derive(Default)]
struct Thought {
    asked: Option<Value>,
    /// Tokens to think with.
    budget: u64,
    config: Map<String, Value>,
}

fn thinking(
    members: &mut Map<String, Value>,
    model: &str,
    limit: Option<u64>,
    unable: bool,
    writing: &mut Writing<'_>,
) -> Thought {
    let mut thought = Thought::default();
    if let Some(Value::Object(config)) = members.shift_remove("output_config") {
        thought.config = config;
    }
    let effort = members.shift_remove("reasoning_effort");
    // Anthropic's own way to say it, for whoever knows it.
    if let Some(asked) = members.shift_remove("thinking") {
        thought.asked = Some(asked);
        return thought;
    }
    let Some(effort) = effort.as_ref().and_then(Value::as_str).filter(|effort| *effort != "none") else {
        return thought;
    };
    // A turn that goes on must begin with what was thought, and nobody kept it; or a tool must be called, which a model
    // that thinks cannot be made to.
    if unable {
        writing.took_out("reasoning_effort");
        return thought;
    }
    if !thinks_by_budget(model) {
        let word = match effort {
            "minimal" => "low",
            "xhigh" => "max",
            word => word,
        };
        thought.asked = Some(json!({ "type": "adaptive" }));
        thought.config.entry("effort").or_insert_with(|| word.into());
        return thought;
    }
    let wanted = match effort {
        "minimal" | "low" => 2048,
        "medium" => 8192,
        _ => 16_384,
    };
    // The budget lies within the answer's limit, and is 1,024 at least.
    let budget = limit.map_or(wanted, |limit| wanted.min(limit / 2));
    if budget < 1024 {
        writing.took_out("reasoning_effort");
        return thought;
    }
    thought.asked = Some(json!({ "type": "enabled", "budget_tokens": budget }));
    thought.budget = budget;
    thought
}

/// Whether a model takes a budget of tokens to think with: those up to Claude 4.5 do, later ones judge for themselves.
fn thinks_by_budget(model: &str) -> bool {
    let mut parts = model.strip_prefix("claude-").unwrap_or_default().split('-');
    let number = |part: Option<&str>| part.filter(|part| part.len() <= 2).and_then(|part| part.parse::<u32>().ok());
    match parts.next() {
        Some("3") => true,
        Some("opus" | "sonnet" | "haiku") => {
            number(parts.next()).is_some_and(|major| (major, number(parts.next()).unwrap_or(0)) <= (4, 5))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::thinks_by_budget;

    #[test]
    fn models_up_to_claude_4_5_think_by_budget() {
        for model in [
            "claude-3-7-sonnet-20250219",
            "claude-sonnet-4-20250514",
            "claude-opus-4-1-20250805",
            "claude-opus-4-1",
            "claude-sonnet-4-5-20250929",
            "claude-haiku-4-5",
        ] {
            assert!(thinks_by_budget(model), "{model}");
        }
        for model in ["claude-opus-4-6", "claude-sonnet-4-7-20260501", "claude-sonnet-5", "claude-next", "other"] {
            assert!(!thinks_by_budget(model), "{model}");
        }
    }
}
