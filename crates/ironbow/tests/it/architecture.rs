//! The shape of the house: which crate may use which, where backends may be named, and that every dependency is accounted for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What each crate may use of ours. A crate that is not in this table does not belong to the workspace; one that is may still be to come.
const MAY_USE: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("scan", &[]),
    ("wire", &["types", "scan"]),
    ("policy", &["types"]),
    ("net", &["types"]),
    ("media", &["types"]),
    ("providers", &["types", "wire"]),
    ("catalog", &["types", "wire", "net"]),
    ("store", &["types"]),
    ("cluster", &["types", "net"]),
    ("integrations", &["types", "net"]),
    ("pipeline", &["types", "wire", "policy", "net", "media", "providers", "catalog"]),
    ("control", &["types", "policy", "net", "catalog", "store", "cluster", "integrations"]),
    ("sandbox", &["types"]),
    ("ironbow", ALL),
];

/// The binary assembles, so it may use everything.
const ALL: &[&str] = &[
    "types",
    "scan",
    "wire",
    "policy",
    "net",
    "media",
    "providers",
    "catalog",
    "store",
    "cluster",
    "integrations",
    "pipeline",
    "control",
    "sandbox",
];

/// What a pure crate must not be able to do: open sockets, wait, or know a protocol library.
const PURE: &[&str] = &["types", "scan", "wire", "policy", "media", "providers"];
const IMPURE: &[&str] = &["tokio", "hyper", "hyper-util", "rustls", "tokio-rustls", "socket2"];

/// The crate that may hold unsafe code, and says why.
const MAY_BE_UNSAFE: &str = "scan";

/// The crates whose code may name a backend.
const MAY_NAME_BACKENDS: &[&str] = &["providers", "sandbox"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--locked", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every crate of the workspace with its dependencies, those for tests included.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let names = |list: &Value| -> BTreeSet<String> {
        list.as_array().unwrap().iter().map(|d| d["name"].as_str().unwrap().to_owned()).collect()
    };
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|p| (p["name"].as_str().unwrap().to_owned(), names(&p["dependencies"]))).collect()
}

#[test]
fn no_crate_uses_one_that_it_may_not() {
    let table: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let crates = crates();
    let ours: BTreeSet<&str> = crates.keys().map(String::as_str).collect();
    let strangers: Vec<_> = ours.iter().filter(|name| !table.contains_key(*name)).collect();
    assert!(strangers.is_empty(), "{strangers:?} have no place in the house: see the table");
    for (name, uses) in &crates {
        for used in uses.iter().filter(|u| ours.contains(u.as_str())) {
            assert!(table[name.as_str()].contains(&used.as_str()), "{name} may not use {used}");
        }
    }
}

#[test]
fn pure_crates_cannot_do_io() {
    let crates = crates();
    for name in PURE {
        let found: Vec<_> = crates.get(*name).into_iter().flatten().filter(|d| IMPURE.contains(&d.as_str())).collect();
        assert!(found.is_empty(), "{name} is pure and uses {found:?}");
    }
}

#[test]
fn the_sandbox_shares_no_codec_with_the_gateway() {
    let sandbox = &crates()["sandbox"];
    for forbidden in ["wire", "providers", "net", "catalog", "pipeline", "policy"] {
        assert!(!sandbox.contains(forbidden), "the sandbox must not use {forbidden}: it would hide its mistakes");
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace_and_only_one_may_hold_unsafe_code() {
    let read = |path: &Path| std::fs::read_to_string(path).unwrap().parse::<toml::Table>().unwrap();
    let mut lints = read(&root().join("Cargo.toml"))["workspace"]["lints"].clone();
    for name in crates().keys() {
        let manifest = read(&root().join("crates").join(name).join("Cargo.toml"));
        if name != MAY_BE_UNSAFE {
            assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{name} has lints of its own");
        }
    }
    assert_eq!(lints["rust"]["unsafe_code"].as_str(), Some("forbid"));
    // The same lints, but that it may say where it must.
    lints["rust"]["unsafe_code"] = "deny".into();
    assert_eq!(read(&root().join("crates").join(MAY_BE_UNSAFE).join("Cargo.toml"))["lints"], lints);
}

#[test]
fn every_dependency_has_its_reason_written_down() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let reasons = std::fs::read_to_string(root().join("docs/decisions/0002-dependencies.md")).unwrap();
    let ours: BTreeSet<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    let declared: BTreeSet<&str> =
        manifest["workspace"]["dependencies"].as_table().unwrap().keys().map(String::as_str).collect();
    for dependency in declared.difference(&ours) {
        assert!(reasons.contains(&format!("| `{dependency}` |")), "{dependency} has no line in 0002-dependencies.md");
    }
    let used: BTreeSet<String> = crates().into_values().flatten().collect();
    for dependency in declared.difference(&ours) {
        assert!(used.contains(*dependency), "nothing uses {dependency}: take it out");
    }
}

#[test]
fn only_providers_and_the_sandbox_name_backends() {
    let names = backend_names();
    let mut found = Vec::new();
    for name in crates().keys().filter(|c| !MAY_NAME_BACKENDS.contains(&c.as_str())) {
        for file in rust_files(&root().join("crates").join(name).join("src")) {
            let source = std::fs::read_to_string(&file).unwrap();
            let literals = string_literals(without_tests(&source));
            let named = literals.iter().filter(|l| names.iter().any(|n| names_backend(l, n)));
            found.extend(named.map(|l| format!("{}: {l:?}", file.display())));
        }
    }
    assert!(found.is_empty(), "a backend is named outside `providers`:\n{}", found.join("\n"));
}

/// Ids and aliases of every backend. `openai` and `anthropic` are left out: they are also the names of protocols.
fn backend_names() -> Vec<String> {
    let named = providers::TABLE.iter().flat_map(|b| std::iter::once(b.id).chain(b.aliases.iter().copied()));
    named.filter(|n| !matches!(*n, "openai" | "anthropic")).map(str::to_owned).collect()
}

/// Whether a literal is this backend's name, or has it as a part of a path, a list or a sentence. `together` and `replicate`
/// are words of the language too: those count only alone or between slashes.
fn names_backend(literal: &str, name: &str) -> bool {
    let word = matches!(name, "together" | "replicate");
    let edge = |c: Option<char>| match (word, c) {
        (true, c) => c.is_none_or(|c| c == '/'),
        (false, c) => c.is_none_or(|c| !(c.is_alphanumeric() || c == '-' || c == '_')),
    };
    literal
        .trim_start_matches("/cohere/v2/") // The door of that vendor's SDK, not the backend.
        .match_indices(name)
        .any(|(at, _)| edge(literal[..at].chars().next_back()) && edge(literal[at + name.len()..].chars().next()))
}

/// A source file up to its tests: by the custom of the house they stand at its end.
fn without_tests(source: &str) -> &str {
    source.split("#[cfg(test)]").next().unwrap_or(source)
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_none_or(|n| n != "tests") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") && path.file_stem().is_none_or(|n| n != "tests") {
            files.push(path);
        }
    }
    files
}

/// The string literals of Rust source, comments left out. Escapes stay as they are written.
fn string_literals(source: &str) -> Vec<String> {
    let mut literals = Vec::new();
    for line in source.lines().map(str::trim_start).filter(|l| !l.starts_with("//")) {
        let mut pieces = line.split('"');
        pieces.next();
        while let Some(literal) = pieces.next() {
            literals.push(literal.to_owned());
            pieces.next();
        }
    }
    literals
}

#[test]
fn the_search_for_names_finds_what_it_should() {
    assert_eq!(string_literals("// \"a\"\nlet x = f(\"b\", \"c/d\");"), ["b", "c/d"]);
    assert!(names_backend("huggingface/groq/x", "groq"));
    assert!(!names_backend("grok and groqqy", "groq"));
    assert!(names_backend("together", "together") && !names_backend("reported together", "together"));
}
