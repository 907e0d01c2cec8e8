//! The numbers of many runs, and the table that the documentation shows.

use std::{fmt::Write as _, fs, path::PathBuf};

use super::{run::Outcome, scenarios::SCENARIOS, ways::Way};

const MARKS: (&str, &str) = ("<!-- simulation: begin -->\n", "<!-- simulation: end -->");

/// Times to the first event are counted in steps of ten milliseconds.
const STEP: u64 = 10_000;
const STEPS: usize = 4000;

pub(crate) struct Report {
    pub(crate) scenario: &'static str,
    pub(crate) way: Way,
    calls: u64,
    failed: u64,
    sent: u64,
    times: Vec<u64>,
}

impl Report {
    pub(crate) fn new(scenario: &'static str, way: Way) -> Self {
        Self { scenario, way, calls: 0, failed: 0, sent: 0, times: vec![0; STEPS] }
    }

    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.calls += u64::from(outcome.calls);
        self.sent += u64::from(outcome.sent);
        for (_, took, failed) in &outcome.ends {
            if *failed {
                self.failed += 1;
            } else {
                self.times[((took / STEP) as usize).min(STEPS - 1)] += 1;
            }
        }
    }

    pub(crate) fn sum<'a>(scenario: &'static str, way: Way, reports: impl Iterator<Item = &'a Self>) -> Self {
        let mut sum = Self::new(scenario, way);
        for report in reports {
            sum.calls += report.calls;
            sum.failed += report.failed;
            sum.sent += report.sent;
            sum.times.iter_mut().zip(&report.times).for_each(|(sum, one)| *sum += one);
        }
        sum
    }

    pub(crate) fn error_rate(&self) -> f64 {
        self.failed as f64 / self.calls as f64
    }

    /// The time below which this share of served calls had their first event, in milliseconds.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        let all: u64 = self.times.iter().sum();
        let mut seen = 0;
        let step = self.times.iter().position(|count| {
            seen += count;
            seen as f64 >= all as f64 * share
        });
        (step.unwrap_or(STEPS) as u64 + 1) * STEP / 1000
    }
}

/// The table: a row for each scenario and way, and all scenarios together.
pub(crate) fn table(reports: &[Report], seeds: u64) -> String {
    let mut text = format!(
        "{seeds} seeds for each scenario, the same for every way. The best of each scenario's column is marked.\n\n\
         | scenario | way | failed calls | median | 99 of 100 | sent for each call |\n|---|---|---|---|---|---|\n"
    );
    let names = SCENARIOS.iter().map(|scenario| scenario.name);
    for name in names {
        let own: Vec<&Report> = reports.iter().filter(|report| report.scenario == name).collect();
        rows(&mut text, &own);
    }
    let all = Way::ALL.map(|way| Report::sum("all together", way, reports.iter().filter(|report| report.way == way)));
    rows(&mut text, &all.iter().collect::<Vec<_>>());
    text
}

fn rows(text: &mut String, reports: &[&Report]) {
    let mark = |text: String, best: bool| if best { format!("**{text}**") } else { text };
    let percent = |report: &Report| format!("{:.2} %", report.error_rate() * 100.0);
    let least = |of: &dyn Fn(&Report) -> u64| reports.iter().map(|report| of(report)).min().unwrap_or_default();
    let hundredths = |report: &Report| (report.error_rate() * 10_000.0).round() as u64;
    let (errors, median, slow) =
        (least(&hundredths), least(&|report| report.quantile(0.5)), least(&|report| report.quantile(0.99)));
    for report in reports {
        let failed = mark(percent(report), hundredths(report) == errors);
        let half = mark(format!("{} ms", report.quantile(0.5)), report.quantile(0.5) == median);
        let late = mark(format!("{} ms", report.quantile(0.99)), report.quantile(0.99) == slow);
        let sent = report.sent as f64 / report.calls as f64;
        let (name, way) = (report.scenario, report.way.name());
        writeln!(text, "| {name} | {way} | {failed} | {half} | {late} | {sent:.3} |").unwrap();
    }
}

/// Writes the table onto the page, or says that the page is behind.
pub(crate) fn page(table: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/routing.md");
    let page = fs::read_to_string(&path).expect("docs/routing.md");
    let start = page.find(MARKS.0).expect("the mark before the table") + MARKS.0.len();
    let end = page.find(MARKS.1).expect("the mark behind the table");
    let mut told = String::from("\n");
    for scenario in SCENARIOS {
        writeln!(told, "- **{}**: {}", scenario.name, scenario.about).unwrap();
    }
    let told = format!("{told}\n{table}\n");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{}{told}{}", &page[..start], &page[end..])).expect("docs/routing.md");
        return;
    }
    assert!(
        page[start..end] == told,
        "docs/routing.md is behind: run UPDATE_DOCS=1 cargo test --release -p policy --test it simulation -- --include-ignored"
    );
}
