//! The lists: each backend's models at the Hub, the router's own list, and what they come to together.

use std::{
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use net::Drain;
use tokio::sync::Semaphore;
use types::{Operation, Result};

use crate::{
    disk,
    flight::Landing,
    kept::{Fetched, Kept},
    listing::{Item, Listing},
    market::{Market, MarketModel},
    merge::{self, Asked, End},
    read,
    saver::Saver,
    settings::{Settings, Wanted},
    source::{Next, Source},
    unavailable,
};

/// How many backends' lists are fetched at once.
const AT_ONCE: usize = 6;

/// How large one page may be.
const PAGE_LIMIT: usize = 8 * 1024 * 1024;

/// How large the router's list may be.
const MARKET_LIMIT: usize = 16 * 1024 * 1024;

/// How long the first listing may take: a caller waits for it. What is missing by then is named, and asked for again
/// behind the scenes.
const FIRST_TIME: Duration = Duration::from_secs(25);

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
    /// One page is read at a time: reading takes a few times the memory of the page.
    reading: Semaphore,
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
        let reading = Semaphore::new(1);
        Arc::new(Self { settings, hub, router, drain, saver, listing, market, reading })
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
        let previous = self.listing.peek(Instant::now()).map(|(listing, _)| listing);
        let time = self.settings.list_time;
        let deadline = Instant::now() + if previous.is_none() { time.min(FIRST_TIME) } else { time };
        let turns = Semaphore::new(AT_ONCE);
        let backends = self.settings.backends.iter();
        let mut lists: Vec<_> = backends.flat_map(|wanted| lists_of(wanted).map(move |one| (one, wanted))).collect();
        // Every backend's chat comes before anybody's pictures: should time run out, the short lists are there.
        lists.sort_by_key(|(operation, _)| *operation);
        let work = |(operation, wanted)| Box::pin(self.ask(wanted, operation, &turns, deadline)) as Work<'_, Asked>;
        let (market, asked) = tokio::join!(self.fresh_market(deadline), all(lists.into_iter().map(work).collect()));
        if market.is_none() && asked.iter().all(|one| one.listed.is_empty() && one.end != End::Whole) {
            self.listing.fail(Instant::now());
            let trouble = asked.into_iter().find_map(|one| match one.end {
                End::Broken(trouble) => Some(trouble),
                End::Whole | End::Cut => None,
            });
            let why = trouble.unwrap_or_else(|| "nobody to ask".into());
            tracing::warn!(reason = %why, "the models could not be listed");
            return previous.ok_or_else(|| why.into());
        }
        let most = self.settings.max_listed;
        let merged = tokio::task::spawn_blocking(move || {
            merge::merge(previous.as_deref(), asked, market.as_deref(), most, disk::unix_now())
        });
        let listing = Arc::new(merged.await.map_err(|error| Arc::<str>::from(error.to_string()))?);
        let fresh = self.settings.list_fresh;
        let good_for = if listing.complete { fresh } else { fresh.min(MEND_AFTER) };
        self.listing.put(Arc::clone(&listing), Instant::now() + good_for);
        let kept = Arc::clone(&listing);
        self.saver.changed(disk::LISTING, move || Listing::clone(&kept));
        Ok(listing)
    }

    /// One backend's models for one operation, page by page.
    async fn ask(&self, wanted: &Wanted, operation: Operation, turns: &Semaphore, deadline: Instant) -> Asked {
        let broken = End::Broken("no answer in time".into());
        let backend = Arc::clone(&wanted.backend);
        let mut asked = Asked { backend, operation, listed: Vec::new(), end: broken };
        let turn = tokio::time::timeout_at(deadline.into(), turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return asked };
        for question in questions(operation) {
            let target = self.hub.target(&format!(
                "/api/models?inference_provider={}&{question}&sort=likes&direction=-1&limit={}\
                 &expand=inferenceProviderMapping&expand=createdAt&expand=pipeline_tag",
                wanted.backend, self.settings.page_size
            ));
            asked.end = self.pages(wanted, target, deadline, &mut asked.listed).await;
            if asked.end != End::Whole {
                break;
            }
        }
        asked
    }

    /// Reads a list to its end, or to where it is given up.
    async fn pages(&self, wanted: &Wanted, first: String, deadline: Instant, listed: &mut Vec<Item>) -> End {
        let mut target = first;
        for _ in 0..self.settings.max_pages {
            let (items, next) = match self.page(&target, wanted, deadline).await {
                Ok(page) => page,
                Err(trouble) => return End::Broken(trouble),
            };
            listed.extend(items);
            match next {
                None => return End::Whole,
                Some(Next::Here(next)) if next != target => target = next,
                Some(_) => return End::Broken("its list continues at another place".into()),
            }
            if listed.len() >= self.settings.max_per_list {
                break;
            }
        }
        listed.truncate(self.settings.max_per_list);
        End::Cut
    }

    async fn page(
        &self,
        target: &str,
        wanted: &Wanted,
        deadline: Instant,
    ) -> std::result::Result<(Vec<Item>, Option<Next>), String> {
        let token = self.settings.token.get();
        let mut got = self.hub.get(target, token.as_ref(), PAGE_LIMIT, deadline).await;
        if token.is_some() && got.as_ref().is_ok_and(|got| got.status == 401) {
            // A token that the Hub refuses hides public models, too: ask as nobody.
            got = self.hub.get(target, None, PAGE_LIMIT, deadline).await;
        }
        let got = got.map_err(|why| {
            tracing::warn!(backend = %wanted.backend, reason = %why, "a list of models could not be fetched");
            "the Hub gave no answer".to_owned()
        })?;
        if got.status != 200 {
            return Err(format!("the Hub answered {}", got.status));
        }
        let Ok(_reading) = self.reading.acquire().await else { return Err("the reader is gone".into()) };
        let (body, next) = (got.body, got.next);
        let (backend, operations) = (Arc::clone(&wanted.backend), wanted.operations.clone());
        let parsed = tokio::task::spawn_blocking(move || read::page(&body, &backend, &operations)).await;
        let listed = parsed.unwrap_or_else(|_| Err("the reader failed".into()));
        listed.map(|listed| (listed, next)).map_err(|why| format!("the Hub's list cannot be read ({why})"))
    }

    /// The router's list, waited for; the last known one if it cannot be had.
    async fn fresh_market(self: &Arc<Self>, deadline: Instant) -> Option<Arc<Market>> {
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
        match seat.outcome(deadline).await {
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
        let (models, taken) = self.saver.load::<Vec<MarketModel>>(disk::MARKET).await?;
        let market = Arc::new(Market::of(models, taken));
        self.market.restore(Arc::clone(&market), Instant::now());
        Some(market)
    }

    async fn market_now(&self) -> std::result::Result<Arc<Market>, String> {
        let deadline = Instant::now() + self.settings.list_time;
        let target = self.router.target("/v1/models");
        let got = self.router.get(&target, self.settings.token.get().as_ref(), MARKET_LIMIT, deadline).await?;
        if got.status != 200 {
            return Err(format!("the router answered {}", got.status));
        }
        let parsed = tokio::task::spawn_blocking(move || read::market(&got.body)).await;
        let mut models = parsed.unwrap_or_else(|_| Err("the reader failed".into()))?;
        models.truncate(self.settings.max_listed);
        let market = Arc::new(Market::of(models, disk::unix_now()));
        self.market.put(Arc::clone(&market), Instant::now() + self.settings.list_fresh);
        let kept = Arc::clone(&market);
        self.saver.changed(disk::MARKET, move || kept.models().to_vec());
        Ok(market)
    }
}

/// The operations for which a backend has a list of its own: those with the same tasks share one.
fn lists_of(wanted: &Wanted) -> impl Iterator<Item = Operation> {
    let operations = &wanted.operations;
    let is_first =
        |at: usize, operation: Operation| operations[..at].iter().all(|earlier| earlier.tasks() != operation.tasks());
    operations.iter().copied().enumerate().filter(move |(at, one)| is_first(*at, *one)).map(|(_, one)| one)
}

/// How the Hub is asked for models of an operation. Chat has no pipeline of its own there, only a tag.
fn questions(operation: Operation) -> impl Iterator<Item = String> {
    let word = if operation == Operation::Chat { "filter" } else { "pipeline_tag" };
    operation.tasks().iter().map(move |task| format!("{word}={task}"))
}

type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Drives all of them at once, in this task.
async fn all<T>(mut tasks: Vec<Work<'_, T>>) -> Vec<T> {
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
