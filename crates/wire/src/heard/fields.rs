//! An object of a call whose members are taken one by one: what is left at the end was not understood.

use serde_json::{Map, Value};
use types::Result;

use super::bad;

/// The members not taken yet, and where the object stands in the call.
#[derive(Debug)]
pub(crate) struct Fields {
    path: String,
    map: Map<String, Value>,
}

impl Fields {
    /// The body itself.
    pub(crate) const fn top(map: Map<String, Value>) -> Self {
        Self { path: String::new(), map }
    }

    /// The object at `path`.
    pub(crate) fn of(path: impl Into<String>, value: Value) -> Result<Self> {
        let path = path.into();
        match value {
            Value::Object(map) => Ok(Self { path, map }),
            _ => Err(bad(path, "must be an object")),
        }
    }

    /// Where a member stands in the call.
    pub(crate) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes a member by its name in camel case or, as Google's servers allow, in snake case. Null is as good as none.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        let value = self.map.shift_remove(name).or_else(|| {
            name.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| self.map.shift_remove(&snake(name)))?
        });
        value.filter(|value| !value.is_null())
    }

    /// Takes a string.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(bad(self.at(name), "must be a string")),
        }
    }

    /// Takes a boolean.
    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(bad(self.at(name), "must be a boolean")),
        }
    }

    /// Takes a whole number.
    pub(crate) fn whole(&mut self, name: &str) -> Result<Option<i64>> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match super::whole(&value) {
                Some(number) => Ok(Some(number)),
                None => Err(bad(self.at(name), "must be a whole number")),
            },
        }
    }

    /// Takes an array; none is an empty one.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Value>> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(bad(self.at(name), "must be an array")),
        }
    }

    /// Takes an object.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => Self::of(self.at(name), value).map(Some),
        }
    }

    /// What nobody took and is not null, with its path.
    pub(crate) fn rest(self) -> Vec<(String, Value)> {
        let path = |name: &str| if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        let mut rest = Vec::new();
        for (name, value) in self.map {
            if !value.is_null() {
                rest.push((path(&name), value));
            }
        }
        rest
    }
}

/// `maxOutputTokens` as `max_output_tokens`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
