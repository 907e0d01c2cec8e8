//! Aliases and rules: names and expressions of the operator's own, and the routes that they choose.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use types::{
    Asked, BackendName,
    config::{self, Alias, Target},
};

use super::{checks::Checker, path::Path};
use crate::{
    compiled::{AliasPolicy, RoutingRules},
    health,
    name::{MAX_LENGTH, Names, parse_route},
    nearest, retry,
    rules::{AliasTarget, Rule},
    shown,
};

/// What an alias or rule may not be without.
const NO_TARGET: &str = "expected at least one route: huggingface/{backend}/{model}";

/// What stands where a route is read.
struct Around<'a> {
    names: &'a Names,
    aliases: &'a BTreeMap<String, Alias>,
}

/// An alias stands for routes, never for another alias: so there are no chains and no circles.
pub(super) fn ready(check: &mut Checker<'_, '_>, names: &mut Names, aliases: &BTreeMap<String, Alias>) {
    let mut read = Vec::with_capacity(aliases.len());
    for (alias, meaning) in aliases {
        let path = Path::of("aliases").key(alias);
        if alias.is_empty() || alias.len() > MAX_LENGTH || alias.trim() != alias || alias.chars().any(char::is_control)
        {
            check.report.add(&path, format!("an alias has 1 to {MAX_LENGTH} characters, and no spaces around them"));
        }
        let around = Around { names, aliases };
        match meaning {
            Alias::Route(route) => {
                read.extend(around.route(check, &path, route).map(|asked| (alias, asked, None)));
            }
            Alias::Policy(policy) => {
                let policy = around.policy(check, &path, policy);
                let first = policy.targets.first().map(|target| target.asked.clone());
                read.extend(first.map(|asked| (alias, asked, Some(Arc::new(policy)))));
            }
        }
    }
    for (alias, asked, policy) in read {
        names.add_alias(alias, asked, policy);
    }
}

/// The routing's part of the document.
pub(super) fn routing(check: &mut Checker<'_, '_>, from: &config::Routing, names: &Names) -> RoutingRules {
    let path = Path::of("routing");
    let none = BTreeMap::new();
    let around = Around { names, aliases: &none };
    times(check, from);
    RoutingRules {
        strategy: from.strategy,
        preferred: preferred(check, &path.key("preferred"), &from.preferred, names),
        own_servers_first: from.own_servers_first,
        failover: from.failover,
        hedging: from.hedging,
        continuation: from.continuation,
        patience: check.wait(&path.key("patience"), from.patience),
        rules: around.rules(check, &path.key("rules"), &from.rules),
        health: health::Settings::of(from),
        probe_wait: from.health.probe_wait.get(),
        probe_look: from.health.probe_look.get(),
        retries: Arc::new(retry::Settings::of(from)),
    }
}

fn preferred(check: &mut Checker<'_, '_>, path: &Path, places: &[String], names: &Names) -> Vec<BackendName> {
    let mut read = Vec::with_capacity(places.len());
    for (index, place) in places.iter().enumerate() {
        match names.backend(place) {
            Some(id) => read.push(id.clone()),
            None => {
                let path = check.report.element(path, index);
                let near = nearest::hint(place, names.known());
                check.report.add(&path, format!("there is no backend or server {}{near}", shown::value(place)));
            }
        }
    }
    read
}

/// Times of no length and times that contradict one another.
fn times(check: &mut Checker<'_, '_>, from: &config::Routing) {
    let at = Path::of("routing");
    let (health, asides, retries) = (at.key("health"), at.key("asides"), at.key("retries"));
    let (h, a, r) = (&from.health, &from.asides, &from.retries);
    for (path, name, time) in [
        (&health, "window", h.window),
        (&health, "baseline", h.baseline),
        (&health, "open", h.open),
        (&health, "open_max", h.open_max),
        (&health, "reserve", h.reserve),
        (&health, "probe", h.probe),
        (&health, "slow_start", h.slow_start),
        (&health, "spare_wait", h.spare_wait),
        (&health, "probe_look", h.probe_look),
        (&health, "first_event", h.first_event),
        (&health, "per_token", h.per_token),
        (&health, "explore_after", h.explore_after),
        (&asides, "unauthenticated", a.unauthenticated),
        (&asides, "forbidden", a.forbidden),
        (&asides, "payment", a.payment),
        (&asides, "rate_limited", a.rate_limited),
        (&asides, "rate_limited_max", a.rate_limited_max),
        (&asides, "quota", a.quota),
        (&asides, "not_found", a.not_found),
        (&retries, "backoff", r.backoff),
        (&retries, "backoff_max", r.backoff_max),
        (&retries, "loading_first", r.loading_first),
        (&retries, "loading_wait", r.loading_wait),
    ] {
        check.wait(&path.key(name), time);
    }
    for (path, name, longer, shorter) in [
        (&health, "open_max", h.open_max, h.open),
        (&asides, "rate_limited_max", a.rate_limited_max, a.rate_limited),
        (&retries, "backoff_max", r.backoff_max, r.backoff),
        (&retries, "loading_wait", r.loading_wait, r.loading_first),
    ] {
        if longer < shorter {
            check.report.add(&path.key(name), format!("expected at least {shorter}, with which it begins"));
        }
    }
    // These may be of no length: then such a call does not wait, nothing is added, and no connection was dead before.
    for (path, name, time) in [
        (&health, "probe_wait", h.probe_wait),
        (&health, "key_slack_time", h.key_slack_time),
        (&retries, "stale", r.stale),
    ] {
        check.period(&path.key(name), time, Duration::ZERO, super::checks::DAY);
    }
}

impl Around<'_> {
    fn policy(&self, check: &mut Checker<'_, '_>, path: &Path, from: &config::AliasPolicy) -> AliasPolicy {
        let mut fallbacks = Vec::with_capacity(from.fallbacks.len());
        for (index, route) in from.fallbacks.iter().enumerate() {
            let path = check.report.element(&path.key("fallbacks"), index);
            fallbacks.extend(self.route(check, &path, route));
        }
        let max_first_event =
            from.max_first_event.map(|time| -> Duration { check.wait(&path.key("max_first_event"), time) });
        AliasPolicy {
            targets: self.targets(check, &path.key("targets"), &from.targets),
            strategy: from.strategy,
            max_price: from.max_price.map(config::Dollars::micros),
            max_first_event,
            own_servers_first: from.own_servers_first,
            fallbacks,
            failover: from.failover,
            hedging: from.hedging,
            continuation: from.continuation,
            sticky: from.sticky.as_ref().and_then(|name| header(check, &path.key("sticky"), name)),
            rules: self.rules(check, &path.key("rules"), &from.rules),
        }
    }

    fn rules(&self, check: &mut Checker<'_, '_>, path: &Path, from: &[config::Rule]) -> Vec<Rule> {
        let mut rules = Vec::with_capacity(from.len());
        for (index, rule) in from.iter().enumerate() {
            let path = check.report.element(path, index);
            let targets = self.targets(check, &path.key("targets"), &rule.targets);
            match Rule::new(&rule.when, targets) {
                Ok(rule) => rules.push(rule),
                Err(why) => check.report.add(&path.key("when"), why),
            }
        }
        rules
    }

    fn targets(&self, check: &mut Checker<'_, '_>, path: &Path, from: &[Target]) -> Vec<AliasTarget> {
        if from.is_empty() {
            check.report.add(path, NO_TARGET.to_owned());
        }
        let mut targets = Vec::with_capacity(from.len());
        for (index, target) in from.iter().enumerate() {
            let path = check.report.element(path, index);
            let (path, route, weight, priority) = match target {
                Target::Route(route) => (path, route, 1, 0),
                Target::Weighed(own) => (path.key("model"), &own.model, own.weight, own.priority),
            };
            let asked = self.route(check, &path, route);
            targets.extend(asked.map(|asked| AliasTarget { asked, weight, priority }));
        }
        targets
    }

    /// Reads a route; if it is bad, that was reported.
    fn route(&self, check: &mut Checker<'_, '_>, path: &Path, route: &str) -> Option<Asked> {
        if self.aliases.contains_key(route) {
            let message = "an alias stands for a route, not for another alias: write huggingface/{backend}/{model}";
            check.report.add(path, message.to_owned());
            return None;
        }
        match parse_route(route, self.names) {
            Ok(asked) => return Some(asked),
            Err(_) if shown::value(route) == types::secret::MASK => {
                check.report.add(path, "expected a route: huggingface/{backend}/{model}".to_owned());
            }
            Err(fault) => check.report.add(path, fault.message),
        }
        None
    }
}

/// The name of a header, in lower case.
fn header(check: &mut Checker<'_, '_>, path: &Path, name: &str) -> Option<Box<str>> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
        check.report.add(path, "expected the name of a header, such as \"x-session-id\"".to_owned());
        return None;
    }
    let name = name.to_ascii_lowercase();
    if matches!(name.as_str(), "authorization" | "x-api-key" | "cookie" | "api-key" | "x-goog-api-key") {
        check.report.add(path, "this header holds a credential; calls cannot be kept together by it".to_owned());
        return None;
    }
    Some(name.into())
}
