//! What is wrong with a configuration, and where.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use super::path::Path;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting, e.g. `huggingface.keys[1].value`; empty if it is no single one.
    pub path: String,
    /// Where its value came from, if it was written anywhere.
    pub place: Option<Place>,
    /// What is wrong and what is allowed. Never a value that may be a secret.
    pub message: String,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A place in the configuration file; lines and columns count from 1.
    File {
        /// The file.
        name: String,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Gathers problems, and knows where each value was written.
#[derive(Default)]
pub(crate) struct Report {
    problems: Vec<Problem>,
    places: HashMap<Path, Place>,
    kept: HashMap<Path, Vec<usize>>,
    reported: HashSet<Path>,
}

impl Report {
    /// Reports what is wrong with a value. Only the first thing counts: the others may follow from it.
    pub(crate) fn add(&mut self, path: &Path, message: String) {
        if !self.reported.insert(path.clone()) {
            return;
        }
        let place = self.place(path).cloned();
        self.problems.push(Problem { path: path.to_string(), place, message });
    }

    /// Reports what is wrong with a place where no value came from.
    pub(crate) fn add_at(&mut self, place: Place, path: &Path, message: String) {
        self.problems.push(Problem { path: path.to_string(), place: Some(place), message });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// The problems in the order of what they speak about: the file by lines, then variables, then flags, then the rest.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems;
        problems.sort_by_key(|problem| match &problem.place {
            Some(Place::File { line, column, .. }) => (0, *line, *column),
            Some(Place::Variable(_)) => (1, 0, 0),
            Some(Place::Flag(_)) => (2, 0, 0),
            None => (3, 0, 0),
        });
        problems.dedup();
        problems
    }

    pub(crate) fn remember(&mut self, path: Path, place: Place) {
        self.places.insert(path, place);
    }

    /// Where this value, or the nearest thing around it, was written.
    pub(crate) fn place(&self, path: &Path) -> Option<&Place> {
        let mut path = path.clone();
        loop {
            if let Some(place) = self.places.get(&path) {
                return Some(place);
            }
            path = path.parent()?;
        }
    }

    /// Notes which elements of a list are left, by their index in the source.
    pub(crate) fn keep(&mut self, list: Path, indexes: Vec<usize>) {
        self.kept.insert(list, indexes);
    }

    /// The path of the element that now has this index.
    pub(crate) fn element(&self, list: &Path, index: usize) -> Path {
        let source = self.kept.get(list).and_then(|kept| kept.get(index)).copied();
        list.index(source.unwrap_or(index))
    }
}
