//! The data plane: one request from door to door.

mod asks;
mod assets;
mod call;
mod conversion;
mod doors;
mod edge;
mod elsewhere;
mod few;
mod gate;
mod metrics;
mod router;
mod sealer;
mod sessions;
mod snapshot;
mod spool;
mod steps;
mod trail;
#[cfg(test)]
mod translation;
mod tried;
mod vendors;
mod wishes;
mod workers;

use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use catalog::Catalog;
use net::{ByteBudget, Drain, Request, Response, Upstream};
use policy::{Compiled, credentials::Presented, health::Health};
use types::{
    Result,
    ports::{Moment, kept::Kept},
};

pub use metrics::Metrics;
pub use snapshot::{BadSnapshot, Snapshot, backend_ids};

use wire::anthropic::Sealer;

use doors::{Answer, Ask, Door};
use router::Routes;
use sessions::Archive;
use steps::{
    admit::admit,
    authenticate::authenticate,
    deliver::deliver,
    dispatch::dispatch,
    plan::plan,
    recall::{bind, recall},
    resolve::resolve,
    shorten::shorten,
};
use trail::Trail;
use tried::Recent;
pub use workers::Keepers;
use workers::{Desk, Servers, Wares};

/// The walk of a call, whole. Each step takes what the one before returned; faults leave by `?` and are encoded by the
/// edge. The pump and the account follow while the answer is written: see `edge`.
async fn walk(gateway: &Gateway, request: Request, door: Door, named: &str, trail: &mut Trail) -> Result<Answer> {
    let snapshot = gateway.snapshot();
    let caller = authenticate(&request.headers)?;
    let ask = Ask::of(&request)?.with_headers(&request.headers, &snapshot);
    let said = door.hear(gateway, &snapshot, &caller, request, ask.lenient, named).await?;
    let bound = bind(gateway, &caller, door, &said).await?;
    let past = recall(gateway, &caller, door, &said, &snapshot.json_limits).await;
    let mut heard = door.decode(gateway, &snapshot, &caller, said, past, trail)?;
    let asking = heard.call.asking(&heard.model)?;
    let mut ticket = admit(gateway, snapshot.clone(), caller, ask, &heard.model, &asking)?;
    (ticket.carried, ticket.bound) = (heard.carried, bound);
    drop(asking);
    let candidates = resolve(gateway, &ticket).await?;
    shorten(gateway, &ticket, &candidates, &mut heard.call, &mut heard.wants)?;
    let plan = plan(gateway, ticket, candidates, &heard.call)?;
    if let Some(later) = heard.later.filter(|_| !plan.passes(&heard.call)) {
        return Box::pin(workers::accept(gateway, &plan, &heard.call, later, heard.wants.dropped())).await;
    }
    let until = plan.until();
    let mut reply = dispatch(gateway, plan, &heard.call, trail).await?;
    reply.holds(heard.held);
    deliver(gateway, &snapshot, reply, heard.wants, until, trail).await
}

/// Unix time, for what is kept longer than a process lives.
fn clock() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Everything that requests share. Cloning it is cheap.
#[derive(Clone)]
pub struct Gateway(Arc<Shared>);

struct Shared {
    snapshot: ArcSwap<Snapshot>,
    upstream: Upstream,
    catalog: Catalog,
    drain: Drain,
    budget: ByteBudget,
    health: Health,
    recent: Recent,
    servers: Servers,
    wares: Wares,
    owners: steps::passage::Owners,
    kept: Arc<dyn Kept>,
    desk: Desk,
    archive: Arc<Archive>,
    sealer: Arc<dyn Sealer>,
    metrics: Arc<Metrics>,
    routes: Routes,
}

impl Gateway {
    /// A gateway that reads `snapshot` and reaches backends through `upstream`.
    pub fn new(snapshot: Snapshot, upstream: Upstream, catalog: Catalog, keepers: Keepers, drain: Drain) -> Self {
        let budget = ByteBudget::new(snapshot.config.limits.held_bodies);
        let metrics = Arc::new(Metrics::new());
        let health = Health::new(snapshot.config.routing.health.clone(), Instant::now()).with_clock(Instant::now);
        let (recent, servers) = (Recent::default(), Servers::new(&snapshot.config.servers));
        let snapshot = ArcSwap::from_pointee(snapshot);
        let sealer: Arc<dyn Sealer> = Arc::new(sealer::Aead::new(&keepers.owners));
        let (kept, archive) = (keepers.kept.clone(), Archive::new(keepers.sessions.clone()));
        let desk = Desk::new(keepers);
        let routes = Routes::new();
        Self(Arc::new(Shared {
            snapshot,
            upstream,
            catalog,
            drain,
            budget,
            health,
            recent,
            servers,
            wares: Wares::default(),
            owners: steps::passage::Owners::default(),
            kept,
            desk,
            archive,
            sealer,
            metrics,
            routes,
        }))
    }

    /// Does the jobs, and forgets what has expired, on the current runtime until the process goes down.
    pub fn start_workers(&self) {
        workers::start(self);
    }

    /// Puts a checked configuration in the place of the one that runs, for all requests that begin from now on; gives the names of
    /// the settings that wait for the next start. What is known of keys and servers that stay is kept, the rest forgotten.
    ///
    /// # Errors
    /// The sentence for the operator when an address cannot be used after all; nothing has changed then.
    pub fn reload(&self, mut config: Compiled) -> Result<Vec<&'static str>, BadSnapshot> {
        let old = self.snapshot();
        let waiting = config.keep_fixed(&old.config);
        let new = Arc::new(Snapshot::new(config)?);
        let shared = &self.0;
        let (keys, servers) = (old.config.keys_gone(&new.config), old.config.servers_gone(&new.config));
        shared.snapshot.store(Arc::clone(&new));
        shared.health.configure(new.config.routing.health.clone());
        keys.iter().for_each(|key| shared.health.forget_key(key));
        servers.iter().for_each(|server| shared.health.forget_place(server));
        shared.catalog.present(new.config.keys.for_hub(Presented::default()).cloned());
        workers::servers::reload(self, &old);
        shared.metrics.configuration_read(true);
        Ok(waiting)
    }

    /// A configuration was refused: what runs goes on.
    pub fn refused_configuration(&self) {
        self.0.metrics.configuration_read(false);
    }

    /// The configuration as it is now; a request reads it once and keeps it to its end.
    fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    /// While the process goes down, what is new is refused; what runs goes on.
    fn accepts_work(&self) -> Result<()> {
        if self.0.drain.is_draining() { Err(asks::health::shutting_down()) } else { Ok(()) }
    }
}

impl net::Service for Gateway {
    async fn call(&self, request: Request) -> Response {
        edge::serve(self, request).await
    }
}
