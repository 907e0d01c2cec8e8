//! Shares that move with what backends do, and what happens when nobody is well.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{backends, count, failing};
use crate::it::world::{EVERYWHERE, World, and, ask};

/// Two backends of the same standing behind one name.
const EVEN: &str = "[aliases.even]\ntargets = [\"huggingface/groq/sandbox/everywhere\", \"huggingface/together/sandbox/everywhere\"]\n";

#[test]
fn with_a_third_of_one_backends_calls_failing_callers_see_none_of_it_and_backends_little_more() {
    let world = World::configured(EVEN);
    let mut fault = failing("groq", &json!({"kind": "status", "status": 503}));
    fault["percent"] = json!(30);
    world.fault(&fault);
    let run = |calls: usize| {
        (0..calls)
            .filter(|n| {
                let body = and(ask("even", "hi"), json!({"stream": n % 2 == 0}));
                world.chat(&body).status != 200
            })
            .count()
    };
    run(200);
    world.sandbox.clear_journal();
    let calls = 1000;
    let failed = run(calls);
    assert!(failed <= 1, "{failed} of {calls} calls failed");
    let sent = world.upstream_chats().len();
    assert!(sent * 10 <= calls * 12, "{sent} attempts for {calls} calls");
    assert!(count(&world, "together") > count(&world, "groq"), "the share moved to who is well");
}

#[test]
fn a_slow_backend_loses_its_share() {
    let world = World::configured(EVEN);
    for _ in 0..40 {
        assert_eq!(world.chat(&ask("even", "hi")).status, 200);
    }
    let favoured = if count(&world, "groq") > count(&world, "together") { "groq" } else { "together" };
    world.fault(&json!({"match": {"backend": favoured}, "delay_ms": 300, "fault": {"kind": "delay"}}));
    for _ in 0..60 {
        assert_eq!(world.chat(&ask("even", "hi")).status, 200);
    }
    world.sandbox.clear_journal();
    for _ in 0..100 {
        assert_eq!(world.chat(&ask("even", "hi")).status, 200);
    }
    let slow = count(&world, favoured);
    assert!(slow < 10, "{slow} of 100 calls went to the slow one");
}

#[test]
fn when_everybody_is_down_callers_are_told_at_once_and_nobody_is_bothered_until_one_is_well() {
    let world = World::configured(Box::leak(
        format!("[routing.health]\nopen = \"400ms\"\nopen_max = \"400ms\"\n{EVEN}").into_boxed_str(),
    ));
    world.fault(&json!({"match": {"area": "routed"}, "fault": {"kind": "status", "status": 500}}));
    for _ in 0..30 {
        assert!(world.chat(&ask("even", "hi")).status >= 500);
    }
    world.sandbox.clear_journal();
    let reply = world.chat(&ask("even", "hi"));
    assert!(reply.status >= 500 && reply.header("retry-after").is_some() || reply.status == 500, "{}", reply.text());
    for _ in 0..200 {
        world.chat(&ask("even", "hi"));
    }
    let bothered = world.upstream_chats().len();
    assert!(bothered < 40, "{bothered} attempts for 200 calls at two backends that are down");
    world.sandbox.clear_faults();
    let until = Instant::now() + Duration::from_secs(20);
    while world.chat(&ask("even", "hi")).status != 200 {
        assert!(Instant::now() < until, "nobody was tried again");
    }
    for _ in 0..20 {
        assert_eq!(world.chat(&ask("even", "hi")).status, 200);
    }
}

#[test]
fn calls_of_one_session_stay_at_one_backend() {
    let world = World::plain();
    let served = |session: &str| -> String {
        let reply = world.chat_with(&ask(EVERYWHERE, "hi"), &[("x-ironbow-session", session)]);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.header("x-ironbow-backend").unwrap().to_owned()
    };
    let mut places = std::collections::BTreeSet::new();
    for session in 0..12 {
        let session = format!("user-{session}");
        let first = served(&session);
        for _ in 0..5 {
            assert_eq!(served(&session), first);
        }
        places.insert(first);
    }
    assert!(places.len() > 3, "sessions spread over backends: {places:?}");
}

#[test]
fn what_a_call_needs_and_may_cost_decides_before_anything_is_sent() {
    let world = World::plain();
    world.prices();
    let body = and(ask(EVERYWHERE, "hi"), json!({"max_tokens": 1000}));
    // Some backends' prices are known; none is so low.
    let reply = world.chat_with(&body, &[("x-ironbow-max-price", "0.000001")]);
    assert_eq!(reply.status, 400, "{}", reply.text());
    let error = &reply.json()["error"];
    assert_eq!(error["code"], "max_price_exceeded", "{error}");
    assert!(error["message"].as_str().unwrap().contains("groq"), "each is named: {error}");
    assert!(world.upstream_chats().is_empty(), "nothing was sent");
    let reply = world.chat_with(&body, &[("x-ironbow-max-price", "0.000150")]);
    assert_eq!((reply.status, reply.header("x-ironbow-backend")), (200, Some("groq")), "{}", reply.text());
    // What a backend cannot take keeps it out of the choice.
    world.sandbox.clear_journal();
    for _ in 0..30 {
        let reply = world.chat(&and(ask(EVERYWHERE, "hi"), json!({"n": 2})));
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert_eq!(count(&world, "groq"), 0, "groq has one choice only: {:?}", backends(&world));
}

#[test]
fn shares_and_attempts_are_counted() {
    let world = World::configured(EVEN);
    world.fault(&json!({"times": 1, "match": {"area": "routed"}, "fault": {"kind": "status", "status": 502}}));
    for _ in 0..5 {
        assert_eq!(world.chat(&ask("even", "hi")).status, 200);
    }
    let page = world.get("/metrics");
    let text = page.text();
    let value = |name: &str| -> u64 {
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    };
    assert_eq!(value("ironbow_upstream_attempts_total{"), 6);
    assert_eq!(value("ironbow_failovers_total"), 1);
    assert_eq!(value("ironbow_targets{"), 2, "{text}");
    let failed: Vec<&str> = text.lines().filter(|line| line.contains("outcome=\"upstream_failed\"")).collect();
    assert_eq!(failed.len(), 1, "{text}");
}

#[test]
fn a_rule_sends_some_calls_elsewhere() {
    let config = "[[routing.rules]]\nwhen = 'headers[\"x-tier\"] == \"gold\"'\ntargets = [\"huggingface/cerebras/sandbox/everywhere\"]\n";
    let world = World::configured(config);
    let body = ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi");
    let served =
        |headers: &[(&str, &str)]| world.chat_with(&body, headers).header("x-ironbow-backend").map(str::to_owned);
    assert_eq!(served(&[("x-tier", "gold")]).as_deref(), Some("cerebras"));
    assert_eq!(served(&[("x-tier", "tin")]).as_deref(), Some("groq"));
    assert_eq!(served(&[]).as_deref(), Some("groq"));
    let _: Vec<Value> = world.upstream_chats();
}
