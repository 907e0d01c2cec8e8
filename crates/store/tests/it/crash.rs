//! kill -9 between writes: what was acknowledged is there, and nothing is half there.
//!
//! The test starts its own binary again as the process to kill. That one writes jobs and files and prints a line for each
//! acknowledgement; the parent reads so many lines, kills it, opens the folder and compares.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use sqlx::{Connection as _, SqliteConnection};
use store::{Limits, Store};
use types::ports::{
    Jobs, Kept,
    jobs::{JobId, JobResult, Phase, Progress, State},
    kept::FileId,
};

use crate::support::{Folder, NOW, at, create, new_file, owner, sent, succeeded};

/// Where the child writes; without it, the child's test does nothing.
const FOLDER: &str = "IRONBOW_STORE_CRASH_FOLDER";

/// How far a job is known to be: created, sending, sent, ended.
type Rank = usize;

#[tokio::test]
async fn the_child_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = Store::open(Path::new(&folder), "node-1", Limits::DISK).await.unwrap();
    let (jobs, kept) = (store.jobs(), store.kept());
    for i in 0..400 {
        let id = create(&*jobs, "ann", NOW).await.id;
        say(&format!("job {id} 0"));
        let leased = jobs.lease("child", NOW, at(60_000)).await.unwrap().unwrap();
        let id = leased.lease.job.clone();
        let sending = Progress { phase: Phase::Sending, ..sent("") };
        jobs.save(&leased.lease, &sending, at(60_000)).await.unwrap();
        say(&format!("job {id} 1"));
        jobs.save(&leased.lease, &sent(id.as_str()), at(60_000)).await.unwrap();
        say(&format!("job {id} 2"));
        if i % 2 == 0 {
            let file = kept.put(new_file(&[&[9; 50_000]]), NOW).await.unwrap();
            say(&format!("file {}", file.id));
            jobs.finish(&leased.lease, succeeded(), NOW).await.unwrap();
            say(&format!("job {id} 3"));
        }
    }
}

/// Prints past the test harness, which would hold the line back.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n@{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = Folder::new("crash");
    let mut known = Known::default();
    for lines in [1, 2, 5, 14, 33, 71] {
        let path = folder.0.clone();
        let said = tokio::task::spawn_blocking(move || run_and_kill(&path, lines)).await.unwrap();
        assert!(said.len() >= lines, "the child ended by itself after {said:?}");
        said.iter().for_each(|line| known.learn(line));
        check_integrity(&folder).await;
        let store = Store::open(&folder.0, "node-1", Limits::DISK).await.unwrap();
        known.compare(&*store.jobs(), &*store.kept()).await;
        store.close().await;
    }
    assert!(known.jobs.len() > 30 && !known.files.is_empty(), "{} jobs", known.jobs.len());
}

/// Starts the child, reads so many of its lines, kills it, and gives all that it had said.
fn run_and_kill(folder: &Path, lines: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::the_child_that_is_killed", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut said = Vec::new();
    for line in out.lines() {
        said.extend(line.unwrap().strip_prefix('@').map(str::to_owned));
        if said.len() == lines {
            // What it says until it is dead is acknowledged too: the pipe is read to its end.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    said
}

async fn check_integrity(folder: &Folder) {
    let address = format!("sqlite://{}", folder.0.join("ironbow.sqlite").display());
    let mut connection = SqliteConnection::connect(&address).await.unwrap();
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
    assert_eq!(verdict, "ok");
    connection.close().await.unwrap();
}

/// What the parent knows to be true.
#[derive(Default)]
struct Known {
    jobs: BTreeMap<JobId, Rank>,
    files: Vec<FileId>,
}

impl Known {
    fn learn(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["job", id, rank] => {
                self.jobs.insert(JobId::parse(id).unwrap(), rank.parse().unwrap());
            }
            ["file", id] => self.files.push(FileId::parse(id).unwrap()),
            _ => panic!("the child said {line:?}"),
        }
    }

    /// Every acknowledged step is there; at most one further step, which was not acknowledged any more, may be.
    async fn compare(&mut self, jobs: &dyn Jobs, kept: &dyn Kept) {
        for id in &self.files {
            let file = kept.get(id, NOW).await.unwrap().expect("an acknowledged file is there");
            assert_eq!(file.size, 50_000);
            let bytes = kept.read(id, 0, 100_000).await.unwrap();
            assert!(bytes.len() == 50_000 && bytes.iter().all(|b| *b == 9));
        }
        jobs.release("child", NOW).await.unwrap();
        let mut open = BTreeMap::new();
        while let Some(leased) = jobs.lease("parent", NOW, at(60_000)).await.unwrap() {
            assert_eq!(jobs.request(&leased.lease).await.unwrap(), "{}");
            open.insert(leased.lease.job.clone(), leased.progress);
        }
        let ann = owner("ann");
        for (id, acknowledged) in &mut self.jobs {
            let job = jobs.get(&ann, id, NOW).await.unwrap().expect("an acknowledged job is there");
            let rank = match open.get(id).map(|p| (p.phase, p.exchange.as_str())) {
                Some((Phase::Unsent, "")) => 0,
                Some((Phase::Sending, "")) => 1,
                Some((Phase::Sent, exchange)) if exchange == id.as_str() => 2,
                None if job.state == State::Succeeded => {
                    let result = jobs.result(&ann, id, NOW).await.unwrap().expect("an ended job has its result");
                    assert!(matches!(result, JobResult::Inline { .. }));
                    3
                }
                other => panic!("{id} is {} with {other:?}", job.state.name()),
            };
            assert!(
                (*acknowledged..=*acknowledged + 1).contains(&rank),
                "{id}: {acknowledged} acknowledged, {rank} found"
            );
            *acknowledged = rank;
        }
        jobs.release("parent", NOW).await.unwrap();
    }
}
