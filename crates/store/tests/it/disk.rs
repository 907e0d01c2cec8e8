//! The folder on disk: rights, one process at a time, restarts, and what does not belong there.

use std::{fs, path::Path};

use sqlx::{Connection as _, SqliteConnection};
use store::StoreError;
use types::ports::{
    jobs::{Phase, Progress, State},
    sessions::NewSession,
};

use crate::support::{Folder, NOW, answered, asked, at, create, lease, new_file, new_session, owner, response, sent};

/// Runs one statement on the database of a folder that nobody has open.
async fn run(folder: &Folder, statement: &'static str) {
    let address = format!("sqlite://{}", folder.0.join("ironbow.sqlite").display());
    let mut connection = SqliteConnection::connect(&address).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn jobs_and_files_survive_a_restart() {
    let folder = Folder::new("restart");
    let store = folder.open().await.unwrap();
    assert!(store.survives_restart());
    let id = create(&*store.jobs(), "ann", NOW).await.id;
    let leased = lease(&*store.jobs(), NOW).await;
    let sending = Progress { phase: Phase::Sending, ..sent("up") };
    store.jobs().save(&leased.lease, &sending, at(30_000)).await.unwrap();
    let file = store.kept().put(new_file(&[b"abc"]), NOW).await.unwrap();
    store.close().await;
    drop(store);

    let store = folder.open().await.unwrap();
    assert_eq!(store.jobs().get(&owner("ann"), &id, NOW).await.unwrap().unwrap().state, State::Running);
    assert_eq!(store.kept().get(&file.id, NOW).await.unwrap(), Some(file.clone()));
    assert_eq!(store.kept().read(&file.id, 0, 9).await.unwrap(), "abc");
    // The worker of the process before does not live any more: its jobs need not wait for the end of its leases.
    assert_eq!(store.jobs().release("worker", at(5)).await.unwrap(), 1);
    let again = lease(&*store.jobs(), at(5)).await;
    assert_eq!((again.lease.job, again.progress), (id, sending));
    assert!(again.lease.fence > leased.lease.fence);
}

#[tokio::test]
async fn sessions_survive_a_restart() {
    let folder = Folder::new("sessions");
    let (store, ann) = (folder.open().await.unwrap(), owner("ann"));
    let kept = new_session("ann", 1, &[asked("q1", "x"), answered("a1", "y")]);
    store.sessions().create(kept, NOW).await.unwrap();
    let begun = NewSession { previous: Some(response(1)), ended: false, ..new_session("ann", 2, &[asked("q2", "z")]) };
    store.sessions().create(begun, NOW).await.unwrap();
    store.close().await;
    drop(store);

    let sessions = folder.open().await.unwrap().sessions();
    assert!(sessions.get(&ann, &response(1), NOW).await.unwrap().unwrap().ended);
    assert!(!sessions.get(&ann, &response(2), NOW).await.unwrap().unwrap().ended);
    let history = sessions.history(&ann, &response(2), NOW).await.unwrap().unwrap();
    assert_eq!(history.items, [asked("q1", "x"), answered("a1", "y"), asked("q2", "z")]);
}

#[tokio::test]
async fn a_folder_of_the_version_before_keeps_its_jobs_and_takes_sessions() {
    let folder = Folder::new("migrated");
    let store = folder.open().await.unwrap();
    let id = create(&*store.jobs(), "ann", NOW).await.id;
    store.close().await;
    drop(store);
    run(
        &folder,
        "DROP TABLE session_items; DROP TABLE session_streams; DROP TABLE sessions; DROP TABLE session_totals;
         DELETE FROM schema_steps WHERE version > 1",
    )
    .await;
    let store = folder.open().await.unwrap();
    assert!(store.jobs().get(&owner("ann"), &id, NOW).await.unwrap().is_some());
    store.sessions().create(new_session("ann", 1, &[]), NOW).await.unwrap();
}

#[tokio::test]
async fn the_secret_of_a_folder_survives_a_restart_and_a_damaged_one_is_not_replaced() {
    let folder = Folder::new("secret");
    let store = folder.open().await.unwrap();
    let secret = store.secret().await.unwrap();
    assert_eq!(store.secret().await.unwrap(), secret);
    store.close().await;
    drop(store);
    let key = folder.0.join("owners.key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let store = folder.open().await.unwrap();
    assert_eq!(store.secret().await.unwrap(), secret);
    assert_ne!(store::Store::memory(store::Limits::MEMORY).secret().await.unwrap(), secret);
    fs::write(&key, b"short").unwrap();
    let error = store.secret().await.unwrap_err();
    assert!(error.to_string().contains("owners.key") && error.to_string().contains("damaged"), "{error}");
    assert_eq!(fs::read(&key).unwrap(), b"short");
}

#[tokio::test]
async fn a_folder_has_one_process() {
    let folder = Folder::new("lock");
    let store = folder.open().await.unwrap();
    let error = folder.open().await.unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("another ironbow process"), "{error}");
    store.close().await;
    drop(store);
    folder.open().await.unwrap();
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_refused_and_not_changed() {
    let folder = Folder::new("newer");
    folder.open().await.unwrap().close().await;
    run(&folder, "INSERT INTO schema_steps (version) VALUES (7000)").await;
    let error = folder.open().await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 7000, .. }), "{error}");
    assert!(error.to_string().contains("newer Ironbow"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_not_overwritten() {
    let folder = Folder::new("foreign");
    fs::create_dir_all(&folder.0).unwrap();
    let text = "these are somebody's notes, not a database. ".repeat(100);
    fs::write(folder.0.join("ironbow.sqlite"), &text).unwrap();
    let error = folder.open().await.unwrap_err();
    assert!(matches!(error, StoreError::Sql(_)), "{error}");
    assert_eq!(fs::read_to_string(folder.0.join("ironbow.sqlite")).unwrap(), text);
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = Folder::new("blocked");
    fs::write(&folder.0, "a file").unwrap();
    let error = folder.open().await.unwrap_err();
    assert!(error.to_string().contains("ironbow-store-"), "{error}");
    fs::remove_file(&folder.0).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_what_is_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    fn walk(path: &Path, found: &mut Vec<(String, u32)>) {
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        found.push((path.file_name().unwrap().to_string_lossy().into_owned(), mode));
        if path.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| walk(&entry.unwrap().path(), found));
        }
    }
    let folder = Folder::new("rights");
    let store = folder.open().await.unwrap();
    create(&*store.jobs(), "ann", NOW).await;
    store.kept().put(new_file(&[b"abc"]), NOW).await.unwrap();
    let mut found = Vec::new();
    walk(&folder.0, &mut found);
    assert!(found.iter().any(|(name, _)| name.ends_with("-wal")), "{found:?}");
    assert!(found.iter().all(|(_, mode)| mode & 0o077 == 0), "{found:?}");
    store.close().await;
    drop(store);

    // A database that somebody opened to others is closed again.
    let database = folder.0.join("ironbow.sqlite");
    fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
    folder.open().await.unwrap();
    assert_eq!(fs::metadata(&database).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_swept() {
    let folder = Folder::new("sweep");
    let store = folder.open().await.unwrap();
    let whole = store.kept().put(new_file(&[b"abc"]), NOW).await.unwrap();
    let half = store.kept().put(new_file(&[b"def"]), NOW).await.unwrap();
    store.close().await;
    drop(store);
    let orphan = format!("file_{:032x}", 5);
    fs::write(folder.0.join("files").join(&orphan), "no row").unwrap();
    fs::write(folder.0.join("files").join("README"), "not ours").unwrap();
    run(&folder, "UPDATE files SET ready = 0 WHERE id = (SELECT MAX(id) FROM files)").await;

    let store = folder.open().await.unwrap();
    let mut left: Vec<_> =
        fs::read_dir(folder.0.join("files")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    let kept = std::cmp::min(&whole.id, &half.id);
    assert_eq!(left, ["README", kept.as_str()]);
    assert_eq!(store.kept().get(std::cmp::max(&whole.id, &half.id), NOW).await.unwrap(), None);
    assert!(store.kept().get(kept, NOW).await.unwrap().is_some());
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_an_error_and_hurts_nobody_else() {
    let folder = Folder::new("row");
    let store = folder.open().await.unwrap();
    let bad = create(&*store.jobs(), "ann", NOW).await.id;
    store.close().await;
    drop(store);
    run(&folder, "UPDATE jobs SET state = 'dreaming'").await;
    let store = folder.open().await.unwrap();
    let error = store.jobs().get(&owner("ann"), &bad, NOW).await.unwrap_err();
    assert!(error.to_string().contains("bad state"), "{error}");
    assert!(store.jobs().lease("w", NOW, NOW).await.unwrap().is_none());
    let good = create(&*store.jobs(), "ann", NOW).await.id;
    assert_eq!(lease(&*store.jobs(), NOW).await.lease.job, good);
}

#[tokio::test]
async fn a_closed_store_answers_that_it_is_not_available() {
    let folder = Folder::new("closed");
    let store = folder.open().await.unwrap();
    store.close().await;
    let error = store.jobs().create(crate::support::new_job("ann", "{}"), NOW).await.unwrap_err();
    assert!(matches!(error, types::ports::PortError::Unavailable(_)), "{error}");
}
