//! What a catalogue needs to know, and its limits.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use types::{Operation, Secret};

/// A backend whose models are listed.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its id.
    pub backend: Arc<str>,
    /// What it can be asked for; models for anything else are left out.
    pub operations: Vec<Operation>,
}

/// A Hugging Face token, or none; another one may take its place while it is in use. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Token(Arc<RwLock<Option<Secret>>>);

impl Token {
    /// The token of the moment.
    pub(crate) fn get(&self) -> Option<Secret> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another one in its place; says whether it is another one.
    pub(crate) fn set(&self, token: Option<Secret>) -> bool {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let other = *held != token;
        *held = token;
        other
    }
}

impl From<Option<Secret>> for Token {
    fn from(token: Option<Secret>) -> Self {
        Self(Arc::new(RwLock::new(token)))
    }
}

/// How a catalogue works. Start from [`Settings::new`] and change what differs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Hub's address.
    pub hub: String,
    /// The router's address.
    pub router: String,
    /// The gateway's own Hugging Face token. Never give a key of anybody else.
    pub token: Token,
    /// The backends whose models are listed.
    pub backends: Vec<Wanted>,
    /// Where the last state is kept; `None` keeps nothing.
    pub cache_dir: Option<PathBuf>,
    /// How long a model's entry is taken as it is.
    pub fresh: Duration,
    /// How long it is served at all while the Hub can be asked.
    pub stale: Duration,
    /// How long an unknown model is believed to be unknown.
    pub unknown: Duration,
    /// How long after a failure nothing is tried again for the same thing.
    pub pause: Duration,
    /// How long a look-up of one model may take.
    pub lookup_time: Duration,
    /// How many models are remembered, unknown ones included.
    pub max_models: usize,
    /// How many look-ups may be under way at once; more are refused.
    pub max_lookups: usize,
    /// How long the lists are taken as they are.
    pub list_fresh: Duration,
    /// How long fetching the lists may take.
    pub list_time: Duration,
    /// How many models are asked for per page of a list.
    pub page_size: usize,
    /// How many pages are read of one list, which is one backend's for one operation.
    pub max_pages: usize,
    /// How many models are read of one list, the most liked first.
    pub max_per_list: usize,
    /// How many items a listing may have.
    pub max_listed: usize,
    /// How long a change may wait before it is kept on disk.
    pub save_after: Duration,
}

impl Settings {
    /// The usual limits for these addresses.
    pub fn new(hub: impl Into<String>, router: impl Into<String>) -> Self {
        Self {
            hub: hub.into(),
            router: router.into(),
            token: Token::default(),
            backends: Vec::new(),
            cache_dir: None,
            fresh: Duration::from_secs(600),
            stale: Duration::from_secs(24 * 3600),
            unknown: Duration::from_secs(30),
            pause: Duration::from_secs(5),
            lookup_time: Duration::from_secs(10),
            max_models: 20_000,
            max_lookups: 256,
            list_fresh: Duration::from_secs(600),
            list_time: Duration::from_secs(60),
            page_size: 1000,
            max_pages: 120,
            max_per_list: 10_000,
            max_listed: 100_000,
            save_after: Duration::from_secs(20),
        }
    }
}
