//! A body as a tree, within the limits, with no member given twice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use types::{Fault, Kind, Result};

use crate::json::{self, Limits};

/// Reads a body.
///
/// # Errors
/// `BadRequest` when it is no JSON object, too deep or too rich, or gives a member twice.
pub(crate) fn tree(body: &[u8], limits: &Limits) -> Result<Map<String, Value>> {
    let wrong = |why: String| Fault::new(Kind::BadRequest, why);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(wrong("The body is empty; send a JSON object.".into()));
    }
    json::validate(body, *limits).map_err(|error| wrong(format!("The body is not valid JSON: {error}.")))?;
    match serde_json::from_slice::<Once>(body) {
        Ok(Once(Value::Object(map))) => Ok(map),
        Ok(_) => Err(wrong("The body must be a JSON object.".into())),
        Err(error) => Err(wrong(format!("The body cannot be read: {error}."))),
    }
}

/// A value in which no object has a member twice.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        from.deserialize_any(Tree).map(Self)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> std::result::Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let Once(value) = members.next_value()?;
            if map.contains_key(&name) {
                let shown: String = name.chars().take(100).collect();
                return Err(A::Error::custom(format!("`{shown}` is given twice; give it once")));
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}
