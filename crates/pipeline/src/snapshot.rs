//! The configuration made ready: every backend and declared server with its addresses, as requests read it.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use foldhash::fast::RandomState;
use net::{Headers, Origin, Permit};
use policy::{
    BackendIds, Compiled, Presented, VendorIds,
    compiled::Timeouts,
    credentials::{Chosen, Way, Whose},
};
use providers::{Backend, Dress, Endpoint, TABLE};
use types::{BackendName, Operation, Secret};
use wire::json::Limits;

use crate::{
    gate::Gate,
    steps::{authenticate::Caller, plan::Remembered, resolve::Place},
};

/// One configuration, ready for requests. It never changes; a new one takes its place.
pub struct Snapshot {
    /// The checked document.
    pub(crate) config: Compiled,
    pub(crate) json_limits: Limits,
    pub(crate) gate: Gate,
    /// Whether a rule or an alias may ask for any header of a call.
    pub(crate) reads_headers: bool,
    /// Its names are the operator's: they need no hash that an attacker cannot guess.
    places: HashMap<BackendName, Ways, RandomState>,
    router: Ready,
    /// The lanes of models that were called.
    pub(crate) lanes: Remembered,
}

/// A backend or declared server with the ways that lead to it.
struct Ways {
    target: Target,
    routed: Operations,
    direct: Operations,
}

/// An endpoint for each operation that there is one for.
struct Operations(Vec<(Operation, Ready)>);

/// What a name in a route stands for.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// A backend of the table.
    Backend(&'static Backend),
    /// A server that the operator declared.
    Server,
}

/// An endpoint with the address that was parsed for it.
pub(crate) struct Ready {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) origin: Origin,
    /// How long calls may take there.
    pub(crate) times: Timeouts,
    /// The headers with the gateway's own keys, each made at the first call that goes out with it.
    own: OnceLock<Box<Dressed>>,
}

/// Headers made ready, with what they were made for.
struct Dressed {
    key: Option<Secret>,
    bill_to: Option<Arc<str>>,
    headers: Headers,
    /// Those with the next key.
    next: OnceLock<Box<Dressed>>,
}

/// Why a checked configuration cannot be made ready: an address or header that only shows itself now.
#[derive(Debug)]
pub struct BadSnapshot(pub String);

impl std::fmt::Display for BadSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadSnapshot {}

/// The table of backends as `policy` needs it.
pub fn backend_ids() -> Vec<BackendIds<'static>> {
    TABLE
        .iter()
        .map(|b| BackendIds {
            id: b.id,
            aliases: b.aliases,
            routing: routing(b),
            direct_base: b.direct,
            vendor: b.vendor.map(|vendor| VendorIds { is_key: vendor.is_key, variable: vendor.variable }),
        })
        .collect()
}

/// How Hugging Face treats a backend, in the words of `policy`.
pub(crate) fn routing(backend: &Backend) -> policy::Routing {
    match backend.routing {
        providers::Routing::Live => policy::Routing::Live,
        providers::Routing::Removed => policy::Routing::Retired,
        providers::Routing::Never => policy::Routing::Never,
    }
}

impl Snapshot {
    /// Makes a checked configuration ready.
    ///
    /// # Errors
    /// The sentence for the operator when an address cannot be used after all.
    pub fn new(config: Compiled) -> Result<Self, BadSnapshot> {
        let mut places = HashMap::default();
        for backend in TABLE {
            places.insert(BackendName::new(backend.id), Ways::to_backend(&config, backend)?);
        }
        for server in &config.servers {
            places.insert(server.name.clone(), Ways::to_server(&config, server)?);
        }
        let router = Endpoint::router(config.router.as_str()).map_err(BadSnapshot)?;
        let router = Ready::new(&config, router, Permit::Declared)?;
        let json_limits = Limits { max_depth: config.limits.depth, max_members: config.limits.members };
        let gate = Gate::new(&config.listener.hosts);
        let reads_headers = reads_headers(&config);
        Ok(Self { config, json_limits, gate, reads_headers, places, router, lanes: Remembered::default() })
    }

    /// Whether calls of this caller may go to any vendor.
    pub(crate) fn has_vendors(&self, caller: &Caller) -> bool {
        let presented = Presented { token: caller.credential.as_ref(), bill_to: None };
        TABLE.iter().filter(|backend| backend.vendor.is_some()).any(|backend| {
            let id = BackendName::new(backend.id);
            self.config.enabled(&id) && self.config.keys.opens(&id, presented)
        })
    }

    /// What a name in a route stands for.
    pub(crate) fn target(&self, id: &BackendName) -> Option<Target> {
        self.places.get(id).map(|ways| ways.target)
    }

    /// Whether a backend that is switched on can do this.
    pub(crate) fn can(&self, id: &BackendName, operation: Operation) -> bool {
        self.config.enabled(id) && matches!(self.target(id), Some(Target::Backend(backend)) if backend.can(operation))
    }

    /// The endpoint for this operation at this place on this way.
    pub(crate) fn ready(&self, place: &Place, way: Way, operation: Operation) -> Option<&Ready> {
        match place {
            Place::Router => Some(&self.router),
            Place::Backend { id, .. } => {
                let ways = self.places.get(id)?;
                match way {
                    Way::Routed => ways.routed.get(operation),
                    Way::Direct => ways.direct.get(operation),
                }
            }
        }
    }

    /// Whether the router takes calls for it, as far as the table knows.
    pub(crate) fn is_routed(&self, id: &BackendName) -> bool {
        matches!(self.target(id), Some(Target::Backend(backend)) if backend.routing == providers::Routing::Live)
    }

    /// Whether calls for it go to its own address with its own key: there the Hub's word is not the last.
    pub(crate) fn may_go_direct(&self, id: &BackendName) -> bool {
        self.config.keys.has_direct(id)
    }
}

impl Ways {
    fn to_backend(config: &Compiled, backend: &'static Backend) -> Result<Self, BadSnapshot> {
        let own = config.direct_base(&BackendName::new(backend.id));
        let permit = if own.is_some() { Permit::Declared } else { Permit::Public };
        let routed = |operation| Endpoint::routed(backend, operation, config.router.as_str());
        let direct = |operation| Endpoint::direct(backend, operation, own.map(|base| base.as_str()));
        Ok(Self {
            target: Target::Backend(backend),
            routed: each(config, routed, Permit::Declared)?,
            direct: each(config, direct, permit)?,
        })
    }

    fn to_server(config: &Compiled, server: &policy::compiled::Server) -> Result<Self, BadSnapshot> {
        let declared = |operation| Endpoint::declared(&server.name, server.url.as_str(), server.dialect, operation);
        Ok(Self {
            target: Target::Server,
            routed: Operations(Vec::new()),
            direct: each(config, declared, Permit::Declared)?,
        })
    }
}

/// Whether a rule or an alias may ask for any header of a call.
fn reads_headers(config: &Compiled) -> bool {
    let mut policies = config.names.aliases().filter_map(|(name, _)| config.names.policy(name));
    !config.routing.rules.is_empty() || policies.any(|policy| policy.sticky.is_some() || !policy.rules.is_empty())
}

/// The endpoints of every operation that has one.
fn each(
    config: &Compiled,
    endpoint: impl Fn(Operation) -> Result<Option<Endpoint>, String>,
    permit: Permit,
) -> Result<Operations, BadSnapshot> {
    let mut ready = Vec::new();
    for operation in Operation::ALL {
        if let Some(endpoint) = endpoint(*operation).map_err(BadSnapshot)? {
            ready.push((*operation, Ready::new(config, endpoint, permit)?));
        }
    }
    Ok(Operations(ready))
}

impl Operations {
    fn get(&self, operation: Operation) -> Option<&Ready> {
        self.0.iter().find(|(known, _)| *known == operation).map(|(_, ready)| ready)
    }
}

impl Ready {
    fn new(config: &Compiled, endpoint: Endpoint, permit: Permit) -> Result<Self, BadSnapshot> {
        let (origin, _) = Origin::parse(endpoint.origin(), permit).map_err(|error| BadSnapshot(error.to_string()))?;
        let times = *config.times(&endpoint.backend);
        let origin = origin.connect_within(times.connect);
        Ok(Self { endpoint: endpoint.into(), origin, times, own: OnceLock::new() })
    }

    /// The headers of a call that goes out with this key. Those with one of the gateway's own keys, of which there are a few,
    /// are made once.
    ///
    /// # Errors
    /// As [`Endpoint::headers`].
    pub(crate) fn dressed(&self, chosen: &Chosen) -> types::Result<Headers> {
        let mut place = &self.own;
        while let Some(own) = place.get() {
            if own.key == chosen.secret && own.bill_to == chosen.bill_to {
                return Ok(own.headers.clone());
            }
            place = &own.next;
        }
        let dress = Dress { key: chosen.secret.as_ref(), bill_to: chosen.bill_to.as_deref() };
        let headers = Headers::from(self.endpoint.headers(dress)?);
        if chosen.whose == Whose::Operator {
            let (key, bill_to) = (chosen.secret.clone(), chosen.bill_to.clone());
            // Another call may have been first: its headers are as good.
            let _ = place.set(Box::new(Dressed { key, bill_to, headers: headers.clone(), next: OnceLock::new() }));
        }
        Ok(headers)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{collections::BTreeMap, io};

    use policy::compile::{File, Sources};

    use super::*;

    /// The snapshot of a configuration.
    pub(crate) fn of(text: &str) -> Arc<Snapshot> {
        let sources = Sources {
            file: Some(File { name: "gateway.toml", text }),
            env: &BTreeMap::new(),
            read_file: &|_| Err(io::ErrorKind::NotFound.into()),
            flags: &[],
        };
        Arc::new(Snapshot::new(policy::compile(&sources, &backend_ids()).unwrap()).unwrap())
    }
}
