//! Builds the plainest value that fits a JSON schema, with a given text where a free text is asked for.

use serde_json::{Map, Value, json};

const DEPTH: usize = 32;

/// A value for the schema; `null` as schema gives `{"echo": text}`.
pub(crate) fn instance(schema: &Value, text: &str) -> Value {
    if schema.is_null() {
        return json!({ "echo": text });
    }
    build(schema, schema, text, DEPTH)
}

fn build(schema: &Value, root: &Value, text: &str, depth: usize) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    if let Some(first) = schema.get("enum").and_then(|all| all.get(0)) {
        return first.clone();
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let found = root.pointer(target.trim_start_matches('#')).unwrap_or(&Value::Null);
        return build(found, root, text, depth - 1);
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(choice).and_then(|all| all.get(0)) {
            return build(first, root, text, depth - 1);
        }
    }
    typed(schema, root, text, depth)
}

fn typed(schema: &Value, root: &Value, text: &str, depth: usize) -> Value {
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    };
    match kind {
        "string" => {
            let most = schema.get("maxLength").and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok());
            Value::from(text.chars().take(most.unwrap_or(usize::MAX)).collect::<String>())
        }
        "integer" => schema.get("minimum").cloned().unwrap_or_else(|| json!(7)),
        "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1.5)),
        "boolean" => json!(true),
        "array" => {
            let item = schema.get("items").map_or(Value::Null, |items| build(items, root, text, depth - 1));
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, 16);
            Value::Array((0..count).map(|_| item.clone()).collect())
        }
        "object" => {
            let members = schema.get("properties").and_then(Value::as_object);
            let built = members.into_iter().flatten();
            Value::Object(
                built.map(|(name, member)| (name.clone(), build(member, root, text, depth - 1))).collect::<Map<_, _>>(),
            )
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::instance;
    use serde_json::json;

    #[test]
    fn every_property_gets_a_fitting_value() {
        let schema = json!({"type": "object", "properties": {
            "name": {"type": "string"}, "short": {"type": "string", "maxLength": 2}, "age": {"type": "integer", "minimum": 3},
            "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2}, "who": {"$ref": "#/$defs/who"},
            "maybe": {"anyOf": [{"type": "boolean"}, {"type": "null"}]}},
            "$defs": {"who": {"properties": {"id": {"const": 9}}}}});
        let expected =
            json!({"name": "hello", "short": "he", "age": 3, "tags": ["a", "a"], "who": {"id": 9}, "maybe": true});
        assert_eq!(instance(&schema, "hello"), expected);
    }

    #[test]
    fn a_schema_that_refers_to_itself_comes_to_an_end() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(instance(&schema, "").is_object());
    }
}
