//! Members by their types, and the words in which a bad one is refused.

use std::fmt::Display;

use serde_json::{Map, Value};
use types::{Fault, Result};

use crate::heard::{Notes, bad};

/// Refuses what is not what it claims to be; names it when the caller is lenient.
pub(super) fn distrust(notes: &mut Notes, member: impl Display, why: &str) -> Result<()> {
    let member = member.to_string();
    notes.refuse(member.as_str(), why).map_err(|_| wrong(member, why))
}

/// A member with a bad value.
pub(super) fn wrong(member: impl Display, why: &str) -> Box<Fault> {
    bad(member.to_string(), why)
}

/// Takes a string out of an object.
pub(super) fn text(map: &mut Map<String, Value>, name: &str, at: impl Display) -> Result<String> {
    match map.get_mut(name).map(Value::take) {
        Some(Value::String(text)) => Ok(text),
        Some(Value::Null) | None => Err(wrong(format_args!("{at}.{name}"), "is missing: it must be a string")),
        Some(_) => Err(wrong(format_args!("{at}.{name}"), "must be a string")),
    }
}

/// The object that stands somewhere.
pub(super) fn object(value: Value, at: impl Display) -> Result<Map<String, Value>> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(wrong(at, "must be an object")),
    }
}

/// The array that stands somewhere.
pub(super) fn array(value: Value, at: impl Display) -> Result<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(wrong(at, "must be an array")),
    }
}

/// A boolean, false when it is missing.
pub(super) fn flag(map: &Map<String, Value>, name: &str, at: impl Display) -> Result<bool> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(said)) => Ok(*said),
        Some(_) => Err(wrong(format_args!("{at}.{name}"), "must be a boolean")),
    }
}
