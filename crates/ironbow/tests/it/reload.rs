//! A configuration that changes while the gateway serves: SIGHUP takes a good one, and a bad one changes nothing.

use std::fs;

use serde_json::{Value, json};

use super::world::{EVERYWHERE, World, and, ask};

/// An alias of this route.
fn alias(route: &str) -> String {
    format!("[aliases]\npick = \"huggingface/{route}/{EVERYWHERE}\"\n")
}

fn served_by(world: &World, model: &str) -> Option<String> {
    let reply = world.chat(&ask(model, "hi"));
    (reply.status == 200).then(|| reply.header("x-ironbow-backend").unwrap().to_owned())
}

/// What the gateway counted of its readings.
fn readings(world: &World, outcome: &str) -> u64 {
    let page = world.get("/metrics");
    let line = format!("ironbow_configuration_reloads_total{{outcome=\"{outcome}\"}} ");
    page.text().lines().find_map(|l| l.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
}

#[test]
fn a_changed_file_is_in_force_at_once_and_what_runs_ends_as_it_began() {
    let world = World::configured("");
    world.reconfigure(&alias("groq"));
    world.log_line(|line| line.contains("is in force"));
    assert_eq!(served_by(&world, "pick").as_deref(), Some("groq"));
    world.settings(&json!({"gap_ms": 100}));
    let mut running = world.open(&and(ask("pick", "one two three four five six"), json!({"stream": true})), &[]);
    running.read_until("data:", 1);
    world.reconfigure(&alias("together"));
    world.log_line(|line| line.contains("is in force"));
    world.settings(&json!({"gap_ms": 0}));
    assert_eq!(served_by(&world, "pick").as_deref(), Some("together"));
    let all = running.reply();
    assert_eq!(all.header("x-ironbow-backend"), Some("groq"));
    assert!(all.complete && all.text().trim_end().ends_with("[DONE]") && all.text().contains("six"), "{}", all.text());
    assert_eq!(readings(&world, "taken"), 2);
}

#[test]
fn a_bad_file_changes_nothing_and_says_what_is_wrong() {
    let world = World::configured("");
    world.reconfigure(&alias("groq"));
    world.log_line(|line| line.contains("is in force"));
    for bad in ["this is no TOML", "[aliases]\npick = \"huggingface/nobody/x\"\n[routing]\nattemps = 3\n"] {
        world.reconfigure(bad);
        let line = world.log_line(|line| line.contains("the configuration cannot be used"));
        let event: Value = serde_json::from_str(&line).unwrap();
        assert!(event["problem"].as_str().unwrap().contains("ironbow.toml"), "{event}");
        world.log_line(|line| line.contains("the one in use stays"));
        assert_eq!(served_by(&world, "pick").as_deref(), Some("groq"));
    }
    assert_eq!((readings(&world, "refused"), readings(&world, "taken")), (2, 1));
    fs::remove_file(world.folder.join("ironbow.toml")).unwrap();
    world.hang_up();
    world.log_line(|line| line.contains("the one in use stays"));
    assert_eq!(served_by(&world, "pick").as_deref(), Some("groq"));
}

#[test]
fn a_new_secret_of_a_refused_key_is_used_at_once_and_what_is_known_of_others_stays() {
    let world = World::configured("");
    let token = |name: &str| json!({"name": name, "value": format!("hf_{name}")});
    world.settings(&json!({"tokens": [token("one"), token("two"), token("three")]}));
    let file = |name: &str| world.folder.join(name);
    fs::write(file("a"), "hf_one").unwrap();
    fs::write(file("b"), "hf_two").unwrap();
    let key =
        |name: &str| format!("[[huggingface.keys]]\nname = \"{name}\"\nvalue = \"file:{}\"\n", file(name).display());
    let keys = [key("a"), key("b")].concat();
    world.reconfigure(&keys);
    world.log_line(|line| line.contains("is in force"));
    for name in ["one", "two"] {
        world.fault(&json!({"match": {"key": name, "area": "routed"}, "fault": {"kind": "status", "status": 401}}));
    }
    let pinned = format!("huggingface/groq/{EVERYWHERE}");
    assert_eq!(world.chat(&ask(&pinned, "hi")).status, 401);
    fs::write(file("a"), "hf_three").unwrap();
    world.hang_up();
    world.log_line(|line| line.contains("is in force"));
    world.sandbox.clear_journal();
    for _ in 0..10 {
        assert_eq!(served_by(&world, &pinned).as_deref(), Some("groq"));
    }
    let used: Vec<Value> = world.upstream_chats().iter().map(|chat| chat["authorization_is"].clone()).collect();
    assert!(used.len() == 10 && used.iter().all(|key| key == "three"), "the other key is still put aside: {used:?}");
    let log = world.rest_of_log();
    assert!(!log.contains("hf_one") && !log.contains("hf_three"), "{log}");
}

#[test]
fn servers_come_and_go() {
    let server = |name: &str, more: &str| {
        format!(
            "[servers.{name}]\nurl = \"{{sandbox}}/custom/vllm\"\ndialect = \"vllm\"\nmodels = [\"sandbox/vllm-model\"]\n{more}"
        )
    };
    let world = World::configured("");
    world.reconfigure(&server("mine", "check_every = \"20ms\"\n"));
    world.log_line(|line| line.contains("is in force"));
    assert_eq!(served_by(&world, "huggingface/mine/sandbox/vllm-model").as_deref(), Some("mine"));
    let checks = |world: &World| {
        let asked = |entry: &Value| entry["path"].as_str().is_some_and(|path| path.ends_with("/models"));
        world.sandbox.journal().into_iter().filter(asked).count()
    };
    world.journal_until(std::time::Duration::from_secs(10), |all| all.len() > 3);
    assert!(checks(&world) > 0);
    world.reconfigure(&server("yours", "check_every = \"0s\"\n"));
    world.log_line(|line| line.contains("is in force"));
    assert_eq!(served_by(&world, "huggingface/yours/sandbox/vllm-model").as_deref(), Some("yours"));
    let reply = world.chat(&ask("huggingface/mine/sandbox/vllm-model", "hi"));
    assert_eq!(reply.status, 404, "{}", reply.text());
    // Nobody asks after a server that is gone.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        world.sandbox.clear_journal();
        world.chat(&ask("huggingface/yours/sandbox/vllm-model", "hi"));
        world.chat(&ask("huggingface/yours/sandbox/vllm-model", "hi"));
        if checks(&world) == 0 {
            break;
        }
        assert!(std::time::Instant::now() < until);
    }
}

#[test]
fn what_only_a_start_can_change_is_named_and_stays() {
    let world = World::configured("");
    let config = format!(
        "[listener]\naddress = \"127.0.0.1:1\"\n[limits]\nbody = \"8KiB\"\nheld_bodies = \"1MiB\"\n{}",
        alias("groq")
    );
    world.reconfigure(&config);
    let line = world.log_line(|line| line.contains("wait for the next start"));
    assert!(line.contains("limits.held_bodies"), "{line}");
    assert_eq!(served_by(&world, "pick").as_deref(), Some("groq"), "the rest is in force");
    let large = ask("pick", &"x".repeat(10_000));
    assert_eq!(world.chat(&large).status, 413);
}
