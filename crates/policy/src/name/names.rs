//! Every name that can begin a route, and the configured aliases: hash look-ups only.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use types::{Asked, BackendName};

use crate::{
    compiled::AliasPolicy,
    ids::{BackendIds, Routing},
};

/// All names of one configuration. Built once, shared by every request.
#[derive(Debug, Default)]
pub struct Names {
    routes: HashMap<Box<str>, Route, RandomState>,
    aliases: HashMap<Box<str>, Meaning, RandomState>,
}

/// What an alias stands for.
#[derive(Debug)]
struct Meaning {
    /// Its route, or the first of them.
    asked: Asked,
    /// What more was said.
    policy: Option<Arc<AliasPolicy>>,
}

/// What a name in front of a model, or behind its colon, stands for.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// The id on the wire, or the server's name.
    pub(super) name: BackendName,
    /// Whether the operator has left it switched on.
    pub(super) enabled: bool,
    kind: RouteKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RouteKind {
    Backend(Routing),
    Server,
}

impl Route {
    pub(super) fn is_server(&self) -> bool {
        self.kind == RouteKind::Server
    }

    pub(super) fn is_never_routed(&self) -> bool {
        self.kind == RouteKind::Backend(Routing::Never)
    }

    fn is_routed(&self) -> bool {
        self.kind == RouteKind::Backend(Routing::Live)
    }
}

impl Names {
    /// The names of these backends: every id and alias.
    pub fn new(backends: &[BackendIds<'_>]) -> Self {
        let mut names = Self::default();
        for backend in backends {
            let route =
                Route { name: BackendName::new(backend.id), enabled: true, kind: RouteKind::Backend(backend.routing) };
            for name in backend.aliases.iter().chain([&backend.id]) {
                names.routes.insert((*name).into(), route.clone());
            }
        }
        names
    }

    /// The backend or server that this name stands for; never a configured alias.
    pub fn backend(&self, name: &str) -> Option<&BackendName> {
        self.route(name).map(|route| &route.name)
    }

    /// The configured aliases and what they stand for, in no order.
    pub fn aliases(&self) -> impl Iterator<Item = (&str, &Asked)> {
        self.aliases.iter().map(|(name, meaning)| (&**name, &meaning.asked))
    }

    pub(crate) fn add_server(&mut self, name: &str) -> BackendName {
        let route = Route { name: BackendName::new(name), enabled: true, kind: RouteKind::Server };
        let id = route.name.clone();
        self.routes.insert(name.into(), route);
        id
    }

    pub(crate) fn switch_off(&mut self, id: &BackendName) {
        for route in self.routes.values_mut().filter(|route| route.name == *id) {
            route.enabled = false;
        }
    }

    /// What an alias says beyond one route.
    pub fn policy(&self, name: &str) -> Option<&Arc<AliasPolicy>> {
        if self.aliases.is_empty() { None } else { self.aliases.get(name)?.policy.as_ref() }
    }

    pub(crate) fn add_alias(&mut self, name: &str, asked: Asked, policy: Option<Arc<AliasPolicy>>) {
        self.aliases.insert(name.into(), Meaning { asked, policy });
    }

    /// What a configured alias stands for.
    pub fn meaning(&self, alias: &str) -> Option<&Asked> {
        self.alias(alias)
    }

    pub(super) fn alias(&self, text: &str) -> Option<&Asked> {
        // Most gateways have none: then the name is not even hashed.
        if self.aliases.is_empty() { None } else { self.aliases.get(text).map(|meaning| &meaning.asked) }
    }

    pub(super) fn route(&self, name: &str) -> Option<&Route> {
        self.routes.get(name)
    }

    /// Every name that can stand in front of a model.
    pub(crate) fn known(&self) -> impl Iterator<Item = &str> {
        self.routes.keys().map(|name| &**name)
    }

    /// The ids of backends that can be asked for, sorted, without aliases.
    pub(super) fn listed(&self) -> Vec<&str> {
        let usable = self.routes.values().filter(|route| route.enabled && (route.is_routed() || route.is_server()));
        let mut ids: Vec<&str> = usable.map(|route| route.name.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}
