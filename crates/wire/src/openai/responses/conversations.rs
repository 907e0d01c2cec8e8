//! Conversations: what a caller sends to make and change one, and how it is shown.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{Fault, Kind, Result};

use super::{
    input,
    notes::{bad, shown},
};
use crate::json::{self, Limits};

/// How many items one call may bring, as at OpenAI.
const ITEMS: usize = 20;
/// How many notes may stand in `metadata`, and how long their names and texts may be, in characters.
const NOTES: usize = 16;
const NAME: usize = 64;
const TEXT: usize = 512;

/// What a call about a conversation brings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Brought {
    /// The caller's own notes, where the call has any.
    pub metadata: Option<Value>,
    /// Items to be added.
    pub items: Vec<Value>,
}

impl Brought {
    /// Reads a body; an empty one brings nothing.
    ///
    /// # Errors
    /// `BadRequest`, naming the member.
    pub fn read(body: &Bytes, limits: &Limits) -> Result<Self> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let broken = |why: &dyn std::fmt::Display| {
            Fault::new(Kind::BadRequest, format!("The body is not valid JSON: {why}. Send a JSON object."))
        };
        json::validate(body, *limits).map_err(|error| broken(&error))?;
        let members: Map<String, Value> = serde_json::from_slice(body).map_err(|error| broken(&error))?;
        let metadata = members.get("metadata").filter(|given| !given.is_null()).map(metadata).transpose()?;
        let items = match members.get("items").unwrap_or(&Value::Null) {
            Value::Null => Vec::new(),
            Value::Array(items) => items.clone(),
            _ => return Err(bad("items", "must be a list of items")),
        };
        if items.len() > ITEMS {
            return Err(bad("items", &format!("has {} items; at most {ITEMS} are taken at once", items.len())));
        }
        for (index, item) in items.iter().enumerate() {
            let place = format!("items[{index}]");
            match input::kind(item) {
                _ if !item.is_object() => return Err(bad(&place, "must be an object")),
                None => return Err(bad(&format!("{place}.type"), "is missing: name the item's type")),
                Some("item_reference") => {
                    return Err(bad(&place, "refers to an item: send the item itself"));
                }
                Some("message") if !item["role"].is_string() => {
                    return Err(bad(&format!("{place}.role"), "is missing"));
                }
                Some(_) => {}
            }
        }
        Ok(Self { metadata, items })
    }
}

/// Checks the caller's notes.
fn metadata(given: &Value) -> Result<Value> {
    let Some(notes) = given.as_object() else { return Err(bad("metadata", "must be an object")) };
    if notes.len() > NOTES {
        return Err(bad("metadata", &format!("has {} members; at most {NOTES} are taken", notes.len())));
    }
    for (name, text) in notes {
        let text = text.as_str();
        if name.chars().count() > NAME || text.is_none_or(|text| text.chars().count() > TEXT) {
            let what = format!("must be a text of at most {TEXT} characters under a name of at most {NAME}");
            return Err(bad(&format!("metadata.{}", shown(name)), &what));
        }
    }
    Ok(given.clone())
}

/// A conversation as its owner is shown it.
pub fn conversation(id: &str, created_at: i64, metadata: &Value) -> Value {
    json!({"id": id, "object": "conversation", "created_at": created_at, "metadata": metadata})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &Value) -> Result<Brought> {
        Brought::read(&body.to_string().into(), &Limits::default())
    }

    #[test]
    fn what_is_wrong_with_a_conversation_is_named() {
        let many: Vec<Value> = (0..21).map(|_| json!({"role": "user", "content": "x"})).collect();
        let notes: Map<String, Value> = (0..17).map(|n| (n.to_string(), "x".into())).collect();
        for (body, param) in [
            (json!({"items": 1}), "items"),
            (json!({"items": many}), "items"),
            (json!({"items": ["x"]}), "items[0]"),
            (json!({"items": [{"content": "x"}]}), "items[0].type"),
            (json!({"items": [{"type": "message", "content": "x"}]}), "items[0].role"),
            (json!({"items": [{"type": "item_reference", "id": "x"}]}), "items[0]"),
            (json!({"metadata": []}), "metadata"),
            (json!({"metadata": notes}), "metadata"),
            (json!({"metadata": {"a": 1}}), "metadata.a"),
            (json!({"metadata": {"a": "x".repeat(513)}}), "metadata.a"),
        ] {
            assert_eq!(read(&body).unwrap_err().param.as_deref(), Some(param), "{body}");
        }
        assert!(Brought::read(&Bytes::from_static(b"["), &Limits::default()).is_err());
        assert_eq!(Brought::read(&Bytes::new(), &Limits::default()).unwrap(), Brought::default());
        let good = json!({"metadata": {"a": "b"}, "items": [{"role": "user", "content": "x"}]});
        assert_eq!(read(&good).unwrap().items.len(), 1);
    }
}
