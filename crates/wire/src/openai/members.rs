//! Members of small calls as values: what stands for sound and pictures is read whole, each member by its type.
//!
//! A call may come as JSON or as a form. Either way it becomes [`Members`], from which a reader takes what it knows;
//! what nobody takes is passed on.

use bytes::Bytes;
use serde_json::{Map, Number, Value};
use types::{Fault, Kind as FaultKind, Result, ask::Extra};

use super::{
    chat::Member,
    envelope::{self, Scanned, duplicate, missing},
};
use crate::{
    json::{Limits, Reader, Span},
    multipart::{Content, Field},
};

/// The members of one call, taken out one after the other.
#[derive(Debug, Default)]
pub(super) struct Members {
    map: Map<String, Value>,
    /// Whether they came as text, so that numbers and the like are texts still.
    text: bool,
}

impl Members {
    /// Those of a JSON object, `extra_body` and `extra_params` merged in. Null members are as good as none.
    pub(super) fn of_json(body: &Bytes, limits: &Limits) -> Result<Self> {
        let mut flat = body.clone();
        let mut members = scan(&flat, limits)?;
        for _ in 0..2 {
            let Some(flatter) = envelope::flatten(&flat, &members) else { break };
            flat = flatter;
            members = scan(&flat, limits)?;
        }
        let mut map = Map::with_capacity(members.len());
        for member in &*members {
            // It was checked: only numbers beyond all bounds fail.
            let name = member.name.decode(&flat).into_owned();
            let value = serde_json::from_slice(member.value.of(&flat)).map_err(|_| {
                Fault::new(FaultKind::BadRequest, format!("`{name}` holds a number that is too large.")).param(&name)
            })?;
            if value != Value::Null {
                map.insert(name, value);
            }
        }
        Ok(Self { map, text: false })
    }

    /// Those of a form's text fields; files are not looked at. `a[]` and `a` gather in a list when there are several,
    /// `a[b]` is the member `b` of `a`, and objects under `extra_body` and `extra_params` are merged in.
    pub(super) fn of_form<'a>(fields: impl IntoIterator<Item = &'a Field>, lists: &[&str]) -> Result<Self> {
        let mut map = Map::new();
        for field in fields {
            let Content::Text(text) = &field.content else { continue };
            let name = field.name.strip_suffix("[]").unwrap_or(&field.name);
            let value = Value::String(text.clone());
            if lists.contains(&name) {
                match map.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                    Value::Array(list) => list.push(value),
                    _ => return Err(duplicate(name)),
                }
                continue;
            }
            let (outer, inner) = match name.strip_suffix(']').and_then(|open| open.split_once('[')) {
                Some((outer, inner)) => (outer, Some(inner)),
                None => (name, None),
            };
            let twice = match (inner, map.get_mut(outer)) {
                (None, None) => map.insert(outer.to_owned(), value),
                (Some(inner), None) => {
                    map.insert(outer.to_owned(), Value::Object(Map::from_iter([(inner.to_owned(), typed(text))])))
                }
                (Some(inner), Some(Value::Object(object))) => object.insert(inner.to_owned(), typed(text)),
                (_, Some(_)) => Some(Value::Null),
            };
            if twice.is_some() {
                return Err(duplicate(&field.name));
            }
        }
        let mut members = Self { map, text: true };
        for extra in ["extra_body", "extra_params"] {
            members.merge(extra)?;
        }
        Ok(members)
    }

    fn merge(&mut self, name: &str) -> Result<()> {
        let object = match self.map.shift_remove(name) {
            None => return Ok(()),
            Some(Value::Object(object)) => object,
            Some(Value::String(text)) => match serde_json::from_str(&text) {
                Ok(Value::Object(object)) => object,
                _ => return Err(wrong(name, "a JSON object")),
            },
            Some(_) => return Err(wrong(name, "a JSON object")),
        };
        for (name, value) in object {
            self.map.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// Takes a text.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>> {
        match self.map.shift_remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name, "a string")),
        }
    }

    /// Takes the model's name.
    pub(super) fn model(&mut self) -> Result<String> {
        let model = self.text("model")?.filter(|model| !model.is_empty());
        model.ok_or_else(|| missing("model", "name a model, e.g. \"huggingface/auto/org/name\""))
    }

    /// Takes one of these texts.
    pub(super) fn one_of(&mut self, name: &str, known: &[&str]) -> Result<Option<String>> {
        match self.text(name)? {
            Some(text) if known.contains(&&*text) => Ok(Some(text)),
            Some(text) if text.is_empty() && self.text => Ok(None),
            None => Ok(None),
            Some(_) => {
                let known: Vec<_> = known.iter().map(|known| format!("\"{known}\"")).collect();
                Err(wrong(name, &format!("one of {}", known.join(", "))))
            }
        }
    }

    /// Takes a number, as it is written where 64 bits hold it.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<Number>> {
        match self.map.shift_remove(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number)),
            Some(Value::String(text)) if self.text && text.is_empty() => Ok(None),
            Some(Value::String(text)) if self.text => match serde_json::from_str(text.trim()) {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(wrong(name, "a number")),
            },
            Some(_) => Err(wrong(name, "a number")),
        }
    }

    /// Takes a whole number between these two, both included.
    pub(super) fn whole(&mut self, name: &str, least: u64, most: u64) -> Result<Option<u64>> {
        let Some(number) = self.number(name)? else { return Ok(None) };
        let whole = number.as_u64().or_else(|| super::chat::usage::whole(&number.to_string()));
        match whole {
            Some(whole) if (least..=most).contains(&whole) => Ok(Some(whole)),
            _ => Err(wrong(name, &format!("a whole number from {least} to {most}"))),
        }
    }

    /// Takes a boolean.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.map.shift_remove(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(Value::String(text)) if self.text => match &*text.to_ascii_lowercase() {
                "true" | "1" => Ok(Some(true)),
                "false" | "0" | "" => Ok(Some(false)),
                _ => Err(wrong(name, "true or false")),
            },
            Some(_) => Err(wrong(name, "a boolean")),
        }
    }

    /// Takes a value of any kind.
    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        self.map.shift_remove(name)
    }

    /// What is left. Texts of a form become what they look like, except those that are texts by name.
    pub(super) fn rest(self, texts: &[&str]) -> Extra {
        if !self.text {
            return self.map;
        }
        let value = |name: &str, value: Value| match value {
            Value::String(text) if !texts.contains(&name) => typed(&text),
            other => other,
        };
        self.map.into_iter().map(|(name, given)| (name.clone(), value(&name, given))).collect()
    }
}

/// A form's text as the JSON literal that it looks like, or as text.
fn typed(text: &str) -> Value {
    let literal = matches!(text.as_bytes().first(), Some(b'{' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f'));
    let parsed = literal.then(|| serde_json::from_str(text).ok()).flatten();
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

pub(super) fn wrong(name: &str, wanted: &str) -> Box<Fault> {
    Fault::new(FaultKind::BadRequest, format!("`{name}` must be {wanted}.")).param(name)
}

/// A refusal of something that this gateway's backends never do.
pub(super) fn unsupported(name: &str, why: &str) -> Box<Fault> {
    Fault::new(FaultKind::UnsupportedParameter, format!("`{name}` is not supported: {why}.")).param(name)
}

fn scan(body: &[u8], limits: &Limits) -> Result<envelope::Members> {
    let mut reader = envelope::reader(body, *limits)?;
    let members = members(&mut reader).map_err(|trouble| trouble.told(body, *limits))?;
    members.refuse_duplicates(body)?;
    Ok(members)
}

fn members(reader: &mut Reader<'_>) -> Scanned<envelope::Members> {
    let mut members = envelope::Members::with_capacity(8);
    envelope::open(reader)?;
    while let Some(name) = reader.next_key()? {
        let kind = reader.peek()?;
        let start = reader.at();
        if matches!(&*name.raw(reader.bytes()), b"extra_body" | b"extra_params")
            && !matches!(kind, crate::json::Kind::Object | crate::json::Kind::Null)
        {
            return Err(envelope::wrong_type(&name.decode(reader.bytes()), "an object", kind).into());
        }
        reader.skip()?;
        members.push(reader.bytes(), Member { name, value: Span::new(start, reader.at()), kind });
    }
    reader.finish()?;
    Ok(members)
}
