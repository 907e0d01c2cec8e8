//! What must survive a restart: jobs, kept files and sessions, in a folder with SQLite, or in memory when told so.
//!
//! Implements the ports of `types`; knows nothing of HTTP or of what a job does. One process at a time uses a folder.

use std::{path::Path, sync::Arc};

use types::ports::{Jobs, Kept, Sessions};

mod error;
mod ids;
mod limits;
mod memory;
mod sqlite;

pub use error::StoreError;
pub use limits::Limits;
pub use memory::Memory;
pub use sqlite::Sqlite;

/// The keepers of one process: all on disk or all in memory.
#[derive(Clone, Debug)]
pub struct Store {
    jobs: Arc<dyn Jobs>,
    kept: Arc<dyn Kept>,
    sessions: Arc<dyn Sessions>,
    disk: Option<Arc<Sqlite>>,
}

impl Store {
    /// Keeps everything in `dir`, which is made if it is not there. `node` is written into every row.
    ///
    /// # Errors
    /// When the folder cannot be used, another process uses it, or a newer Ironbow wrote it.
    pub async fn open(dir: &Path, node: &str, limits: Limits) -> Result<Self, StoreError> {
        let disk = Arc::new(Sqlite::open(dir, node, limits).await?);
        Ok(Self { jobs: disk.clone(), kept: disk.clone(), sessions: disk.clone(), disk: Some(disk) })
    }

    /// Keeps everything in memory: a restart forgets it.
    pub fn memory(limits: Limits) -> Self {
        let memory = Arc::new(Memory::new(limits));
        Self { jobs: memory.clone(), kept: memory.clone(), sessions: memory, disk: None }
    }

    /// The keeper of jobs.
    pub fn jobs(&self) -> Arc<dyn Jobs> {
        self.jobs.clone()
    }

    /// The keeper of files.
    pub fn kept(&self) -> Arc<dyn Kept> {
        self.kept.clone()
    }

    /// The keeper of sessions.
    pub fn sessions(&self) -> Arc<dyn Sessions> {
        self.sessions.clone()
    }

    /// A secret that lives as long as what is kept: 32 random bytes, for keyed hashes.
    ///
    /// # Errors
    /// When its file cannot be read or made.
    pub async fn secret(&self) -> Result<[u8; 32], StoreError> {
        match &self.disk {
            Some(disk) => disk.secret().await,
            None => sqlite::secret::random(),
        }
    }

    /// Whether what it keeps survives a restart.
    pub fn survives_restart(&self) -> bool {
        self.disk.is_some()
    }

    /// Closes the database and frees the folder, at the end of a drain. Nothing acknowledged is lost without it.
    pub async fn close(&self) {
        if let Some(disk) = &self.disk {
            disk.close().await;
        }
    }
}
