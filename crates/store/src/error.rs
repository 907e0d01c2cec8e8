//! What can go wrong with a store, and what of it its users are told.

use std::{io, path::PathBuf};

use types::ports::PortError;

/// Why the store cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or a file in it cannot be made, read or written.
    #[error("{path}: {source}. Name another folder, or mend its rights.")]
    Folder {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has the folder.
    #[error("{path} is used by another ironbow process. Stop it, or name another folder.")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A newer version wrote the folder.
    #[error(
        "{path} was written by a newer Ironbow (its schema has version {found}; this one knows {known}). Use that version, or another folder."
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// The version found.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The database fails.
    #[error("the database: {0}")]
    Sql(#[from] sqlx::Error),
    /// A row cannot be understood.
    #[error("a row of {table} has a bad {column}")]
    Row {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// No answer in time.
    #[error("the database did not answer in time")]
    Timeout,
    /// What the port itself says: a stale lease, a bound.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl StoreError {
    /// An error of this file or folder.
    pub(crate) fn folder(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Folder { path, source }
    }
}

impl From<StoreError> for PortError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Port(error) => error,
            other => Self::Unavailable(other.to_string()),
        }
    }
}
