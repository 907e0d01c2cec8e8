//! `ironbow serve` and `ironbow sandbox`: put the parts together, listen, and go down in good order.

mod reload;
mod signals;
mod welcome;

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use catalog::Catalog;
use net::{Drain, Drained, ServerLimits, Serving, TlsSettings, Upstream, UpstreamSettings};
use pipeline::{Gateway, Keepers, Snapshot};
use policy::Compiled;
use policy::credentials::Presented;
use sandbox::Sandbox;
use store::{Store, StoreError};

use crate::settings::{self, Given};
use crate::{BAD_CONFIGURATION, cli, logging, process};
use signals::{Signals, Told};
use welcome::Welcome;

/// How long tasks that ended may take to let go of what they hold.
const LAST_TASKS: Duration = Duration::from_secs(1);

/// Runs the gateway until it is told to end.
pub(crate) fn run(arguments: &cli::Serve) -> ExitCode {
    let sandbox = match arguments.sandbox.then(|| Sandbox::start(sandbox::Settings::default())).transpose() {
        Ok(sandbox) => sandbox,
        Err(error) => return failed(&format_args!("the sandbox cannot be started: {error}")),
    };
    let sandbox_url = sandbox.as_ref().map(sandbox::Running::url);
    let given = Given {
        file: arguments.config.as_deref(),
        listen: arguments.listen.as_deref(),
        data: arguments.data.as_deref(),
        allow_remote: arguments.allow_remote,
        sandbox: sandbox_url.as_deref(),
    };
    let config = match settings::load(&given) {
        Ok(config) => config,
        Err(refused) => {
            refused.print();
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    let _log = logging::start(&config.log);
    let files = process::settle_limits();
    match serve(config, files, &given) {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

/// Runs the simulated Hugging Face alone.
pub(crate) fn sandbox(listen: SocketAddr) -> ExitCode {
    let running = match Sandbox::start(sandbox::Settings { listen, ..sandbox::Settings::default() }) {
        Ok(running) => running,
        Err(error) => return failed(&format_args!("cannot listen on {listen}: {error}")),
    };
    let url = running.url();
    let said = format!(
        "The sandbox listens on {url}\n\nUse it as Hugging Face:\n  HF_ENDPOINT={url} HF_ROUTER_URL={url} HF_TOKEN=hf_sandbox ironbow serve\n"
    );
    // Whoever started it without a terminal does not need the words.
    let _written = io::stderr().lock().write_all(said.as_bytes());
    match running.wait() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Says why the process cannot go on.
fn failed(why: &dyn fmt::Display) -> ExitCode {
    // Standard error that is gone changes nothing about the exit code.
    let _written = writeln!(io::stderr().lock(), "ironbow: {why}");
    ExitCode::FAILURE
}

/// Listener and snapshot first; everything else when it is needed.
fn serve(mut config: Compiled, files: Option<u64>, given: &Given<'_>) -> Result<ExitCode, String> {
    fit_connections(&mut config, files);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let code = runtime.block_on(async {
        let mut signals = Signals::listen().map_err(|e| format!("signals cannot be listened for: {e}"))?;
        let (grace, drain) = (config.timeouts.drain, Drain::new());
        let Started { serving, store, gateway } = start(config, given.sandbox, &drain).await?;
        let signal = loop {
            match signals.next().await {
                Told::End(signal) => break signal,
                Told::Reload => {
                    reload::reload(&gateway, given);
                    serving.look_at_certificate();
                }
            }
        };
        drop(gateway);
        tracing::info!(signal, grace_s = grace.as_secs_f64(), running = drain.running(), "draining");
        let drained = tokio::select! {
            drained = drain.finished(grace) => drained,
            signal = signals.end() => {
                tracing::warn!(signal, running = drain.running(), "ending at once");
                return Ok(ExitCode::FAILURE);
            }
        };
        match drained {
            Drained::Clean => tracing::info!("ended"),
            Drained::Aborted(left) => tracing::warn!(?left, "ended at the grace limit"),
        }
        serving.join();
        store.close().await;
        Ok(ExitCode::SUCCESS)
    });
    runtime.shutdown_timeout(LAST_TASKS);
    code
}

/// No more connections than files can be opened for: one for the caller, one for the backend, and some for the rest. A caller beyond
/// that is told so; one whose connection cannot even be accepted learns nothing.
fn fit_connections(config: &mut Compiled, files: Option<u64>) {
    const FOR_THE_REST: u64 = 64;
    let Some(files) = files else { return };
    let fitting = usize::try_from((files.saturating_sub(FOR_THE_REST) / 2).max(1)).unwrap_or(usize::MAX);
    let asked = config.listener.max_connections;
    if fitting < asked {
        config.listener.max_connections = fitting;
        config.notes.push(format!(
            "at most {fitting} connections at once instead of {asked}, because only {files} files may be open: raise `ulimit -n`"
        ));
    }
}

/// What runs.
struct Started {
    serving: Serving,
    store: Store,
    gateway: Gateway,
}

/// Takes the port, assembles the gateway, serves, and says so.
async fn start(config: Compiled, sandbox: Option<&str>, drain: &Drain) -> Result<Started, String> {
    let address = config.listener.address;
    let listener = net::Server::bind(address).map_err(|e| format!("cannot listen on {address}: {e}"))?;
    let scheme = if config.listener.tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", listener.local_addr());
    let for_people = logging::is_for_people(config.log.format);
    let (limits, tls) = (server_limits(&config), config.listener.tls.as_ref());
    let tls = tls.map(|files| TlsSettings::new(&files.cert, &files.key));
    let upstream = Upstream::new(UpstreamSettings {
        connect_timeout: config.timeouts.connect,
        silent: config.timeouts.silence,
        keep_addresses: config.timeouts.addresses,
        // As many as there may be callers: each of a crowd finds the connection that it left.
        max_idle: config.listener.max_connections,
        drain: drain.clone(),
        ..UpstreamSettings::default()
    });
    let catalog = Catalog::new(catalog_settings(&config), upstream.clone(), drain.clone())?;
    let store = open_store(&config).await?;
    let owners = store.secret().await.map_err(|e| format!("the data folder cannot be used: {e}"))?;
    let welcome = Welcome::new(&config, &url, sandbox);
    let snapshot = Snapshot::new(config).map_err(|e| e.to_string())?;
    let keepers = Keepers { jobs: store.jobs(), kept: store.kept(), sessions: store.sessions(), owners };
    let gateway = Gateway::new(snapshot, upstream, catalog.clone(), keepers, drain.clone());
    let serving = net::serve(listener, limits, tls, gateway.clone(), drain).map_err(|e| e.to_string())?;
    welcome.say(for_people);
    catalog.start();
    gateway.start_workers();
    Ok(Started { serving, store, gateway })
}

/// What survives a restart, in the data folder; in memory where there is none, or where another process has it.
async fn open_store(config: &Compiled) -> Result<Store, String> {
    let (files, sessions) = (config.assets.kept as u64, config.responses.kept);
    let (disk, memory) = (store::Limits::DISK, store::Limits::MEMORY);
    let in_memory = memory.with_files(files.min(memory.files_bytes)).with_sessions(sessions.min(memory.sessions_bytes));
    let Some(folder) = &config.data else { return Ok(Store::memory(in_memory)) };
    match Store::open(&folder.join("store"), "local", disk.with_files(files).with_sessions(sessions)).await {
        Ok(store) => Ok(store),
        Err(StoreError::InUse { .. }) if !config.data_is_named => {
            tracing::warn!(folder = %folder.display(), "another process uses the data folder: responses, jobs and files are kept in memory");
            Ok(Store::memory(in_memory))
        }
        Err(error) => Err(format!("the data folder cannot be used: {error}")),
    }
}

fn server_limits(config: &Compiled) -> ServerLimits {
    let listener = &config.listener;
    ServerLimits {
        workers: listener.workers.and_then(NonZeroUsize::new),
        max_connections: listener.max_connections,
        max_headers: listener.max_headers,
        max_head: listener.max_head,
        head_timeout: listener.head_time,
        idle_timeout: listener.idle_time,
        ..ServerLimits::default()
    }
}

fn catalog_settings(config: &Compiled) -> catalog::Settings {
    let listed = providers::TABLE.iter().filter(|backend| backend.routing == providers::Routing::Live);
    let wanted = listed.map(|backend| catalog::Wanted {
        backend: Arc::from(backend.id),
        operations: backend.ops.iter().map(|op| op.operation).collect(),
    });
    let known = &config.catalog;
    catalog::Settings {
        token: config.keys.for_hub(Presented::default()).cloned().into(),
        backends: wanted.collect(),
        cache_dir: config.data.clone(),
        fresh: known.fresh,
        stale: known.keep,
        unknown: known.unknown,
        lookup_time: known.timeout,
        max_models: known.entries,
        ..catalog::Settings::new(config.hub.as_str(), config.router.as_str())
    }
}
