//! The backend's own words, wherever it put them.

use std::time::Duration;

use serde_json::Value;

/// What an error says, taken apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    pub message: String,
    pub code: Option<String>,
    pub class: Option<String>,
    pub param: Option<String>,
    /// A status that the body names.
    pub status: Option<u16>,
    pub request_id: Option<String>,
    pub estimated_time: Option<Duration>,
}

/// Whether a JSON body is an error by its members, though nothing says so plainly.
pub fn speaks_of_one(body: &[u8]) -> bool {
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else { return false };
    object.get("object").is_some_and(|o| o == "error")
        || ["error", "errors", "detail", "message"].iter().any(|name| object.get(*name).is_some_and(is_something))
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
        Value::Number(_) => true,
    }
}

impl Words {
    pub(super) fn read(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value @ (Value::Object(_) | Value::Array(_) | Value::String(_))) => Self::of_json(&value),
            _ => {
                Self { message: plain(&String::from_utf8_lossy(&body[..body.len().min(64 << 10)])), ..Self::default() }
            }
        }
    }

    fn of_json(value: &Value) -> Self {
        let error = &value["error"];
        let first = |places: &[&Value]| places.iter().find_map(|place| scalar(place));
        // A status is no code.
        let code = first(&[&error["code"], &value["code"]]).filter(|code| !is_status(code));
        let mut message = [error, &value["message"], &value["detail"], &value["errors"], &value["title"], value]
            .into_iter()
            .find_map(|place| said(place, 0))
            .unwrap_or_default();
        add_warnings(&mut message, &value["warnings"]);
        let estimated_time = value["estimated_time"].as_f64().and_then(super::seconds);
        Self {
            message: clean(&message),
            status: [&error["status"], &error["code"], &value["status"], &value["code"]]
                .into_iter()
                .find_map(|place| place.as_u64().or_else(|| place.as_str()?.parse().ok()))
                .and_then(|number| u16::try_from(number).ok())
                .filter(|status| (400..600).contains(status)),
            code,
            class: first(&[&value["error_type"], &error["type"], &value["type"]]),
            param: first(&[&error["param"], &value["param"]]).or_else(|| place_of(&value["detail"])),
            request_id: first(&[&value["request_id"], &error["request_id"]]).map(|id| super::shorten(&id, 200)),
            estimated_time,
        }
    }

    /// Whether the prompt did not fit.
    pub(super) fn is_about_context(&self) -> bool {
        if [&self.code, &self.class].into_iter().flatten().any(|word| word.contains("context_length")) {
            return true;
        }
        let message = self.message.to_ascii_lowercase();
        [
            "maximum context length",
            "context length exceeded",
            "context window",
            "exceeds the context",
            "exceed the context",
            "exceeds the maximum number of tokens",
            "`inputs` tokens + `max_new_tokens` must be",
            "prompt is too long",
            "maximum input length",
        ]
        .iter()
        .any(|phrase| message.contains(phrase))
    }

    pub(super) fn is_loading(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        message.contains("currently loading")
            || message.contains("loading model")
            || message.contains("model is loading")
    }
}

fn is_status(code: &str) -> bool {
    code.parse::<u16>().is_ok_and(|number| (100..600).contains(&number))
}

/// The words in a place that may be text, a list or an object.
fn said(value: &Value, depth: usize) -> Option<String> {
    if depth > 4 {
        return None;
    }
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Array(list) => {
            let all: Vec<_> = list.iter().take(20).filter_map(|one| said(one, depth + 1)).collect();
            (!all.is_empty()).then(|| all.join("; "))
        }
        Value::Object(object) => {
            let inner = ["message", "msg", "error", "detail", "description", "title", "reason"]
                .iter()
                .find_map(|name| said(object.get(*name)?, depth + 1))?;
            let place = object.get("loc").and_then(place);
            Some(place.map_or_else(|| inner.clone(), |place| format!("{inner} at {place}")))
        }
        _ => None,
    }
}

/// `body.messages.0.role`, as a list of steps has it.
fn place(steps: &Value) -> Option<String> {
    let steps: Vec<_> = steps.as_array()?.iter().take(20).filter_map(scalar).collect();
    (!steps.is_empty()).then(|| steps.join("."))
}

/// The member that the first of FastAPI's complaints is about.
fn place_of(detail: &Value) -> Option<String> {
    let path = place(&detail.get(0)?["loc"])?;
    Some(path.strip_prefix("body.").map_or(path.clone(), str::to_owned))
}

/// Warnings often hold the reason that the error itself keeps quiet about.
fn add_warnings(message: &mut String, warnings: &Value) {
    for warning in warnings.as_array().into_iter().flatten().take(3).filter_map(Value::as_str) {
        if !message.is_empty() && !warning.trim_end().ends_with(message.trim_end()) {
            *message = format!("{} ({warning})", message.trim_end());
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Text that is no JSON: as it is, or what a page of HTML says.
fn plain(text: &str) -> String {
    let start: String = text.trim_start().chars().take(200).collect::<String>().to_ascii_lowercase();
    if !(start.starts_with("<!doctype") || start.starts_with("<html") || start.starts_with("<?xml")) {
        return clean(text);
    }
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title>").and_then(|from| {
        let from = from + "<title>".len();
        let end = lower[from..].find("</title>")?;
        text.get(from..from + end)
    });
    match title.map(str::trim) {
        Some(title) if !title.is_empty() => clean(title),
        _ => clean(&without_tags(text)),
    }
}

fn without_tags(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for character in text.chars() {
        match character {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            _ if !inside => out.push(character),
            _ => {}
        }
    }
    out
}

/// One line, without control characters, without runs of blanks.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(4096));
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
        if out.len() > 16 << 10 {
            break;
        }
    }
    out
}
