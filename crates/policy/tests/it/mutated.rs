//! Some hundreds of configurations, each with one thing wrong: each is refused, with the place of the mistake.

use serde_json::{Value, json};

use policy::Problem;

use super::table::World;

/// A good configuration that uses every kind of setting.
fn whole() -> Value {
    let health = json!({ "window": "1s", "baseline": "1m", "rise": 50, "fall": 60, "warm_up": 4, "silence": 4, "sharpness": 2, "quota_low": 5, "quota_pressure": 4, "key_slack": 120, "key_slack_time": "1ms", "failed_after": 2, "failed_errors": 60, "degraded_errors": 5, "min_calls": 3,
        "slow_factor": 4, "error_weight": 5, "open": "1s", "open_max": "2s", "reserve": "50ms", "probe": "1s", "reserve": "50ms", "probes": 1, "slow_start": "1s", "slow_start_floor": 20, "spares": 3, "spare_wait": "2s", "probe_wait": "1s", "probe_look": "5ms", "first_event": "1s", "per_token": "1ms",
        "explore_after": "1s", "exploration": 10, "room": 4, "speed": 10, "typical_output": 5, "entries": 100 });
    json!({
        "listener": { "address": "127.0.0.1:1", "allow_remote": false, "hosts": ["gw"], "workers": 2, "max_connections": 5,
            "max_head": "8KiB", "max_headers": 20, "head_time": "1s", "idle_time": "1s", "tls": { "cert": "/c", "key": "/k" } },
        "limits": { "body": "1MiB", "held_bodies": "1MiB", "form_in_memory": "1KiB", "hugging_face_body": "1MiB", "answer": 5000, "depth": 9, "members": 1000 },
        "timeouts": { "first_event": "1s", "between_events": "1s", "stream": "1s", "answer": "1s", "connect": "1s", "silence": "1s", "addresses": "1s", "refusal": "1s", "body": "1s", "drain": "1s" },
        "huggingface": { "hub": "https://hub", "router": "https://router", "implicit_token": true, "bill_to": "org", "caller_keys": "auto",
            "keys": [{ "name": "a", "value": "env:A", "bill_to": "b" }, { "name": "g", "value": "file:/g", "backend": "groq" }] },
        "backends": { "together": { "enabled": true, "base_url": "http://x", "body_limit": 5,
            "timeouts": { "first_event": "1s", "between_events": "1s", "stream": "1s", "answer": "1s", "connect": "1s" } } },
        "servers": { "mine": { "url": "http://y/v1", "dialect": "tgi", "key": "env:G", "models": ["m"], "advertised": true, "body_limit": "5B",
            "timeouts": { "first_event": "1s", "between_events": "1s", "stream": "1s", "answer": "1s", "connect": "1s" } } },
        "aliases": { "gpt-4o": "huggingface/groq/x", "smart": { "targets": ["huggingface/mine/m", { "model": "huggingface/groq/x", "weight": 2, "priority": 1 }],
            "strategy": "cheapest", "max_price": "0.5", "max_first_event": "1s", "own_servers_first": true, "fallbacks": ["huggingface/auto/a/b"],
            "failover": true, "hedging": true, "continuation": true, "sticky": "x-session", "rules": [{ "when": "percent < 5.0", "targets": ["huggingface/auto/a/b"] }] } },
        "routing": { "strategy": "fastest", "preferred": ["groq"], "own_servers_first": true, "failover": true, "hedging": true, "continuation": true, "late": 90, "late_calls": 5, "patience": "1s",
            "rules": [{ "when": "headers[\"x-a\"] == \"b\"", "targets": [{ "model": "huggingface/auto/a/b" }] }],
            "health": health,
            "asides": { "unauthenticated": "1s", "forbidden": "1s", "payment": "1s", "rate_limited": "1s", "rate_limited_max": "2s", "quota": "9s", "not_found": "1s" },
            "retries": { "attempts": 2, "budget": 5, "saved": 10, "floor": 1, "backoff": "1ms", "backoff_max": "2ms", "stale": "1s", "loading": 1, "share": 40, "loading_first": "1s", "loading_wait": "1s" } },
        "log": { "format": "json", "level": "warn" },
        "data": { "folder": "/data" },
        "catalog": { "fresh": "1s", "keep": "1m", "unknown": "1s", "timeout": "1s", "entries": 100 }
    })
}

fn compile(tree: &Value) -> Result<(), Vec<Problem>> {
    let text = toml::to_string(&toml::Value::try_from(tree).unwrap()).unwrap();
    World::default()
        .env("A", "hf_a")
        .env("G", "key")
        .file("/g", "gsk")
        .file("/c", "-----BEGIN CERTIFICATE-----")
        .file("/k", "-----BEGIN PRIVATE KEY-----")
        .compile(&text)
        .map(drop)
}

/// Every value that is not a table or list, as a JSON pointer.
fn leaves(node: &Value, at: &str, found: &mut Vec<String>) {
    match node {
        Value::Object(map) => map.iter().for_each(|(key, value)| leaves(value, &format!("{at}/{key}"), found)),
        Value::Array(list) => list.iter().enumerate().for_each(|(i, value)| leaves(value, &format!("{at}/{i}"), found)),
        _ => found.push(at.to_owned()),
    }
}

/// Every table.
fn tables(node: &Value, at: &str, found: &mut Vec<String>) {
    if let Value::Object(map) = node {
        found.push(at.to_owned());
        map.iter().for_each(|(key, value)| tables(value, &format!("{at}/{key}"), found));
    }
    if let Value::Array(list) = node {
        list.iter().enumerate().for_each(|(i, value)| tables(value, &format!("{at}/{i}"), found));
    }
}

/// The path as a problem writes it.
fn path(pointer: &str) -> String {
    let mut path = String::new();
    for step in pointer.split('/').skip(1) {
        match step.parse::<usize>() {
            Ok(index) => path.push_str(&format!("[{index}]")),
            Err(_) if path.is_empty() => path.push_str(step),
            Err(_) => path.push_str(&format!(".{step}")),
        }
    }
    path
}

struct Mutation {
    tree: Value,
    path: String,
}

fn replaced(pointer: &str, value: Value) -> Mutation {
    let mut tree = whole();
    *tree.pointer_mut(pointer).unwrap() = value;
    Mutation { tree, path: path(pointer) }
}

fn mutations() -> Vec<Mutation> {
    let mut all = Vec::new();
    let (mut values, mut places) = (Vec::new(), Vec::new());
    leaves(&whole(), "", &mut values);
    tables(&whole(), "", &mut places);
    // Wrong type: a list, a table, a fraction or a truth fits none of the leaves but the truths.
    for pointer in &values {
        let truth = whole().pointer(pointer).unwrap().is_boolean();
        let other = if truth { json!("true") } else { json!(true) };
        all.extend([json!([1]), json!({ "x": 1 }), json!(1.5), json!(-1), other].map(|value| replaced(pointer, value)));
    }
    // Unknown key in every table but those with free keys.
    for pointer in places.iter().filter(|p| !["/servers", "/aliases", "/backends"].contains(&p.as_str())) {
        let mut tree = whole();
        tree.pointer_mut(pointer).unwrap().as_object_mut().unwrap().insert("surprise".to_owned(), json!(1));
        all.push(Mutation { tree, path: path(&format!("{pointer}/surprise")) });
    }
    // A text that is none of the things that this setting takes. These four take any text that can be read at all.
    for pointer in values.iter().filter(|p| whole().pointer(p).unwrap().is_string()) {
        if !["/data/folder", "/huggingface/keys/0/name", "/huggingface/keys/1/name"].contains(&pointer.as_str()) {
            all.extend(["", "\u{7f} ?", "../..//@"].map(|text| replaced(pointer, json!(text))));
        }
    }
    // What a table cannot be without.
    for (pointer, key) in [
        ("/huggingface/keys/0", "name"),
        ("/huggingface/keys/1", "value"),
        ("/servers/mine", "url"),
        ("/listener/tls", "cert"),
        ("/listener/tls", "key"),
        ("/aliases/smart", "targets"),
        ("/aliases/smart/targets/1", "model"),
        ("/aliases/smart/rules/0", "when"),
        ("/aliases/smart/rules/0", "targets"),
        ("/routing/rules/0", "when"),
    ] {
        let mut tree = whole();
        tree.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(key);
        all.push(Mutation { tree, path: path(&format!("{pointer}/{key}")) });
    }
    all.extend(chosen());
    all
}

/// Mistakes that only make sense in one place.
fn chosen() -> Vec<Mutation> {
    let mut all = vec![
        replaced("/listener/address", json!("0.0.0.0:80")),
        replaced("/listener/address", json!("127.0.0.1:99999")),
        replaced("/listener/workers", json!(1025)),
        replaced("/listener/tls/cert", json!("/nowhere")),
        replaced("/listener/tls/key", json!("/c")),
        replaced("/limits/held_bodies", json!("1KiB")),
        replaced("/limits/body", json!("8GiB")),
        replaced("/limits/depth", json!(1)),
        replaced("/timeouts/answer", json!("0s")),
        replaced("/timeouts/answer", json!("600")),
        replaced("/timeouts/stream", json!("99999999999d")),
        replaced("/huggingface/keys/0/value", json!("env:NOT_SET")),
        replaced("/huggingface/keys/0/value", json!("file:/nowhere")),
        replaced("/huggingface/keys/0/value", json!("hf_abcdefgh")),
        replaced("/huggingface/keys/0/value", json!("env:G")),
        replaced("/huggingface/keys/1/value", json!("env:A")),
        replaced("/huggingface/keys/1/backend", json!("nobody")),
        replaced("/huggingface/keys/1/backend", json!("mine")),
        replaced("/huggingface/keys/1/backend", json!("hf-inference")),
        replaced("/huggingface/keys/1/name", json!("a")),
        replaced("/servers/mine/key", json!("env:NOT_SET")),
        replaced("/aliases/gpt-4o", json!("gpt-4o")),
        replaced("/aliases/gpt-4o", json!("huggingface/nobody/a/b")),
        replaced("/catalog/keep", json!("1ms")),
        replaced("/aliases/smart/targets", json!([])),
        replaced("/aliases/smart/targets/0", json!("gpt-4o")),
        replaced("/aliases/smart/targets/1/weight", json!(0)),
        replaced("/aliases/smart/fallbacks/0", json!("huggingface/nobody/a/b")),
        replaced("/aliases/smart/max_price", json!("-1")),
        replaced("/aliases/smart/sticky", json!("Authorization")),
        replaced("/aliases/smart/rules/0/when", json!("percent <")),
        replaced("/aliases/smart/rules/0/when", json!("percnt < 5.0")),
        replaced("/routing/rules/0/when", json!("headers.exists(h, h == \"a\")")),
        replaced("/routing/rules/0/when", json!("matches(model, \"(a+)+$\")")),
        replaced("/routing/rules/0/targets", json!([])),
        replaced("/routing/preferred/0", json!("nobody")),
        replaced("/routing/health/open_max", json!("1ms")),
        replaced("/routing/asides/rate_limited_max", json!("1ms")),
        replaced("/routing/retries/backoff_max", json!("0s")),
    ];
    for pointer in ["/huggingface/hub", "/huggingface/router", "/backends/together/base_url", "/servers/mine/url"] {
        let bad = [
            "ftp://x",
            "https://u:p@x",
            "https://x?y",
            "https://x#y",
            "https://x:0",
            "//x",
            "https://x/../y",
            "file:///etc",
            "https://x y",
        ];
        all.extend(bad.map(|url| replaced(pointer, json!(url))));
    }
    for name in ["groq", "fal", "auto", "openai", "anthropic", "huggingface", "My Server", "a/b", "a:b", ""] {
        let mut tree = whole();
        let servers = tree.pointer_mut("/servers").unwrap().as_object_mut().unwrap();
        let server = servers.get("mine").cloned().unwrap();
        servers.insert(name.to_owned(), server);
        all.push(Mutation { tree, path: "servers.".to_owned() });
    }
    for (name, target) in [("a", "a"), ("a", "gpt-4o"), ("", "a/b"), ("x\ny", "a/b")] {
        let mut tree = whole();
        tree.pointer_mut("/aliases").unwrap().as_object_mut().unwrap().insert(name.to_owned(), json!(target));
        all.push(Mutation { tree, path: "aliases.".to_owned() });
    }
    let mut circle = whole();
    *circle.pointer_mut("/aliases").unwrap() = json!({ "a": "b", "b": "c", "c": "a" });
    all.push(Mutation { tree: circle, path: "aliases.a".to_owned() });
    let mut twice = whole();
    twice.pointer_mut("/backends").unwrap().as_object_mut().unwrap().insert("togetherai".to_owned(), json!({}));
    all.push(Mutation { tree: twice, path: "backends.togetherai".to_owned() });
    let mut nobody = whole();
    *nobody.pointer_mut("/backends").unwrap() = json!({ "nobody": {} });
    all.push(Mutation { tree: nobody, path: "backends.nobody".to_owned() });
    all
}

#[test]
fn the_configuration_that_is_mutated_is_good() {
    compile(&whole()).unwrap_or_else(|problems| panic!("{problems:#?}"));
}

#[test]
fn each_of_hundreds_of_mistakes_is_refused_with_its_path_line_and_what_is_allowed() {
    let mutations = mutations();
    assert!(mutations.len() >= 300, "{}", mutations.len());
    for mutation in mutations {
        let Err(problems) = compile(&mutation.tree) else { panic!("{} passed:\n{:#}", mutation.path, mutation.tree) };
        let found = problems.iter().find(|problem| problem.path.starts_with(&mutation.path));
        let Some(problem) = found else { panic!("{}: {problems:#?}", mutation.path) };
        assert!(problem.place.is_some() && problem.message.len() > 15, "{problem}");
        // One mistake is not reported as a crowd.
        assert!(problems.len() <= 4, "{}: {problems:#?}", mutation.path);
    }
}
