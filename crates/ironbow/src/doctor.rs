//! `ironbow doctor`: checks configuration, token, router, Hub and clock one by one, and says what to do about each failure.
//!
//! Asking is separate from judging: `ask` does the few requests, `judge` turns what came back into findings and can be tested
//! without a network, `print` shows them.

mod ask;
mod judge;
mod print;

use std::process::ExitCode;
use std::time::SystemTime;

use crate::cli;
use crate::settings::{self, Given};
use judge::{Finding, State};

/// Runs all checks and prints the findings; the exit code is 0 when none failed, 1 otherwise.
pub(crate) fn run(arguments: &cli::Doctor) -> ExitCode {
    let findings = match settings::load(&Given { file: arguments.config.as_deref(), ..Given::default() }) {
        Ok(compiled) => {
            let mut findings = vec![judge::configuration(&compiled)];
            match ask::all(&compiled) {
                Ok(asked) => findings.extend(judge_all(&asked)),
                Err(error) => findings.push(Finding::failed("network", error.to_string(), "See the message.")),
            }
            findings
        }
        Err(refused) => judge::no_configuration(&refused.lines()),
    };
    if arguments.json {
        print::json(&findings);
    } else {
        print::plain(&findings);
    }
    if findings.iter().any(|f| f.state == State::Failed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn judge_all(asked: &ask::Asked) -> [Finding; 4] {
    [
        judge::token(&asked.token),
        judge::router(&asked.router),
        judge::hub(&asked.hub),
        judge::clock(&asked.dates(), SystemTime::now()),
    ]
}
