//! The operator's own servers: which models each has, and whether it is there. Each is asked now and then by a task of its
//! own; what it answers counts for calls that name a model and no server.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::Method;
use net::{Origin, Outgoing, Permit};
use policy::compiled::Server;
use providers::{
    dialects::{self, Place},
    path,
};
use types::{BackendName, SendBody};
use wire::servers::names;

use crate::{Gateway, Snapshot};

/// How long a server may take to answer.
const TIME: Duration = Duration::from_secs(5);
/// How large its answer may be.
const LIMIT: usize = 1024 * 1024;
/// So many silences in a row, and it counts as gone.
const STRIKES: u32 = 2;

/// What is known of the servers.
pub(crate) struct Servers {
    seen: RwLock<HashMap<BackendName, Seen>>,
    /// Counts what was learnt.
    version: AtomicU64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Models that it says it has.
    pub(crate) models: Vec<Arc<str>>,
    /// When it was asked last.
    pub(crate) checked: Option<Instant>,
    /// Why it did not answer, lately.
    pub(crate) trouble: Option<String>,
    strikes: u32,
}

impl Seen {
    /// Whether it does not answer any more.
    pub(crate) const fn is_down(&self) -> bool {
        self.strikes >= STRIKES
    }
}

impl Servers {
    /// Nothing is known of these yet.
    pub(crate) fn new(servers: &[Server]) -> Self {
        let seen = servers.iter().map(|server| (server.name.clone(), Seen::default())).collect();
        Self { seen: RwLock::new(seen), version: AtomicU64::new(0) }
    }

    /// A number that is another one when anything else may be known of them.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Whether a server has a model of this name, by its declaration or by its own word.
    pub(crate) fn has(&self, server: &Server, model: &str) -> bool {
        let is_it = |name: &Arc<str>| **name == *model;
        server.models.iter().any(is_it)
            || server.discover && self.read(&server.name, |seen| seen.models.iter().any(is_it))
    }

    /// Whether it does not answer any more.
    pub(crate) fn is_down(&self, server: &BackendName) -> bool {
        self.read(server, Seen::is_down)
    }

    /// Every model of a server, the declared ones first.
    pub(crate) fn models(&self, server: &Server) -> Vec<Arc<str>> {
        let mut models = server.models.clone();
        if server.discover {
            let found = self.read(&server.name, |seen| seen.models.clone());
            models.extend(found.into_iter().filter(|found| !server.models.contains(found)));
        }
        models
    }

    /// What is known of a server.
    pub(crate) fn seen(&self, server: &BackendName) -> Seen {
        self.read(server, Seen::clone)
    }

    fn read<T: Default>(&self, server: &BackendName, look: impl FnOnce(&Seen) -> T) -> T {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).get(server).map(look).unwrap_or_default()
    }

    /// Forgets all but these.
    fn keep(&self, stays: impl Fn(&BackendName) -> bool) {
        self.seen.write().unwrap_or_else(PoisonError::into_inner).retain(|name, _| stays(name));
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Takes what a check came to.
    fn note(&self, server: &Server, checked: Result<Option<Vec<String>>, String>) {
        let mut all = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry(server.name.clone()).or_default();
        seen.checked = Some(Instant::now());
        let was_down = seen.is_down();
        match checked {
            Ok(found) => {
                (seen.strikes, seen.trouble) = (0, None);
                if let Some(found) = found.filter(|_| server.discover) {
                    seen.models = found.iter().map(|name| Arc::from(name.as_str())).collect();
                }
                if was_down {
                    tracing::info!(server = %server.name, "a server of your own answers again");
                }
            }
            Err(trouble) => {
                seen.strikes = seen.strikes.saturating_add(1);
                if seen.is_down() && !was_down {
                    tracing::warn!(server = %server.name, reason = %trouble, "a server of your own does not answer");
                }
                seen.trouble = Some(trouble);
            }
        }
        self.version.fetch_add(1, Ordering::Release);
    }
}

/// Begins to look after every server that is declared.
pub(super) fn start(gateway: &Gateway) {
    gateway.snapshot().config.servers.iter().for_each(|server| begin(gateway, server));
}

/// After a change of the configuration: looks after those that are new or another now, and forgets those that are gone. Who
/// looks after a server sees by itself that it is not declared so any more.
pub(crate) fn reload(gateway: &Gateway, old: &Snapshot) {
    let snapshot = gateway.snapshot();
    let declared = &snapshot.config.servers;
    gateway.0.servers.keep(|name| old.config.servers.iter().any(|old| old.name == *name && declared.contains(old)));
    for server in declared.iter().filter(|server| !old.config.servers.contains(server)) {
        begin(gateway, server);
    }
}

fn begin(gateway: &Gateway, server: &Server) {
    if let Some(pause) = server.check_every {
        gateway.0.drain.background("server check", look_after(gateway.clone(), server.clone(), pause));
    }
}

async fn look_after(gateway: Gateway, server: Server, pause: Duration) {
    while gateway.snapshot().config.servers.contains(&server) {
        let checked = check(&gateway, &server).await;
        if gateway.snapshot().config.servers.contains(&server) {
            gateway.0.servers.note(&server, checked);
        }
        tokio::time::sleep(pause).await;
    }
}

/// Asks a server once: the models that it names, where it names any.
///
/// # Errors
/// Why it does not answer, in a few words.
async fn check(gateway: &Gateway, server: &Server) -> Result<Option<Vec<String>>, String> {
    let (origin, base) = Origin::parse(server.url.as_str(), Permit::Declared).map_err(|error| error.to_string())?;
    let mut trouble = None;
    for (place, told) in dialects::lists(server.dialect) {
        let target = match place {
            Place::Api(rest) => path::api_path(&base, rest),
            Place::Own(rest) => path::own_path(&base, rest),
        };
        match ask(gateway, server, &origin, target).await {
            Ok((200..=299, body)) => {
                let found = names(*told, &body).filter(|names| !names.is_empty());
                if found.is_some() {
                    return Ok(found);
                }
            }
            Ok((500.., _)) => trouble = Some("it answers with errors".to_owned()),
            // It is there, and says nothing of its models at this place.
            Ok(_) => {}
            Err(why) => return Err(why),
        }
    }
    trouble.map_or(Ok(None), Err)
}

async fn ask(
    gateway: &Gateway,
    server: &Server,
    origin: &Origin,
    target: String,
) -> Result<(u16, bytes::Bytes), String> {
    let until = Instant::now() + TIME;
    let snapshot = gateway.snapshot();
    let key = snapshot.config.keys.server(&server.name);
    let headers = providers::question_headers(key, server.name.as_str()).map_err(|fault| fault.message)?;
    let outgoing = Outgoing { method: Method::GET, target, headers: headers.into(), body: SendBody::empty() };
    let reply = gateway.0.upstream.send(origin, outgoing, until).await.map_err(|error| error.to_string())?;
    let status = reply.status.as_u16();
    let held = reply.body.collect(LIMIT, until, &gateway.0.budget).await.map_err(|error| error.to_string())?;
    Ok((status, held.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_gone_after_two_silences_and_back_after_one_answer() {
        let text = "[servers.mine]\nurl = \"http://127.0.0.1:1\"\nmodels = [\"own\"]\ndiscover = true\n";
        let snapshot = crate::snapshot::tests::of(text);
        let server = &snapshot.config.servers[0];
        let servers = Servers::new(&snapshot.config.servers);
        assert!(servers.has(server, "own") && !servers.has(server, "found"));
        servers.note(server, Ok(Some(vec!["found".to_owned(), "own".to_owned()])));
        assert_eq!(servers.models(server), ["own".into(), "found".into()] as [Arc<str>; 2]);
        for (n, down) in [(1, false), (2, true), (3, true)] {
            servers.note(server, Err("silence".to_owned()));
            assert_eq!(servers.is_down(&server.name), down, "{n}");
        }
        assert!(servers.has(server, "found"), "what it had is not forgotten");
        servers.note(server, Ok(None));
        assert!(!servers.is_down(&server.name));
    }
}
