//! Faults on demand: rules that say which requests go wrong, how often, and how.

mod apply;
mod framing;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::knobs::{Ends, Knobs};
use crate::place::{Hub, Place};
use crate::world;
use framing::Framing;

/// One rule, as `POST /_sandbox/faults` takes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(default, rename = "match")]
    only: Match,
    /// How many requests it meets; left out: all.
    times: Option<u64>,
    /// Of a hundred that fit, so many meet it: which ones is scattered, and the same in every run. Left out: all.
    percent: Option<u64>,
    /// How many have fitted so far.
    #[serde(skip)]
    fitted: u64,
    /// Waits this long first.
    #[serde(default)]
    delay_ms: u64,
    fault: Fault,
}

/// Which requests a rule meets: all that fit every member given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Match {
    backend: Option<String>,
    area: Option<String>,
    operation: Option<String>,
    path_prefix: Option<String>,
    method: Option<String>,
    model: Option<String>,
    stream: Option<bool>,
    /// The name that the journal has for the token or key.
    key: Option<String>,
}

impl Rule {
    /// Whether this one of those that fit is among the hundredths that meet it: each hundred has exactly so many.
    fn hits(&mut self) -> bool {
        let Some(percent) = self.percent else { return true };
        let number = self.fitted;
        self.fitted += 1;
        // 37 and 100 have no common divisor: in a hundred steps every hundredth comes once, far from its neighbours.
        (number * 37 + number / 100 * 11) % 100 < percent
    }
}

/// What goes wrong. `docs/sandbox.md` describes each.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Fault {
    Delay {},
    Status {
        status: u16,
        body: Option<String>,
        content_type: Option<String>,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    Loading {
        #[serde(default = "twenty")]
        estimated_time: f64,
    },
    RateLimited {
        retry_after: Option<String>,
    },
    Stall {
        #[serde(default)]
        after: usize,
        #[serde(default)]
        before_head: bool,
    },
    Comments {
        #[serde(default = "three")]
        count: usize,
        #[serde(default)]
        gap_ms: u64,
        then: AfterComments,
    },
    Reset {
        #[serde(default)]
        after: usize,
        #[serde(default)]
        before_head: bool,
    },
    Cut {
        #[serde(default)]
        after: usize,
    },
    Truncate {
        #[serde(default)]
        after: usize,
        #[serde(default)]
        mid_frame: bool,
        bytes: Option<usize>,
    },
    Close {},
    Framing {
        #[serde(rename = "as")]
        how: Framing,
    },
    StreamError {
        #[serde(default)]
        after: usize,
        #[serde(default)]
        shape: ErrorEvent,
        #[serde(default = "overloaded")]
        message: String,
        #[serde(default)]
        done: bool,
    },
    Remap {
        model: String,
        to: String,
    },
    Html {
        #[serde(default = "bad_gateway")]
        status: u16,
    },
    ContentType {
        value: String,
    },
    ContentLength {
        delta: i64,
    },
    Huge {
        #[serde(default = "server_error")]
        status: u16,
        bytes: usize,
    },
    Slow {
        bytes: usize,
        gap_ms: u64,
    },
    Endless {
        #[serde(default)]
        gap_ms: u64,
    },
    EchoKey {
        place: KeyPlace,
        #[serde(default = "bad_request")]
        status: u16,
    },
    ClockSkew {
        seconds: i64,
    },
    Headers {
        headers: BTreeMap<String, String>,
    },
    Frames {
        frames: Vec<String>,
        content_type: Option<String>,
        #[serde(default)]
        gap_ms: u64,
        #[serde(default)]
        end: End,
    },
    Redirect {
        to: String,
        #[serde(default = "found")]
        status: u16,
    },
    Job {
        polls: Option<usize>,
        #[serde(default)]
        ends: Ends,
        message: Option<String>,
    },
    Raw {
        #[serde(default)]
        text: String,
        #[serde(default)]
        base64: String,
    },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AfterComments {
    Stall,
    Answer,
    Endless,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ErrorEvent {
    #[default]
    Object,
    Text,
    /// With a line `event: error`.
    Named,
    /// As Anthropic says that it is overloaded.
    Anthropic,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyPlace {
    Header,
    Body,
    Error,
    StreamError,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    #[default]
    Clean,
    Cut,
    Reset,
    Stall,
}

fn found() -> u16 {
    302
}
fn twenty() -> f64 {
    20.0
}
fn three() -> usize {
    3
}
fn overloaded() -> String {
    "Model is overloaded".into()
}
fn bad_gateway() -> u16 {
    502
}
fn server_error() -> u16 {
    500
}
fn bad_request() -> u16 {
    400
}

/// A fault that a request has met.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    fault: Fault,
    delay: Duration,
    name: String,
}

impl Active {
    pub(crate) fn delay(&self) -> Duration {
        self.delay
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A fault of a job is a setting for the one request that submits it.
    pub(crate) fn adjust(&self, knobs: &mut Knobs) {
        if let Fault::Job { polls, ends, message } = &self.fault {
            knobs.queue_polls = polls.unwrap_or(knobs.queue_polls);
            knobs.queue_ends = *ends;
            knobs.queue_message = message.clone().unwrap_or_else(|| knobs.queue_message.clone());
        }
    }

    /// Whether nothing at all is sent until the client leaves.
    pub(crate) fn hangs(&self) -> bool {
        matches!(self.fault, Fault::Stall { before_head: true, .. })
    }
}

/// All rules, in the order in which they came; a request meets the first that fits.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<(Rule, Value)>>);

impl Faults {
    fn rules(&self) -> MutexGuard<'_, Vec<(Rule, Value)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, text: &Value) -> Result<(), String> {
        let rule: Rule = serde_json::from_value(text.clone()).map_err(|error| error.to_string())?;
        if rule.percent.is_some_and(|percent| percent > 100) {
            return Err("percent is from 0 to 100".into());
        }
        if let Fault::Remap { model, .. } = &rule.fault {
            let known = world::model(model).is_some();
            let backend = rule.only.backend.is_some();
            if !known || !backend || rule.times.is_some() {
                return Err("remap needs match.backend and a model of the world, and takes no times".into());
            }
        }
        self.rules().push((rule, text.clone()));
        Ok(())
    }

    pub(crate) fn clear(&self) {
        self.rules().clear();
    }

    /// The rules as they were given, with what is left of `times`.
    pub(crate) fn list(&self) -> Vec<Value> {
        let shown = |(rule, text): &(Rule, Value)| {
            let mut text = text.clone();
            text["times"] = json!(rule.times);
            text
        };
        self.rules().iter().map(shown).collect()
    }

    /// The fault that this request meets, if any; counts it.
    pub(crate) fn take(&self, ask: &Ask, place: &Place) -> Option<Active> {
        let mut rules = self.rules();
        let fits = |rule: &Rule| !matches!(rule.fault, Fault::Remap { .. }) && rule.only.fits(ask, place);
        let (rule, text) = rules.iter_mut().find(|(rule, _)| rule.times != Some(0) && fits(rule))?;
        if !rule.hits() {
            return None;
        }
        rule.times = rule.times.map(|times| times - 1);
        let name = text.pointer("/fault/kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Active { fault: rule.fault.clone(), delay: Duration::from_millis(rule.delay_ms), name })
    }

    /// The new id under which a backend serves a Hub model, if it was remapped.
    pub(crate) fn remapped(&self, backend: &str, hub_id: &str) -> Option<String> {
        self.rules().iter().rev().find_map(|(rule, _)| match &rule.fault {
            Fault::Remap { model, to } if model == hub_id && rule.only.backend.as_deref() == Some(backend) => {
                Some(to.clone())
            }
            _ => None,
        })
    }

    /// Whether a backend knows this id of its own because of a remap: yes for the new, no for the old, none if untouched.
    pub(crate) fn moved(&self, backend: &str, id: &str) -> Option<bool> {
        let here = |route: &&world::Route| route.backend == backend;
        world::models().find_map(|model| {
            let to = self.remapped(backend, model.id)?;
            let old = model.routes.iter().find(here).is_some_and(|route| route.provider_id == id);
            if to == id { Some(true) } else { old.then_some(false) }
        })
    }

    /// The route that a backend's id leads to, as it is now.
    pub(crate) fn route(&self, backend: &str, id: &str) -> Option<&'static world::Route> {
        let here = |route: &&world::Route| route.backend == backend;
        let moved = |model: &'static world::Model| {
            let to = self.remapped(backend, model.id).filter(|to| to == id);
            to.and_then(|_| model.routes.iter().find(here))
        };
        match self.moved(backend, id) {
            Some(true) => world::models().find_map(moved),
            Some(false) => None,
            None => world::served(backend, id),
        }
    }
}

impl Match {
    fn fits(&self, ask: &Ask, place: &Place) -> bool {
        let same = |wanted: &Option<String>, have: &str| wanted.as_deref().is_none_or(|wanted| wanted == have);
        let body = || serde_json::from_slice::<Value>(&ask.body).unwrap_or_default();
        same(&self.area, place.area())
            && same(&self.operation, place.operation(ask))
            && same(&self.method, &ask.method)
            && self.key.as_deref().is_none_or(|wanted| ask.credential.name.as_deref() == Some(wanted))
            && self.backend.as_deref().is_none_or(|wanted| place.backend() == Some(wanted))
            && self.path_prefix.as_deref().is_none_or(|prefix| ask.path.starts_with(prefix))
            && self.stream.is_none_or(|wanted| (body().get("stream") == Some(&Value::Bool(true))) == wanted)
            && self.model.as_deref().is_none_or(|wanted| {
                let hub = matches!(place, Place::Hub(Hub::Model(id)) if id == wanted);
                hub || ask.path.contains(wanted) || body().get("model").and_then(Value::as_str) == Some(wanted)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::Faults;
    use serde_json::json;

    #[test]
    fn unknown_members_and_kinds_are_refused() {
        let faults = Faults::default();
        assert!(faults.add(&json!({"fault": {"kind": "explode"}})).is_err());
        assert!(faults.add(&json!({"fault": {"kind": "delay", "ms": 3}})).is_err());
        assert!(faults.add(&json!({"match": {"who": 1}, "fault": {"kind": "delay"}})).is_err());
        assert!(faults.add(&json!({"delay_ms": 3, "fault": {"kind": "delay"}})).is_ok());
    }

    #[test]
    fn of_each_hundred_so_many_meet_a_fault_and_they_are_scattered() {
        let rule = json!({"percent": 30, "fault": {"kind": "delay"}});
        let mut rule: super::Rule = serde_json::from_value(rule).unwrap();
        for _ in 0..5 {
            let hits: Vec<bool> = (0..100).map(|_| rule.hits()).collect();
            assert_eq!(hits.iter().filter(|hit| **hit).count(), 30);
            assert!(hits.windows(4).all(|few| few.contains(&false)));
        }
        assert!(Faults::default().add(&json!({"percent": 101, "fault": {"kind": "delay"}})).is_err());
    }

    #[test]
    fn a_remap_moves_one_id_of_one_backend() {
        let faults = Faults::default();
        let rule = json!({"match": {"backend": "groq"},
            "fault": {"kind": "remap", "model": "meta-llama/Llama-3.1-8B-Instruct", "to": "new-name"}});
        faults.add(&rule).unwrap();
        assert_eq!(faults.moved("groq", "new-name"), Some(true));
        assert_eq!(faults.moved("groq", "llama-3.1-8b-instant"), Some(false));
        assert_eq!(faults.moved("groq", "everywhere-instant"), None);
        assert_eq!(faults.moved("cerebras", "llama3.1-8b"), None);
    }
}
