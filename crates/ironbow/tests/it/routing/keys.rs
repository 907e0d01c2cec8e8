//! Several keys: each is tried, and what a backend says of one is remembered for as long as it says.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::at_once;
use crate::it::world::{EVERYWHERE, With, World, and, ask};

const KEYS: &str = "[[huggingface.keys]]\nname = \"one\"\nvalue = \"env:ONE\"\nbill_to = \"acme\"\n\
    [[huggingface.keys]]\nname = \"two\"\nvalue = \"env:TWO\"\nbill_to = \"acme\"\n\
    [[huggingface.keys]]\nname = \"three\"\nvalue = \"env:THREE\"\n";

/// A gateway with three tokens, of which the first two are paid for by the same account.
pub(super) fn three() -> World {
    three_with(&[])
}

/// The same with further variables.
pub(super) fn three_with(more: &[(&'static str, &str)]) -> World {
    let mut env = vec![("ONE", "hf_one".to_owned()), ("TWO", "hf_two".to_owned()), ("THREE", "hf_three".to_owned())];
    env.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let world = World::with(With { config: KEYS, env, without_token: true });
    let token = |name: &str| json!({"name": name, "value": format!("hf_{name}")});
    world.settings(&json!({"tokens": [token("one"), token("two"), token("three")]}));
    world
}

fn groq() -> Value {
    ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi")
}

/// The names of the keys with which chats arrived, oldest first.
pub(super) fn keys(world: &World) -> Vec<String> {
    world.upstream_chats().iter().map(|chat| chat["authorization_is"].as_str().unwrap_or("?").to_owned()).collect()
}

pub(super) fn refuse(world: &World, key: &str, status: u16) {
    world.fault(&json!({"match": {"key": key, "area": "routed"}, "fault": {"kind": "status", "status": status}}));
}

#[test]
fn every_key_takes_its_part_from_the_first_calls_on() {
    let world = three();
    for _ in 0..60 {
        assert_eq!(world.chat(&groq()).status, 200);
    }
    let keys = keys(&world);
    for name in ["one", "two", "three"] {
        let part = keys.iter().filter(|key| *key == name).count();
        assert!((8..=36).contains(&part), "{name} was used {part} times: {keys:?}");
    }
}

#[test]
fn a_key_that_takes_two_seconds_more_loses_its_share_and_has_it_back() {
    let world = three();
    let part = |calls: usize| {
        world.sandbox.clear_journal();
        at_once(8, calls, |number| {
            let reply = world.chat(&and(groq(), json!({"stream": number % 2 == 0})));
            assert_eq!(reply.status, 200, "{}", reply.text());
        });
        let keys = keys(&world);
        keys.iter().filter(|key| *key == "one").count() * 100 / keys.len()
    };
    let until = |limit: u64, good: &dyn Fn(usize) -> bool| {
        let began = Instant::now();
        loop {
            let part = part(100);
            if good(part) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(limit), "its share is {part} of 100");
        }
    };
    let usual = json!({"match": {"area": "routed"}, "delay_ms": 100, "fault": {"kind": "delay"}});
    world.fault(&usual);
    part(60);
    world.sandbox.clear_faults();
    world.fault(&json!({"match": {"key": "one", "area": "routed"}, "delay_ms": 2100, "fault": {"kind": "delay"}}));
    world.fault(&usual);
    until(10, &|part| part < 10);
    world.sandbox.clear_faults();
    world.fault(&usual);
    until(30, &|part| part > 25);
}

#[test]
fn a_refused_key_is_put_aside_everywhere_and_a_forbidden_one_for_that_model() {
    let world = three();
    refuse(&world, "one", 401);
    refuse(&world, "two", 403);
    for _ in 0..20 {
        let reply = world.chat(&groq());
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let used = keys(&world);
    let times = |name: &str| used.iter().filter(|key| *key == name).count();
    assert!(times("one") <= 1 && times("two") <= 1, "{used:?}");
    world.sandbox.clear_journal();
    // Another backend: the refused key stays aside, and so does the forbidden one, for this model only.
    for _ in 0..20 {
        assert_eq!(world.chat(&ask(&format!("huggingface/together/{EVERYWHERE}"), "hi")).status, 200);
    }
    assert!(keys(&world).iter().all(|key| key == "three"), "{:?}", keys(&world));
    world.sandbox.clear_journal();
    world.sandbox.clear_faults();
    for _ in 0..40 {
        assert_eq!(world.chat(&ask("huggingface/together/openai/gpt-oss-120b", "hi")).status, 200);
    }
    let used = keys(&world);
    assert!(used.iter().any(|key| key == "two") && !used.iter().any(|key| key == "one"), "{used:?}");
}

#[test]
fn an_account_without_credit_is_put_aside_with_all_its_keys() {
    let world = three();
    refuse(&world, "one", 402);
    refuse(&world, "two", 402);
    for _ in 0..20 {
        let reply = world.chat(&groq());
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let used = keys(&world);
    assert!(used.iter().filter(|key| *key != "three").count() <= 1, "one answer speaks for both keys: {used:?}");
}

#[test]
fn when_every_key_is_over_its_rate_callers_hear_the_shortest_wait_and_backends_are_left_alone() {
    let world = three();
    for (key, wait) in [("one", "30"), ("two", "9"), ("three", "20")] {
        world.fault(
            &json!({"match": {"key": key, "area": "routed"}, "fault": {"kind": "rate_limited", "retry_after": wait}}),
        );
    }
    for n in 0..60 {
        let reply = world.chat(&groq());
        assert_eq!(reply.status, 429, "{}", reply.text());
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        if n > 0 {
            assert!(wait <= 9, "{wait} s, though one key is free in 9");
        }
    }
    assert_eq!(world.upstream_chats().len(), 3, "each key was told once to wait");
    let reply = world.chat(&ask("huggingface/groq/openai/gpt-oss-120b", "hi"));
    assert_eq!(reply.status, 429, "the fault meets other models as well, but they were asked: {}", reply.text());
    assert!(world.upstream_chats().len() > 3);
}

#[test]
fn a_callers_own_key_never_harms_others() {
    let config = "huggingface.caller_keys = \"always\"\n";
    let world = World::configured(config);
    for _ in 0..20 {
        let reply = world.chat_with(&groq(), &[("authorization", "Bearer hf_invalid_of_a_caller")]);
        assert_eq!(reply.status, 401, "{}", reply.text());
    }
    let reply = world.chat(&groq());
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[test]
fn what_the_headers_say_is_left_of_a_key_is_kept_to() {
    let world = three();
    let spent = json!({"x-ratelimit-remaining-requests": "0", "x-ratelimit-limit-requests": "100", "x-ratelimit-reset-requests": "40s"});
    for key in ["one", "two"] {
        world.fault(&json!({"match": {"key": key, "area": "routed"}, "fault": {"kind": "headers", "headers": spent}}));
    }
    for _ in 0..30 {
        assert_eq!(world.chat(&groq()).status, 200);
    }
    let used = keys(&world);
    assert!(used.iter().filter(|key| *key != "three").count() <= 2, "a key whose quota is spent is not used: {used:?}");
}
