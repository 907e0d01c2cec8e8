//! Which models exist where, and at what price: asked of the Hub and of the router, remembered within bounds, refreshed
//! behind the scenes, kept on disk.
//!
//! * [`Catalog::peek`] and [`Catalog::model`]: one model's entry. Fresh ones cost a lock that is hardly ever contended
//!   and no allocation; stale ones are served while one look-up refreshes them; a look-up is made once, however many wait for it.
//! * [`Catalog::list`]: every model of every backend that an operation covers, with what the router says of it ([`Catalog::market`]).
//!
//! It decides nothing: whether an entry serves a call is for its reader to judge.

mod cache;
mod disk;
mod entry;
mod flight;
mod kept;
mod listing;
mod lists;
mod lookup;
mod losses;
mod market;
mod merge;
mod models;
mod read;
mod saver;
mod settings;
mod source;
mod task;
mod tenant;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use net::{Drain, Upstream};
use types::{Fault, Kind, Result, Secret};

pub use entry::{Adapter, Found, ModelEntry, Serving, State};
pub use listing::{Item, Listing, Modalities, Warning};
pub use losses::Loss;
pub use market::{Market, MarketModel, Offer, Price};
pub use settings::{Settings, Token, Wanted};
pub use task::Task;

use crate::{lists::Lists, models::Models, saver::Saver, source::Source, tenant::Tenants};

/// The catalogue. Cloning shares it.
#[derive(Clone)]
pub struct Catalog(Arc<Shared>);

struct Shared {
    token: Token,
    tenants: Tenants,
    models: Arc<Models>,
    lists: Arc<Lists>,
    saver: Arc<Saver>,
}

/// What is known of a model.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// The Hub knows it.
    Known(Arc<ModelEntry>),
    /// The Hub does not know it, or does not show it to this credential: a private model looks unknown.
    Unknown,
}

impl Catalog {
    /// A catalogue that knows nothing yet. Nothing is asked or read before [`Catalog::start`] or the first question.
    ///
    /// # Errors
    /// A sentence for the operator when an address cannot be used.
    pub fn new(settings: Settings, upstream: Upstream, drain: Drain) -> Result<Self, String> {
        let (token, settings) = (settings.token.clone(), Arc::new(settings));
        let hub = Source::new(&settings.hub, upstream.clone())?;
        let router = Source::new(&settings.router, upstream)?;
        let saver = Arc::new(Saver::new(&settings, &[&hub.address(), &router.address()], drain.clone()));
        let models = Models::new(Arc::clone(&settings), hub.clone(), drain.clone(), Arc::clone(&saver));
        let lists = Lists::new(settings, hub, router, drain, Arc::clone(&saver));
        Ok(Self(Arc::new(Shared { token, tenants: Tenants::new(), models, lists, saver })))
    }

    /// Reads the last kept state, behind the scenes. Call it on a runtime, once the listener stands.
    pub fn start(&self) {
        let models = Arc::clone(&self.0.models);
        self.0.saver.restore(disk::MODELS, move |kept| models.restore(kept));
    }

    /// The entry of `hub_id`, if it is remembered and may still be served. Never waits and allocates nothing; a stale
    /// entry is refreshed behind the scenes. `credential` is the caller's own Hugging Face token, if its sight counts.
    pub fn peek(&self, hub_id: &str, credential: Option<&Secret>) -> Option<Arc<ModelEntry>> {
        self.0.models.peek(hub_id, self.0.tenants.of(credential), credential)
    }

    /// The entry of `hub_id`, looked up if need be with the caller's own Hugging Face token, or else the gateway's.
    /// Joins a look-up that is under way.
    ///
    /// # Errors
    /// [`Kind::CatalogUnavailable`] when the Hub cannot be asked by `deadline` and nothing is remembered;
    /// [`Kind::UpstreamForbidden`] when the Hub knows the model and does not show it to this credential (a gated model);
    /// [`Kind::Overloaded`] when too many look-ups are under way.
    pub async fn model(&self, hub_id: &str, credential: Option<&Secret>, deadline: Instant) -> Result<Lookup> {
        let tenant = self.0.tenants.of(credential);
        self.0.models.model(hub_id, tenant, credential, deadline).await
    }

    /// The model of the Hub that a backend means by a name of its own, as far as the gateway itself has seen it. Never asks.
    pub fn meant(&self, backend: &str, own_name: &str) -> Option<Arc<str>> {
        self.0.models.meant(backend, own_name)
    }

    /// A backend answered 404 for `hub_id`: the next reader asks the Hub again. Says no when that was done a moment ago
    /// already, so that another try is of no use.
    pub fn forget(&self, hub_id: &str) -> bool {
        self.0.models.forget(hub_id)
    }

    /// Every model of every backend that an operation covers. Waits only when nothing is kept.
    ///
    /// # Errors
    /// [`Kind::CatalogUnavailable`] when nobody can be asked by `deadline` and nothing is kept.
    pub async fn list(&self, deadline: Instant) -> Result<Arc<Listing>> {
        self.0.lists.list(deadline).await
    }

    /// The router's list, if it is kept. Never waits; a stale one is refreshed behind the scenes.
    pub fn market(&self) -> Option<Arc<Market>> {
        self.0.lists.peek_market()
    }

    /// Asks again, behind the scenes, for what was used and ages: the router's list, and models a part at a time. Call it now
    /// and then, so that no caller is the first to learn what has changed.
    pub fn renew(&self) {
        drop(self.0.lists.peek_market());
        self.0.models.renew();
    }

    /// How long ago the Hub said what is remembered of a model.
    pub fn age(&self, hub_id: &str, credential: Option<&Secret>) -> Option<Duration> {
        self.0.models.age(hub_id, self.0.tenants.of(credential))
    }

    /// Models in use that a backend was found not to serve any more, the oldest first.
    pub fn losses(&self) -> Vec<Loss> {
        self.0.models.losses().all()
    }

    /// How many of those there were since the process began.
    pub fn lost(&self) -> u64 {
        self.0.models.losses().total()
    }

    /// What is remembered stays, but all of it is asked for again when next needed.
    pub fn refresh(&self) {
        self.0.lists.expire();
        self.0.models.expire();
    }

    /// Asks with another token of the gateway's own from now on; where it is another one, everything is asked for again.
    pub fn present(&self, token: Option<Secret>) {
        if self.0.token.set(token) {
            self.refresh();
        }
    }

    /// How many models are remembered, unknown ones included: for metrics.
    pub fn remembered(&self) -> usize {
        self.0.models.remembered()
    }
}

/// Nobody can be asked and nothing is remembered.
fn unavailable(what: &str, why: &str) -> Box<Fault> {
    Fault::new(
        Kind::CatalogUnavailable,
        format!("Hugging Face's model catalogue cannot be reached, and nothing is remembered of {what}. Try again in a moment."),
    )
    .detail(why.to_owned())
}
