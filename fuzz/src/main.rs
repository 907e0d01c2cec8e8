//! One program for all targets: `IRONBOW_FUZZ` names the one to run; a panic is a finding. `scripts/test --only "fuzzing: guided by coverage"` runs them
//! all, each from the recorded traffic and golden requests of the tests; see `fuzz/README.md`.

#![no_main]

mod doors;
mod reading;
mod streams;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// What is done with some bytes.
type Target = fn(&[u8]);

/// Every target by its name.
const TARGETS: &[(&str, Target)] = &[
    ("json", reading::json),
    ("call", reading::call),
    ("answer", reading::answer),
    ("vectors", reading::vectors),
    ("error", reading::error),
    ("hub", reading::hub),
    ("form", reading::form),
    ("name", reading::name),
    ("configuration", reading::configuration),
    ("stream", streams::chat),
    ("frames", streams::frames),
    ("chunks", streams::chunks),
    ("anthropic", doors::anthropic),
    ("responses", doors::responses),
    ("gemini", doors::gemini),
    ("cohere", doors::cohere),
    ("bedrock", doors::bedrock),
    ("completions", doors::completions),
];

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let asked = std::env::var("IRONBOW_FUZZ").unwrap_or_default();
    let found = TARGETS.iter().find(|(name, _)| *name == asked);
    let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
    found.unwrap_or_else(|| panic!("set IRONBOW_FUZZ to one of: {}", names.join(" "))).1
});

fuzz_target!(|data: &[u8]| TARGET(data));
