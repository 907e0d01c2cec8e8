//! The lists: each backend's models at the Hub, the router's own list, and what they come to together.

use std::{
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use net::Drain;
use tokio::sync::Semaphore;
use types::Result;

use crate::{
    disk,
    flight::Landing,
    kept::{Fetched, Kept},
    listing::{self, Asked, Listing},
    market::{Market, MarketModel},
    read,
    saver::Saver,
    settings::Settings,
    source::{Next, Source},
    unavailable,
};

/// How many backends' lists are fetched at once.
const AT_ONCE: usize = 6;

/// How large one page may be.
const PAGE_LIMIT: usize = 16 * 1024 * 1024;

/// How soon a listing that is not whole is asked for again.
const MEND_AFTER: Duration = Duration::from_secs(60);

pub(crate) struct Lists {
    settings: Arc<Settings>,
    hub: Source,
    router: Source,
    drain: Drain,
    saver: Arc<Saver>,
    listing: Kept<Listing>,
    market: Kept<Market>,
}

impl Lists {
    pub(crate) fn new(
        settings: Arc<Settings>,
        hub: Source,
        router: Source,
        drain: Drain,
        saver: Arc<Saver>,
    ) -> Arc<Self> {
        let (listing, market) = (Kept::new(settings.pause), Kept::new(settings.pause));
        Arc::new(Self { settings, hub, router, drain, saver, listing, market })
    }

    pub(crate) async fn list(self: &Arc<Self>, deadline: Instant) -> Result<Arc<Listing>> {
        let now = Instant::now();
        match self.listing.peek(now) {
            Some((listing, true)) => return Ok(listing),
            Some((listing, false)) => {
                if !self.listing.is_paused(now) {
                    let _ = self.listing.join(|landing| self.fetch_listing(landing));
                }
                return Ok(listing);
            }
            None if self.listing.is_paused(now) => {
                return Err(unavailable("any list", "it could not be asked a moment ago"));
            }
            None => {}
        }
        let seat = self.listing.join(|landing| self.fetch_listing(landing));
        let outcome = match seat {
            Some(seat) => seat.outcome(deadline).await,
            None => None,
        };
        match outcome {
            Some(Ok(listing)) => Ok(listing),
            Some(Err(why)) => Err(unavailable("any list", &why)),
            None => Err(unavailable("any list", "no answer by the deadline of the call")),
        }
    }

    /// The router's list, if it is kept; renewed behind the scenes.
    pub(crate) fn peek_market(self: &Arc<Self>) -> Option<Arc<Market>> {
        let now = Instant::now();
        let kept = self.market.peek(now);
        if !matches!(kept, Some((_, true))) && !self.market.is_paused(now) {
            let _ = self.market.join(|landing| self.fetch_market(landing));
        }
        kept.map(|(market, _)| market)
    }

    pub(crate) fn expire(&self) {
        let now = Instant::now();
        self.listing.expire(now);
        self.market.expire(now);
    }

    fn fetch_listing(self: &Arc<Self>, landing: Landing<(), Fetched<Listing>>) {
        let lists = Arc::clone(self);
        self.drain.background("catalog listing", async move {
            if lists.listing.peek(Instant::now()).is_none()
                && let Some((kept, _)) = lists.saver.load::<Listing>(disk::LISTING).await
            {
                let kept = Arc::new(kept);
                lists.listing.restore(Arc::clone(&kept), Instant::now());
                landing.land(Ok(kept));
                let _ = lists.listing.join(|again| lists.fetch_listing(again));
                return;
            }
            landing.land(lists.listing_now().await);
        });
    }

    async fn listing_now(self: &Arc<Self>) -> Fetched<Listing> {
        let market = self.fresh_market().await;
        let turns = Semaphore::new(AT_ONCE);
        let backends = self.settings.backends.iter();
        let asked = all(backends.map(|backend| Box::pin(self.ask(backend, &turns)) as Task<'_, Asked>).collect()).await;
        let now = Instant::now();
        let previous = self.listing.peek(now).map(|(listing, _)| listing);
        if market.is_none() && asked.iter().all(|one| one.listed.is_empty() && !one.whole) {
            self.listing.fail(now);
            let why = asked.into_iter().find_map(|one| one.trouble).unwrap_or_else(|| "nobody to ask".into());
            tracing::warn!(reason = %why, "the models could not be listed");
            return previous.ok_or_else(|| why.into());
        }
        let most = self.settings.max_listed;
        let merged = tokio::task::spawn_blocking(move || {
            listing::merge(previous.as_deref(), asked, market.as_deref(), most, disk::unix_now())
        });
        let listing = Arc::new(merged.await.map_err(|error| Arc::<str>::from(error.to_string()))?);
        let good_for = if listing.warnings.is_empty() {
            self.settings.list_fresh
        } else {
            self.settings.list_fresh.min(MEND_AFTER)
        };
        self.listing.put(Arc::clone(&listing), Instant::now() + good_for);
        let kept = Arc::clone(&listing);
        self.saver.changed(disk::LISTING, move || Listing::clone(&kept));
        Ok(listing)
    }

    /// One backend's models, page by page.
    async fn ask(&self, backend: &Arc<str>, turns: &Semaphore) -> Asked {
        let mut asked = Asked { backend: Arc::clone(backend), listed: Vec::new(), trouble: None, whole: false };
        let Ok(_turn) = turns.acquire().await else { return asked };
        let deadline = Instant::now() + self.settings.list_time;
        let mut target = self.hub.target(&format!(
            "/api/models?inference_provider={backend}&filter=conversational&sort=likes&direction=-1&limit={}\
             &expand=inferenceProviderMapping&expand=createdAt",
            self.settings.page_size
        ));
        for _ in 0..self.settings.max_pages {
            match self.page(&target, backend, deadline).await {
                Ok((listed, next)) => {
                    asked.listed.extend(listed);
                    match next {
                        None => {
                            asked.whole = true;
                            return asked;
                        }
                        Some(Next::Here(next)) if next != target => target = next,
                        Some(_) => {
                            asked.trouble = Some("its list continues at another place".into());
                            return asked;
                        }
                    }
                }
                Err(trouble) => {
                    asked.trouble = Some(trouble);
                    return asked;
                }
            }
            if asked.listed.len() > self.settings.max_listed {
                break;
            }
        }
        asked.trouble = Some("its list is longer than what is read of one".into());
        asked
    }

    async fn page(
        &self,
        target: &str,
        backend: &Arc<str>,
        deadline: Instant,
    ) -> std::result::Result<(Vec<listing::Listed>, Option<Next>), String> {
        let got = self.hub.get(target, self.settings.token.as_ref(), PAGE_LIMIT, deadline).await.map_err(|why| {
            tracing::warn!(backend = %backend, reason = %why, "a list of models could not be fetched");
            "the Hub gave no answer".to_owned()
        })?;
        if got.status != 200 {
            return Err(format!("the Hub answered {}", got.status));
        }
        let backend = Arc::clone(backend);
        let parsed = tokio::task::spawn_blocking(move || read::page(&got.body, &backend)).await;
        let listed = parsed.unwrap_or_else(|_| Err("the reader failed".into()));
        listed.map(|listed| (listed, got.next)).map_err(|why| format!("the Hub's list cannot be read ({why})"))
    }

    /// The router's list, waited for; the last known one if it cannot be had.
    async fn fresh_market(self: &Arc<Self>) -> Option<Arc<Market>> {
        let now = Instant::now();
        let kept = self.market.peek(now);
        if let Some((market, true)) = kept {
            return Some(market);
        }
        let last_known = kept.map(|(market, _)| market);
        if self.market.is_paused(now) {
            return last_known;
        }
        let seat = self.market.join(|landing| self.fetch_market(landing))?;
        match seat.outcome(now + self.settings.list_time).await {
            Some(Ok(market)) => Some(market),
            _ => last_known,
        }
    }

    fn fetch_market(self: &Arc<Self>, landing: Landing<(), Fetched<Market>>) {
        let lists = Arc::clone(self);
        self.drain.background("catalog market", async move {
            let outcome = match lists.market_now().await {
                Ok(market) => Ok(market),
                Err(why) => {
                    tracing::warn!(reason = %why, "the router's list could not be fetched");
                    lists.market.fail(Instant::now());
                    lists.last_market().await.ok_or_else(|| why.into())
                }
            };
            landing.land(outcome);
        });
    }

    /// The last known list, in memory or on disk.
    async fn last_market(&self) -> Option<Arc<Market>> {
        if let Some((market, _)) = self.market.peek(Instant::now()) {
            return Some(market);
        }
        let (models, _) = self.saver.load::<Vec<MarketModel>>(disk::MARKET).await?;
        let market = Arc::new(Market::of(models));
        self.market.restore(Arc::clone(&market), Instant::now());
        Some(market)
    }

    async fn market_now(&self) -> std::result::Result<Arc<Market>, String> {
        let deadline = Instant::now() + self.settings.list_time;
        let target = self.router.target("/v1/models");
        let got = self.router.get(&target, self.settings.token.as_ref(), PAGE_LIMIT, deadline).await?;
        if got.status != 200 {
            return Err(format!("the router answered {}", got.status));
        }
        let parsed = tokio::task::spawn_blocking(move || read::market(&got.body)).await;
        let mut models = parsed.unwrap_or_else(|_| Err("the reader failed".into()))?;
        models.truncate(self.settings.max_listed);
        let market = Arc::new(Market::of(models));
        self.market.put(Arc::clone(&market), Instant::now() + self.settings.list_fresh);
        let kept = Arc::clone(&market);
        self.saver.changed(disk::MARKET, move || kept.models().to_vec());
        Ok(market)
    }
}

type Task<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Drives all of them at once, in this task.
async fn all<T>(mut tasks: Vec<Task<'_, T>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = tasks.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        let mut busy = false;
        for (task, done) in tasks.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            match task.as_mut().poll(cx) {
                Poll::Ready(result) => *done = Some(result),
                Poll::Pending => busy = true,
            }
        }
        if busy { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    done.into_iter().flatten().collect()
}
