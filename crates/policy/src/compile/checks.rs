//! Makes the document's values ready for use and tests what a schema cannot say.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path as FilePath, PathBuf},
    time::Duration,
};

use types::config::{self, CallerKeys, Document, Period, Size};

use super::{
    Sources, aliases, keys,
    path::Path,
    problem::{Place, Report},
    routes, url,
};
use crate::{
    compiled::{Assets, BaseUrl, Catalog, Compiled, Jobs, Limits, Listener, Responses, Timeouts, TlsFiles},
    ids::BackendIds,
};

const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// What every check shares: the sources, and where to put what it finds.
pub(crate) struct Checker<'a, 's> {
    pub(crate) sources: &'a Sources<'s>,
    pub(crate) report: &'a mut Report,
    pub(crate) notes: Vec<String>,
}

/// The whole configuration. Where something is wrong, that is reported and something harmless stands in its place: the
/// caller looks at the report before it uses the result.
pub(crate) fn ready(
    document: &Document,
    sources: &Sources<'_>,
    backends: &[BackendIds<'_>],
    report: &mut Report,
) -> Compiled {
    let mut check = Checker { sources, report, notes: Vec::new() };
    let listener = check.listener(&document.listener);
    let limits = check.limits(&document.limits);
    let timeouts = check.timeouts(&document.timeouts);
    let hub = check.hugging_face("hub", &document.huggingface.hub);
    let router = check.hugging_face("router", &document.huggingface.router);
    let routes = routes::ready(&mut check, document, backends, &timeouts);
    let around = keys::Around { names: &routes.names, backends, based: &routes.based };
    let mut keys = keys::ready(&mut check, &document.huggingface, &around);
    keys.servers = routes.server_keys;
    keys.callers = match document.huggingface.caller_keys {
        CallerKeys::Always => true,
        CallerKeys::Never => false,
        CallerKeys::Auto => listener.address.ip().is_loopback() && keys.routed.is_empty(),
    };
    keys::vendors(&mut check, &document.providers, backends, listener.address.ip().is_loopback(), &mut keys);
    let data = check.data(&document.data);
    let catalog = check.catalog(&document.catalog);
    let assets = check.assets(&document.assets);
    let jobs = check.jobs(&document.jobs);
    let routing = aliases::routing(&mut check, &document.routing, &routes.names);
    let responses = check.responses(&document.responses);
    let notes = check.notes;
    Compiled {
        listener,
        limits,
        timeouts,
        hub,
        router,
        keys,
        names: routes.names,
        overrides: routes.overrides,
        servers: routes.servers,
        log: document.log.clone(),
        data,
        data_is_named: !matches!(document.data.folder.as_str(), "auto" | "none"),
        catalog,
        assets,
        jobs,
        routing,
        responses,
        notes,
    }
}

impl Checker<'_, '_> {
    fn listener(&mut self, from: &config::Listener) -> Listener {
        let at = Path::of("listener");
        let address = self.address(&at.key("address"), &from.address);
        if !address.ip().is_loopback() && !from.allow_remote {
            self.report.add(
                &at.key("address"),
                format!(
                    "other machines can reach {}, and the gateway does not check keys of its callers yet: whoever reaches it spends your keys; set listener.allow_remote = true (--allow-remote) if you want that",
                    address.ip()
                ),
            );
        }
        let hosts = at.key("hosts");
        for (index, host) in from.hosts.iter().enumerate() {
            if !url::is_host(host) {
                let path = self.report.element(&hosts, index);
                self.report.add(&path, "expected the name of a host, without scheme, port and path".to_owned());
            }
        }
        Listener {
            address,
            allow_remote: from.allow_remote,
            hosts: from.hosts.iter().map(|host| host.to_ascii_lowercase().into()).collect(),
            workers: (from.workers > 0).then_some(from.workers as usize),
            max_connections: from.max_connections as usize,
            max_head: self.size(&at.key("max_head"), from.max_head, Size::bytes(4 << 10), Size::mebibytes(1)),
            max_headers: from.max_headers as usize,
            head_time: self.wait(&at.key("head_time"), from.head_time),
            idle_time: self.wait(&at.key("idle_time"), from.idle_time),
            tls: from.tls.as_ref().map(|tls| TlsFiles {
                cert: self.pem(&at.key("tls").key("cert"), &tls.cert, "-----BEGIN CERTIFICATE-----", "certificate"),
                key: self.pem(&at.key("tls").key("key"), &tls.key, "PRIVATE KEY-----", "private key"),
            }),
        }
    }

    fn address(&mut self, path: &Path, text: &str) -> SocketAddr {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        if let Ok(address) = text.parse() {
            return address;
        }
        if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
            return SocketAddr::new(local.ip(), port);
        }
        let message = match text.parse::<IpAddr>() {
            Ok(_) => "the port is missing: expected an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080",
            Err(_) => "expected an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080",
        };
        self.report.add(path, message.to_owned());
        local
    }

    /// A file of the listener's certificate, looked into so that a bad one is known before anything listens.
    fn pem(&mut self, path: &Path, file: &FilePath, mark: &str, what: &str) -> PathBuf {
        let file = self.beside_file(path, file);
        match (self.sources.read_file)(&file) {
            Ok(text) if text.contains(mark) => {}
            Ok(_) => self.report.add(path, format!("this file holds no {what} in PEM form ({mark})")),
            Err(error) => self.report.add(path, keys::unreadable(&file, &error)),
        }
        file
    }

    fn limits(&mut self, from: &config::Limits) -> Limits {
        let at = Path::of("limits");
        if from.held_bodies < from.body {
            let message = format!(
                "all held bodies together ({}) cannot be less than one ({}, limits.body)",
                from.held_bodies, from.body
            );
            self.report.add(&at.key("held_bodies"), message);
        }
        Limits {
            body: self.body_limit(&at.key("body"), from.body),
            held_bodies: self.size(
                &at.key("held_bodies"),
                from.held_bodies,
                Size::bytes(1 << 10),
                Size::mebibytes(1 << 20),
            ),
            form_in_memory: self.size(
                &at.key("form_in_memory"),
                from.form_in_memory,
                Size::bytes(0),
                Size::mebibytes(1 << 20),
            ),
            hugging_face_body: self.body_limit(&at.key("hugging_face_body"), from.hugging_face_body),
            answer: self.body_limit(&at.key("answer"), from.answer),
            depth: from.depth as usize,
            members: from.members as usize,
        }
    }

    fn timeouts(&mut self, from: &config::Timeouts) -> Timeouts {
        let at = Path::of("timeouts");
        Timeouts {
            first_event: self.wait(&at.key("first_event"), from.first_event),
            between_events: self.wait(&at.key("between_events"), from.between_events),
            stream: self.wait(&at.key("stream"), from.stream),
            answer: self.wait(&at.key("answer"), from.answer),
            connect: self.wait(&at.key("connect"), from.connect),
            silence: self.wait(&at.key("silence"), from.silence),
            addresses: self.period(&at.key("addresses"), from.addresses, Duration::ZERO, DAY),
            refusal: self.wait(&at.key("refusal"), from.refusal),
            body: self.wait(&at.key("body"), from.body),
            drain: self.period(&at.key("drain"), from.drain, Duration::ZERO, DAY),
        }
    }

    fn catalog(&mut self, from: &config::Catalog) -> Catalog {
        let at = Path::of("catalog");
        if from.keep < from.fresh {
            let message =
                format!("what is fresh for {} (catalog.fresh) cannot be kept for only {}", from.fresh, from.keep);
            self.report.add(&at.key("keep"), message);
        }
        Catalog {
            fresh: self.period(&at.key("fresh"), from.fresh, MILLISECOND, 30 * DAY),
            keep: self.period(&at.key("keep"), from.keep, MILLISECOND, 365 * DAY),
            unknown: self.period(&at.key("unknown"), from.unknown, Duration::ZERO, DAY),
            timeout: self.wait(&at.key("timeout"), from.timeout),
            entries: from.entries as usize,
        }
    }

    fn assets(&mut self, from: &config::Assets) -> Assets {
        let at = Path::of("assets");
        let list = at.key("allow");
        let mut allow = Vec::new();
        for (index, text) in from.allow.iter().enumerate() {
            let path = self.report.element(&list, index);
            allow.extend(routes::address(self, &path, text));
        }
        Assets {
            allow,
            size: self.body_limit(&at.key("size"), from.size),
            time: self.wait(&at.key("time"), from.time),
            keep: self.period(&at.key("keep"), from.keep, MILLISECOND, 365 * DAY),
            kept: self.size(&at.key("kept"), from.kept, Size::bytes(1 << 10), Size::mebibytes(1 << 20)),
        }
    }

    fn jobs(&mut self, from: &config::Jobs) -> Jobs {
        let at = Path::of("jobs");
        Jobs {
            time: self.period(&at.key("time"), from.time, MILLISECOND, 7 * DAY),
            keep: self.period(&at.key("keep"), from.keep, MILLISECOND, 365 * DAY),
            running: from.running as usize,
        }
    }

    fn responses(&mut self, from: &config::Responses) -> Responses {
        let at = Path::of("responses");
        let kept = self.size(&at.key("kept"), from.kept, Size::bytes(1 << 10), Size::mebibytes(1 << 20));
        Responses {
            store: from.store,
            keep: self.period(&at.key("keep"), from.keep, MILLISECOND, 365 * DAY),
            kept: kept as u64,
        }
    }

    fn hugging_face(&mut self, name: &str, text: &str) -> BaseUrl {
        let path = Path::of("huggingface").key(name);
        let url = routes::address(self, &path, text).unwrap_or_else(|| BaseUrl::checked("http://127.0.0.1:9"));
        if !url.is_https() && !url::is_loopback(&url) {
            self.notes
                .push(format!("{path}: tokens go over the network without encryption, since the address is http://"));
        }
        url
    }

    fn data(&mut self, from: &config::Data) -> Option<PathBuf> {
        let path = Path::of("data.folder");
        match from.folder.as_str() {
            "none" => None,
            "auto" => cache_folder(self.sources.env),
            "" => {
                self.report.add(&path, "expected a folder, \"auto\" or \"none\"".to_owned());
                None
            }
            folder => Some(self.beside_file(&path, FilePath::new(folder))),
        }
    }

    /// A path that was written in the configuration file counts from the file's folder.
    pub(crate) fn beside_file(&self, path: &Path, file: &FilePath) -> PathBuf {
        let written = matches!(self.report.place(path), Some(Place::File { .. }));
        match &self.sources.file {
            Some(config) if written => {
                FilePath::new(config.name).parent().unwrap_or_else(|| FilePath::new("")).join(file)
            }
            _ => file.to_owned(),
        }
    }

    /// A time to wait: more than none, at most a day.
    pub(crate) fn wait(&mut self, path: &Path, period: Period) -> Duration {
        self.period(path, period, MILLISECOND, DAY)
    }

    pub(super) fn period(&mut self, path: &Path, period: Period, min: Duration, max: Duration) -> Duration {
        let time = period.get();
        if time < min || time > max {
            let (min, max) = (Period::from(min), Period::from(max));
            self.report.add(path, format!("expected a time from {min} to {max}, found {period}"));
        }
        time
    }

    /// The size of one body, which is held in memory.
    pub(crate) fn body_limit(&mut self, path: &Path, size: Size) -> usize {
        self.size(path, size, Size::bytes(1), Size::mebibytes(4 << 10))
    }

    fn size(&mut self, path: &Path, size: Size, min: Size, max: Size) -> usize {
        if size < min || size > max {
            self.report.add(path, format!("expected a size from {min} to {max}, found {size}"));
        }
        usize::try_from(size.get()).unwrap_or(usize::MAX)
    }
}

/// The user's cache folder as this system has it.
fn cache_folder(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let set = |name: &str| env.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = if cfg!(target_os = "windows") {
        set("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| home.join("Library/Caches"))
    } else {
        set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))
    };
    Some(cache?.join("ironbow"))
}
