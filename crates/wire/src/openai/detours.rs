//! Where else a call may go: `models` and `fallbacks` in its body. They are for the gateway and are never sent on.
//!
//! `models` is a list of names, `fallbacks` a list of names or of objects with `model`, and perhaps `provider` (a
//! backend). What an object would change of the call besides is refused by name: it would be lost silently.

use bytes::Bytes;
use serde_json::Value;
use types::{Fault, Kind as FaultKind, Result, ask::Extra};

use super::{envelope::Members, members::wrong};

/// The members that say so.
const MEMBERS: [&str; 2] = ["models", "fallbacks"];

/// The most names that one call may give.
pub const MOST: usize = 16;

/// Whether a member is one of them.
pub(crate) fn is_one(name: &[u8]) -> bool {
    MEMBERS.iter().any(|known| known.as_bytes() == name)
}

/// The names in the order in which they are given, without `model` itself.
///
/// # Errors
/// `BadRequest` naming the member that is not such a list.
pub(super) fn of_body(body: &Bytes, members: &Members, model: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for known in MEMBERS {
        let Some(index) = members.find(body, known) else { continue };
        let value = serde_json::from_slice(members[index].value.of(body)).unwrap_or_default();
        add(&mut names, known, &value, model)?;
    }
    Ok(names)
}

/// The same out of members that were read as values; they are taken out.
///
/// # Errors
/// `BadRequest` naming the member that is not such a list.
pub fn take(extra: &mut Extra, model: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for known in MEMBERS {
        if let Some(value) = extra.shift_remove(known) {
            add(&mut names, known, &value, model)?;
        }
    }
    Ok(names)
}

fn add(names: &mut Vec<String>, member: &str, value: &Value, model: &str) -> Result<()> {
    let list = match value {
        Value::Null => return Ok(()),
        Value::Array(list) => list,
        _ => return Err(wrong(member, "a list of models")),
    };
    for (at, item) in list.iter().enumerate() {
        let name = name(item, &format!("{member}[{at}]"))?;
        if name != model && !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > MOST {
        return Err(wrong(member, &format!("a list of at most {MOST} models")));
    }
    Ok(())
}

/// One name: a text, or an object that says it.
fn name(item: &Value, param: &str) -> Result<String> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let Value::Object(object) = item else {
        return text(Some(item)).ok_or_else(|| wrong(param, "the name of a model, or an object with `model`"));
    };
    if let Some(other) = object.keys().find(|key| !matches!(key.as_str(), "model" | "provider")) {
        let message = format!(
            "`{param}.{other}` is not supported: a fallback may have `model` and `provider`; everything else of the call stays as it is."
        );
        return Err(Fault::new(FaultKind::UnsupportedParameter, message).param(format!("{param}.{other}")));
    }
    let model = text(object.get("model")).ok_or_else(|| wrong(&format!("{param}.model"), "the name of a model"))?;
    match object.get("provider") {
        None | Some(Value::Null) => Ok(model),
        Some(provider) => {
            let wanted = || wrong(&format!("{param}.provider"), "the name of a backend");
            let provider = text(Some(provider)).ok_or_else(wanted)?;
            Ok(format!("huggingface/{provider}/{}", model.strip_prefix("huggingface/").unwrap_or(&model)))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taken(value: &Value) -> Result<Vec<String>> {
        let mut extra: Extra = value.as_object().unwrap().clone();
        let names = take(&mut extra, "a/b")?;
        assert!(!extra.contains_key("models") && !extra.contains_key("fallbacks"));
        Ok(names)
    }

    #[test]
    fn names_come_from_texts_and_objects_in_their_order_and_once() {
        let call = json!({"user": "x", "models": ["a/b", "c/d"],
            "fallbacks": ["c/d", {"model": "e/f"}, {"provider": "groq", "model": "g/h"}, {"model": "i/j", "provider": null}]});
        assert_eq!(taken(&call).unwrap(), ["c/d", "e/f", "huggingface/groq/g/h", "i/j"]);
        assert!(taken(&json!({"models": null})).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_such_list_is_refused_by_name() {
        for (call, param) in [
            (json!({"models": "a/b"}), "models"),
            (json!({"fallbacks": [3]}), "fallbacks[0]"),
            (json!({"fallbacks": [""]}), "fallbacks[0]"),
            (json!({"fallbacks": [{"provider": "groq"}]}), "fallbacks[0].model"),
            (json!({"fallbacks": [{"model": "a", "provider": 1}]}), "fallbacks[0].provider"),
            (json!({"fallbacks": ["x", {"model": "a", "messages": []}]}), "fallbacks[1].messages"),
            (json!({"models": (0..17).map(|n| format!("m/{n}")).collect::<Vec<_>>()}), "models"),
        ] {
            let fault = taken(&call).unwrap_err();
            assert_eq!(fault.param.as_deref(), Some(param), "{call}");
        }
    }
}
