//! The manual names everything that there is.

use super::client::{get, sandbox};
use serde_json::{Value, json};

const MANUAL: &str = include_str!("../../../../docs/sandbox.md");

fn named(name: &str) -> bool {
    MANUAL.contains(&format!("`{name}`"))
}

/// The names that an error says would have been right.
fn expected(error: &str) -> Vec<String> {
    let after = error.split("expected one of").nth(1).unwrap_or_else(|| unreachable!("{error}"));
    after.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_fault_framing_and_setting_is_in_the_manual() {
    let running = sandbox();
    let faults = expected(&running.fault(&json!({"fault": {"kind": "?"}})).unwrap_err());
    let framings = expected(&running.fault(&json!({"fault": {"kind": "framing", "as": "?"}})).unwrap_err());
    let matches = expected(&running.fault(&json!({"match": {"?": 1}, "fault": {"kind": "delay"}})).unwrap_err());
    let settings = expected(&running.set(&json!({"?": 1})).unwrap_err());
    assert!(faults.len() > 20 && framings.len() > 10 && matches.len() > 5 && settings.len() > 7);
    for name in faults.iter().chain(&framings).chain(&matches).chain(&settings) {
        assert!(named(name), "docs/sandbox.md does not name `{name}`");
    }
}

#[tokio::test]
async fn every_model_backend_and_server_is_in_the_manual() {
    let running = sandbox();
    let world = get(&running, "/_sandbox/world", None).await.json();
    let ids = |list: &str| {
        world[list].as_array().unwrap().iter().filter_map(|item| item["id"].as_str()).map(str::to_owned).collect()
    };
    let all: [Vec<String>; 2] = [ids("models"), ids("backends")];
    for name in all.iter().flatten() {
        assert!(named(name), "docs/sandbox.md does not name `{name}`");
    }
    for server in world["custom"].as_array().unwrap() {
        assert!(MANUAL.contains(server.as_str().unwrap()), "{server}");
    }
    let own = world["backends"].as_array().unwrap().iter().filter(|backend| backend["state"] == "Live");
    for name in own.filter_map(|backend| backend["own_models"].as_array()).flatten().filter_map(Value::as_str) {
        assert!(named(name), "docs/sandbox.md does not name `{name}`");
    }
}
