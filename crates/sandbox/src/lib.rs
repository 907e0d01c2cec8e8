//! A simulated Hugging Face: the Hub's API, the router, every chat backend on its own paths, and some self-hosted servers,
//! all on one port, offline and deterministic, with faults on demand and a journal of what was asked.
//!
//! It shares no code with the gateway. What it sends are literal bytes, and what it reads goes through `serde_json`, so that
//! a mistake in the gateway's own codecs or backend tables cannot be repeated here and go unseen.
//! `docs/sandbox.md` is the manual.

mod ask;
mod backends;
mod chat;
mod conn;
mod control;
mod custom;
mod faults;
mod fill;
mod hub;
mod journal;
mod knobs;
mod media;
mod multipart;
mod place;
mod play;
mod reply;
mod router;
mod server;
mod tasks;
mod tokens;
mod vendors;
mod works;
mod world;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

pub use tokens::Token;

/// How a sandbox starts. Everything here can also be changed later through `POST /_sandbox/settings`, except the address.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Tokens and keys that get a name in the journal (`authorization_is`), beside the built-in ones.
    pub tokens: Vec<Token>,
    /// Whether any `hf_…` token that is not known to be bad is good. Off: only tokens with a name are.
    pub any_hf_token: bool,
    /// How many requests the journal keeps; older ones fall out.
    pub journal_entries: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tokens: Vec::new(),
            any_hf_token: true,
            journal_entries: 2048,
        }
    }
}

/// The simulated Hugging Face; `Sandbox::start` is all it has.
#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Binds the address and serves from a thread of its own until the `Running` is stopped or dropped.
    ///
    /// # Errors
    /// The address cannot be bound, or the thread or its runtime cannot be made.
    pub fn start(settings: Settings) -> io::Result<Running> {
        let listener = std::net::TcpListener::bind(settings.listen)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let state = Arc::new(server::State::new(settings));
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("sandbox".into())
            .spawn(move || runtime.block_on(server::serve(listener, served, stopped)))?;
        Ok(Running { addr, state, stop: Some(stop), thread: Some(thread) })
    }
}

/// A sandbox that serves. Dropping it closes the port and every connection.
pub struct Running {
    /// The address it listens on.
    pub addr: SocketAddr,
    state: Arc<server::State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<io::Result<()>>>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Running {
    /// The base address, `http://127.0.0.1:port`: it serves as `HF_ENDPOINT` and as `HF_ROUTER_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The base address that plays a backend's own API, reached with that backend's own key.
    #[must_use]
    pub fn direct_url(&self, backend: &str) -> String {
        format!("http://{}/direct/{backend}", self.addr)
    }

    /// The base address of a self-hosted server: `tgi`, `vllm`, `llamacpp`, `tei`, `endpoint`.
    #[must_use]
    pub fn custom_url(&self, server: &str) -> String {
        format!("http://{}/custom/{server}", self.addr)
    }

    /// Every request seen so far, oldest first, in the shape of `GET /_sandbox/journal`.
    #[must_use]
    pub fn journal(&self) -> Vec<Value> {
        self.state.journal.list()
    }

    /// Waits until the journal satisfies `enough` or the time is up; answers the journal as it then is.
    pub async fn journal_until(&self, limit: Duration, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        self.state.journal.until(limit, enough).await
    }

    /// Forgets every request seen so far.
    pub fn clear_journal(&self) {
        self.state.journal.clear();
    }

    /// Every job so far and how many submits and cancels there were, in the shape of `GET /_sandbox/jobs`.
    #[must_use]
    pub fn jobs(&self) -> Value {
        self.state.works.json()
    }

    /// Adds a fault, in the shape of `POST /_sandbox/faults`.
    ///
    /// # Errors
    /// The JSON is not a fault; the text says which member is wrong.
    pub fn fault(&self, fault: &Value) -> Result<(), String> {
        self.state.faults.add(fault)
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// Changes settings, in the shape of `POST /_sandbox/settings`.
    ///
    /// # Errors
    /// A member is unknown or of the wrong type; nothing is changed then.
    pub fn set(&self, settings: &Value) -> Result<(), String> {
        self.state.set(settings)
    }

    /// Stops serving and waits for the thread to end.
    pub fn stop(mut self) {
        self.end();
    }

    /// Waits until the server ends by itself, which it only does when its listener fails.
    ///
    /// # Errors
    /// What the listener said.
    pub fn wait(mut self) -> io::Result<()> {
        match self.thread.take().map(std::thread::JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the sandbox thread panicked")),
            None => Ok(()),
        }
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its result says only why the listener failed; the one who stops does not care.
            let _ended = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Every public live route of the fixed world as `(task, backend, Hub id, the backend's own id)`.
#[must_use]
pub fn routes() -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
    world::routes()
}

/// Every chat route of the fixed world as `(backend, Hub id, the backend's own id)`, so that tests can walk all of them.
#[must_use]
pub fn chat_routes() -> Vec<(&'static str, &'static str, &'static str)> {
    world::chat_routes()
}
