//! The small commands: what they print, and their exit codes.

use std::path::PathBuf;

use serde_json::Value;

use super::process::{ironbow, output};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A file in a folder of this test run, named after its content's purpose.
pub(crate) fn file(name: &str, content: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("it-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn the_version_is_the_packages() {
    let out = output(&["--version"]);
    assert!(out.status.success());
    assert_eq!(text(&out.stdout).trim(), concat!("ironbow ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn without_a_command_the_help_is_shown_and_nothing_runs() {
    let out = output(&[]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("serve"));
}

#[test]
fn the_schema_is_json_and_names_every_part_of_the_configuration() {
    let out = output(&["schema"]);
    assert!(out.status.success());
    let schema: Value = serde_json::from_slice(&out.stdout).unwrap();
    for part in ["listener", "limits", "timeouts", "huggingface", "backends", "servers", "aliases", "log"] {
        assert!(schema["properties"][part].is_object(), "{part}");
    }
}

#[test]
fn an_empty_file_is_a_good_configuration() {
    let path = file("empty.toml", "");
    let out = output(&["check", path.to_str().unwrap()]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("good"));
}

#[test]
fn the_example_configuration_is_good() {
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../ironbow.example.toml");
    let out = ironbow(&["check", example.to_str().unwrap()]).env("HF_TOKEN", "hf_example").output().unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
}

#[test]
fn check_names_every_problem_with_its_place_and_ends_with_2() {
    let path = file("bad.toml", "[listener]\naddress = \"nowhere\"\nwrokers = 3\n[log]\nlevel = \"loud\"\n");
    let out = output(&["check", path.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(2));
    let said = text(&out.stderr);
    for part in ["bad.toml:2:", "listener.address", "bad.toml:3:", "wrokers", "bad.toml:5:", "log.level", "3 problems"]
    {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
}

#[test]
fn a_file_that_is_not_there_is_a_bad_configuration() {
    for command in [["check", "/nowhere/at-all.toml"].as_slice(), &["serve", "--config", "/nowhere/at-all.toml"]] {
        let out = output(command);
        assert_eq!(out.status.code(), Some(2));
        assert!(text(&out.stderr).contains("/nowhere/at-all.toml: cannot be read"), "{}", text(&out.stderr));
    }
}
