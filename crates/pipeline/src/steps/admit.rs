//! What needs no target: what the model's name means, what else may serve, and until when the request may take.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::HeaderMap;
use policy::{
    compiled::AliasPolicy,
    credentials::Presented,
    order::{self, Need, Strategy},
    rules::{self, AliasTarget},
};
use types::{Asked, Operation, Result, Secret};

use super::authenticate::Caller;
use crate::{Gateway, doors::Ask, elsewhere::Binding, snapshot::Snapshot, vendors};

/// A call that may go on.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) ask: Ask,
    /// The name as the caller wrote it.
    pub(crate) name: Arc<str>,
    /// What it means.
    pub(crate) asked: Asked,
    /// What is asked.
    pub(crate) operation: Operation,
    /// Whether a stream is wanted.
    pub(crate) stream: bool,
    /// Headers of the caller that go on to a vendor, where the name may mean one.
    pub(crate) carried: Option<Arc<HeaderMap>>,
    /// What else may serve, where anybody said something about it.
    pub(crate) detour: Option<Arc<Detour>>,
    /// The only way that leads to what the call continues, where a vendor keeps that.
    pub(crate) bound: Binding,
}

/// What a caller, an alias or a rule says about who may serve beyond the model's name.
#[derive(Debug, Default)]
pub(crate) struct Detour {
    /// Who may serve; empty: what the name means.
    pub(crate) targets: Vec<AliasTarget>,
    /// Other models, in their order.
    pub(crate) stand_ins: Vec<Asked>,
    /// What the alias says.
    pub(crate) policy: Option<Arc<AliasPolicy>>,
    /// Whether a backend that is named may be left for another one.
    pub(crate) failover: Option<bool>,
    /// The most that the call may cost, in micro-dollars.
    pub(crate) max_price: Option<u64>,
    /// Calls with the same number go to the same target.
    pub(crate) sticky: Option<u64>,
}

impl Ticket {
    /// The caller's own Hugging Face token, where the call goes out with it: the Hub is then asked with it as well.
    pub(crate) fn own_token(&self) -> Option<&Secret> {
        let token = self.caller.credential.as_ref();
        self.snapshot.config.keys.callers_token(Presented { token, bill_to: None })
    }

    /// The same with headers of the caller that go on to a vendor.
    pub(crate) fn carrying(self, carried: Option<Arc<HeaderMap>>) -> Self {
        Self { carried, ..self }
    }

    /// When `limit` after the request's arrival is over, or sooner where the caller asked for less.
    pub(crate) fn until(&self, limit: Duration) -> Instant {
        self.ask.received + self.ask.timeout.map_or(limit, |asked| asked.min(limit))
    }

    /// Whether a call that names its backend may go to another one.
    pub(crate) fn may_move(&self) -> bool {
        self.detour.as_ref().and_then(|detour| detour.failover).unwrap_or(self.snapshot.config.routing.failover)
    }

    /// Whether only the model's name says who may serve, whoever calls.
    pub(crate) fn is_plain(&self) -> bool {
        let named = matches!(self.asked, Asked::Pinned { .. });
        !named && self.detour.is_none() && self.bound.is_none() && self.own_token().is_none()
    }

    /// How to choose: what the caller's suffix says stands above the alias, and that above the configuration.
    pub(crate) fn strategy(&self) -> Strategy {
        let suffix = match &self.asked {
            Asked::Auto { policy, .. } => order::strategy(*policy),
            Asked::Pinned { .. } => None,
        };
        suffix.or_else(|| self.alias()?.strategy).unwrap_or(self.snapshot.config.routing.strategy)
    }

    /// What the alias says, where the name is one that says more than a route.
    pub(crate) fn alias(&self) -> Option<&AliasPolicy> {
        self.detour.as_ref()?.policy.as_deref()
    }
}

/// What a call asks for, as far as it must be known to admit it.
pub(crate) struct Asking<N> {
    pub(crate) operation: Operation,
    pub(crate) stream: bool,
    /// Models that may serve instead, by its own word.
    pub(crate) instead: Vec<String>,
    /// What a backend must be able to do for it, where somebody wants to know.
    pub(crate) need: N,
}

/// Admits a call.
///
/// # Errors
/// What is wrong with the model's name, or with the names of those that may serve instead.
pub(crate) fn admit(
    gateway: &Gateway,
    snapshot: Arc<Snapshot>,
    caller: Caller,
    ask: Ask,
    name: &str,
    asking: &Asking<impl Fn() -> Need>,
) -> Result<Ticket> {
    let names = &snapshot.config.names;
    let asked = vendors::meaning(&snapshot, &caller, name)?;
    let (operation, stream) = (asking.operation, asking.stream);
    let nothing = asking.instead.is_empty() && ask.wishes.is_none();
    let detour = if nothing && names.policy(name).is_none() && snapshot.config.routing.rules.is_empty() {
        None
    } else {
        Some(Arc::new(detour(gateway, &snapshot, &caller, &ask, name, asking)?))
    };
    Ok(Ticket {
        caller: Arc::new(caller),
        ask,
        name: name.into(),
        asked,
        operation,
        stream,
        carried: None,
        snapshot,
        detour,
        bound: None,
    })
}

/// Gathers what the call, its alias and the rules say.
fn detour(
    gateway: &Gateway,
    snapshot: &Snapshot,
    caller: &Caller,
    ask: &Ask,
    name: &str,
    asking: &Asking<impl Fn() -> Need>,
) -> Result<Detour> {
    let names = &snapshot.config.names;
    let policy = names.policy(name).cloned();
    let wishes = ask.wishes.as_deref();
    let header = |name: &str| {
        let secret = matches!(name, "authorization" | "x-api-key" | "api-key" | "x-goog-api-key" | "cookie");
        let value = ask.headers.as_ref().filter(|_| !secret)?.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let by_alias = policy.as_ref().and_then(|policy| policy.sticky.as_deref()).and_then(header);
    let sticky = wishes.and_then(|wishes| wishes.session).or_else(|| by_alias.as_deref().map(order::sticky));
    let own_rules = policy.as_ref().map_or(&[][..], |policy| &policy.rules[..]);
    let mut targets = policy.as_ref().map(|policy| policy.targets.clone()).unwrap_or_default();
    if !own_rules.is_empty() || !snapshot.config.routing.rules.is_empty() {
        let need = (asking.need)();
        let facts = rules::Facts {
            model: name,
            operation: asking.operation.name(),
            stream: asking.stream,
            tools: need.tools,
            vision: need.vision,
            input_tokens: need.input_tokens,
            max_output: need.max_output,
            header: &header,
            key: "",
            unix: u64::try_from(crate::clock().0 / 1000).unwrap_or(0),
            percent: rules::percent(sticky.unwrap_or_else(|| fastrand::u64(..))),
            target: &|place| {
                let model = policy::parse(name, names).ok()?.model().clone();
                gateway.0.health.target(&types::BackendName::new(place), &model, Instant::now())
            },
        };
        let rule = rules::first(own_rules, &facts).or_else(|| rules::first(&snapshot.config.routing.rules, &facts));
        if let Some(rule) = rule {
            targets.clone_from(&rule.targets);
        }
    }
    let wished = wishes.map_or(&[][..], |wishes| &wishes.fallbacks[..]);
    let mut stand_ins = Vec::with_capacity(asking.instead.len() + wished.len());
    for other in asking.instead.iter().chain(wished) {
        stand_ins.push(vendors::meaning(snapshot, caller, other).map_err(|fault| match &fault.param {
            Some(_) => fault.param("fallbacks"),
            None => fault,
        })?);
    }
    stand_ins.extend(policy.iter().flat_map(|policy| policy.fallbacks.iter().cloned()));
    let failover = wishes.and_then(|wishes| wishes.failover).or_else(|| policy.as_ref()?.failover);
    let asked_price = wishes.and_then(|wishes| wishes.max_price);
    let max_price = [asked_price, policy.as_ref().and_then(|policy| policy.max_price)].into_iter().flatten().min();
    Ok(Detour { targets, stand_ins, policy, failover, max_price, sticky })
}
