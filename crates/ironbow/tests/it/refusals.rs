//! What `ironbow serve` refuses before it listens.

use std::io::Read;
use std::net::TcpListener;

use super::commands::file;
use super::process::ironbow;

/// Runs `serve` with a configuration that must be refused, and answers what it said.
fn refused(toml: &str, name: &str) -> String {
    let path = file(name, toml);
    let out = ironbow(&["serve", "--config", path.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{toml}\n{said}");
    assert!(!said.contains("listening") && !said.contains("panicked"), "{said}");
    said
}

#[test]
fn unknown_keys_bad_values_and_missing_secrets_are_told_together() {
    let toml = r#"
[huggingface]
hubb = "x"
[[huggingface.keys]]
name = "main"
value = "env:NOT_SET_ANYWHERE"
[timeouts]
drain = "soon"
"#;
    let said = refused(toml, "together.toml");
    for part in ["hubb", "NOT_SET_ANYWHERE", "timeouts.drain"] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
}

#[test]
fn a_secret_written_into_the_file_is_refused_and_not_repeated() {
    let said = refused("[[huggingface.keys]]\nname = \"main\"\nvalue = \"hf_canary_0123456789\"\n", "secret.toml");
    assert!(said.contains("env:NAME") && !said.contains("canary"), "{said}");
}

#[test]
fn an_address_that_others_can_reach_needs_an_explicit_flag() {
    let out = ironbow(&["serve", "--listen", "0.0.0.0:0"]).env("HF_TOKEN", "hf_x").output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(said.contains("allow_remote") || said.contains("--allow-remote"), "{said}");
}

#[test]
fn an_environment_variable_with_a_bad_value_is_named() {
    let out = ironbow(&["serve"]).env("IRONBOW_LISTENER__WORKERS", "many").output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(said.contains("IRONBOW_LISTENER__WORKERS"), "{said}");
}

#[test]
fn an_address_that_is_taken_ends_with_1_and_says_so() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let mut child =
        ironbow(&["serve", "--sandbox", "--listen", &address]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains(&address), "{said}");
}
