//! The document's schema: for editors, for the shape check, and as the list of all settings.

use serde_json::Value;
use types::config::Document;

/// The JSON Schema of the configuration, for `ironbow schema`.
pub fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}

/// The schema as a tree.
pub(crate) fn document() -> Value {
    schemars::schema_for!(Document).to_value()
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its path: `listener.address`, `backends.<id>.base_url`, `huggingface.keys[].name`.
    pub path: String,
    /// Its variable: `IRONBOW_LISTENER__ADDRESS`.
    pub variable: String,
    /// Its default as JSON, if it has one.
    pub default: Option<String>,
    /// What it is, in a sentence.
    pub description: String,
}

/// Every setting, in the order of the document.
pub fn settings() -> Vec<Setting> {
    let schema = document();
    let mut found = Vec::new();
    gather(&schema, &schema, &Trail { path: String::new(), variable: "IRONBOW".to_owned() }, &mut found);
    found
}

struct Trail {
    path: String,
    variable: String,
}

impl Trail {
    fn key(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        let joint = if self.path.is_empty() { "_" } else { "__" };
        Self { path: format!("{}{dot}{name}", self.path), variable: format!("{}{joint}{}", self.variable, shout(name)) }
    }
}

fn gather(root: &Value, node: &Value, trail: &Trail, found: &mut Vec<Setting>) {
    let kind = Kind::of(root, node);
    match &kind {
        Kind::Object { properties, .. } => {
            for (name, property) in properties.iter().flat_map(|p| p.iter()) {
                gather(root, property, &trail.key(name), found);
            }
        }
        Kind::Map(inner) => {
            if matches!(Kind::of(root, inner), Kind::Object { .. }) {
                gather(root, inner, &trail.key("<name>"), found);
            } else {
                found.push(setting(node, &trail.key("<name>")));
            }
        }
        Kind::List(inner) if matches!(Kind::of(root, inner), Kind::Object { .. }) => {
            let trail = Trail { path: format!("{}[]", trail.path), variable: format!("{}__0", trail.variable) };
            gather(root, inner, &trail, found);
        }
        _ => found.push(setting(node, trail)),
    }
}

fn setting(node: &Value, trail: &Trail) -> Setting {
    Setting {
        path: trail.path.clone(),
        variable: trail.variable.clone(),
        default: node.get("default").filter(|default| !default.is_null()).map(Value::to_string),
        description: node.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
    }
}

/// A key as it stands in a variable's name.
pub(crate) fn shout(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '<' || c == '>' { c.to_ascii_uppercase() } else { '_' })
        .collect()
}

/// What a part of the schema wants.
pub(crate) enum Kind<'a> {
    /// A table with these members, some of them required.
    Object { properties: Option<&'a serde_json::Map<String, Value>>, required: Vec<&'a str> },
    /// A table with free keys.
    Map(&'a Value),
    /// A list.
    List(&'a Value),
    /// One of these words.
    Words(Vec<&'a str>),
    /// A whole number in these bounds.
    Integer { min: Option<i64>, max: Option<i64> },
    /// true or false.
    Boolean,
    /// A text.
    Text,
    /// A text with a notation of its own, by the name of its type.
    Notation(&'a str),
}

impl<'a> Kind<'a> {
    /// Reads one node; references are followed, "or nothing" is taken off.
    pub(crate) fn of(root: &'a Value, node: &'a Value) -> Self {
        if let Some(name) = node.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/")) {
            return match (name, root.get("$defs").and_then(|defs| defs.get(name))) {
                ("Period" | "Size" | "SecretRef", _) => Self::Notation(name),
                (_, Some(inner)) => Self::of(root, inner),
                (_, None) => Self::Text,
            };
        }
        if let Some(options) = node.get("anyOf").and_then(Value::as_array) {
            let real = options.iter().find(|option| option.get("type").and_then(Value::as_str) != Some("null"));
            return real.map_or(Self::Text, |real| Self::of(root, real));
        }
        if let Some(words) = words(node) {
            return Self::Words(words);
        }
        match type_name(node) {
            Some("object") => match node.get("additionalProperties") {
                Some(inner) if inner.is_object() => Self::Map(inner),
                _ => Self::Object {
                    properties: node.get("properties").and_then(Value::as_object),
                    required: node
                        .get("required")
                        .and_then(Value::as_array)
                        .map(|names| names.iter().filter_map(Value::as_str).collect())
                        .unwrap_or_default(),
                },
            },
            Some("array") => node.get("items").map_or(Self::Text, Self::List),
            Some("integer") => Self::Integer {
                min: node.get("minimum").and_then(Value::as_i64),
                max: node.get("maximum").and_then(Value::as_i64),
            },
            Some("boolean") => Self::Boolean,
            _ => Self::Text,
        }
    }
}

fn type_name(node: &Value) -> Option<&str> {
    match node.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    }
}

/// The words of an enumeration, in either of the two forms that a schema has for it.
fn words(node: &Value) -> Option<Vec<&str>> {
    if let Some(words) = node.get("enum").and_then(Value::as_array) {
        return Some(words.iter().filter_map(Value::as_str).collect());
    }
    let options = node.get("oneOf").and_then(Value::as_array)?;
    Some(
        options
            .iter()
            .flat_map(|option| {
                words(option).unwrap_or_else(|| option.get("const").and_then(Value::as_str).into_iter().collect())
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_description() {
        let settings = settings();
        assert!(settings.len() > 50, "{}", settings.len());
        for setting in &settings {
            assert!(setting.description.len() > 10, "{}", setting.path);
        }
    }
}
