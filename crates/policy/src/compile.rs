//! Turns file, environment and flags into one checked configuration, or into a list of everything that is wrong.
//!
//! Four steps, each in a file of its own: `file` and `environment` gather one tree of values and remember where each came
//! from; `shape` holds it against the document's schema; `checks` makes the values ready and tests what a schema cannot
//! say. A later step goes on with what the earlier ones left good, so that one run reports all problems.

mod aliases;
mod checks;
mod environment;
mod file;
mod keys;
mod path;
mod problem;
mod routes;
mod shape;
mod url;

use std::{collections::BTreeMap, io};

use types::config::Document;

use crate::{compiled::Compiled, ids::BackendIds};

use path::Path;
use problem::Report;
pub use problem::{Place, Problem};

/// Where a configuration comes from. Flags win over the environment, the environment over the file.
pub struct Sources<'a> {
    /// The configuration file, if there is one.
    pub file: Option<File<'a>>,
    /// The environment of the process.
    pub env: &'a BTreeMap<String, String>,
    /// Reads a file that holds a secret or a certificate.
    pub read_file: &'a dyn Fn(&std::path::Path) -> io::Result<String>,
    /// What the command line set.
    pub flags: &'a [Flag<'a>],
}

/// A configuration file that was read.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Its path, for messages and for relative paths in it.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// A setting from the command line.
#[derive(Clone, Copy, Debug)]
pub struct Flag<'a> {
    /// The flag as the user knows it: `--listen`.
    pub name: &'a str,
    /// The setting: `listener.address`.
    pub setting: &'a str,
    /// Its value: text, or JSON for lists and tables.
    pub text: &'a str,
}

/// Compiles a configuration.
///
/// # Errors
/// Everything that is wrong with it, in the order of the sources. No message ever holds a value that may be a secret.
pub fn compile(sources: &Sources<'_>, backends: &[BackendIds<'_>]) -> Result<Compiled, Vec<Problem>> {
    let schema = &*crate::schema::DOCUMENT;
    let mut report = Report::default();
    let mut tree = serde_json::Value::Object(serde_json::Map::new());
    if let Some(file) = &sources.file {
        match file::read(file, &mut report) {
            Some(read) => tree = read,
            None => return Err(report.into_problems()),
        }
    }
    environment::overlay(&mut tree, schema, sources, backends, &mut report);
    shape::check(&mut tree, schema, &mut report);
    let document: Document = match serde_json::from_value(tree) {
        Ok(document) => document,
        // The schema let something pass that the type refuses: a mistake of ours, and no reason to go on.
        Err(_) => {
            report.add(&Path::root(), "the configuration cannot be read".to_owned());
            return Err(report.into_problems());
        }
    };
    let compiled = checks::ready(&document, sources, backends, &mut report);
    if report.is_empty() { Ok(compiled) } else { Err(report.into_problems()) }
}
