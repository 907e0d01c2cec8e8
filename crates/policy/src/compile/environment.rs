//! Lays environment variables and flags over the tree that the file gave.
//!
//! `IRONBOW_LISTENER__ADDRESS` is `listener.address`: two underscores are one step down. Keys of tables are matched
//! without regard to case and to `-` or `.` in place of `_`; lists and tables are JSON, or a step with an index.

use serde_json::{Map, Value};

use super::{
    Sources,
    path::Path,
    problem::{Place, Report},
};
use crate::{
    ids::BackendIds,
    nearest,
    schema::{Kind, settings, shout},
};

/// Names that Hugging Face's own clients read, and what they set. Ironbow's own variables win over them.
const HUGGING_FACE: &[(&str, &str)] = &[("HF_ENDPOINT", "huggingface.hub"), ("HF_ROUTER_URL", "huggingface.router")];

/// Short names for what is set most.
const SHORT: &[(&str, &str)] = &[("IRONBOW_LOG", "log.level"), ("IRONBOW_LISTEN", "listener.address")];

/// Variables that are no settings: the command line reads the first, clients of the gateway the second.
const ELSEWHERE: &[&str] = &["IRONBOW_CONFIG", "IRONBOW_URL"];

const PREFIX: &str = "IRONBOW_";

pub(crate) fn overlay(
    tree: &mut Value,
    schema: &Value,
    sources: &Sources<'_>,
    backends: &[BackendIds<'_>],
    report: &mut Report,
) {
    let mut overlay = Overlay { tree, schema, backends, report };
    for (name, setting) in HUGGING_FACE {
        if let Some(text) = sources.env.get(*name).map(|text| text.trim()).filter(|text| !text.is_empty()) {
            overlay.set(setting.split('.'), text, &Place::Variable((*name).to_owned()));
        }
    }
    for (name, setting) in SHORT {
        if let Some(text) = sources.env.get(*name) {
            let long = variable(setting);
            if sources.env.get(&long).is_some_and(|other| other != text) {
                let message = format!("{name} and {long} set the same thing differently; remove one of them");
                overlay.report.add_at(Place::Variable((*name).to_owned()), &Path::of(setting), message);
            }
            overlay.set(setting.split('.'), text, &Place::Variable((*name).to_owned()));
        }
    }
    for (name, text) in own_variables(sources) {
        let place = Place::Variable(name.to_owned());
        overlay.set(name[PREFIX.len()..].split("__"), text, &place);
    }
    for flag in sources.flags {
        overlay.set(flag.setting.split('.'), flag.text, &Place::Flag(flag.name.to_owned()));
    }
}

/// Ironbow's variables, lists in the order of their indexes.
fn own_variables<'a>(sources: &'a Sources<'_>) -> Vec<(&'a str, &'a str)> {
    let mut own: Vec<(&str, &str)> = sources
        .env
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .filter(|(name, _)| !ELSEWHERE.contains(name) && !SHORT.iter().any(|(short, _)| short == name))
        .collect();
    own.sort_by_key(|(name, _)| {
        name.split("__").map(|part| (part.parse::<u32>().ok(), part.to_owned())).collect::<Vec<_>>()
    });
    own
}

fn variable(setting: &str) -> String {
    let steps: Vec<String> = setting.split('.').map(shout).collect();
    format!("{PREFIX}{}", steps.join("__"))
}

struct Overlay<'a> {
    tree: &'a mut Value,
    schema: &'a Value,
    backends: &'a [BackendIds<'a>],
    report: &'a mut Report,
}

/// Why a name sets nothing.
enum Miss {
    /// The step of this number is none of these.
    Unknown(usize, Vec<String>),
    /// Something under a value that has nothing under it.
    TooDeep,
    /// An index behind the end of a list of this length.
    Index(usize),
}

impl Overlay<'_> {
    fn set<'s>(&mut self, steps: impl Iterator<Item = &'s str>, text: &str, place: &Place) {
        let steps: Vec<&str> = steps.collect();
        let schema = self.schema;
        match self.resolve(schema, &steps) {
            Ok((path, keys, node)) => self.put(&path, &keys, &Kind::of(schema, node), text, place),
            Err(miss) => {
                let message = explain(&miss, &steps, place);
                self.report.add_at(place.clone(), &Path::root(), message);
            }
        }
    }

    /// Follows the steps through schema and tree.
    fn resolve<'s>(&self, schema: &'s Value, steps: &[&'s str]) -> Result<(Path, Vec<Key>, &'s Value), Miss> {
        let (mut path, mut keys, mut node) = (Path::root(), Vec::new(), schema);
        let mut here = Some(&*self.tree);
        for (at, step) in steps.iter().enumerate() {
            let key = match Kind::of(schema, node).table(schema) {
                Kind::Object { properties, .. } => {
                    let found = properties.and_then(|p| p.iter().find(|(name, _)| shout(name) == shout(step)));
                    let Some((name, inner)) = found else {
                        let known = properties.into_iter().flat_map(|p| p.keys()).map(|name| shout(name)).collect();
                        return Err(Miss::Unknown(at, known));
                    };
                    node = inner;
                    Key::Name(name.clone())
                }
                Kind::Map(inner) if !step.is_empty() => {
                    node = inner;
                    Key::Name(self.free_key(&path, here, step))
                }
                Kind::List(inner) => {
                    let length = here.and_then(Value::as_array).map_or(0, Vec::len);
                    let index = step.parse().ok().filter(|index| *index <= length).ok_or(Miss::Index(length))?;
                    node = inner;
                    Key::Index(index)
                }
                _ => return Err(Miss::TooDeep),
            };
            (path, here) = match &key {
                Key::Name(name) => (path.key(name), here.and_then(|here| here.get(name))),
                Key::Index(index) => (path.index(*index), here.and_then(|here| here.get(index))),
            };
            keys.push(key);
        }
        Ok((path, keys, node))
    }

    /// The key that a variable's spelling means: one that the file has, a backend's id, or the spelling in lower case.
    fn free_key(&self, path: &Path, here: Option<&Value>, step: &str) -> String {
        let wanted = shout(step);
        let in_file = here.and_then(Value::as_object).and_then(|map| map.keys().find(|key| shout(key) == wanted));
        if let Some(key) = in_file {
            return key.clone();
        }
        if *path == Path::of("backends") {
            let names = self.backends.iter().flat_map(|backend| backend.aliases.iter().chain([&backend.id]));
            if let Some(name) = names.into_iter().find(|name| shout(name) == wanted) {
                return (*name).to_owned();
            }
        }
        step.to_ascii_lowercase().replace('_', "-")
    }

    fn put(&mut self, path: &Path, keys: &[Key], kind: &Kind<'_>, text: &str, place: &Place) {
        let value = match kind {
            Kind::Object { .. } | Kind::Map(_) | Kind::List(_) => match serde_json::from_str::<Value>(text) {
                Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
                _ => {
                    let form = if matches!(kind, Kind::List(_)) { "[…]" } else { "{…}" };
                    self.report.add_at(place.clone(), path, format!("expected JSON here: {form}"));
                    return;
                }
            },
            Kind::TextOr(_) => match serde_json::from_str::<Value>(text) {
                Ok(value @ Value::Object(_)) => value,
                _ => Value::String(text.to_owned()),
            },
            // What is no number stays a text: the shape check says so, with the bounds.
            Kind::Integer { .. } => {
                text.trim().parse::<i64>().map_or_else(|_| Value::String(text.to_owned()), Into::into)
            }
            Kind::Boolean => match text.trim() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => Value::String(text.to_owned()),
            },
            _ => Value::String(text.to_owned()),
        };
        self.remember(path, &value, place);
        if let Some(slot) = slot(self.tree, keys) {
            merge(slot, value);
        }
    }

    fn remember(&mut self, path: &Path, value: &Value, place: &Place) {
        self.report.remember(path.clone(), place.clone());
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| self.remember(&path.key(key), value, place)),
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(index, value)| self.remember(&path.index(index), value, place));
            }
            _ => {}
        }
    }
}

enum Key {
    Name(String),
    Index(usize),
}

/// The place of these keys in the tree, made where it is missing; none if something else stands in the way.
fn slot<'t>(tree: &'t mut Value, keys: &[Key]) -> Option<&'t mut Value> {
    let mut here = tree;
    for key in keys {
        here = match key {
            Key::Name(name) => {
                if here.is_null() {
                    *here = Value::Object(Map::new());
                }
                here.as_object_mut()?.entry(name.as_str()).or_insert(Value::Null)
            }
            Key::Index(index) => {
                if here.is_null() {
                    *here = Value::Array(Vec::new());
                }
                let list = here.as_array_mut()?;
                if *index == list.len() {
                    list.push(Value::Null);
                }
                list.get_mut(*index)?
            }
        };
    }
    Some(here)
}

/// Tables are merged, everything else is replaced.
fn merge(slot: &mut Value, value: Value) {
    match (slot, value) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in new {
                merge(old.entry(key).or_insert(Value::Null), value);
            }
        }
        (slot, value) => *slot = value,
    }
}

fn explain(miss: &Miss, steps: &[&str], place: &Place) -> String {
    match miss {
        Miss::TooDeep => "there is no such setting: what stands before the last __ is a single value".to_owned(),
        Miss::Index(length) => format!("the list has {length} elements; the index is a number from 0 to {length}"),
        Miss::Unknown(at, known) => match nearest_variable(*at, known, steps, place) {
            Some(near) => format!("there is no such setting; did you mean {near}?"),
            None => format!("there is no such setting; known in its place are {}", known.join(", ")),
        },
    }
}

/// The variable that was probably meant: one with this step mended, or any that is near as a whole.
fn nearest_variable(at: usize, known: &[String], steps: &[&str], place: &Place) -> Option<String> {
    let Place::Variable(name) = place else { return None };
    let all: Vec<String> = settings().into_iter().map(|setting| setting.variable).collect();
    let short = SHORT.iter().map(|(short, _)| *short);
    if let Some(near) =
        nearest::nearest(name, all.iter().map(String::as_str).chain(short).chain(ELSEWHERE.iter().copied()))
    {
        return Some(near.to_owned());
    }
    let near = nearest::nearest(steps.get(at)?, known.iter().map(String::as_str))?;
    let mended: Vec<&str> = steps.iter().enumerate().map(|(i, step)| if i == at { near } else { *step }).collect();
    Some(format!("{PREFIX}{}", mended.join("__")))
}
