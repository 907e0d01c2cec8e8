//! All that can be observed of a backend's data, as one value: what it is called, where calls go, how they are
//! dressed, and what becomes of a set of calls that touches every part of a dialect.

use providers::{Backend, Endpoint, docs};
use serde_json::{Value, json};
use types::{BackendName, config};
use wire::openai::chat::Ask;

use crate::sent::{KEY, send};

const ROUTER: &str = "https://router.example";

/// What is observed. A backend whose data cannot be made an endpoint shows that.
pub(crate) fn observe(backend: &Backend) -> Value {
    let routed = Endpoint::routed(backend, ROUTER).map_err(|_| "bad");
    let direct = Endpoint::direct(backend, None).map_err(|_| "bad");
    let seen = |endpoint: &Result<Option<Endpoint>, &str>| match endpoint {
        Ok(Some(endpoint)) => place(endpoint),
        Ok(None) => Value::Null,
        Err(why) => json!(why),
    };
    let page = docs::page_of(&[*backend]);
    let row = page.lines().find(|line| line.starts_with(&format!("| {} |", backend.id))).unwrap_or_default();
    json!({
        "names": backend.names().collect::<Vec<_>>(),
        "hub_org": backend.hub_org,
        "routing": format!("{:?}", backend.routing),
        "routable": backend.is_routable(),
        "documented": row,
        "routed": seen(&routed),
        "direct": seen(&direct),
    })
}

/// What becomes of each probe at this backend, on whichever way it has.
pub(crate) fn calls_of(backend: &Backend) -> Value {
    let routed = Endpoint::routed(backend, ROUTER).ok().flatten();
    routed.or_else(|| Endpoint::direct(backend, None).ok().flatten()).map_or(Value::Null, |endpoint| calls(&endpoint))
}

/// The endpoints that are not of the table: the router's own, and a declared server of each kind that chats.
pub(crate) fn others() -> Vec<(String, Endpoint)> {
    let mut all = vec![("router".to_owned(), Endpoint::router(ROUTER).unwrap())];
    for kind in KINDS {
        let server = Endpoint::declared(&BackendName::new("mine"), "http://mine.example", *kind).unwrap();
        all.extend(server.map(|endpoint| (format!("declared-{}", kind.name()), endpoint)));
    }
    all
}

const KINDS: &[config::Dialect] = &[
    config::Dialect::Openai,
    config::Dialect::Tgi,
    config::Dialect::Vllm,
    config::Dialect::Llamacpp,
    config::Dialect::Tei,
    config::Dialect::InferenceEndpoint,
];

fn place(endpoint: &Endpoint) -> Value {
    let call = json!({"messages": [{"role": "user", "content": "hi"}]});
    let sent = send(endpoint, &call, "org/the model", Ask::default()).unwrap();
    let mut headers = sent.headers;
    headers.remove("user-agent");
    if let Some(key) = headers.get_mut("authorization") {
        *key = key.replace(KEY, "KEY");
    }
    json!({"origin": endpoint.origin(), "target": sent.target, "headers": headers})
}

/// What becomes of each probe: the body, what was dropped, or what was refused.
pub(crate) fn calls(endpoint: &Endpoint) -> Value {
    let mut all = serde_json::Map::new();
    for (name, call) in probes() {
        let outcome = |lenient| {
            let ask = Ask { lenient, backend: endpoint.backend.as_str() };
            match send(endpoint, &call, "own-name", ask) {
                Ok(sent) => json!({"body": sent.body, "dropped": sent.dropped}),
                Err(fault) => json!({"refused": fault.param}),
            }
        };
        let strict = outcome(false);
        if strict["refused"].is_string() {
            all.insert(format!("{name}, leniently"), outcome(true));
        }
        all.insert(name, strict);
    }
    Value::Object(all)
}

/// A call for each part of a dialect, and one for each member that a list of a dialect could name.
fn probes() -> Vec<(String, Value)> {
    let hi = json!([{"role": "user", "content": "hi"}]);
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let mut probes = vec![
        (
            "schema".to_owned(),
            json!({"messages": hi, "response_format":
            {"type": "json_schema", "json_schema": {"name": "s", "schema": schema, "strict": true}}}),
        ),
        ("new token limit".to_owned(), json!({"messages": hi, "max_completion_tokens": 5})),
        ("old token limit".to_owned(), json!({"messages": hi, "max_tokens": 5})),
        ("stream".to_owned(), json!({"messages": hi, "stream": true})),
        (
            "replay".to_owned(),
            json!({"temperature": null, "messages": [
            {"role": "developer", "content": "be brief"},
            {"role": "assistant", "content": "yes", "refusal": null, "annotations": [], "tool_calls": []},
            {"role": "user", "content": "hi", "name": null}]}),
        ),
        (
            "odd tools".to_owned(),
            json!({"messages": hi, "tools": [
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
            {"type": "custom", "custom": {"name": "c", "description": "d"}},
            {"type": "web_search"}]}),
        ),
    ];
    for (member, value) in members() {
        let mut call = json!({"messages": hi});
        call[member] = value;
        probes.push((format!("member {member}"), call));
    }
    probes
}

/// Each member that could be dropped or refused, with a value that asks for something.
pub(crate) fn members() -> Vec<(&'static str, Value)> {
    let mut all: Vec<(&'static str, Value)> =
        wire::openai::chat::dialect::ADVISORY.iter().map(|name| (*name, json!("x"))).collect();
    all.extend([
        ("audio", json!({"voice": "alloy", "format": "mp3"})),
        ("frequency_penalty", json!(0.5)),
        ("logit_bias", json!({"1": 1})),
        ("logprobs", json!(true)),
        ("n", json!(2)),
        ("parallel_tool_calls", json!(false)),
        ("presence_penalty", json!(0.5)),
        ("reasoning_effort", json!("low")),
        ("seed", json!(1)),
        ("stop", json!(["x"])),
        ("top_k", json!(5)),
        ("top_logprobs", json!(2)),
        ("top_p", json!(0.5)),
        ("web_search_options", json!({"a": 1})),
    ]);
    all
}
