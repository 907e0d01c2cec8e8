//! What is observed of each backend is what is expected: facts written by hand from the sources, and, for the calls, a
//! golden file that changes only on purpose.

use std::{collections::BTreeMap, sync::Once};

use providers::{Backend, TABLE};
use serde_json::{Value, json};
use types::Operation;

use crate::{
    probe::{calls, calls_of, observe, others},
    sent::folder,
};

/// The facts of `tests/expected/facts.json`, which no code writes.
pub(crate) fn facts() -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(folder("tests/expected/facts.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The golden calls of a backend, or of another endpoint. Written anew, once, when asked to.
pub(crate) fn golden(id: &str) -> Value {
    static WRITTEN: Once = Once::new();
    if std::env::var_os("UPDATE_CALLS").is_some() {
        WRITTEN.call_once(write_golden);
    }
    let path = folder(&format!("tests/expected/calls/{id}.json"));
    std::fs::read_to_string(path).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
}

fn write_golden() {
    let of_table = TABLE.iter().map(|b| (b.id.to_owned(), calls_of(b)));
    let of_others = others().into_iter().map(|(name, endpoints)| (name, calls(&endpoints)));
    for (name, calls) in of_table.chain(of_others) {
        let path = folder(&format!("tests/expected/calls/{name}.json"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let lines: Vec<_> = calls.as_object().unwrap().iter().map(|(name, call)| format!("{name:?}: {call}")).collect();
        std::fs::write(path, format!("{{\n{}\n}}\n", lines.join(",\n"))).unwrap();
    }
}

/// Whether what is observed is what is expected; if not, the first thing that is not.
pub(crate) fn check(backend: &Backend, facts: &Value, golden: &Value) -> Result<(), String> {
    let seen = observe(backend);
    let same = |what: &str, seen: &Value, expected: &Value| {
        if seen == expected { Ok(()) } else { Err(format!("{what}: {seen} instead of {expected}")) }
    };
    for name in ["names", "hub_org", "routing", "documented", "vendor"] {
        same(name, &seen[name], &facts[name])?;
    }
    for operation in Operation::ALL {
        let name = operation.name();
        for (way, expected) in ways(facts, name) {
            same(&format!("{name} {way}"), &seen["ways"][name][way], &expected)?;
        }
    }
    same("calls", &calls_of(backend), golden)
}

/// Where an operation is on each way, by the facts.
fn ways(facts: &Value, operation: &str) -> [(&'static str, Value); 3] {
    let Some(path) = facts["ops"][operation].as_str() else {
        return [("routed", Value::Null), ("direct", Value::Null), ("elsewhere", Value::Null)];
    };
    let queue = Some(&facts["queue"])
        .filter(|queue| queue["ops"].as_array().is_some_and(|ops| ops.iter().any(|op| op == operation)));
    let query = queue.map_or(String::new(), |queue| format!("?{}", queue["query"].as_str().unwrap()));
    let versioned = facts["versioned"].as_str().unwrap_or(path).replace("{model}", "org/m%3A5599");
    let path = path.replace("{model}", "org/the%20model");
    let headers = |scheme: &str| {
        let mut headers = json!({"content-type": "application/json"});
        match scheme {
            "x-api-key" => headers[scheme] = "KEY".into(),
            scheme => headers["authorization"] = format!("{scheme} KEY").into(),
        }
        for (name, value) in facts["headers"].as_object().into_iter().flatten() {
            headers[name] = value.clone();
        }
        headers
    };
    let place = |origin: &Value, before: &str, query: &str, scheme: &str| {
        json!({"origin": origin, "target": format!("{before}/{path}{query}"),
            "versioned": format!("{before}/{versioned}{query}"), "headers": headers(scheme)})
    };
    let id = facts["names"][0].as_str().unwrap_or_default();
    let routed = place(&json!("https://router.example"), &format!("/{id}"), &query, "Bearer");
    let own = queue.map_or(&facts["direct"], |queue| &queue["direct"]);
    let direct = place(own, "", "", facts["key"].as_str().unwrap_or("Bearer"));
    let direct = if facts["direct"].is_null() { Value::Null } else { direct };
    [("routed", routed), ("direct", direct), ("elsewhere", json!(format!("/b/{path}{query}")))]
}

#[test]
fn every_backend_is_what_the_sources_say() {
    let facts = facts();
    let ids: Vec<&str> = TABLE.iter().map(|b| b.id).collect();
    assert_eq!(facts.len(), ids.len(), "the table and the facts name different backends: {ids:?}");
    for backend in TABLE {
        let known = facts.get(backend.id).unwrap_or_else(|| panic!("no facts of {}", backend.id));
        if let Err(difference) = check(backend, known, &golden(backend.id)) {
            panic!(
                "{}: {difference}\nif the calls changed on purpose: UPDATE_CALLS=1 cargo test -p providers",
                backend.id
            );
        }
    }
}

#[test]
fn the_router_and_every_kind_of_declared_server_is_spoken_to_as_before() {
    for (name, endpoints) in others() {
        assert!(calls(&endpoints) == golden(&name), "{name}: if on purpose: UPDATE_CALLS=1 cargo test -p providers");
    }
    assert_eq!(others().len(), 7);
}

#[test]
fn the_quirks_that_the_sources_name_are_in_the_golden_calls() {
    let format = |id: &str| golden(id)["schema"]["body"]["response_format"].clone();
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let openai = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": schema, "strict": true}});
    for backend in TABLE.iter().filter(|b| b.chat().is_some()) {
        let expected = match backend.id {
            "together" => json!({"type": "json_schema", "schema": schema}),
            "cohere" | "fireworks-ai" => json!({"type": "json_object", "schema": schema}),
            "hf-inference" => json!({"type": "json_object", "value": schema}),
            "sambanova" => {
                json!({"type": "json_schema", "json_schema": {"name": "s", "schema": schema, "strict": false}})
            }
            _ => openai.clone(),
        };
        assert_eq!(format(backend.id), expected, "{}", backend.id);
        let calls = golden(backend.id);
        let guided = &calls["schema"]["body"]["guided_json"];
        assert_eq!(*guided, if backend.id == "nebius" { schema.clone() } else { Value::Null }, "{}", backend.id);
        let role = if backend.id == "openai" { "developer" } else { "system" };
        assert_eq!(calls["replay"]["body"]["messages"][0]["role"], role, "{}", backend.id);
    }
    let anthropic = golden("anthropic");
    assert_eq!(
        anthropic["schema"]["body"]["output_config"]["format"],
        json!({"type": "json_schema", "schema": schema})
    );
    assert_eq!(anthropic["replay"]["body"]["system"], json!([{"type": "text", "text": "be brief"}]));
    assert_eq!(anthropic["member stop"]["body"]["stop_sequences"], json!(["x"]));
    let dropped = |id: &str| golden(id)["member store"]["dropped"].clone();
    assert_eq!(dropped("cerebras"), json!(["store"]));
    assert_eq!(dropped("openai"), json!([]));
    assert_eq!(golden("groq")["member logprobs"]["refused"], "logprobs");
    assert_eq!(golden("groq")["member logprobs, leniently"]["dropped"], json!(["logprobs"]));
}
