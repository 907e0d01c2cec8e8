//! The doctor against each thing that can be wrong: every finding says what is wrong, and what to do about it.

use sandbox::{Running, Sandbox, Settings};
use serde_json::{Value, json};

use super::commands::file;
use super::process::ironbow;

fn sandbox() -> Running {
    Sandbox::start(Settings::default()).unwrap()
}

/// Runs the doctor against a sandbox; the findings by the name of their check.
fn examine(hugging_face: &str, env: &[(&str, &str)]) -> (i32, Value) {
    let out = ironbow(&["doctor", "--json"])
        .env("HF_ENDPOINT", hugging_face)
        .env("HF_ROUTER_URL", hugging_face)
        .envs(env.iter().copied())
        .output()
        .unwrap();
    let said: Value =
        serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)));
    let findings = said["findings"].as_array().unwrap();
    let by_check: serde_json::Map<_, _> =
        findings.iter().map(|f| (f["check"].as_str().unwrap().to_owned(), f.clone())).collect();
    assert_eq!(by_check.len(), findings.len(), "a check was reported twice: {said}");
    (out.status.code().unwrap(), Value::Object(by_check))
}

const TOKEN: (&str, &str) = ("HF_TOKEN", "hf_sandbox");

/// One fault on one operation must be found by this check, with these words in what it says or advises.
fn finds(operation: &str, fault: &Value, check: &str, words: &[&str]) {
    let sandbox = sandbox();
    sandbox.fault(&json!({"match": {"operation": operation}, "fault": fault})).unwrap();
    let (code, findings) = examine(&sandbox.url(), &[TOKEN]);
    let finding = &findings[check];
    assert_eq!((code, &finding["state"]), (1, &json!("failed")), "{fault}: {findings:#}");
    for word in words {
        let text = format!("{} {}", finding["says"], finding["do"]);
        assert!(text.contains(word), "{fault}: {word:?} is not in {text}");
    }
    for (name, other) in findings.as_object().unwrap().iter().filter(|(name, _)| *name != check) {
        assert_ne!(other["state"], "failed", "{fault} must not be blamed on {name}: {findings:#}");
    }
}

const EACH: [(&str, &str); 3] = [("whoami", "token"), ("models", "router"), ("hub_model", "hub")];

#[test]
fn with_everything_in_order_every_check_is_good_and_the_exit_code_is_0() {
    let sandbox = sandbox();
    let (code, findings) = examine(&sandbox.url(), &[TOKEN]);
    for check in ["configuration", "token", "router", "hub", "clock"] {
        assert_eq!(findings[check]["state"], "good", "{findings:#}");
        assert_eq!(findings[check]["do"], "", "{findings:#}");
    }
    assert_eq!(code, 0);
}

#[test]
fn people_read_lines_and_never_the_token() {
    let sandbox = sandbox();
    let out = ironbow(&["doctor"])
        .env("HF_ENDPOINT", sandbox.url())
        .env("HF_ROUTER_URL", sandbox.url())
        .env("HF_TOKEN", "hf_invalid_canary")
        .output()
        .unwrap();
    let said = String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap();
    assert!(said.contains("failed   token") && said.contains("→ Make one at"), "{said}");
    assert!(!said.contains("canary"), "{said}");
}

#[test]
fn a_token_that_is_not_accepted_is_found() {
    let sandbox = sandbox();
    let (code, findings) = examine(&sandbox.url(), &[("HF_TOKEN", "hf_expired_long_ago")]);
    assert_eq!((code, &findings["token"]["state"]), (1, &json!("failed")), "{findings:#}");
    assert!(findings["token"]["do"].as_str().unwrap().contains("settings/tokens"), "{findings:#}");
}

#[test]
fn no_token_is_told_with_where_to_get_one() {
    let sandbox = sandbox();
    let (_, findings) = examine(&sandbox.url(), &[]);
    assert_ne!(findings["token"]["state"], "good", "{findings:#}");
    assert!(findings["token"]["do"].as_str().unwrap().contains("settings/tokens"), "{findings:#}");
}

#[test]
fn an_account_that_cannot_pay_is_told() {
    let sandbox = sandbox();
    let (_, findings) = examine(&sandbox.url(), &[("HF_TOKEN", "hf_penniless")]);
    assert!(findings["token"]["says"].as_str().unwrap().contains("pay"), "{findings:#}");
}

#[test]
fn a_server_error_is_laid_at_its_door() {
    for (operation, check) in EACH {
        finds(operation, &json!({"kind": "status", "status": 503}), check, &["503", "status.huggingface.co"]);
    }
}

#[test]
fn too_many_requests_are_told() {
    for (operation, check) in EACH {
        finds(operation, &json!({"kind": "rate_limited", "retry_after": "60"}), check, &["429", "Wait"]);
    }
}

#[test]
fn a_refused_token_at_router_or_hub_is_told() {
    for (operation, check) in &EACH[1..] {
        finds(operation, &json!({"kind": "status", "status": 401}), check, &["401", "token"]);
        finds(operation, &json!({"kind": "status", "status": 403}), check, &["403", "token"]);
    }
}

#[test]
fn an_account_without_credit_is_sent_to_its_billing_page() {
    finds("models", &json!({"kind": "status", "status": 402}), "router", &["402", "billing"]);
}

#[test]
fn a_wrong_path_and_a_redirect_are_told() {
    finds("models", &json!({"kind": "status", "status": 404}), "router", &["404", "path"]);
    finds("hub_model", &json!({"kind": "status", "status": 301}), "hub", &["301", "redirect"]);
}

#[test]
fn a_proxys_page_in_place_of_hugging_face_is_recognised() {
    for (operation, check) in EACH {
        finds(operation, &json!({"kind": "html", "status": 200}), check, &["proxy or a login page"]);
        finds(operation, &json!({"kind": "html", "status": 502}), check, &["502"]);
    }
}

#[test]
fn answers_that_break_off_are_told() {
    for (operation, check) in EACH {
        for fault in [
            json!({"kind": "close"}),
            json!({"kind": "reset", "before_head": true}),
            json!({"kind": "cut"}),
            json!({"kind": "raw", "text": "SSH-2.0-OpenSSH_9.2\r\n"}),
        ] {
            finds(operation, &fault, check, &["proxy in between"]);
        }
    }
}

#[test]
fn silence_is_told_after_the_doctors_patience() {
    // All three hang, so the three patiences pass in one run.
    let sandbox = sandbox();
    sandbox.fault(&json!({"fault": {"kind": "stall", "before_head": true}})).unwrap();
    let (code, findings) = examine(&sandbox.url(), &[TOKEN, ("IRONBOW_CATALOG__TIMEOUT", "300ms")]);
    assert_eq!(code, 1);
    for check in ["token", "router", "hub"] {
        assert_eq!(findings[check]["state"], "failed", "{findings:#}");
        assert!(findings[check]["do"].as_str().unwrap().contains("said nothing"), "{findings:#}");
    }
    assert_eq!(findings["clock"]["state"], "skipped", "{findings:#}");
}

#[test]
fn a_clock_that_is_far_off_is_found() {
    for (seconds, side) in [(-3600, "fast"), (3600, "slow")] {
        let sandbox = sandbox();
        sandbox.fault(&json!({"fault": {"kind": "clock_skew", "seconds": seconds}})).unwrap();
        let (code, findings) = examine(&sandbox.url(), &[TOKEN]);
        assert_eq!((code, &findings["clock"]["state"]), (1, &json!("failed")), "{findings:#}");
        assert!(findings["clock"]["says"].as_str().unwrap().contains(side), "{findings:#}");
        assert!(findings["clock"]["do"].as_str().unwrap().contains("clock"), "{findings:#}");
    }
}

#[test]
fn an_address_where_nothing_listens_is_told() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (code, findings) = examine(&format!("http://127.0.0.1:{port}"), &[TOKEN]);
    assert_eq!(code, 1);
    for check in ["token", "router", "hub"] {
        assert!(findings[check]["do"].as_str().unwrap().contains("Nothing listens there"), "{findings:#}");
    }
}

#[test]
fn a_name_that_does_not_exist_is_told() {
    let (code, findings) = examine("http://no-such-name.invalid", &[TOKEN]);
    assert_eq!(code, 1);
    assert!(findings["router"]["do"].as_str().unwrap().contains("name server"), "{findings:#}");
}

#[test]
fn a_server_without_tls_where_tls_is_expected_is_told() {
    let sandbox = sandbox();
    let (code, findings) = examine(&sandbox.url().replace("http:", "https:"), &[TOKEN]);
    assert_eq!(code, 1);
    assert!(findings["hub"]["do"].as_str().unwrap().contains("certificates"), "{findings:#}");
}

#[test]
fn a_bad_configuration_is_the_first_thing_to_mend() {
    let path = file("doctor.toml", "[listener]\naddress = 7\n");
    let out = ironbow(&["doctor", "--json", "--config", path.to_str().unwrap()]).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    let said: Value = serde_json::from_slice(&out.stdout).unwrap();
    let first = &said["findings"][0];
    assert_eq!((&first["check"], &first["state"]), (&json!("configuration"), &json!("failed")));
    assert!(first["says"].as_str().unwrap().contains("listener.address"), "{said:#}");
    assert!(said["findings"].as_array().unwrap()[1..].iter().all(|f| f["state"] == "skipped"), "{said:#}");
}

/// What the doctor must make of each fault of the sandbox, where Hugging Face is asked for a list or a model: the words of a finding;
/// nothing where such a fault leaves the answer whole.
fn made_of(kind: &str) -> Option<(Value, &'static [&'static str])> {
    Some(match kind {
        "status" => (json!({"kind": "status", "status": 500}), &["500", "status.huggingface.co"]),
        "loading" => (json!({"kind": "loading", "estimated_time": 5}), &["503", "status.huggingface.co"]),
        "rate_limited" => (json!({"kind": "rate_limited", "retry_after": "9"}), &["429", "Wait"]),
        "stall" => (json!({"kind": "stall", "before_head": true}), &["said nothing"]),
        "comments" => (json!({"kind": "comments", "count": 1, "then": "endless"}), &[""]),
        "reset" => (json!({"kind": "reset", "before_head": true}), &["proxy in between"]),
        "cut" => (json!({"kind": "cut"}), &["proxy in between"]),
        "truncate" => (json!({"kind": "truncate", "bytes": 20}), &["proxy"]),
        "close" => (json!({"kind": "close"}), &["proxy in between"]),
        "html" => (json!({"kind": "html", "status": 200}), &["proxy or a login page"]),
        "content_length" => (json!({"kind": "content_length", "delta": 50}), &["proxy in between"]),
        "huge" => (json!({"kind": "huge", "status": 500, "bytes": 9_000_000}), &["500"]),
        "endless" => (json!({"kind": "endless", "gap_ms": 5}), &[""]),
        "echo_key" => (json!({"kind": "echo_key", "place": "error", "status": 401}), &["401"]),
        "redirect" => (json!({"kind": "redirect", "to": "http://127.0.0.1:9/"}), &["redirect"]),
        "frames" => (json!({"kind": "frames", "frames": ["data: {}\n\n"]}), &["proxy or a login page"]),
        "raw" => (json!({"kind": "raw", "text": "220 mail ready\r\n"}), &["proxy in between"]),
        _ => return None,
    })
}

/// Faults that leave the answer whole, or are of streams, jobs and mappings only. A clock that is off has a test of its own.
const HARMLESS: &[&str] =
    &["delay", "framing", "stream_error", "remap", "content_type", "slow", "clock_skew", "headers", "job"];

#[test]
fn every_fault_of_the_sandbox_is_found_or_does_no_harm() {
    let kinds = super::chat::matrix::kinds_of_the_manual();
    assert!(kinds.len() > 20, "{kinds:?}");
    for kind in &kinds {
        assert_ne!(made_of(kind).is_some(), HARMLESS.contains(&kind.as_str()), "{kind} must be in one list");
    }
    std::thread::scope(|scope| {
        for (fault, words) in kinds.iter().filter_map(|kind| made_of(kind)) {
            scope.spawn(move || {
                let sandbox = sandbox();
                sandbox.fault(&json!({"match": {"operation": "models"}, "fault": fault})).unwrap();
                let (code, findings) = examine(&sandbox.url(), &[TOKEN, ("IRONBOW_CATALOG__TIMEOUT", "3s")]);
                let finding = &findings["router"];
                assert_eq!((code, &finding["state"]), (1, &json!("failed")), "{fault}: {findings:#}");
                let text = format!("{} {}", finding["says"], finding["do"]);
                for word in words {
                    assert!(text.contains(word), "{fault}: {word:?} is not in {text}");
                }
                assert!(finding["do"].as_str().is_some_and(|to_do| !to_do.is_empty()), "{fault}: {finding}");
                assert!(!findings.to_string().contains(TOKEN.1), "{fault}: the token is shown");
            });
        }
    });
}
