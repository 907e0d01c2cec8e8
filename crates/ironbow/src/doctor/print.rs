//! How findings are shown: a line or two each for people, or one JSON document.

use std::io::{self, Write};

use serde_json::json;

use super::judge::{Finding, State};

/// One block per finding: state, check, what was found; below it what to do.
pub(crate) fn plain(findings: &[Finding]) {
    let mut out = io::stdout().lock();
    let _written = findings.iter().try_for_each(|f| {
        let says = f.says.replace('\n', "\n                         ");
        writeln!(out, "{:<8} {:<14}  {says}", f.state.word(), f.check)?;
        if f.advice.is_empty() { Ok(()) } else { writeln!(out, "{:25}→ {}", "", f.advice) }
    });
}

/// `{"ok": …, "findings": [{"check", "state", "says", "do"}]}`
pub(crate) fn json(findings: &[Finding]) {
    let ok = findings.iter().all(|f| f.state != State::Failed);
    let list: Vec<_> = findings
        .iter()
        .map(|f| json!({"check": f.check, "state": f.state.word(), "says": f.says, "do": f.advice}))
        .collect();
    let document = serde_json::to_string_pretty(&json!({"ok": ok, "findings": list})).unwrap_or_default();
    let _written = writeln!(io::stdout().lock(), "{document}");
}
