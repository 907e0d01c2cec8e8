//! `ironbow bench` against the sandbox: what it counts is what the sandbox served.

use sandbox::{Running, Sandbox, Settings};
use serde_json::{Value, json};

use super::process::ironbow;

/// Each backend has its own manners; this one ends a stream with `[DONE]`.
const MODEL: &str = "sandbox/everywhere:groq";

fn sandbox() -> Running {
    Sandbox::start(Settings::default()).unwrap()
}

/// Runs it against the router that the sandbox plays; exit code, figures, and what it said on standard error.
fn bench(sandbox: &Running, arguments: &[&str]) -> (i32, Value, String) {
    let url = format!("{}/v1", sandbox.url());
    let all = [&["bench", &url, "--json", "--key-env", "BENCH_KEY"], arguments].concat();
    let out = ironbow(&all).env("BENCH_KEY", "hf_sandbox").output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    (out.status.code().unwrap(), serde_json::from_slice(&out.stdout).unwrap_or_default(), said)
}

fn asked(sandbox: &Running) -> usize {
    let asked = |call: &&Value| call["path"].as_str().is_some_and(|path| path.ends_with("/chat/completions"));
    sandbox.journal().iter().filter(asked).count()
}

#[test]
fn so_many_calls_are_made_and_counted_and_one_more_to_begin_with() {
    let sandbox = sandbox();
    let (code, said, log) = bench(&sandbox, &["--model", MODEL, "-n", "30", "-c", "4"]);
    assert_eq!(code, 0, "{log}{said:#}");
    assert_eq!(asked(&sandbox), 31);
    let measured = &said["measured"];
    assert_eq!((&measured["requests"]["good"], &measured["requests"]["bad"]), (&json!(30), &json!(0)));
    assert_eq!(measured["latency_us"]["count"], 30);
    assert!(measured["tokens"]["output"].as_u64().unwrap() >= 30, "{said:#}");
    assert_eq!((&measured["gap_us"], &measured["memory_kib"]), (&Value::Null, &Value::Null));
}

#[test]
fn of_streams_the_first_token_and_the_gaps_are_timed() {
    let sandbox = sandbox();
    let (code, said, log) = bench(&sandbox, &["--model", MODEL, "--stream", "-n", "10", "-c", "2"]);
    assert_eq!(code, 0, "{log}{said:#}");
    let measured = &said["measured"];
    assert_eq!(measured["first_token_us"]["count"], 10);
    assert!(measured["first_token_us"]["p50"].as_u64() <= measured["latency_us"]["p50"].as_u64(), "{said:#}");
}

#[test]
fn calls_at_a_rate_are_made_whatever_becomes_of_them() {
    let sandbox = sandbox();
    let (code, said, log) = bench(&sandbox, &["--model", MODEL, "--rate", "400", "-n", "40"]);
    assert_eq!(code, 0, "{log}{said:#}");
    assert_eq!(said["measured"]["requests"]["good"], 40);
}

#[test]
fn what_goes_wrong_is_counted_by_its_kind_and_makes_the_run_a_bad_one() {
    let sandbox = sandbox();
    // The call to begin with is answered well.
    for (times, fault) in [(1, json!({"kind": "delay"})), (5, json!({"kind": "status", "status": 503}))] {
        sandbox.fault(&json!({"match": {"operation": "chat"}, "times": times, "fault": fault})).unwrap();
    }
    let (code, said, log) = bench(&sandbox, &["--model", MODEL, "-n", "20", "-c", "1"]);
    assert_eq!(code, 1, "{log}{said:#}");
    let errors = said["measured"]["errors"].as_object().unwrap();
    assert!(errors.keys().all(|why| why.starts_with("status 503")), "{said:#}");
    assert_eq!((&said["measured"]["requests"]["bad"], &said["measured"]["requests"]["good"]), (&json!(5), &json!(15)));
}

#[test]
fn two_addresses_are_compared_and_a_process_is_watched() {
    let (one, other) = (sandbox(), sandbox());
    let (against, pid) = (format!("{}/v1", other.url()), std::process::id().to_string());
    let (code, said, log) =
        bench(&one, &["--model", MODEL, "-n", "8", "-c", "1", "--against", &against, "--pid", &pid]);
    assert_eq!(code, 0, "{log}{said:#}");
    assert_eq!(said["against"]["requests"]["good"], 8);
    assert!(said["added_p50_us"]["first_token"].is_i64(), "{said:#}");
    assert!(said["measured"]["memory_kib"]["before"].as_u64().unwrap() > 1_000);
    assert_eq!(asked(&other), 9);
}

#[test]
fn an_address_that_does_not_answer_is_said_at_once() {
    let sandbox = sandbox();
    let (code, _, said) = bench(&sandbox, &["--model", "no/such-model", "-n", "1"]);
    assert_eq!(code, 2);
    assert!(said.contains("does not answer as it should") && !said.contains("hf_sandbox"), "{said}");
    for (arguments, word) in [
        (["bench", "ftp://x", "--model", "m"].as_slice(), "cannot be used"),
        (&["bench", "http://127.0.0.1:1/v1", "--model", "m"], "does not answer"),
        (&["bench", "http://127.0.0.1:1/v1", "--model", "m", "--key-env", "NOT_THERE"], "NOT_THERE"),
        (&["bench", "http://127.0.0.1:1/v1", "--model", "m", "--rate", "0"], "above 0"),
    ] {
        let out = ironbow(arguments).output().unwrap();
        assert_eq!(out.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&out.stderr).contains(word), "{arguments:?}: {out:?}");
    }
}
