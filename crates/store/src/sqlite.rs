//! The keepers on disk: one folder with a SQLite database for rows and a file for each kept file.
//!
//! The database runs in WAL mode with `synchronous = FULL`: what was acknowledged survives the loss of power, not only of the
//! process. A job's "I am about to submit" is worth nothing without that, and jobs are few, so the flush is affordable. One connection
//! writes, at most two read; no statement is built from text, every value is bound.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use types::ports::Answer;

use crate::{Limits, StoreError};

mod folder;
mod jobs;
mod kept;
mod rows;
mod schema;
pub(crate) mod secret;
mod sessions;

/// How long one call of a port may take, waiting for its turn included.
const DEADLINE: Duration = Duration::from_secs(10);

/// Jobs, files and sessions in a folder.
pub struct Sqlite {
    limits: Limits,
    node: String,
    files: PathBuf,
    write: SqlitePool,
    read: SqlitePool,
    _lock: folder::Lock,
}

impl Sqlite {
    /// Opens the folder, makes what is missing, and brings the schema up to date.
    ///
    /// # Errors
    /// When the folder cannot be used, another process uses it, or a newer Ironbow wrote it.
    pub async fn open(dir: &Path, node: &str, limits: Limits) -> Result<Self, StoreError> {
        let place = dir.to_owned();
        let folder = blocking(move || folder::prepare(&place)).await?;
        let options = options(&folder.database);
        let write = pool(1).connect_with(options.clone()).await?;
        schema::migrate(&write, &folder.database).await?;
        let read = pool(2).idle_timeout(Duration::from_secs(60)).connect_lazy_with(options.read_only(true));
        let store = Self { limits, node: node.to_owned(), files: folder.files, write, read, _lock: folder.lock };
        store.sweep().await?;
        Ok(store)
    }

    /// A secret of the folder's own, made at its first use.
    pub(crate) async fn secret(&self) -> Result<[u8; 32], StoreError> {
        let dir = self.files.parent().unwrap_or(&self.files).to_owned();
        blocking(move || secret::of(&dir)).await
    }

    /// Waits for what is being written, and closes the database.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").field("files", &self.files).finish_non_exhaustive()
    }
}

fn options(database: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(database)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        // A page cache of 1 MiB, and a log that shrinks again after a large request was written.
        .pragma("cache_size", "-1024")
        .pragma("journal_size_limit", "4194304")
        .disable_statement_logging()
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Makes a port's answer of a piece of work, within the deadline.
fn answer<'a, T: Send + 'a>(work: impl Future<Output = Result<T, StoreError>> + Send + 'a) -> Answer<'a, T> {
    Box::pin(async {
        let done = tokio::time::timeout(DEADLINE, work).await.unwrap_or(Err(StoreError::Timeout));
        Ok(done?)
    })
}

/// Runs what touches files where blocking is allowed.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let gone = |e: tokio::task::JoinError| StoreError::folder("")(std::io::Error::other(e));
    tokio::task::spawn_blocking(work).await.map_err(gone)?
}
