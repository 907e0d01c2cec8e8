//! `ironbow check FILE`: the configuration is compiled as `serve` would compile it, and nothing listens.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::BAD_CONFIGURATION;
use crate::settings::{self, Given};

/// Checks a file; prints every problem to standard error.
pub(crate) fn run(file: &Path) -> ExitCode {
    match settings::load(&Given { file: Some(file), ..Given::default() }) {
        Ok(compiled) => {
            let mut out = io::stdout().lock();
            let _written = writeln!(out, "{}: good", file.display())
                .and_then(|()| compiled.notes.iter().try_for_each(|note| writeln!(out, "note: {note}")));
            ExitCode::SUCCESS
        }
        Err(refused) => {
            refused.print();
            ExitCode::from(BAD_CONFIGURATION)
        }
    }
}
