//! The store: one contract for every implementation, the folder on disk, and what kill -9 leaves.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

/// Runs each named contract over every implementation.
macro_rules! over_every_store {
    ($($name:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test] async fn $name() { super::$name(&crate::support::memory()).await; })*
        }
        mod on_disk {
            $(#[tokio::test] async fn $name() {
                let folder = crate::support::Folder::new(concat!(module_path!(), "-", stringify!($name)));
                let store = folder.open().await.unwrap();
                super::$name(&store).await;
                store.close().await;
            })*
        }
    };
}

#[path = "it/crash.rs"]
mod crash;
#[path = "it/disk.rs"]
mod disk;
#[path = "it/files.rs"]
mod files;
#[path = "it/jobs.rs"]
mod jobs;
#[path = "it/sessions.rs"]
mod sessions;
#[path = "it/support.rs"]
mod support;
