//! The data plane: one request from door to door.

mod asks;
mod doors;
mod edge;
mod gate;
mod metrics;
mod router;
mod snapshot;
mod steps;
mod trail;

use std::sync::Arc;

use arc_swap::ArcSwap;
use catalog::Catalog;
use net::{ByteBudget, Drain, Request, Response, Upstream};
use types::Result;

pub use metrics::Metrics;
pub use snapshot::{BadSnapshot, Snapshot, backend_ids};

use doors::Answer;
use router::Routes;
use steps::{admit::admit, authenticate::authenticate, dispatch::dispatch, plan::plan, resolve::resolve};
use trail::Trail;

/// The walk of a chat, whole. Each step takes what the one before returned; faults leave by `?` and are encoded by the
/// door. The pump and the account follow when the answer is written: see `edge`.
async fn chat(gateway: &Gateway, request: Request, trail: &mut Trail) -> Result<Answer> {
    let snapshot = gateway.snapshot();
    let caller = authenticate(&request.headers)?;
    let ask = doors::Ask::of(&request)?;
    let (call, _held) = doors::openai_chat::decode(gateway, &snapshot, request, trail).await?;
    let ticket = admit(snapshot, caller, ask, call.model(), call.stream())?;
    let candidates = resolve(gateway, &ticket).await?;
    let plan = plan(ticket, candidates)?;
    let reply = dispatch(gateway, plan, &call, trail).await?;
    Ok(doors::openai_chat::encode(reply, trail))
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
    metrics: Arc<Metrics>,
    routes: Routes,
}

impl Gateway {
    /// A gateway that reads `snapshot` and reaches backends through `upstream`.
    pub fn new(snapshot: Snapshot, upstream: Upstream, catalog: Catalog, drain: Drain) -> Self {
        let budget = ByteBudget::new(snapshot.config.limits.held_bodies);
        let metrics = Arc::new(Metrics::new());
        let snapshot = ArcSwap::from_pointee(snapshot);
        Self(Arc::new(Shared { snapshot, upstream, catalog, drain, budget, metrics, routes: Routes::new() }))
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
