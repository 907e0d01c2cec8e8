//! A configuration in the place of the one that runs: what of it has to wait for the next start, and what it makes untrue of
//! what was remembered.

use std::{collections::HashMap, sync::Arc};

use types::{BackendName, Secret};

use super::Compiled;

impl Compiled {
    /// Takes from `running` what only a start can change: what was opened, bound or sized then. Gives the names of the settings
    /// whose new values wait for the next start.
    pub fn keep_fixed(&mut self, running: &Self) -> Vec<&'static str> {
        let mut waiting = Vec::new();
        let mut keep = |name, changed: bool| {
            if changed {
                waiting.push(name);
            }
        };
        keep("listener", self.listener != running.listener);
        keep("limits.held_bodies", self.limits.held_bodies != running.limits.held_bodies);
        keep("timeouts.drain", self.timeouts.drain != running.timeouts.drain);
        keep("timeouts.silence", self.timeouts.silence != running.timeouts.silence);
        keep("timeouts.addresses", self.timeouts.addresses != running.timeouts.addresses);
        keep("huggingface.hub", self.hub != running.hub);
        keep("huggingface.router", self.router != running.router);
        keep("log", self.log != running.log);
        keep("data", self.data != running.data);
        keep("catalog", self.catalog != running.catalog);
        keep("assets.kept", self.assets.kept != running.assets.kept);
        keep("jobs.running", self.jobs.running != running.jobs.running);
        keep("responses.kept", self.responses.kept != running.responses.kept);
        self.listener = running.listener.clone();
        self.limits.held_bodies = running.limits.held_bodies;
        self.timeouts.drain = running.timeouts.drain;
        self.timeouts.silence = running.timeouts.silence;
        self.timeouts.addresses = running.timeouts.addresses;
        (self.hub, self.router) = (running.hub.clone(), running.router.clone());
        (self.log, self.data) = (running.log.clone(), running.data.clone());
        self.data_is_named = running.data_is_named;
        self.catalog = running.catalog;
        self.assets.kept = running.assets.kept;
        self.jobs.running = running.jobs.running;
        self.responses.kept = running.responses.kept;
        waiting
    }

    /// Keys of this configuration that the next one does not have, or has with another secret: what is known of them is of no
    /// use any more.
    pub fn keys_gone(&self, next: &Self) -> Vec<Arc<str>> {
        let secrets = |of: &Self| -> HashMap<Arc<str>, Secret> {
            of.keys.all().map(|key| (Arc::clone(&key.name), key.secret.clone())).collect()
        };
        let new = secrets(next);
        secrets(self).into_iter().filter(|(name, old)| new.get(name) != Some(old)).map(|(name, _)| name).collect()
    }

    /// Servers of this configuration that the next one does not have, or has at another address.
    pub fn servers_gone(&self, next: &Self) -> Vec<BackendName> {
        let stays = |old: &super::Server| next.servers.iter().any(|new| new.name == old.name && new.url == old.url);
        self.servers.iter().filter(|old| !stays(old)).map(|old| old.name.clone()).collect()
    }
}
