//! What routing costs a call: its admission, the choice among 20 candidates, one attempt's bookkeeping, one rule.
//!
//! `cargo bench -p policy`. The aim is below 5 µs for a choice.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark may fail loudly")]

#[path = "choose/steps.rs"]
mod steps;

use divan::{Bencher, black_box};
use policy::{
    order::Strategy,
    rules::{Facts, Rule},
};
use steps::{Choice, Door};

fn main() {
    divan::main();
}

/// What a name means, and the keys that may be used.
#[divan::bench]
fn admission(bencher: Bencher<'_, '_>) {
    let door = Door::new();
    bencher.bench_local(|| door.admit(black_box("huggingface/groq/org/some-model-70b")));
}

fn choice(bencher: Bencher<'_, '_>, count: usize, strategy: Strategy) {
    let choice = Choice::new(count);
    let mut seed = 0;
    bencher.bench_local(|| {
        seed += 1;
        choice.plan(black_box(seed), strategy)
    });
}

#[divan::bench(args = [1, 4, 20])]
fn choose_auto(bencher: Bencher<'_, '_>, count: usize) {
    choice(bencher, count, Strategy::Auto);
}

#[divan::bench]
fn choose_cheapest_of_20(bencher: Bencher<'_, '_>) {
    choice(bencher, 20, Strategy::Cheapest);
}

/// Begin, first event, end.
#[divan::bench]
fn one_attempt(bencher: Bencher<'_, '_>) {
    let choice = Choice::new(1);
    bencher.bench_local(|| choice.attempt());
}

#[divan::bench]
fn one_rule(bencher: Bencher<'_, '_>) {
    let rule = Rule::new("headers[\"x-tier\"] == \"gold\" && percent < 5.0", Vec::new()).unwrap();
    let facts = Facts {
        model: "smart",
        operation: "chat",
        stream: true,
        tools: false,
        vision: false,
        input_tokens: 100,
        max_output: None,
        header: &|_| Some("gold".to_owned()),
        key: "",
        unix: 1_800_000_000,
        percent: 3.0,
        target: &|_| None,
    };
    bencher.bench_local(|| rule.matches(black_box(&facts)));
}
