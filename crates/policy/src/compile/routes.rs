//! Backends' own settings, declared servers and aliases: everything that gives names a meaning.

use std::collections::HashMap;

use types::{
    BackendName, Secret,
    config::{self, Document},
};

use super::{aliases, checks::Checker, keys, path::Path, url};
use crate::{
    compiled::{BaseUrl, Override, Server, Timeouts},
    credentials::Key,
    ids::BackendIds,
    name::{MAX_LENGTH, Names},
    nearest,
};

/// First words of paths and routes, which no server may take as its name.
const RESERVED: &[&str] = &["auto", "huggingface", "openai", "anthropic", "gemini", "genai", "v1", "ironbow"];

/// What the configuration makes of names.
pub(crate) struct Routes {
    pub(crate) names: Names,
    pub(crate) overrides: HashMap<BackendName, Override>,
    pub(crate) servers: Vec<Server>,
    pub(crate) server_keys: HashMap<BackendName, Key>,
    /// Backends that got an address of their own.
    pub(crate) based: Vec<BackendName>,
}

pub(crate) fn ready(
    check: &mut Checker<'_, '_>,
    document: &Document,
    backends: &[BackendIds<'_>],
    times: &Timeouts,
) -> Routes {
    let mut routes = Routes {
        names: Names::new(backends),
        overrides: HashMap::new(),
        servers: Vec::new(),
        server_keys: HashMap::new(),
        based: Vec::new(),
    };
    for (name, own) in &document.backends {
        backend(check, &mut routes, name, own, times);
    }
    for (name, own) in &document.providers {
        provider(check, &mut routes, name, own, backends, times);
    }
    for (name, own) in &document.servers {
        server(check, &mut routes, name, own, times);
    }
    aliases::ready(check, &mut routes.names, &document.aliases);
    routes
}

fn backend(check: &mut Checker<'_, '_>, routes: &mut Routes, name: &str, own: &config::Backend, times: &Timeouts) {
    let path = Path::of("backends").key(name);
    let Some(id) = routes.names.backend(name).cloned() else {
        let near = nearest::hint(name, routes.names.known());
        check
            .report
            .add(&path, format!("there is no such backend{near}; a server of your own stands under [servers.<name>]"));
        return;
    };
    if routes.overrides.contains_key(&id) {
        check.report.add(&path, format!("the backend {id} is here twice, by its id and by an alias; keep one of them"));
    }
    let base_url = own.base_url.as_deref().and_then(|text| address(check, &path.key("base_url"), text));
    if base_url.is_some() {
        routes.based.push(id.clone());
    }
    if !own.enabled {
        routes.names.switch_off(&id);
    }
    let timeouts = times_of(check, &path.key("timeouts"), &own.timeouts, times);
    let body_limit = own.body_limit.map(|size| check.body_limit(&path.key("body_limit"), size));
    routes.overrides.insert(id, Override { enabled: own.enabled, base_url, body_limit, timeouts });
}

/// A vendor's address, which is the address of the backend of the same name.
fn provider(
    check: &mut Checker<'_, '_>,
    routes: &mut Routes,
    name: &str,
    own: &config::Provider,
    backends: &[BackendIds<'_>],
    times: &Timeouts,
) {
    let path = Path::of("providers").key(name);
    let Some(vendor) = backends.iter().find(|backend| backend.id == name && backend.vendor.is_some()) else {
        let known: Vec<_> = backends.iter().filter(|b| b.vendor.is_some()).map(|b| b.id).collect();
        check.report.add(&path, format!("there is no such provider; known here are {}", known.join(", ")));
        return;
    };
    let Some(base_url) = own.base_url.as_deref().and_then(|text| address(check, &path.key("base_url"), text)) else {
        return;
    };
    let id = BackendName::new(vendor.id);
    let empty = Override { enabled: true, base_url: None, body_limit: None, timeouts: *times };
    let settings = routes.overrides.entry(id.clone()).or_insert(empty);
    if settings.base_url.is_some() {
        check
            .report
            .add(&path.key("base_url"), format!("the address stands in backends.{id}.base_url too; keep one of them"));
    }
    settings.base_url = Some(base_url);
    routes.based.push(id);
}

fn server(check: &mut Checker<'_, '_>, routes: &mut Routes, name: &str, own: &config::Server, times: &Timeouts) {
    let path = Path::of("servers").key(name);
    let mut free = true;
    if !is_server_name(name) {
        check.report.add(
            &path,
            "a server's name has 1 to 63 small letters, digits, '-', '_' and '.', and begins with a letter or digit"
                .to_owned(),
        );
        free = false;
    } else if let Some(taken) = routes.names.backend(name) {
        check.report.add(&path, format!("this name belongs to the backend {taken}; choose another one"));
        free = false;
    } else if RESERVED.contains(&name) {
        check.report.add(
            &path,
            format!("this name means something else in routes; none of {} can be a server", RESERVED.join(", ")),
        );
        free = false;
    }
    let url = address(check, &path.key("url"), &own.url);
    let secret = own.key.as_ref().and_then(|key| keys::secret(check, &path.key("key"), key));
    let models = models(check, &path.key("models"), &own.models);
    let timeouts = times_of(check, &path.key("timeouts"), &own.timeouts, times);
    let body_limit = own.body_limit.map(|size| check.body_limit(&path.key("body_limit"), size));
    let (true, Some(url)) = (free, url) else { return };
    note_plain_key(check, &path, &url, secret.as_ref());
    let id = routes.names.add_server(name);
    if let Some(secret) = secret {
        let key = Key { name: format!("servers.{name}").into(), secret, bill_to: None };
        routes.server_keys.insert(id.clone(), key);
    }
    let own_settings = Override { enabled: true, base_url: Some(url.clone()), body_limit, timeouts };
    routes.overrides.insert(id.clone(), own_settings);
    routes.servers.push(Server {
        name: id,
        url,
        dialect: own.dialect,
        discover: own.discover.unwrap_or(models.is_empty()),
        models,
        check_every: Some(own.check_every.get()).filter(|pause| !pause.is_zero()),
        advertised: own.advertised,
    });
}

fn note_plain_key(check: &mut Checker<'_, '_>, path: &Path, url: &BaseUrl, secret: Option<&Secret>) {
    if secret.is_some() && !url.is_https() && !url::is_loopback(url) {
        check
            .notes
            .push(format!("{path}: the key goes over the network without encryption, since the address is http://"));
    }
}

fn models(check: &mut Checker<'_, '_>, path: &Path, models: &[String]) -> Vec<std::sync::Arc<str>> {
    let mut read = Vec::with_capacity(models.len());
    for (index, model) in models.iter().enumerate() {
        let path = check.report.element(path, index);
        if model.len() > MAX_LENGTH - 80 || !crate::name::is_model_name(model) {
            check.report.add(
                &path,
                "a model's name has letters, digits and - _ . + ~ / :, no empty part, and no \"..\"".to_owned(),
            );
        } else {
            read.push(model.as_str().into());
        }
    }
    read
}

fn is_server_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.as_bytes()[0].is_ascii_alphanumeric()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
        && !name.contains("..")
}

/// Reads an address; if it is bad, that was reported.
pub(crate) fn address(check: &mut Checker<'_, '_>, path: &Path, text: &str) -> Option<BaseUrl> {
    match url::parse(text) {
        Ok(url) => Some(url),
        Err(why) => {
            check.report.add(path, why);
            None
        }
    }
}

fn times_of(check: &mut Checker<'_, '_>, path: &Path, own: &config::BackendTimeouts, times: &Timeouts) -> Timeouts {
    let mut time = |name: &str, own: Option<config::Period>, else_: std::time::Duration| {
        own.map_or(else_, |own| check.wait(&path.key(name), own))
    };
    Timeouts {
        first_event: time("first_event", own.first_event, times.first_event),
        between_events: time("between_events", own.between_events, times.between_events),
        stream: time("stream", own.stream, times.stream),
        answer: time("answer", own.answer, times.answer),
        connect: time("connect", own.connect, times.connect),
        ..*times
    }
}
