//! What an answer repeats of its call: the response before anything is in it.

use serde_json::{Map, Value, json};

use super::{Told, request::Request, tools::Tools};

/// The response with the call's settings, OpenAI's defaults where it has none, and no output.
pub(super) fn skeleton(request: &Request, told: &Told, tools: &Tools) -> Map<String, Value> {
    let given = |name: &str| request.member(name).clone();
    let or = |name: &str, default: Value| match request.member(name) {
        Value::Null => default,
        value => value.clone(),
    };
    let reasoning = request.member("reasoning");
    let text = request.member("text");
    let format = if text["format"].is_null() { json!({"type": "text"}) } else { text["format"].clone() };
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| members.insert(name.into(), value);
    set("id", told.id.as_str().into());
    set("object", "response".into());
    set("created_at", told.created_at.into());
    set("status", "in_progress".into());
    set("background", request.background().into());
    set("completed_at", Value::Null);
    set("error", Value::Null);
    set("incomplete_details", Value::Null);
    set("instructions", given("instructions"));
    set("max_output_tokens", given("max_output_tokens"));
    set("max_tool_calls", given("max_tool_calls"));
    set("model", request.model().into());
    set("output", json!([]));
    set("parallel_tool_calls", or("parallel_tool_calls", true.into()));
    set("previous_response_id", given("previous_response_id"));
    if let Some(id) = request.conversation() {
        set("conversation", json!({"id": id}));
    }
    // OpenAI's description knows no null for these.
    for name in ["prompt_cache_key", "safety_identifier", "user"] {
        if !request.member(name).is_null() {
            set(name, given(name));
        }
    }
    set("reasoning", json!({"effort": reasoning["effort"], "summary": request.summary()}));
    set("service_tier", "default".into());
    set("store", request.store().into());
    set("temperature", or("temperature", 1.0.into()));
    let verbosity = if text["verbosity"].is_null() { "medium".into() } else { text["verbosity"].clone() };
    set("text", json!({"format": format, "verbosity": verbosity}));
    // A choice that was left out is not shown.
    let chosen = tools.choice.is_some() || request.member("tool_choice") == "none";
    set("tool_choice", if chosen { given("tool_choice") } else { "auto".into() });
    set("tools", tools.shown.clone().into());
    set("top_logprobs", or("top_logprobs", 0.into()));
    set("top_p", or("top_p", 1.0.into()));
    set("truncation", or("truncation", "disabled".into()));
    set("metadata", or("metadata", json!({})));
    members
}
