//! Many backends or keys in trouble at once: callers see little of it, and backends are not stormed.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use serde_json::json;

use super::{at_once, count, failing};
use crate::it::world::{EVERYWHERE, With, World, and, ask};

/// Three backends of the same standing behind one name.
const THREE: &str = "[aliases.even]\ntargets = [\"huggingface/groq/sandbox/everywhere\", \
    \"huggingface/together/sandbox/everywhere\", \"huggingface/cerebras/sandbox/everywhere\"]\n";

/// So many calls by so many callers: how long each took, sorted; none may fail.
fn times(world: &World, callers: usize, calls: usize) -> Vec<Duration> {
    let times = Mutex::new(Vec::new());
    at_once(callers, calls, |_| {
        let began = Instant::now();
        let reply = world.chat(&and(ask("even", "hi"), json!({"stream": true})));
        assert_eq!(reply.status, 200, "{}", reply.text());
        times.lock().unwrap().push(began.elapsed());
    });
    let mut times = times.into_inner().unwrap();
    times.sort();
    times
}

fn p99(times: &[Duration]) -> Duration {
    times[times.len() * 99 / 100 - 1]
}

#[test]
fn with_one_of_three_two_seconds_slower_the_slowest_calls_are_hardly_slower_than_before() {
    let world = World::configured(THREE);
    // What the backends take is most of what a call takes, so that a busy machine changes the ratio little.
    let usual = json!({"match": {"area": "routed"}, "delay_ms": 300, "fault": {"kind": "delay"}});
    let slower = json!({"match": {"backend": "groq"}, "delay_ms": 2300, "fault": {"kind": "delay"}});
    world.fault(&usual);
    times(&world, 16, 100);
    let healthy = p99(&times(&world, 16, 400));
    world.sandbox.clear_faults();
    world.fault(&slower);
    world.fault(&usual);
    let began = Instant::now();
    loop {
        world.sandbox.clear_journal();
        times(&world, 16, 50);
        if count(&world, "groq") < 5 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "the slow one keeps its share");
    }
    // The best of three rounds: a busy machine makes every one slower, and none faster.
    let rounds = (0..3).map(|_| p99(&times(&world, 16, 500)));
    let mut slow = Duration::MAX;
    for round in rounds {
        slow = slow.min(round);
        if slow < healthy * 3 / 2 {
            return;
        }
    }
    panic!("{slow:?}, healthy {healthy:?}");
}

#[test]
fn calls_over_every_keys_rate_become_one_try_for_each_key_in_each_interval() {
    let config = "[[huggingface.keys]]\nname = \"one\"\nvalue = \"env:ONE\"\n[[huggingface.keys]]\nname = \"two\"\nvalue = \"env:TWO\"\n\
        [[huggingface.keys]]\nname = \"three\"\nvalue = \"env:THREE\"\n";
    let env = vec![("ONE", "hf_one".to_owned()), ("TWO", "hf_two".to_owned()), ("THREE", "hf_three".to_owned())];
    let world = World::with(With { config, env, without_token: true });
    world.fault(&json!({"match": {"area": "routed"}, "fault": {"kind": "rate_limited", "retry_after": "1"}}));
    let (calls, waits) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let began = Instant::now();
    // The first call is told by all three; nobody is under way beside it who could not know yet.
    assert_eq!(world.chat(&ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi")).status, 429);
    // Three intervals long, four callers who do not care what they are told.
    at_once(4, 100_000, |number| {
        if began.elapsed() > Duration::from_secs(3) {
            return;
        }
        let reply = world.chat(&ask(&format!("huggingface/groq/{EVERYWHERE}"), "hi"));
        assert_eq!(reply.status, 429, "{}", reply.text());
        calls.fetch_add(1, SeqCst);
        if number % 16 == 0 {
            waits.lock().unwrap().push(reply.header("retry-after").unwrap().to_owned());
        }
    });
    let (calls, sent) = (calls.into_inner(), world.upstream_chats().len());
    let intervals = began.elapsed().as_secs() as usize + 1;
    assert!(sent <= 3 * intervals, "{sent} attempts in {intervals} intervals with three keys");
    assert!(calls > 100 && sent * 10 <= calls * 12, "{sent} attempts for {calls} calls");
    assert!(waits.into_inner().unwrap().iter().all(|wait| wait == "1"), "the smallest wait is told");
}

#[test]
fn a_third_of_one_backends_calls_may_fail_with_two_further_attempts_for_each_call() {
    let world = World::configured(Box::leak(format!("routing.retries.attempts = 3\n{THREE}").into_boxed_str()));
    let mut fault = failing("groq", &json!({"kind": "status", "status": 500}));
    fault["percent"] = json!(30);
    world.fault(&fault);
    let failed = AtomicUsize::new(0);
    at_once(4, 1000, |number| {
        let body = and(ask("even", "hi"), json!({"stream": number % 2 == 0}));
        if world.chat(&body).status != 200 {
            failed.fetch_add(1, SeqCst);
        }
    });
    let (failed, sent) = (failed.into_inner(), world.upstream_chats().len());
    assert!(failed <= 10, "{failed} of 1000 calls failed");
    assert!(sent <= 1200, "{sent} attempts for 1000 calls");
}

#[test]
fn the_budget_bounds_further_attempts_however_many_would_help() {
    // Nothing saved up, nothing always allowed: what is left is a fifth of the calls.
    let config =
        format!("[routing.health]\nfailed_after = 0\n[routing.retries]\nfloor = 0\nsaved = 1\nbudget = 20\n{THREE}");
    let world = World::configured(Box::leak(config.into_boxed_str()));
    world.fault(&json!({"match": {"area": "routed"}, "percent": 60, "fault": {"kind": "status", "status": 500}}));
    at_once(4, 500, |_| drop(world.chat(&ask("even", "hi"))));
    let sent = world.upstream_chats().len();
    assert!((560..=601).contains(&sent), "{sent} attempts for 500 calls");
}

#[test]
fn when_all_are_down_callers_are_told_within_milliseconds_nothing_queues_and_recovery_takes_one_try() {
    const OPEN: Duration = Duration::from_millis(400);
    let config = format!("[routing.health]\nopen = \"400ms\"\nopen_max = \"400ms\"\n{THREE}");
    let world = World::configured(Box::leak(config.into_boxed_str()));
    world.fault(&json!({"match": {"area": "routed"}, "fault": {"kind": "status", "status": 503}}));
    for _ in 0..40 {
        assert!(world.chat(&ask("even", "hi")).status >= 500);
    }
    // Once the circuits are open most calls wait for nobody; those that try a backend take as long as it does.
    let (memory, files) = (world.memory(), world.open_files());
    let times = Mutex::new(Vec::new());
    at_once(8, 2000, |_| {
        let began = Instant::now();
        let reply = world.chat(&ask("even", "hi"));
        assert_eq!(reply.status, 503, "{}", reply.text());
        times.lock().unwrap().push(began.elapsed());
    });
    let mut times = times.into_inner().unwrap();
    times.sort();
    assert!(times[times.len() * 9 / 10] < Duration::from_millis(50), "{:?}", times[times.len() * 9 / 10]);
    assert!(world.memory() < memory + (16 << 20) && world.open_files() < files + 16, "something piles up");
    let running =
        |page: &str| page.lines().find(|line| line.starts_with("ironbow_requests_in_flight ")).map(str::to_owned);
    let page = world.get("/metrics").text().to_owned();
    assert_eq!(running(&page).as_deref(), Some("ironbow_requests_in_flight 1"), "only the question itself runs");
    world.sandbox.clear_faults();
    let healed = Instant::now();
    while world.chat(&ask("even", "hi")).status != 200 {
        assert!(healed.elapsed() < OPEN + Duration::from_secs(1), "not served again after one try's time");
    }
}
