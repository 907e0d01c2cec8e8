//! A sandbox and a real gateway process in front of it, for one test.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, mpsc},
    time::Duration,
};

use sandbox::{Running, Sandbox, Settings};
use serde_json::{Value, json};

use crate::it::raw::{Exchange, Reply, request};

/// A key that Hugging Face takes, and that must never be seen anywhere.
pub(crate) const TOKEN: &str = "hf_canaryCANARYcanary0123456789XyZ";

/// The model that every chat backend of the sandbox serves, each under another name.
pub(crate) const EVERYWHERE: &str = "sandbox/everywhere";

/// A gateway that puts nobody aside and tries as often as it may: for tests that let one backend fail again and again.
pub(crate) const FORGIVING: &str = "[routing.health]\nfailed_after = 0\n[routing.asides]\nunauthenticated = \"1ms\"\n\
    forbidden = \"1ms\"\npayment = \"1ms\"\nrate_limited = \"1ms\"\nrate_limited_max = \"1ms\"\n\
    [routing.retries]\nbudget = 1000\nfloor = 1000\n";

pub(crate) struct World {
    pub(crate) sandbox: Running,
    pub(crate) addr: SocketAddr,
    gateway: Child,
    log: Mutex<mpsc::Receiver<String>>,
    env: BTreeMap<&'static str, String>,
    pub(crate) folder: PathBuf,
}

/// How a world differs from the plain one.
#[derive(Default)]
pub(crate) struct With {
    /// The configuration file; `{sandbox}` stands for the sandbox's address.
    pub(crate) config: &'static str,
    pub(crate) env: Vec<(&'static str, String)>,
    pub(crate) without_token: bool,
}

impl World {
    /// A gateway with one Hugging Face token and nothing configured.
    pub(crate) fn plain() -> Self {
        Self::with(With::default())
    }

    pub(crate) fn configured(config: &'static str) -> Self {
        Self::with(With { config, ..With::default() })
    }

    pub(crate) fn with(with: With) -> Self {
        let sandbox = Sandbox::start(Settings::default()).unwrap();
        let folder = std::env::temp_dir().join(format!("ironbow-it-{}-{}", std::process::id(), sandbox.addr.port()));
        std::fs::create_dir_all(&folder).unwrap();
        let config = folder.join("ironbow.toml");
        std::fs::write(&config, with.config.replace("{sandbox}", &sandbox.url())).unwrap();
        let mut env = BTreeMap::from([
            ("HF_ENDPOINT", sandbox.url()),
            ("HF_ROUTER_URL", sandbox.url()),
            ("IRONBOW_DATA__FOLDER", folder.join("data").display().to_string()),
            ("IRONBOW_LOG__FORMAT", "json".to_owned()),
            ("IRONBOW_ASSETS__ALLOW", format!("[\"{}\"]", sandbox.url())),
            ("HOME", folder.display().to_string()),
        ]);
        if !with.without_token {
            env.insert("HF_TOKEN", TOKEN.to_owned());
        }
        env.extend(with.env.into_iter().map(|(k, v)| (k, v.replace("{sandbox}", &sandbox.url()))));
        let (gateway, log, addr) = launch(&folder, &env);
        Self { sandbox, addr, gateway, log: Mutex::new(log), env, folder }
    }

    /// Kills the gateway as `kill -9` does, and starts it again on the same folder.
    pub(crate) fn kill_and_restart(&mut self) {
        self.gateway.kill().unwrap();
        self.start_again();
    }

    /// Waits for the gateway's end, and starts it again on the same folder; gives the exit code of the first one.
    pub(crate) fn start_again(&mut self) -> Option<i32> {
        let status = self.gateway.wait().unwrap();
        let (gateway, log, addr) = launch(&self.folder, &self.env);
        (self.gateway, self.log, self.addr) = (gateway, Mutex::new(log), addr);
        status.code()
    }

    /// Sends a request and reads the whole answer.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        Exchange::send(self.addr, &request(method, path, headers, body)).reply()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], b"")
    }

    /// Sends a chat and reads the whole answer.
    pub(crate) fn chat(&self, body: &Value) -> Reply {
        self.chat_with(body, &[])
    }

    pub(crate) fn chat_with(&self, body: &Value, headers: &[(&str, &str)]) -> Reply {
        self.open(body, headers).reply()
    }

    /// Sends a chat; the answer is for the test to read.
    pub(crate) fn open(&self, body: &Value, headers: &[(&str, &str)]) -> Exchange {
        let headers = [&[("content-type", "application/json"), ("accept", "application/json")], headers].concat();
        Exchange::send(self.addr, &request("POST", "/v1/chat/completions", &headers, body.to_string().as_bytes()))
    }

    /// How a model would be routed now.
    pub(crate) fn route(&self, query: &str) -> Value {
        let reply = self.get(&format!("/v1/route?{query}"));
        assert_eq!(reply.status, 200, "{query}: {}", reply.text());
        reply.json()
    }

    /// Waits until the gateway has the router's list with its prices.
    pub(crate) fn prices(&self) {
        let until = std::time::Instant::now() + Duration::from_secs(20);
        while self.route(&format!("model={EVERYWHERE}"))["data"]["prices_age_s"].is_null() {
            assert!(std::time::Instant::now() < until, "the router's list never came");
            std::thread::yield_now();
        }
    }

    /// Lets the sandbox misbehave.
    pub(crate) fn fault(&self, fault: &Value) {
        let reply = Exchange::send(
            self.sandbox.addr,
            &request("POST", "/_sandbox/faults", &[("content-type", "application/json")], fault.to_string().as_bytes()),
        )
        .reply();
        assert!(reply.status < 300, "{} for {fault}", reply.text());
    }

    /// Changes the sandbox's settings.
    pub(crate) fn settings(&self, settings: &Value) {
        let reply = Exchange::send(
            self.sandbox.addr,
            &request(
                "POST",
                "/_sandbox/settings",
                &[("content-type", "application/json")],
                settings.to_string().as_bytes(),
            ),
        )
        .reply();
        assert!(reply.status < 300, "{} for {settings}", reply.text());
    }

    /// The chats that reached a backend or the router, oldest first.
    pub(crate) fn upstream_chats(&self) -> Vec<Value> {
        let chats = |entry: &Value| entry["path"].as_str().is_some_and(|p| p.contains("/chat/completions"));
        self.sandbox.journal().into_iter().filter(chats).collect()
    }

    /// Waits until the sandbox's journal satisfies `enough`, or the time is up; gives the journal as it then is.
    pub(crate) fn journal_until(&self, limit: Duration, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.sandbox.journal_until(limit, enough))
    }

    /// Resident memory of the gateway, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.gateway.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// How many files and sockets the gateway has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.gateway.id())).unwrap().count()
    }

    /// Whether the gateway has a file open that has no name any more.
    pub(crate) fn has_deleted_files(&self) -> bool {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.gateway.id())).unwrap();
        let names = open.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
        names.into_iter().any(|name| name.to_string_lossy().ends_with(" (deleted)"))
    }

    /// Waits for the first log line that satisfies `wanted`.
    pub(crate) fn log_line(&self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.log.lock().unwrap().recv_timeout(Duration::from_secs(10)).expect("no such line in the log");
            if wanted(&line) {
                return line;
            }
        }
    }

    /// Asks the gateway to go down.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Has the gateway read its configuration again.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    /// Writes another configuration file, with `{sandbox}` for the sandbox's address, and has it read.
    pub(crate) fn reconfigure(&self, config: &str) {
        let file = self.folder.join("ironbow.toml");
        std::fs::write(file, config.replace("{sandbox}", &self.sandbox.url())).unwrap();
        self.hang_up();
    }

    /// What the log has said that nobody has read yet.
    pub(crate) fn rest_of_log(&self) -> String {
        self.log.lock().unwrap().try_iter().collect()
    }

    fn signal(&self, signal: &str) {
        let pid = self.gateway.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits for the gateway's end and gives its exit code and the rest of its log.
    pub(crate) fn exit(mut self) -> (Option<i32>, Vec<String>) {
        let status = self.gateway.wait().unwrap();
        (status.code(), self.log.lock().unwrap().iter().collect())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.gateway.kill();
        let _ = self.gateway.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Starts a gateway process on this folder and waits until it listens.
fn launch(
    folder: &std::path::Path,
    env: &BTreeMap<&'static str, String>,
) -> (Child, mpsc::Receiver<String>, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ironbow"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(folder.join("ironbow.toml"));
    command.env_clear().envs(env).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut gateway = command.spawn().unwrap();
    let (lines, log) = mpsc::channel();
    follow(gateway.stdout.take().unwrap(), lines.clone());
    follow(gateway.stderr.take().unwrap(), lines);
    let addr = listening(&log);
    (gateway, log, addr)
}

/// Passes a pipe's lines on until it ends.
fn follow(pipe: impl Read + Send + 'static, lines: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
}

/// Reads the start-up message up to the address.
fn listening(log: &mpsc::Receiver<String>) -> SocketAddr {
    let mut said = String::new();
    loop {
        let line = log.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("never listened: {said}"));
        if line.contains("\"listening\"") {
            let said: Value = serde_json::from_str(&line).unwrap();
            let url = said["url"].as_str().unwrap();
            return url.split_once("://").unwrap().1.parse().unwrap();
        }
        said.push_str(&line);
        said.push('\n');
    }
}

/// A chat with one user message.
pub(crate) fn ask(model: &str, text: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": text}]})
}

/// `value` with these members set.
pub(crate) fn and(mut value: Value, members: Value) -> Value {
    let (Some(object), Value::Object(more)) = (value.as_object_mut(), members) else { panic!("objects") };
    object.extend(more);
    value
}
