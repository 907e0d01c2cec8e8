//! The document's schema: for editors, for the shape check, and as the list of all settings.

use std::sync::LazyLock;

use serde_json::Value;
use types::config::Document;

/// The JSON Schema of the configuration, for `ironbow schema`.
pub fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&*DOCUMENT).unwrap_or_default();
    text.push('\n');
    text
}

/// The schema as a tree. It is the same for every configuration.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(Document).to_value());

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
    let schema = &*DOCUMENT;
    let mut found = Vec::new();
    gather(schema, schema, &Trail { path: String::new(), variable: "IRONBOW".to_owned() }, &mut found);
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
            let trail = trail.key("<name>");
            if !matches!(Kind::of(root, inner), Kind::Object { .. }) {
                found.push(setting(node, &trail));
            }
            if Kind::of(root, inner).is_table() {
                gather(root, inner, &trail, found);
            }
        }
        Kind::TextOr(table) => gather(root, table, trail, found),
        Kind::List(inner) if Kind::of(root, inner).is_table() => {
            if !matches!(Kind::of(root, inner), Kind::Object { .. }) {
                found.push(setting(node, trail));
            }
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
    /// A text, or this table, which says more.
    TextOr(&'a Value),
}

impl<'a> Kind<'a> {
    /// Reads one node; references are followed, "or nothing" is taken off.
    pub(crate) fn of(root: &'a Value, node: &'a Value) -> Self {
        if let Some(name) = node.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/")) {
            return match (name, root.get("$defs").and_then(|defs| defs.get(name))) {
                ("Period" | "Size" | "SecretRef" | "Dollars", _) => Self::Notation(name),
                (_, Some(inner)) => Self::of(root, inner),
                (_, None) => Self::Text,
            };
        }
        if let Some(options) = node.get("anyOf").and_then(Value::as_array) {
            let mut real = options.iter().filter(|option| option.get("type").and_then(Value::as_str) != Some("null"));
            let first = real.next().map_or(Self::Text, |real| Self::of(root, real));
            return match (first, real.next()) {
                (Self::Text, Some(table)) => Self::TextOr(table),
                (first, _) => first,
            };
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

impl<'a> Kind<'a> {
    /// The table that it is or can be.
    pub(crate) fn table(self, root: &'a Value) -> Self {
        match self {
            Self::TextOr(table) => Self::of(root, table),
            other => other,
        }
    }

    /// Whether it can be a table with members of its own.
    const fn is_table(&self) -> bool {
        matches!(self, Self::Object { .. } | Self::TextOr(_))
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
