//! What routing costs a call: the choice among 20 candidates, one attempt's bookkeeping, one rule.
//!
//! `cargo bench -p policy`. The aim is below 5 µs for a choice.
#![expect(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use divan::{Bencher, black_box};
use policy::{
    credentials::Whose,
    health::{Health, Lane, Outcome, Settings},
    order::{Ask, Candidate, Need, Price, Strategy, choose},
    retry::Tries,
    rules::{Facts, Rule},
};
use types::BackendName;

fn main() {
    divan::main();
}

/// Five backends with four keys each.
fn candidates(count: usize) -> Vec<Candidate> {
    let lane = |number: usize| Lane {
        place: BackendName::new(&format!("backend-{}", number / 4)),
        model: "meta-llama/Llama-3.3-70B-Instruct".into(),
        key: Some(format!("key-{}", number % 4).into()),
        account: Some(format!("organisation-{}", number % 2).into()),
        whose: Whose::Operator,
    };
    let price = Some(Price { input: 590_000, output: 790_000 });
    (0..count)
        .map(|number| Candidate { price, context_length: Some(131_072), ..Candidate::new(lane(number)) })
        .collect()
}

/// A table in which every lane was used.
fn used(candidates: &[Candidate]) -> (Health, Instant) {
    let now = Instant::now();
    let health = Health::new(Settings::default(), now);
    for (number, candidate) in (0..).zip(candidates) {
        let mut flight = health.begin(&candidate.lane, now).unwrap();
        flight.first_event(now + Duration::from_millis(100 + number));
        flight.end(Outcome::Served { output_tokens: Some(100) }, now + Duration::from_secs(2));
    }
    (health, now + Duration::from_secs(3))
}

fn choice(bencher: Bencher<'_, '_>, count: usize, strategy: Strategy) {
    let candidates = candidates(count);
    let (health, now) = used(&candidates);
    let need = Need { tools: true, stream: true, input_tokens: 1200, max_output: Some(500), ..Need::default() };
    let mut seed = 0;
    bencher.bench_local(|| {
        seed += 1;
        let ask = Ask { strategy, max_price: Some(1_000_000), ..Ask::new(&need, seed) };
        choose(black_box(&candidates), &ask, &health, now)
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
    let candidates = candidates(1);
    let (health, now) = used(&candidates);
    let settings = Arc::default();
    bencher.bench_local(|| {
        let mut tries = Tries::single(Arc::clone(&settings));
        let (_, mut flight) = tries.begin(&health, &candidates, now).unwrap();
        flight.first_event(now);
        flight.end(Outcome::Served { output_tokens: Some(100) }, now);
    });
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
