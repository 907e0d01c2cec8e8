//! How a page of the product looks.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{dialects::Dialect, pair::Section};
use crate::doors::Door;

/// A line is no longer than this, where JSON allows.
const WIDTH: usize = 118;

/// A page. What comes to the same as at another dialect is not said again.
pub(super) fn page(
    door: &str,
    dialect: &Dialect,
    sections: &[Section],
    same_as: Option<(&Vec<Section>, &str)>,
) -> String {
    let mut page = format!(
        "# The door `{door}` before the dialect `{}`.\n# Spoken by {}.\n",
        dialect.name,
        dialect.speakers.join(", ")
    );
    let mut case = "";
    for section in sections {
        if section.case != case {
            case = section.case;
            let _ = writeln!(page, "\n== {case}");
        }
        let _ = write!(page, "-- {}", section.title);
        if !section.source.is_empty() {
            let _ = write!(page, " ({})", section.source);
        }
        let same = same_as.filter(|(others, _)| {
            let alike = |other: &&Section| other.case == section.case && other.title == section.title;
            others.iter().find(alike).is_some_and(|other| other.text == section.text)
        });
        match same {
            Some((_, name)) => {
                let _ = writeln!(page, ": as `{name}`");
            }
            None => {
                let _ = write!(page, "\n{}", section.text);
            }
        }
    }
    page
}

/// Where a page differs from what is written down.
pub(super) fn first_difference(written: &str, found: &str) -> Option<String> {
    if written == found {
        return None;
    }
    let (mut written, mut found, mut number) = (written.lines(), found.lines(), 0);
    loop {
        number += 1;
        let (was, is) = (written.next(), found.next());
        if was != is || was.is_none() {
            return Some(format!("line {number}\n  was {}\n  is  {}", was.unwrap_or("-"), is.unwrap_or("-")));
        }
    }
}

/// A call, and what it lacks.
pub(super) fn call(body: &Value, dropped: &[String]) -> String {
    format!("{}\n{}", json(body, 0), self::dropped(dropped))
}

/// What was taken out of a call.
pub(super) fn dropped(dropped: &[String]) -> String {
    if dropped.is_empty() { String::new() } else { format!("dropped: {}\n", dropped.join(", ")) }
}

/// The members of a call that are not those of another one.
pub(super) fn differing(before: &Value, after: &Value) -> String {
    let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
    let mut new: Map<String, Value> = Map::new();
    for (name, value) in after {
        if before.get(name) != Some(value) {
            new.insert(name.clone(), value.clone());
        }
    }
    let mut text = if new.is_empty() { String::new() } else { json(&Value::Object(new), 0) + "\n" };
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        let _ = writeln!(text, "without `{name}`");
    }
    text
}

/// An answer's JSON.
pub(super) fn answer(body: &[u8]) -> String {
    let value: Value =
        serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)));
    json(&value, 0) + "\n"
}

/// What passes as it is.
pub(super) fn as_it_came(body: &[u8]) -> String {
    format!("{} bytes, as they came\n", body.len())
}

/// A stream, without the blank lines between its events; what is binary, in words.
pub(super) fn stream(door: Door, bytes: &[u8]) -> String {
    if door == Door::Converse {
        return messages(bytes);
    }
    let text = std::str::from_utf8(bytes).unwrap();
    let mut page = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(data) = line.strip_prefix("data:").map(str::trim).filter(|data| *data != "[DONE]") {
            let _: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
        }
        let _ = writeln!(page, "{line}");
    }
    page
}

/// The binary messages of Bedrock's streams: the kind of each, and its payload.
fn messages(mut bytes: &[u8]) -> String {
    let number = |at: &[u8]| usize::try_from(u32::from_be_bytes(at[..4].try_into().unwrap())).unwrap();
    let mut page = String::new();
    while !bytes.is_empty() {
        let (total, head) = (number(bytes), number(&bytes[4..]));
        let (headers, payload) = (&bytes[12..12 + head], &bytes[12 + head..total - 4]);
        // The first header tells the kind: its name, the type of its value, the value.
        let value = &headers[1 + usize::from(headers[0]) + 1..];
        let length = usize::from(u16::from_be_bytes([value[0], value[1]]));
        let (kind, payload) = (&value[2..2 + length], serde_json::from_slice::<Value>(payload).unwrap());
        let _ = writeln!(page, "{} {payload}", String::from_utf8_lossy(kind));
        bytes = &bytes[total..];
    }
    page
}

/// JSON in lines: what fits into one stands in one.
fn json(value: &Value, indent: usize) -> String {
    let line = spaced(value);
    if line.chars().count() + indent <= WIDTH {
        return line;
    }
    let (open, close, items): (_, _, Vec<String>) = match value {
        Value::Object(members) if !members.is_empty() => {
            let member = |(name, value): (&String, &Value)| {
                format!("{}: {}", Value::from(name.as_str()), json(value, indent + 2))
            };
            ("{", "}", members.iter().map(member).collect())
        }
        Value::Array(items) if !items.is_empty() => {
            ("[", "]", items.iter().map(|item| json(item, indent + 2)).collect())
        }
        _ => return line,
    };
    let pad = " ".repeat(indent + 2);
    let items: Vec<String> = items.into_iter().map(|item| format!("{pad}{item}")).collect();
    format!("{open}\n{}\n{}{close}", items.join(",\n"), " ".repeat(indent))
}

/// JSON in one line.
fn spaced(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), spaced(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
