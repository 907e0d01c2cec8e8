//! A checked configuration, ready for use: one snapshot that all requests share behind an `Arc`.

mod renewed;

use std::{collections::HashMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use types::{
    Asked, BackendName,
    config::{Dialect, Log, Strategy},
};

use crate::{
    credentials::{Keys, Way},
    health,
    name::Names,
    retry,
    rules::{AliasTarget, Rule},
};

/// Everything that runs by configuration reads it from here. Made by [`crate::compile()`] only.
#[derive(Debug)]
pub struct Compiled {
    /// Where to listen, and how.
    pub listener: Listener,
    /// How much is accepted.
    pub limits: Limits,
    /// How long things may take, unless a backend has times of its own: ask [`Compiled::times`].
    pub timeouts: Timeouts,
    /// The Hub.
    pub hub: BaseUrl,
    /// Hugging Face's router.
    pub router: BaseUrl,
    /// All keys.
    pub keys: Keys,
    /// What names mean.
    pub names: Names,
    /// What differs for single backends and declared servers.
    pub overrides: HashMap<BackendName, Override>,
    /// Declared servers, by name.
    pub servers: Vec<Server>,
    /// The log.
    pub log: Log,
    /// The folder that may be written to, if any. It may not exist yet.
    pub data: Option<PathBuf>,
    /// Whether the operator named that folder, so that nothing else may stand in for it.
    pub data_is_named: bool,
    /// How long knowledge about models is kept.
    pub catalog: Catalog,
    /// Results at addresses of backends.
    pub assets: Assets,
    /// Calls that callers do not wait for.
    pub jobs: Jobs,
    /// How calls are spread.
    pub routing: RoutingRules,
    /// Responses and conversations that are kept.
    pub responses: Responses,
    /// What an operator should know although it is no error: for the start-up message.
    pub notes: Vec<String>,
}

impl Compiled {
    /// The times for a call to this backend or server.
    pub fn times(&self, id: &BackendName) -> &Timeouts {
        self.overrides.get(id).map_or(&self.timeouts, |own| &own.timeouts)
    }

    /// The largest body that may be sent to this backend or server on this way, in bytes.
    pub fn body_limit(&self, id: &BackendName, way: Way) -> usize {
        let own = self.overrides.get(id).and_then(|own| own.body_limit);
        own.unwrap_or_else(|| self.limits.sent(way))
    }

    /// The backend's own address, where the operator wrote another one than the table's.
    pub fn direct_base(&self, id: &BackendName) -> Option<&BaseUrl> {
        self.overrides.get(id).and_then(|own| own.base_url.as_ref())
    }

    /// Whether the backend may be asked for.
    pub fn enabled(&self, id: &BackendName) -> bool {
        self.overrides.get(id).is_none_or(|own| own.enabled)
    }
}

/// Where to listen, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Address and port; port 0 takes any free one.
    pub address: SocketAddr,
    /// Whether the operator allowed an address that other machines can reach.
    pub allow_remote: bool,
    /// Names besides `localhost` and IP addresses that a `Host` header may have, in lower case.
    pub hosts: Vec<Box<str>>,
    /// Threads that serve; none means one for each core.
    pub workers: Option<usize>,
    /// Connections at once.
    pub max_connections: usize,
    /// Bytes of a head.
    pub max_head: usize,
    /// Headers in a head.
    pub max_headers: usize,
    /// How long a head may take.
    pub head_time: Duration,
    /// How long a connection may be idle.
    pub idle_time: Duration,
    /// Certificate and key.
    pub tls: Option<TlsFiles>,
}

/// The files of a listener that speaks TLS. They could be read when the configuration was compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, PEM.
    pub cert: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// How much is accepted, in bytes where nothing else is said.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Body of a request.
    pub body: usize,
    /// All held bodies together.
    pub held_bodies: usize,
    /// What of a form's files stands in memory.
    pub form_in_memory: usize,
    /// Body sent on a routed call.
    pub hugging_face_body: usize,
    /// Whole answer of a backend.
    pub answer: usize,
    /// Depth of nesting, in levels.
    pub depth: usize,
    /// Members and elements of a body, counted.
    pub members: usize,
}

impl Limits {
    /// The largest body on this way.
    pub const fn sent(&self, way: Way) -> usize {
        match way {
            Way::Routed => self.hugging_face_body,
            Way::Direct => self.body,
        }
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To the first event of a stream.
    pub first_event: Duration,
    /// Between two events.
    pub between_events: Duration,
    /// A whole stream.
    pub stream: Duration,
    /// A whole answer that is not streamed.
    pub answer: Duration,
    /// Opening a connection.
    pub connect: Duration,
    /// Without a sign of life of a backend's machine.
    pub silence: Duration,
    /// Remembered addresses of a name that cannot be resolved.
    pub addresses: Duration,
    /// The body of a backend's error.
    pub refusal: Duration,
    /// Receiving a request's body.
    pub body: Duration,
    /// Draining after SIGTERM.
    pub drain: Duration,
}

/// What differs for one backend or server. The times are complete.
#[derive(Debug, Clone)]
pub struct Override {
    /// Whether it may be asked for.
    pub enabled: bool,
    /// Its own address.
    pub base_url: Option<BaseUrl>,
    /// Its own limit, in bytes.
    pub body_limit: Option<usize>,
    /// Its times.
    pub timeouts: Timeouts,
}

/// A server that the operator declared. Its key is in [`Compiled::keys`], its times and limits in [`Compiled::overrides`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name in routes.
    pub name: BackendName,
    /// Its address.
    pub url: BaseUrl,
    /// What kind of server it is.
    pub dialect: Dialect,
    /// Its models as they are declared.
    pub models: Vec<Arc<str>>,
    /// Whether it is asked for more of them.
    pub discover: bool,
    /// How often it is asked whether it is there; none: never.
    pub check_every: Option<Duration>,
    /// Whether they are listed.
    pub advertised: bool,
}

/// How long knowledge about models is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Catalog {
    /// Until an entry is refreshed.
    pub fresh: Duration,
    /// Until an entry is not served any more though the Hub is down.
    pub keep: Duration,
    /// Until an unknown model is asked for again.
    pub unknown: Duration,
    /// For one answer of the Hub.
    pub timeout: Duration,
    /// Models remembered.
    pub entries: usize,
}

/// Results that backends put at an address of their own.
#[derive(Debug, Clone)]
pub struct Assets {
    /// Addresses that may be private.
    pub allow: Vec<BaseUrl>,
    /// The largest one, in bytes.
    pub size: usize,
    /// For fetching one.
    pub time: Duration,
    /// How long one is kept here.
    pub keep: Duration,
    /// All kept ones together, in bytes.
    pub kept: usize,
}

/// Calls that callers do not wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jobs {
    /// The longest one.
    pub time: Duration,
    /// How long a finished one is kept.
    pub keep: Duration,
    /// Under way at once.
    pub running: usize,
}

/// How calls are spread over those who can serve them.
#[derive(Debug)]
pub struct RoutingRules {
    /// How to choose where a call does not say.
    pub strategy: Strategy,
    /// Backends and servers in the order of preference.
    pub preferred: Vec<BackendName>,
    /// Whether servers of the operator's own come first.
    pub own_servers_first: bool,
    /// Whether a call that names a backend may go to another one.
    pub failover: bool,
    /// Whether a late first event starts a second attempt.
    pub hedging: bool,
    /// Whether another one goes on with a stream that breaks.
    pub continuation: bool,
    /// How long a stream may be without its first event while somebody else could serve it.
    pub patience: Duration,
    /// How long a call that has nobody else waits while another one tries whoever was put aside.
    pub probe_wait: Duration,
    /// How often it looks.
    pub probe_look: Duration,
    /// Rules for every call, the first true one counts.
    pub rules: Vec<Rule>,
    /// The constants of the health table.
    pub health: health::Settings,
    /// The constants of further attempts.
    pub retries: Arc<retry::Settings>,
}

/// What an alias with more than a route stands for.
#[derive(Debug)]
pub struct AliasPolicy {
    /// Who may serve it; at least one.
    pub targets: Vec<AliasTarget>,
    /// How to choose among them, if not as under `routing`.
    pub strategy: Option<Strategy>,
    /// The most that one call may cost, in micro-dollars.
    pub max_price: Option<u64>,
    /// The latest first event.
    pub max_first_event: Option<Duration>,
    /// Whether servers of the operator's own come first, if not as under `routing`.
    pub own_servers_first: Option<bool>,
    /// Other models, in their order.
    pub fallbacks: Vec<Asked>,
    /// Whether targets that name a backend may be served by others, if not as under `routing`.
    pub failover: Option<bool>,
    /// Whether a late first event starts a second attempt, if not as under `routing`.
    pub hedging: Option<bool>,
    /// Whether another one goes on with a stream that breaks, if not as under `routing`.
    pub continuation: Option<bool>,
    /// The header by which calls stay together, in lower case.
    pub sticky: Option<Box<str>>,
    /// Rules that choose other targets, the first true one counts.
    pub rules: Vec<Rule>,
}

/// What is kept between calls of the Responses API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Responses {
    /// Whether a response is kept when its call does not say.
    pub store: bool,
    /// How long.
    pub keep: Duration,
    /// All together, in bytes.
    pub kept: u64,
}

/// A checked address: `http` or `https`, host, perhaps a port and a path; no user, query, fragment or slash at the end.
/// Scheme and host are in lower case. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl(Arc<str>);

impl BaseUrl {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is encrypted on the way.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }

    pub(crate) fn checked(text: &str) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
