//! All that can be observed of a backend's data, as one value: what it is called, where calls go, how they are
//! dressed, and what becomes of a set of calls that touches every part of a dialect.

use providers::{Backend, Dress, Endpoint, Vendor, docs};
use serde_json::{Value, json};
use types::{BackendName, Operation, Secret, config};
use wire::{
    json::Limits,
    native::Dialect,
    openai::chat::{self, Ask},
};

use crate::{
    sent::{KEY, send},
    works::outcomes,
};

const ROUTER: &str = "https://router.example";

/// What is observed. A backend whose data cannot be made an endpoint shows that.
pub(crate) fn observe(backend: &Backend) -> Value {
    let seen = |endpoint: Result<Option<Endpoint>, String>| match endpoint {
        Ok(Some(endpoint)) => place(&endpoint),
        Ok(None) => Value::Null,
        Err(_) => json!("bad"),
    };
    let mut ways = json!({});
    for op in Operation::ALL {
        ways[op.name()] = json!({
            "routed": seen(Endpoint::routed(backend, *op, ROUTER)),
            "direct": seen(Endpoint::direct(backend, *op, None)),
            "elsewhere": seen(Endpoint::direct(backend, *op, Some("http://elsewhere.example/b")))["target"],
        });
    }
    let page = docs::page_of(&[*backend]);
    let row = page.lines().find(|line| line.starts_with(&format!("| {} |", backend.id))).unwrap_or_default();
    json!({
        "names": backend.names().collect::<Vec<_>>(),
        "hub_org": backend.hub_org,
        "routing": format!("{:?}", backend.routing),
        "routable": backend.is_routable(),
        "documented": row,
        "ways": ways,
        "vendor": backend.vendor.map(|vendor| of_vendor(backend, vendor)),
    })
}

/// What is its own as a vendor.
fn of_vendor(backend: &Backend, vendor: &Vendor) -> Value {
    let direct = Endpoint::direct(backend, Operation::Chat, Some("http://v.example/b")).ok().flatten();
    let path = |dialect| direct.as_ref().and_then(|endpoint| endpoint.native(dialect));
    let keys = ["hf_x", "sk-x", "sk-proj-x", "sk-ant-api03-x", "sk-or-v1-x", "gsk_x"];
    json!({
        "messages": path(Dialect::Messages),
        "responses": path(Dialect::Responses),
        "families": vendor.families,
        "carried": vendor.carried,
        "variable": vendor.variable,
        "models": direct.as_ref().map(|endpoint| endpoint.beneath(vendor.models)),
        "other_work": vendor.other_work,
        "keys": keys.into_iter().filter(|key| (vendor.is_key)(key)).collect::<Vec<_>>(),
    })
}

/// What becomes of each probe at this backend, on whichever way it has.
pub(crate) fn calls_of(backend: &Backend) -> Value {
    let mut all = serde_json::Map::new();
    for operation in Operation::ALL {
        let endpoint = Endpoint::routed(backend, *operation, ROUTER).ok().flatten();
        match endpoint.or_else(|| Endpoint::direct(backend, *operation, None).ok().flatten()) {
            Some(endpoint) if *operation == Operation::Chat => chats(&endpoint, &mut all),
            Some(endpoint) => outcomes(&endpoint, &mut all),
            None => {}
        }
    }
    Value::Object(all)
}

/// The endpoints that are not of the table: the router's own, and all of a declared server of each kind.
pub(crate) fn others() -> Vec<(String, Vec<Endpoint>)> {
    let mut all = vec![("router".to_owned(), vec![Endpoint::router(ROUTER).unwrap()])];
    for kind in KINDS {
        let server = |op: &Operation| {
            Endpoint::declared(&BackendName::new("mine"), "http://mine.example/x", *kind, *op).unwrap()
        };
        all.push((format!("declared-{}", kind.name()), Operation::ALL.iter().filter_map(server).collect()));
    }
    all
}

/// What becomes of each probe at several endpoints, and where they are.
pub(crate) fn calls(endpoints: &[Endpoint]) -> Value {
    let mut all = serde_json::Map::new();
    for endpoint in endpoints {
        match endpoint.operation {
            Operation::Chat => chats(endpoint, &mut all),
            operation => {
                all.insert(format!("{}: at", operation.name()), endpoint.target("own-name").unwrap().into());
                outcomes(endpoint, &mut all);
            }
        }
    }
    Value::Object(all)
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
    let key = Secret::new(KEY);
    let headers = endpoint.headers(Dress { key: Some(&key), bill_to: None }).unwrap();
    let mut shown = json!({});
    for (name, value) in headers.iter().filter(|(name, _)| *name != "user-agent") {
        shown[name.as_str()] = value.to_str().unwrap().replace(KEY, "KEY").into();
    }
    let target = |model| endpoint.target(model).unwrap();
    json!({"origin": endpoint.origin(), "target": target("org/the model"), "versioned": target("org/m:5599"), "headers": shown})
}

/// What becomes of each chat: the body, what was dropped, or what was refused.
fn chats(endpoint: &Endpoint, all: &mut serde_json::Map<String, Value>) {
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
    let rest = goes_on(endpoint).map_or_else(|_| json!("refused"), |body| json!({ "body": body }));
    all.insert("the rest of an answer".to_owned(), rest);
}

/// The call for the rest of an answer that another backend began.
fn goes_on(endpoint: &Endpoint) -> types::Result<Value> {
    let call = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let call = chat::Call::read(call.to_string().into(), &Limits::default())?;
    let mut thread = chat::Thread::default();
    let said = r#"{"id":"a","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hel"}}]}"#;
    thread.push(format!("data: {said}\n\n").into(), &mut drop)?;
    let rest = thread.rest(&call, &Limits::default())?.unwrap();
    let ask = Ask { lenient: false, backend: endpoint.backend.as_str() };
    let encoded = endpoint.codec.encode_chat(&rest, "own-name", ask)?;
    Ok(serde_json::from_slice(&encoded.body.to_bytes()).unwrap())
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
            {"role": "assistant", "content": "yes", "reasoning_content": "hm", "refusal": null, "annotations": [], "tool_calls": []},
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
    let mut all: Vec<(&'static str, Value)> = chat::dialect::ADVISORY.iter().map(|name| (*name, json!("x"))).collect();
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
