//! What a chat body must be: the types every server asks for, and what each refuses on its own.

use serde_json::Value;

use crate::ask::{Ask, text};
use crate::backends::Schema;
use crate::chat::Rules;
use crate::chat::errors::{Kind, Refusal};

/// What a member must be. `null` counts as left out.
#[derive(Clone, Copy)]
enum Want {
    Number,
    Integer,
    Bool,
    Text,
    List,
    Object,
    TextOrList,
    TextOrObject,
}

const WANTED: &[(&str, Want)] = &[
    ("model", Want::Text),
    ("messages", Want::List),
    ("frequency_penalty", Want::Number),
    ("logit_bias", Want::Object),
    ("logprobs", Want::Bool),
    ("max_completion_tokens", Want::Integer),
    ("max_tokens", Want::Integer),
    ("n", Want::Integer),
    ("parallel_tool_calls", Want::Bool),
    ("presence_penalty", Want::Number),
    ("reasoning_effort", Want::Text),
    ("response_format", Want::Object),
    ("seed", Want::Integer),
    ("stop", Want::TextOrList),
    ("stream", Want::Bool),
    ("stream_options", Want::Object),
    ("temperature", Want::Number),
    ("tool_choice", Want::TextOrObject),
    ("tools", Want::List),
    ("top_logprobs", Want::Integer),
    ("top_p", Want::Number),
];

/// What a message may hold at a strict server.
const IN_A_MESSAGE: &[&str] = &["content", "name", "reasoning", "role", "tool_call_id", "tool_calls"];

impl Want {
    fn holds(self, value: &Value) -> bool {
        match self {
            Self::Number => value.is_number(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Bool => value.is_boolean(),
            Self::Text => value.is_string(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
            Self::TextOrList => value.is_string() || value.is_array(),
            Self::TextOrObject => value.is_string() || value.is_object(),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Integer => "an integer",
            Self::Bool => "a boolean",
            Self::Text => "a string",
            Self::List => "a sequence",
            Self::Object => "a map",
            Self::TextOrList => "a string or a sequence",
            Self::TextOrObject => "a string or a map",
        }
    }
}

type Checked = Result<(), Refusal>;

pub(crate) fn missing(name: &str, ask: &Ask) -> Refusal {
    let message = format!("missing field `{name}` at line 1 column {}", ask.body.len());
    Refusal::new(Kind::Malformed, message).about(name)
}

fn unsupported<T>(param: &str, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(Kind::Unsupported, message).about(param))
}

fn wrong<T>(param: &str, value: &Value, expected: &str) -> Result<T, Refusal> {
    let message = format!("{param}: invalid type: {}, expected {expected}", kind(value));
    Err(Refusal::new(Kind::Malformed, message).about(param))
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => format!("boolean `{value}`"),
        Value::Number(number) => format!("number `{number}`"),
        Value::String(text) => format!("string {text:?}"),
        Value::Array(_) => "sequence".into(),
        Value::Object(_) => "map".into(),
    }
}

pub(crate) fn check(body: &Value, rules: &Rules, ask: &Ask) -> Checked {
    for (name, want) in WANTED {
        match body.get(name) {
            None | Some(Value::Null) => {}
            Some(value) if want.holds(value) => {}
            Some(value) => return wrong(name, value, want.words()),
        }
    }
    if let Some(also) = rules.strict {
        strict(body, rules, also)?;
    }
    refused(body, rules)?;
    let Some(Value::Array(all)) = body.get("messages") else { return Err(missing("messages", ask)) };
    if all.is_empty() {
        return unsupported("messages", "messages must hold at least one message");
    }
    all.iter().enumerate().try_for_each(|(at, message)| self::message(message, at, rules))?;
    ranges(body)?;
    tools(body, rules)?;
    response_format(body, rules, ask.knobs.lenient_schema)
}

fn strict(body: &Value, rules: &Rules, also: &[&str]) -> Checked {
    let names = |value: &Value| -> Vec<String> {
        value.as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default()
    };
    for name in names(body) {
        if !WANTED.iter().any(|(known, _)| *known == name) && !also.contains(&name.as_str()) {
            return unsupported(&name, format!("property '{name}' is unsupported"));
        }
    }
    // OpenAI's own service takes back what it once answered.
    let messages = body.get("messages").and_then(Value::as_array).filter(|_| !rules.developer_role);
    for (at, message) in messages.into_iter().flatten().enumerate() {
        if let Some(name) = names(message).iter().find(|name| !IN_A_MESSAGE.contains(&name.as_str())) {
            return unsupported(
                &format!("messages[{at}]"),
                format!("messages[{at}]: property '{name}' is unsupported"),
            );
        }
    }
    let streams = body.get("stream") == Some(&Value::Bool(true));
    if !streams && body.get("stream_options").is_some_and(|value| !value.is_null()) {
        return unsupported("stream_options", "stream_options is only allowed when stream is true");
    }
    if body.get("tools").is_none_or(Value::is_null) && body.get("tool_choice").is_some_and(|value| !value.is_null()) {
        return unsupported("tool_choice", "tool_choice is only allowed when tools are given");
    }
    Ok(())
}

/// Members that all know and this server refuses, unless they ask for nothing.
fn refused(body: &Value, rules: &Rules) -> Checked {
    for name in rules.refused {
        let asks = match body.get(name) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(value) => *name != "n" || value.as_i64() != Some(1),
        };
        if asks {
            return unsupported(name, format!("'{name}' is not supported here"));
        }
    }
    Ok(())
}

fn ranges(body: &Value) -> Checked {
    for (name, low, high) in [("temperature", 0.0, 2.0), ("top_p", 0.0, 1.0), ("n", 1.0, 128.0)] {
        if let Some(value) = body.get(name).and_then(Value::as_f64)
            && !(low..=high).contains(&value)
        {
            return unsupported(name, format!("{name} must be between {low} and {high}, got {value}"));
        }
    }
    for name in ["max_tokens", "max_completion_tokens"] {
        if body.get(name).and_then(Value::as_i64).is_some_and(|value| value < 1) {
            return unsupported(name, format!("{name} must be at least 1"));
        }
    }
    let reasons = text(body, "model").is_some_and(|model| model.starts_with("o3") || model.starts_with("gpt-5"));
    if reasons && body.get("max_tokens").is_some_and(|value| !value.is_null()) {
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        return unsupported("max_tokens", message);
    }
    Ok(())
}

fn message(message: &Value, at: usize, rules: &Rules) -> Checked {
    let param = format!("messages[{at}]");
    let Some(role) = text(message, "role") else {
        return Err(Refusal::new(Kind::Malformed, format!("{param}: missing field `role`")).about(&param));
    };
    let known =
        matches!(role, "system" | "user" | "assistant" | "tool") || (role == "developer" && rules.developer_role);
    if !known {
        return unsupported(
            &param,
            format!("'{role}' is not one of ['system', 'user', 'assistant', 'tool'] - '{param}.role'"),
        );
    }
    let calls = message.get("tool_calls").filter(|calls| !calls.is_null());
    match message.get("content") {
        Some(Value::String(_)) => {}
        Some(Value::Array(parts)) => parts.iter().try_for_each(|part| self::part(part, &param))?,
        None | Some(Value::Null) if calls.is_some() => {}
        other => return wrong(&format!("{param}.content"), other.unwrap_or(&Value::Null), "a string or a sequence"),
    }
    if role == "tool" && text(message, "tool_call_id").is_none() {
        return unsupported(&param, format!("{param}: a tool message needs its tool_call_id"));
    }
    let Some(calls) = calls else { return Ok(()) };
    let Value::Array(calls) = calls else { return wrong(&param, calls, "a sequence") };
    for call in calls {
        let arguments = call.pointer("/function/arguments").is_some_and(Value::is_string);
        let name = call.pointer("/function/name").is_some_and(Value::is_string);
        if !(arguments && name && text(call, "id").is_some() && text(call, "type") == Some("function")) {
            return unsupported(
                &param,
                format!("{param}.tool_calls: each needs id, type, function.name, function.arguments"),
            );
        }
    }
    Ok(())
}

fn part(part: &Value, param: &str) -> Checked {
    match text(part, "type") {
        Some("text") if text(part, "text").is_some() => Ok(()),
        Some("image_url") => {
            let url = part.pointer("/image_url/url").and_then(Value::as_str).unwrap_or_default();
            let good = url.starts_with("https://") || url.starts_with("http://") || url.starts_with("data:image/");
            if good {
                Ok(())
            } else {
                unsupported(param, format!("{param}: image_url.url must be a URL or a data URI"))
            }
        }
        _ => unsupported(param, format!("{param}: unknown content part")),
    }
}

fn tools(body: &Value, rules: &Rules) -> Checked {
    let names: Vec<&str> = match body.get("tools") {
        Some(Value::Array(tools)) => {
            for tool in tools {
                let parameters = tool.pointer("/function/parameters");
                let custom = rules.developer_role && text(tool, "type") == Some("custom");
                let good = custom
                    || text(tool, "type") == Some("function")
                        && tool.pointer("/function/name").is_some_and(Value::is_string)
                        && parameters.is_none_or(Value::is_object);
                if !good {
                    return unsupported("tools", "tools: each must be {type: function, function: {name, parameters}}");
                }
            }
            tools.iter().filter_map(|tool| tool.pointer("/function/name").and_then(Value::as_str)).collect()
        }
        _ => Vec::new(),
    };
    match body.get("tool_choice") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(choice)) => match choice.as_str() {
            "auto" | "none" => Ok(()),
            "required" if !names.is_empty() => Ok(()),
            // TGI took the bare name of a function in 2024 and still does.
            name if rules.tgi && names.contains(&name) => Ok(()),
            other => unsupported("tool_choice", format!("tool_choice: '{other}' is not possible here")),
        },
        Some(choice) => {
            let name = choice.pointer("/function/name").and_then(Value::as_str).unwrap_or_default();
            let good = text(choice, "type") == Some("function") && names.contains(&name);
            if good { Ok(()) } else { unsupported("tool_choice", format!("tool_choice: no tool is called '{name}'")) }
        }
    }
}

fn response_format(body: &Value, rules: &Rules, lenient: bool) -> Checked {
    let Some(format) = body.get("response_format").filter(|format| !format.is_null()) else { return Ok(()) };
    let refused = |why: &str| {
        // A tagged enum that does not fit is a parse error at TGI.
        let kind = if rules.tgi { Kind::Malformed } else { Kind::Unsupported };
        Err(Refusal::new(kind, format!("response_format: {why}")).about("response_format"))
    };
    let has = |path: &str| format.pointer(path).is_some_and(Value::is_object);
    let kind = text(format, "type").unwrap_or_default();
    match (kind, rules.schema) {
        ("json_schema", _) if lenient && has("/json_schema/schema") => Ok(()),
        ("text", schema) if schema != Schema::TgiValue => Ok(()),
        ("json_object" | "json" | "regex", Schema::TgiValue) => {
            if format.get("value").is_some() {
                Ok(())
            } else {
                refused("missing field `value`")
            }
        }
        ("json_object", Schema::InObject) => match format.get("schema") {
            None | Some(Value::Object(_)) => Ok(()),
            Some(_) => refused("schema must be an object"),
        },
        ("json_object", schema) if schema != Schema::TgiValue && format.get("schema").is_none() => Ok(()),
        ("json_schema", Schema::Flat) => {
            if has("/schema") && !has("/json_schema") {
                Ok(())
            } else {
                refused("schema is required beside type")
            }
        }
        ("json_schema", Schema::OpenAi | Schema::Guided | Schema::NotStrict) => {
            if !has("/json_schema/schema") || format.pointer("/json_schema/name").is_none_or(|name| !name.is_string()) {
                return refused("json_schema needs name and schema");
            }
            let strict = format.pointer("/json_schema/strict") == Some(&Value::Bool(true));
            match rules.schema {
                Schema::NotStrict if strict => refused("json_schema.strict must be false"),
                Schema::Guided if body.get("guided_json") != format.pointer("/json_schema/schema") => {
                    refused("guided_json must hold the same schema")
                }
                _ => Ok(()),
            }
        }
        (other, _) => refused(&format!("unknown variant `{other}`")),
    }
}

/// The JSON schema that the answer must fit, from wherever this server takes it.
pub(crate) fn schema(body: &Value, rules: &Rules, lenient: bool) -> Option<Value> {
    let format = body.get("response_format")?;
    let own = match rules.schema {
        Schema::Flat | Schema::InObject => format.get("schema"),
        Schema::TgiValue => format.get("value"),
        Schema::OpenAi | Schema::Guided | Schema::NotStrict => format.pointer("/json_schema/schema"),
    };
    let own = own.or_else(|| if lenient { format.pointer("/json_schema/schema") } else { None });
    match text(format, "type") {
        Some("json_schema" | "json" | "json_object") => Some(own.cloned().unwrap_or(Value::Null)),
        _ => None,
    }
}
