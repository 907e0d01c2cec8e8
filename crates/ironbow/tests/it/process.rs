//! Starts the real binary with an environment of its own, reads what it says, and asks it over plain sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here takes, on any machine.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// The binary with an empty environment: no token, proxy or setting of whoever runs the tests gets in.
pub(crate) fn ironbow(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ironbow"));
    command.args(arguments).env_clear().env("IRONBOW_DATA__FOLDER", "none").stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn output(arguments: &[&str]) -> Output {
    ironbow(arguments).output().unwrap()
}

/// A running gateway. Dropping it kills the process.
pub(crate) struct Gateway {
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// `127.0.0.1:port`
    pub(crate) address: String,
    /// The start-up event.
    pub(crate) started: Value,
}

impl Gateway {
    /// Starts `ironbow serve` on a free port with JSON logs, and waits until it listens.
    pub(crate) fn start(arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let mut command = ironbow(&all);
        command.envs(env.iter().copied());
        Self::of(command)
    }

    /// Starts this command, which serves on a free port, and waits until it listens.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let started = loop {
            let mut line = String::new();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended at start: {:?}", child.wait());
            match serde_json::from_str::<Value>(&line) {
                Ok(event) if event["message"] == "listening" => break event,
                _ => {}
            }
        };
        let address = started["url"].as_str().unwrap().split("://").nth(1).unwrap().to_owned();
        Self { child, stderr, address, started }
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its log.
    pub(crate) fn log_line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "the log ended");
        line
    }

    /// Sends the process a signal by its name, e.g. `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the process to end by itself; answers how, and what it wrote to its log since the start.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + LONG;
        // The log ends when the process does, so reading it is the waiting.
        let mut log = String::new();
        self.stderr.read_to_string(&mut log).unwrap();
        assert!(Instant::now() < deadline, "it did not end in time");
        (self.child.wait().unwrap(), log)
    }

    /// A GET on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
    }

    /// A chat on a connection of its own.
    pub(crate) fn chat(&self, body: &Value) -> (u16, String) {
        self.ask(&chat_request(body, "close"))
    }

    fn ask(&self, request: &str) -> (u16, String) {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((reply.as_str(), ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_default();
        (status, body.to_owned())
    }

    /// A connection with a read time-out.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A chat request as it stands on the wire.
pub(crate) fn chat_request(body: &Value, connection: &str) -> String {
    let body = body.to_string();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: {connection}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
