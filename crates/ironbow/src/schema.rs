//! `ironbow schema`: the JSON Schema of the configuration file.

use std::io::{self, Write};
use std::process::ExitCode;

/// Prints the schema to standard output.
pub(crate) fn run() -> ExitCode {
    match io::stdout().lock().write_all(policy::schema().as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
