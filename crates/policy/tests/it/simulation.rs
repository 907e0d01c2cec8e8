//! The routing against a world that fails, slows down and limits, without sockets and without waiting: three backends with
//! four keys each, the same scenarios and seeds for every way of choosing.
//!
//! `cargo test -p policy` runs few seeds; the table of all is written with
//! `UPDATE_DOCS=1 cargo test --release -p policy --test it simulation -- --include-ignored`.

mod report;
mod run;
mod scenarios;
mod ways;
mod world;

use std::time::Duration;

use report::{Report, table};
use run::{Outcome, run};
use scenarios::{SCENARIOS, Scenario};
use ways::Way;

/// Seeds of the table, and how many of them every `cargo test` runs. Fixed before anything was tuned.
const SEEDS: u64 = 1000;
const FEW: u64 = 10;

fn scenario(name: &str) -> &'static Scenario {
    SCENARIOS.iter().find(|scenario| scenario.name == name).expect("a scenario")
}

fn ironbow(name: &str, seed: u64) -> Outcome {
    run(scenario(name), Way::Ironbow, seed)
}

/// Runs all scenarios in all ways, on all cores.
fn reports(seeds: u64) -> Vec<Report> {
    let cases: Vec<_> = SCENARIOS.iter().flat_map(|scenario| Way::ALL.map(|way| (scenario, way))).collect();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let mut reports: Vec<Report> = std::thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            while let Some((scenario, way)) = cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                let mut report = Report::new(scenario.name, *way);
                (0..seeds).for_each(|seed| report.add(&run(scenario, *way, seed)));
                done.push(report);
            }
            done
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect()
    });
    let place = |report: &Report| {
        let scenario = SCENARIOS.iter().position(|scenario| scenario.name == report.scenario);
        (scenario, Way::ALL.iter().position(|way| *way == report.way))
    };
    reports.sort_by_key(place);
    reports
}

/// Over all scenarios together nobody fails less or has a lower 99th percentile.
fn beats_all(reports: &[Report]) {
    let sum = |way: Way| Report::sum("all", way, reports.iter().filter(|report| report.way == way));
    let own = sum(Way::Ironbow);
    for way in Way::ALL.into_iter().filter(|way| *way != Way::Ironbow) {
        let other = sum(way);
        assert!(own.error_rate() < other.error_rate(), "{way:?}: {} {}", own.error_rate(), other.error_rate());
        assert!(own.quantile(0.99) < other.quantile(0.99), "{way:?}: {} {}", own.quantile(0.99), other.quantile(0.99));
    }
}

#[test]
fn fewer_calls_fail_and_the_slowest_are_faster_than_with_any_other_way() {
    let reports = reports(FEW);
    beats_all(&reports);
    // The same numbers everywhere: a change of the routing shows here, and the table of all seeds is then written anew.
    insta::assert_snapshot!(table(&reports, FEW));
}

#[test]
#[ignore = "takes minutes: scripts/test --all"]
fn the_page_has_the_table_of_all_seeds() {
    let reports = reports(SEEDS);
    beats_all(&reports);
    report::page(&table(&reports, SEEDS));
}

#[test]
fn no_lane_is_asked_beyond_what_its_backend_told() {
    for seed in 0..20 {
        let outcome = ironbow("quotas", seed);
        assert!(outcome.sent > 500, "{}", outcome.sent);
        assert_eq!(outcome.beyond_told, 0, "seed {seed}");
    }
}

#[test]
fn a_lane_that_said_when_to_come_again_is_left_alone_until_then_and_gets_one_call_then() {
    for seed in 0..20 {
        let outcome = ironbow("limits", seed);
        assert!(outcome.limited > 0);
        assert_eq!(outcome.too_early, 0, "seed {seed}");
    }
}

#[test]
fn a_slow_target_loses_its_share_within_ten_seconds_and_gets_it_back_within_thirty() {
    let (from, until) = scenarios::SLOW;
    let (mut slow, mut healed) = (Vec::new(), Vec::new());
    for seed in 0..30 {
        let outcome = ironbow("slow", seed);
        slow.push(outcome.share(0, from + 10..until));
        healed.push(outcome.share(0, until + 30..scenarios::LENGTH));
    }
    assert!(slow.iter().all(|share| *share < 0.10), "{slow:?}");
    let mean = healed.iter().sum::<f64>() / healed.len() as f64;
    assert!(mean > 0.25 && healed.iter().filter(|share| **share > 0.25).count() >= 27, "{mean} {healed:?}");
}

#[test]
fn shares_do_not_swing_while_nothing_happens() {
    for seed in 0..20 {
        let outcome = ironbow("calm", seed);
        for target in 0..3 {
            let shares: Vec<f64> = (20..scenarios::LENGTH - 10)
                .step_by(10)
                .map(|second| outcome.share(target, second..second + 10))
                .collect();
            let swing = shares.windows(2).map(|pair| (pair[0] - pair[1]).abs()).fold(0.0, f64::max);
            assert!(swing < 0.35, "seed {seed}, target {target}: {shares:?}");
            assert!(shares.iter().all(|share| *share < 0.85), "seed {seed}, target {target}: {shares:?}");
        }
    }
}

#[test]
fn few_calls_are_made_to_learn() {
    for scenario in SCENARIOS {
        let outcome = run(scenario, Way::Ironbow, 1);
        let share = f64::from(outcome.explored) / f64::from(outcome.calls);
        assert!(share < 0.05, "{}: {share}", scenario.name);
    }
}

#[test]
fn further_attempts_stay_within_the_budget() {
    for scenario in SCENARIOS {
        for seed in 0..5 {
            let outcome = run(scenario, Way::Ironbow, seed);
            let allowed = f64::from(outcome.calls) * 1.2 + 10.0 * scenarios::LENGTH as f64;
            assert!(f64::from(outcome.sent) <= allowed, "{}: {} of {}", scenario.name, outcome.sent, outcome.calls);
        }
    }
}

#[test]
fn when_everybody_is_down_calls_are_refused_at_once_and_served_again_soon_after() {
    for seed in 0..10 {
        let outcome = ironbow("all down", seed);
        let (from, until) = scenarios::DOWN;
        // Once the circuits are open, a call waits for nobody: only single tries do.
        let slow = outcome.took(from + 5..until).filter(|took| *took > Duration::from_millis(50)).count();
        assert!(slow < 40, "seed {seed}: {slow}");
        assert!(outcome.failed(until + 30..scenarios::LENGTH) == 0, "seed {seed}");
    }
}
