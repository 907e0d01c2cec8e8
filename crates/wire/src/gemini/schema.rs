//! Google's schemas, which are OpenAPI's with types in capitals, as JSON Schema.

use serde_json::{Map, Value};
use types::Result;

use crate::heard::{bad, whole};

/// Members of a schema that hold whole numbers, which proto JSON writes as strings.
const NUMBERS: &[&str] = &["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

/// The same schema in JSON Schema's words.
///
/// # Errors
/// `BadRequest` when something that must be a schema is no object.
pub(super) fn of_google(path: &str, schema: Value) -> Result<Value> {
    let Value::Object(members) = schema else { return Err(bad(path, "must be an object")) };
    let (mut out, mut nullable, mut order) = (Map::new(), false, Vec::new());
    for (name, value) in members {
        let name = camel(&name);
        let here = || format!("{path}.{name}");
        match (name.as_str(), value) {
            (_, Value::Null) if name != "default" && name != "example" => {}
            ("type", Value::String(word)) => {
                let word = word.to_ascii_lowercase();
                if word != "type_unspecified" {
                    out.insert(name, word.into());
                }
            }
            ("nullable", Value::Bool(flag)) => nullable = flag,
            ("propertyOrdering", Value::Array(names)) => order = names,
            ("example", value) => {
                out.insert("examples".into(), Value::Array(vec![value]));
            }
            ("properties" | "$defs" | "defs", Value::Object(properties)) => {
                let place = here();
                let inner = properties.into_iter().map(|(key, value)| {
                    let value = of_google(&format!("{place}.{key}"), value)?;
                    Ok((key, value))
                });
                let inner = inner.collect::<Result<Map<_, _>>>()?;
                out.insert(if name == "defs" { "$defs".into() } else { name }, Value::Object(inner));
            }
            ("items" | "additionalProperties", value @ Value::Object(_)) => {
                let value = of_google(&here(), value)?;
                out.insert(name, value);
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(schemas)) => {
                let place = here();
                let inner = schemas.into_iter().enumerate();
                let inner = inner.map(|(index, schema)| of_google(&format!("{place}[{index}]"), schema));
                out.insert(name, Value::Array(inner.collect::<Result<_>>()?));
            }
            (number, value) if NUMBERS.contains(&number) => {
                let number = whole(&value).ok_or_else(|| bad(here(), "must be a whole number"))?;
                out.insert(name, number.into());
            }
            (_, value) => {
                out.insert(name, value);
            }
        }
    }
    arrange(&mut out, &order);
    if nullable {
        allow_null(&mut out);
    }
    Ok(Value::Object(out))
}

/// Puts the properties into the order that `propertyOrdering` asks for: models write them as they stand.
fn arrange(schema: &mut Map<String, Value>, order: &[Value]) {
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    let mut arranged = Map::new();
    for name in order.iter().filter_map(Value::as_str) {
        if let Some((name, property)) = properties.shift_remove_entry(name) {
            arranged.insert(name, property);
        }
    }
    arranged.append(properties);
    *properties = arranged;
}

/// What `nullable: true` means.
fn allow_null(schema: &mut Map<String, Value>) {
    match schema.get_mut("type") {
        Some(kind @ Value::String(_)) => *kind = Value::Array(vec![kind.take(), "null".into()]),
        Some(_) => {}
        None => {
            if let Some(Value::Array(schemas)) = schema.get_mut("anyOf") {
                schemas.push(serde_json::json!({"type": "null"}));
            }
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
}

/// Google's servers take `any_of` for `anyOf` and so on.
fn camel(name: &str) -> String {
    match name {
        "any_of" => "anyOf",
        "property_ordering" => "propertyOrdering",
        "min_items" => "minItems",
        "max_items" => "maxItems",
        "min_length" => "minLength",
        "max_length" => "maxLength",
        "min_properties" => "minProperties",
        "max_properties" => "maxProperties",
        "additional_properties" => "additionalProperties",
        "prefix_items" => "prefixItems",
        "ref" => "$ref",
        other => other,
    }
    .to_owned()
}
