//! A Hub and router on one port: every request is written down, and a closure answers it.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use catalog::{Catalog, Settings};
use net::{Drain, Upstream, UpstreamSettings};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// What the Hub was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) target: String,
    pub(crate) authorization: Option<String>,
}

impl Asked {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }
}

/// What it answers.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// Wait until [`Hub::let_go`].
    pub(crate) held: bool,
}

impl Reply {
    pub(crate) fn json(body: impl Into<String>) -> Self {
        Self::status(200, body)
    }

    pub(crate) fn status(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: vec![], body: body.into(), held: false }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn held(mut self) -> Self {
        self.held = true;
        self
    }
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The running Hub. Dropping it closes its port.
pub(crate) struct Hub {
    pub(crate) addr: SocketAddr,
    state: Arc<State>,
    drain: Drain,
}

struct State {
    script: Mutex<Arc<Script>>,
    journal: Mutex<Vec<Asked>>,
    asked: Notify,
    go: Notify,
}

impl Hub {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", script).await
    }

    pub(crate) async fn on(addr: &str, script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let state = Arc::new(State {
            script: Mutex::new(Arc::new(script)),
            journal: Mutex::default(),
            asked: Notify::new(),
            go: Notify::new(),
        });
        let hub = Self { addr: listener.local_addr().unwrap(), state: Arc::clone(&state), drain: Drain::new() };
        let drain = hub.drain.clone();
        hub.drain.background("hub", async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                drain.background("connection", serve(stream, Arc::clone(&state)));
            }
        });
        hub
    }

    /// Answers differently from now on.
    pub(crate) fn now(&self, script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) {
        *self.state.script.lock().unwrap() = Arc::new(script);
    }

    pub(crate) fn journal(&self) -> Vec<Asked> {
        self.state.journal.lock().unwrap().clone()
    }

    /// Waits until it was asked `n` times in all.
    pub(crate) async fn asked(&self, n: usize) {
        let reached = async {
            loop {
                let waiting = self.state.asked.notified();
                if self.journal().len() >= n {
                    return;
                }
                waiting.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reached).await.expect("the Hub was not asked that often");
    }

    /// Lets held answers go.
    pub(crate) fn let_go(&self) {
        self.state.go.notify_waiters();
    }

    /// Closes the port and every connection.
    pub(crate) async fn stop(self) {
        self.drain.finished(Duration::ZERO).await;
        // The listener is closed when its task has been dropped, which is when connecting fails.
        while TcpStream::connect(self.addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        let address = format!("http://{}", self.addr);
        Settings { pause: Duration::ZERO, ..Settings::new(address.clone(), address) }
    }

    pub(crate) fn catalog(&self) -> Catalog {
        catalog(self.settings())
    }
}

pub(crate) fn catalog(settings: Settings) -> Catalog {
    Catalog::new(settings, Upstream::new(UpstreamSettings::default()), Drain::new()).unwrap()
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// A folder of its own for this test.
pub(crate) fn folder(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("ironbow-catalog-it-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    dir
}

/// The Hub's answer for a model that one backend serves.
pub(crate) fn model(id: &str, backend: &str, provider_id: &str) -> String {
    format!(
        r#"{{"_id":"0","id":"{id}","inferenceProviderMapping":{{"{backend}":{{"status":"live","providerId":"{provider_id}","task":"conversational"}}}}}}"#
    )
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    loop {
        let Ok(Some(first)) = lines.next_line().await else { return };
        let mut asked = Asked { target: first.split(' ').nth(1).unwrap_or_default().to_owned(), authorization: None };
        loop {
            let Ok(Some(line)) = lines.next_line().await else { return };
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap();
            if name.eq_ignore_ascii_case("authorization") {
                asked.authorization = Some(value.to_owned());
            }
        }
        let script = Arc::clone(&state.script.lock().unwrap());
        let reply = script(&asked);
        let go = state.go.notified();
        tokio::pin!(go);
        go.as_mut().enable();
        state.journal.lock().unwrap().push(asked);
        state.asked.notify_waiters();
        if reply.held {
            go.await;
        }
        let mut head = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", reply.status, reply.body.len());
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.push_str(&reply.body);
        if write.write_all(head.as_bytes()).await.is_err() {
            return;
        }
    }
}
