//! `ironbow bench`: load on any address that speaks OpenAI's chat, and what came of it.
//!
//! `ask` does one call, `drive` many of them, `figures` counts, `print` shows. With `--against` the same load goes to a
//! second address afterwards, and what the first one adds is the difference.

mod ask;
mod drive;
mod figures;
mod print;

use std::{io, process::ExitCode, sync::Arc};

use net::Drain;

use crate::cli;
use ask::Target;
use figures::{Figures, Report};

/// Drives the load and prints the report; the exit code is 0 when every call was answered well, 1 when some were not, and
/// 2 when the load could not be driven at all.
pub(crate) fn run(arguments: &cli::Bench) -> ExitCode {
    match measure(arguments) {
        Ok(report) => {
            if arguments.json {
                print::json(&report);
            } else {
                print::plain(&report);
            }
            if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            print::refusal(&why);
            ExitCode::from(crate::BAD_CONFIGURATION)
        }
    }
}

fn measure(arguments: &cli::Bench) -> Result<Report, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error: io::Error| format!("no runtime: {error}"))?;
    runtime.block_on(async {
        let first = Target::new(&arguments.url, arguments)?;
        let second = arguments.against.as_deref().map(|url| Target::new(url, arguments)).transpose()?;
        let measured = load(first, arguments).await?;
        let against = match second {
            Some(target) => Some(load(target, arguments).await?),
            None => None,
        };
        Ok(Report { measured, against })
    })
}

async fn load(target: Target, arguments: &cli::Bench) -> Result<Figures, String> {
    let drain = Drain::new();
    let (target, address) = (Arc::new(target), arguments.url.clone());
    // One call outside of the count: it opens what is opened once, and says at once what is wrong with the address.
    target.ask().await.outcome.map_err(|why| format!("{address} does not answer as it should: {why}"))?;
    let memory = figures::Memory::of(arguments.pid)?;
    let driven = drive::drive(&target, arguments, &drain, memory).await;
    drain.finished(std::time::Duration::ZERO).await;
    Ok(driven)
}
