//! The log: lines for people on a terminal, JSON otherwise, written by a thread of its own.
//!
//! Whoever logs never waits: a line goes into a bounded queue, and when the queue is full the line is dropped and counted. The
//! count is written as soon as there is room again, so that a gap in the log is never silent. The first line after a pause is
//! written at once; lines that follow soon are written together, a few milliseconds later.

mod json;

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use types::config::{LogFormat, LogLevel};

/// How many bytes of lines may wait for the writer.
const ROOM: usize = 1024 * 1024;
/// What is kept of that when it is not needed.
const USUAL_ROOM: usize = 64 * 1024;
/// How long lines are gathered after some were written: each waking of the writer costs as much as a line.
const GATHER: Duration = Duration::from_millis(5);
/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_millis(500);

/// Keeps the writer alive; dropping it writes what is still queued.
pub(crate) struct Log {
    queue: Arc<Queue>,
}

/// Whether log lines are text for a person at a terminal; otherwise they are JSON.
pub(crate) fn is_for_people(format: LogFormat) -> bool {
    match format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => io::stderr().is_terminal(),
    }
}

/// Starts logging to standard error.
pub(crate) fn start(settings: &types::config::Log) -> Log {
    let level = match settings.level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let (log, lines) = writer(io::stderr(), ROOM);
    let registry = tracing_subscriber::registry().with(level);
    let started = if is_for_people(settings.format) {
        let ansi = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        registry.with(tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(lines)).try_init()
    } else {
        registry.with(json::Json(lines)).try_init()
    };
    if started.is_err() {
        tracing::warn!("logging was started twice; the first one stays");
    }
    log
}

/// What the threads that log share with the one that writes.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Lines, whole ones.
    text: Vec<u8>,
    dropped: u64,
    /// The writer waits for a line.
    idle: bool,
    closing: bool,
    ended: bool,
}

impl Queue {
    /// The state, also after a panic elsewhere: a log that stops with the first panic would hide it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a line, or counts it as dropped; never waits for the writer.
    fn push(&self, line: &[u8], room: usize) {
        let mut state = self.lock();
        if state.text.len() + line.len() > room {
            state.dropped += 1;
        } else {
            state.text.extend_from_slice(line);
        }
        if std::mem::take(&mut state.idle) {
            self.changed.notify_one();
        }
    }

    /// Waits for lines, which come in place of `written`, and says how many were dropped; `None` when there will be no more.
    fn take(&self, written: &mut Vec<u8>) -> Option<u64> {
        written.clear();
        written.shrink_to(USUAL_ROOM);
        let nothing = |state: &mut State| {
            state.idle = state.text.is_empty() && state.dropped == 0 && !state.closing;
            state.idle
        };
        let mut state = self.changed.wait_while(self.lock(), nothing).unwrap_or_else(PoisonError::into_inner);
        if state.text.is_empty() && state.dropped == 0 {
            return None;
        }
        std::mem::swap(&mut state.text, written);
        Some(std::mem::take(&mut state.dropped))
    }

    /// Lets lines gather for a moment.
    fn gather(&self) {
        let waited = self.changed.wait_timeout_while(self.lock(), GATHER, |state| !state.closing);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Starts the thread that writes to `out`, and the handle that log lines go through.
fn writer(out: impl Write + Send + 'static, room: usize) -> (Log, Lines) {
    let queue = Arc::new(Queue::default());
    let read = Arc::clone(&queue);
    // Without the thread the log is silent; that is no reason not to serve.
    let _detached = std::thread::Builder::new().name("log".into()).spawn(move || write_lines(out, &read));
    (Log { queue: Arc::clone(&queue) }, Lines { queue, room })
}

/// Writes lines until the log is closed. Standard error that is gone or full is nothing that a gateway should stop for.
fn write_lines(mut out: impl Write, queue: &Queue) {
    let mut text = Vec::new();
    while let Some(dropped) = queue.take(&mut text) {
        let _written = out.write_all(&text);
        if dropped > 0 {
            let _written =
                writeln!(out, "{{\"level\":\"WARN\",\"message\":\"log lines were dropped\",\"lines\":{dropped}}}");
        }
        let _flushed = out.flush();
        queue.gather();
    }
    queue.lock().ended = true;
    queue.changed.notify_all();
}

impl Drop for Log {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.closing = true;
        self.queue.changed.notify_all();
        let waited = self.queue.changed.wait_timeout_while(state, LAST_LINES, |s| !s.ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Where the subscriber writes: each whole line is one entry of the queue.
#[derive(Clone)]
struct Lines {
    queue: Arc<Queue>,
    room: usize,
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.queue.push(line, self.room);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sink that can be blocked, as a terminal is when its reader stands still.
    #[derive(Clone, Default)]
    struct Sink(Arc<Pipe>);

    #[derive(Default)]
    struct Pipe {
        blocked: Mutex<bool>,
        opened: Condvar,
        written: Mutex<Vec<u8>>,
    }

    impl Sink {
        fn blocked() -> Self {
            let sink = Self::default();
            *sink.0.blocked.lock().unwrap() = true;
            sink
        }
        fn release(&self) {
            *self.0.blocked.lock().unwrap() = false;
            self.0.opened.notify_all();
        }
        fn text(&self) -> String {
            String::from_utf8(self.0.written.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.0.opened.wait_while(self.0.blocked.lock().unwrap(), |blocked| *blocked).unwrap());
            self.0.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_before_the_log_ends() {
        let sink = Sink::default();
        let (log, mut lines) = writer(sink.clone(), 80);
        lines.write_all(b"one\n").unwrap();
        lines.write_all(b"two\n").unwrap();
        drop(log);
        assert_eq!(sink.text(), "one\ntwo\n");
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_never_time_and_the_loss_is_told() {
        let sink = Sink::blocked();
        let (log, mut lines) = writer(sink.clone(), 12);
        for n in 0..100 {
            lines.write_all(format!("{n:02}\n").as_bytes()).unwrap();
        }
        sink.release();
        drop(log);
        let text = sink.text();
        assert!(text.starts_with("00\n"), "{text}");
        // The loss is told once or twice, as the writer comes to it.
        let (told, written): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with('{'));
        let of = |line: &&str| serde_json::from_str::<serde_json::Value>(line).unwrap()["lines"].as_u64().unwrap();
        let lost: u64 = told.iter().map(of).sum();
        assert!(lost > 0, "{text}");
        assert_eq!(written.len() as u64 + lost, 100, "{text}");
    }
}
