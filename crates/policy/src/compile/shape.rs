//! Holds the tree against the schema: unknown keys, missing keys, wrong types, numbers out of bounds, words that are none.
//!
//! What is wrong is reported and cut out, so that the rest can be checked further.

use serde_json::{Map, Value};
use types::config::{BadValue, Dollars, Period, SecretRef, Size};

use super::{path::Path, problem::Report};
use crate::{nearest, schema::Kind, shown};

/// Reports every mismatch and leaves a tree that the document's type accepts.
pub(crate) fn check(tree: &mut Value, schema: &Value, report: &mut Report) {
    let mut check = Check { root: schema, report };
    if !check.node(schema, tree, &Path::root()) {
        *tree = Value::Object(Map::new());
    }
}

struct Check<'a> {
    root: &'a Value,
    report: &'a mut Report,
}

impl Check<'_> {
    /// Whether the node may stay.
    fn node(&mut self, schema: &Value, node: &mut Value, path: &Path) -> bool {
        match Kind::of(self.root, schema) {
            Kind::Object { properties, required } => match node {
                Value::Object(members) => self.members(properties, &required, members, path),
                other => self.mismatch(path, "a table", other),
            },
            Kind::Map(inner) => match node {
                Value::Object(members) => {
                    self.prune(members, |check, key, value| check.node(inner, value, &path.key(key)));
                    true
                }
                other => self.mismatch(path, "a table", other),
            },
            Kind::List(inner) => match node {
                Value::Array(elements) => {
                    self.elements(inner, elements, path);
                    true
                }
                other => self.mismatch(path, "a list", other),
            },
            Kind::TextOr(table) => match node {
                Value::String(_) => true,
                Value::Object(_) => self.node(table, node, path),
                other => self.mismatch(path, "a text or a table", other),
            },
            leaf => self.leaf(&leaf, node, path),
        }
    }

    fn leaf(&mut self, kind: &Kind<'_>, node: &Value, path: &Path) -> bool {
        match (kind, node) {
            (Kind::Boolean, Value::Bool(_)) | (Kind::Text, Value::String(_)) => true,
            (Kind::Boolean, other) => self.mismatch(path, "true or false", other),
            (Kind::Integer { min, max }, other) => {
                let number = other.as_i64();
                let good = number.is_some_and(|n| min.is_none_or(|min| n >= min) && max.is_none_or(|max| n <= max));
                good || self.mismatch(path, &bounds(*min, *max), other)
            }
            (Kind::Words(words), Value::String(text)) if words.contains(&text.as_str()) => true,
            (Kind::Words(words), Value::String(text)) => {
                let near = nearest::hint(text, words.iter().copied());
                self.report.add(path, format!("expected one of {}, found {}{near}", list(words), shown::value(text)));
                false
            }
            (Kind::Words(words), other) => self.mismatch(path, &format!("one of {}", list(words)), other),
            (Kind::Notation("Size"), Value::Number(number)) if number.is_u64() => true,
            (Kind::Notation(name), Value::String(text)) => self.notation(path, notation(name, text)),
            (Kind::Notation(name), other) => {
                let expected = notation(name, "").err().map_or_else(String::new, |bad| bad.0);
                let expected = expected.strip_prefix("expected ").unwrap_or("a text").to_owned();
                self.mismatch(path, &expected, other)
            }
            (_, other) => self.mismatch(path, "a text", other),
        }
    }

    fn notation(&mut self, path: &Path, read: Result<(), BadValue>) -> bool {
        match read {
            Ok(()) => true,
            Err(bad) => {
                self.report.add(path, bad.0);
                false
            }
        }
    }

    fn members(
        &mut self,
        properties: Option<&Map<String, Value>>,
        required: &[&str],
        members: &mut Map<String, Value>,
        path: &Path,
    ) -> bool {
        let property = |name: &str| properties.and_then(|p| p.get(name));
        for name in required.iter().filter(|name| !members.contains_key(**name)) {
            let what = property(name).and_then(|p| p.get("description")).and_then(Value::as_str);
            self.report.add(&path.key(name), format!("this is missing: {}", what.unwrap_or("it has no default")));
        }
        self.prune(members, |check, key, value| match property(key) {
            Some(schema) => check.node(schema, value, &path.key(key)),
            None => {
                let known: Vec<&str> = properties.into_iter().flat_map(|p| p.keys()).map(String::as_str).collect();
                let near = nearest::hint(key, known.iter().copied());
                check
                    .report
                    .add(&path.key(key), format!("there is no such setting{near}; known here are {}", list(&known)));
                false
            }
        });
        // Something stands in for what has no default, so that its neighbours can be checked; its own path was reported.
        for name in required {
            let stands_in = match property(name).map(|p| Kind::of(self.root, p)) {
                Some(Kind::Notation("SecretRef")) => Value::from("env:MISSING"),
                Some(Kind::List(_)) => Value::Array(Vec::new()),
                _ => Value::from("missing"),
            };
            members.entry(*name).or_insert(stands_in);
        }
        true
    }

    fn elements(&mut self, schema: &Value, elements: &mut Vec<Value>, path: &Path) {
        let mut kept = Vec::with_capacity(elements.len());
        let mut index = 0;
        elements.retain_mut(|element| {
            let stays = self.node(schema, element, &path.index(index));
            if stays {
                kept.push(index);
            }
            index += 1;
            stays
        });
        self.report.keep(path.clone(), kept);
    }

    /// Removes the members for which `stays` is false.
    fn prune(&mut self, members: &mut Map<String, Value>, mut stays: impl FnMut(&mut Self, &str, &mut Value) -> bool) {
        members.retain(|key, value| stays(self, key, value));
    }

    fn mismatch(&mut self, path: &Path, expected: &str, found: &Value) -> bool {
        self.report.add(path, format!("expected {expected}, found {}", describe(found)));
        false
    }
}

/// Reads a text in the notation of this type.
fn notation(name: &str, text: &str) -> Result<(), BadValue> {
    match name {
        "Period" => text.parse::<Period>().map(drop),
        "Size" => text.parse::<Size>().map(drop),
        "Dollars" => text.parse::<Dollars>().map(drop),
        _ => text.parse::<SecretRef>().map(drop),
    }
}

/// What a value is, without the value itself.
fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "a date or nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.as_i64().is_some_and(|n| n < 0) => "a negative number",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

fn bounds(min: Option<i64>, max: Option<i64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
        (Some(min), None) => format!("a whole number of at least {min}"),
        (None, Some(max)) => format!("a whole number of at most {max}"),
        (None, None) => "a whole number".to_owned(),
    }
}

fn list(words: &[&str]) -> String {
    words.join(", ")
}
