//! How the figures are shown: a few lines for people, or one JSON document.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::figures::{Figures, Memory, Report, Spread};

/// A few lines for each load, and what the first one added to the second.
pub(super) fn plain(report: &Report) {
    let mut out = io::stdout().lock();
    let _written = show(&mut out, &report.measured).and_then(|()| match &report.against {
        None => Ok(()),
        Some(against) => {
            show(&mut out, against)?;
            writeln!(out, "{} adds to {}", report.measured.address, against.address)?;
            for (name, added) in added(report) {
                writeln!(out, "  {name:<12} {}", added.map_or("–".to_owned(), signed))?;
            }
            Ok(())
        }
    });
}

fn show(out: &mut impl Write, f: &Figures) -> io::Result<()> {
    writeln!(out, "{}", f.address)?;
    writeln!(
        out,
        "  {:<12} {} good, {} bad in {:.1} s: {:.1} a second",
        "requests",
        f.good,
        f.bad(),
        f.seconds,
        f.per_second(f.good)
    )?;
    for (why, times) in &f.errors {
        writeln!(out, "  {:<12} {times} × {why}", "")?;
    }
    if f.late > 0 {
        writeln!(out, "  {:<12} {} calls found no free connection when they were due", "", f.late)?;
    }
    writeln!(out, "  {:<12} {} of output: {:.1} a second", "tokens", f.tokens, f.per_second(f.tokens))?;
    for (name, spread) in [("latency", f.latency), ("first token", f.first_token), ("gap", f.gap)] {
        if let Some(s) = spread {
            let [p50, p90, p99, max] = [s.p50, s.p90, s.p99, s.max].map(millis);
            writeln!(out, "  {name:<12} p50 {p50}, p90 {p90}, p99 {p99}, at most {max} ms")?;
        }
    }
    if let Some(m) = &f.memory {
        let [before, most, last] = [m.before, m.most, m.last].map(|kib| kib as f64 / 1024.0);
        writeln!(out, "  {:<12} {before:.1} MiB before, {most:.1} at most, {last:.1} at the end", "memory")?;
    }
    Ok(())
}

fn millis(micros: u64) -> String {
    format!("{:.2}", micros as f64 / 1000.0)
}

fn signed(micros: i64) -> String {
    format!("{:+.2} ms at p50", micros as f64 / 1000.0)
}

/// What the measured address adds to the other one, in the middle (p50), in microseconds.
fn added(report: &Report) -> [(&'static str, Option<i64>); 3] {
    let less = |a: Option<Spread>, b: Option<Spread>| {
        let middle = |spread: Spread| i64::try_from(spread.p50).unwrap_or(i64::MAX);
        Some(middle(a?) - middle(b?))
    };
    let (a, b) = (&report.measured, report.against.as_ref());
    [
        ("latency", b.and_then(|b| less(a.latency, b.latency))),
        ("first token", b.and_then(|b| less(a.first_token, b.first_token))),
        ("gap", b.and_then(|b| less(a.gap, b.gap))),
    ]
}

/// `{"measured": …, "against": …, "added": …}`; times are in microseconds, memory in KiB.
pub(super) fn json(report: &Report) {
    let mut document = json!({"measured": figures(&report.measured)});
    if let Some(against) = &report.against {
        let [latency, first_token, gap] = added(report).map(|(_, added)| added);
        document["against"] = figures(against);
        document["added_p50_us"] = json!({"latency": latency, "first_token": first_token, "gap": gap});
    }
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    let _written = writeln!(io::stdout().lock(), "{text}");
}

fn figures(f: &Figures) -> Value {
    let memory = |m: &Memory| json!({"before": m.before, "most": m.most, "last": m.last});
    json!({
        "address": f.address,
        "seconds": f.seconds,
        "requests": {"good": f.good, "bad": f.bad(), "per_second": f.per_second(f.good), "found_no_connection": f.late},
        "errors": f.errors,
        "tokens": {"output": f.tokens, "per_second": f.per_second(f.tokens)},
        "latency_us": f.latency.map(spread),
        "first_token_us": f.first_token.map(spread),
        "gap_us": f.gap.map(spread),
        "memory_kib": f.memory.as_ref().map(memory),
    })
}

fn spread(s: Spread) -> Value {
    json!({"count": s.count, "p50": s.p50, "p90": s.p90, "p99": s.p99, "max": s.max})
}

/// Why there are no figures.
pub(super) fn refusal(why: &str) {
    let _written = writeln!(io::stderr().lock(), "{why}");
}
