//! The sandbox's own paths, `/_sandbox/…`: the journal, faults, settings, and the world it plays.

use std::time::Duration;

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::backends::BACKENDS;
use crate::custom::SERVERS;
use crate::knobs::Knobs;
use crate::reply::Reply;
use crate::server::State;
use crate::world;

const HELP: &str = "\
The sandbox plays Hugging Face. Set HF_ENDPOINT and HF_ROUTER_URL to this address, and use the token hf_sandbox.

GET    /_sandbox/journal    every request seen; ?at_least=N&finished=N&wait_ms=M waits until there are so many
DELETE /_sandbox/journal
GET    /_sandbox/jobs       jobs submitted, polled and canceled, and results that wait to be fetched
DELETE /_sandbox/jobs
GET    /_sandbox/faults     the rules that are left
POST   /_sandbox/faults     one rule, or a list: {\"match\": {\"backend\": \"groq\"}, \"times\": 1, \"fault\": {\"kind\": \"status\", \"status\": 503}}
DELETE /_sandbox/faults
GET    /_sandbox/settings
POST   /_sandbox/settings   {\"chunks\": 20, \"gap_ms\": 50}
DELETE /_sandbox/settings   back to the defaults
GET    /_sandbox/world      models, backends, servers

A backend's own address is /direct/{id} with the key key-{id}; servers of one's own are under /custom/{name}.
";

pub(crate) async fn answer(ask: &Ask, state: &State) -> Reply {
    let room = ask.path.trim_start_matches("/_sandbox").trim_matches('/');
    match (ask.method.as_str(), room) {
        ("GET", "") => Reply::text(200, HELP),
        ("GET", "journal") => journal(ask, state).await,
        ("DELETE", "journal") => {
            state.journal.clear();
            done()
        }
        ("GET", "jobs") => Reply::json(200, state.works.json().to_string()),
        ("DELETE", "jobs") => {
            state.works.clear();
            done()
        }
        ("GET", "faults") => Reply::json(200, Value::Array(state.faults.list()).to_string()),
        ("POST", "faults") => told(ask, |rule| match rule {
            Value::Array(rules) => rules.iter().try_for_each(|rule| state.faults.add(rule)),
            rule => state.faults.add(rule),
        }),
        ("DELETE", "faults") => {
            state.faults.clear();
            done()
        }
        ("GET", "settings") => settings(&state.knobs()),
        ("POST", "settings") => told(ask, |change| state.set(change)),
        ("DELETE", "settings") => match serde_json::to_value(Knobs::default()) {
            Ok(defaults) => state.set(&defaults).map_or_else(|why| bad(&why), |()| done()),
            Err(why) => bad(&why.to_string()),
        },
        ("GET", "world") => Reply::json(200, world_as_json().to_string()),
        (_, "journal" | "jobs" | "faults" | "settings" | "world" | "") => {
            Reply::json(405, r#"{"error":"method not allowed"}"#)
        }
        _ => Reply::json(404, r#"{"error":"no such room; GET /_sandbox/ says which there are"}"#),
    }
}

fn done() -> Reply {
    Reply::json(200, r#"{"ok":true}"#)
}

fn bad(why: &str) -> Reply {
    Reply::json(400, json!({ "error": why }).to_string())
}

fn told(ask: &Ask, what: impl FnOnce(&Value) -> Result<(), String>) -> Reply {
    let read = serde_json::from_slice::<Value>(&ask.body).map_err(|error| error.to_string());
    match read.and_then(|value| what(&value)) {
        Ok(()) => done(),
        Err(why) => bad(&why),
    }
}

/// The settings without the secrets of named tokens.
fn settings(knobs: &Knobs) -> Reply {
    let mut shown = serde_json::to_value(knobs).unwrap_or_default();
    shown["tokens"] = knobs.tokens.iter().map(|token| json!({ "name": token.name })).collect();
    Reply::json(200, shown.to_string())
}

async fn journal(ask: &Ask, state: &State) -> Reply {
    let number = |name: &str| ask.asked(name).first().and_then(|text| text.parse::<u64>().ok());
    let least = number("at_least").unwrap_or(0);
    let finished = number("finished").unwrap_or(0);
    let limit = Duration::from_millis(number("wait_ms").unwrap_or(0).min(60_000));
    let ended = |entry: &&Value| entry["finished"] == true || entry["aborted"] == true;
    let enough = |all: &[Value]| all.len() as u64 >= least && all.iter().filter(ended).count() as u64 >= finished;
    Reply::json(200, Value::Array(state.journal.until(limit, enough).await).to_string())
}

fn world_as_json() -> Value {
    let models: Vec<Value> = world::models()
        .map(|model| {
            let routes: Vec<Value> = model
                .routes
                .iter()
                .map(|route| {
                    json!({"backend": route.backend, "provider_id": route.provider_id, "status": route.status, "task": route.task})
                })
                .collect();
            json!({"id": model.id, "pipeline_tag": model.pipeline, "access": format!("{:?}", model.access).to_lowercase(),
                "routes": routes})
        })
        .collect();
    let backends: Vec<Value> = BACKENDS
        .iter()
        .map(|backend| {
            json!({"id": backend.id, "state": format!("{:?}", backend.state), "chat_path": backend.chat, "own_models": backend.own_models})
        })
        .collect();
    let servers: Vec<&str> = SERVERS.iter().map(|server| server.name).collect();
    json!({"models": models, "renamed": world::RENAMED, "backends": backends, "custom": servers})
}
