//! A conversation in no dialect, as generated for every door; how OpenAI's chat has it, and what a chat says of one.

use proptest::{collection::vec, option, prelude::*};
use serde_json::{Map, Value, json};

/// A conversation that asks for one more answer.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    pub system: Option<String>,
    pub exchanges: Vec<Exchange>,
    pub ask: Vec<Part>,
    pub tools: Vec<Tool>,
    pub settings: Settings,
}

/// What the user said, what the model said to that, and what its tools gave.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub user: Vec<Part>,
    pub model: Said,
    /// One for each call: a text, and whether the tool failed.
    pub results: Vec<(String, bool)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Text(String),
    /// A picture's bytes, in base64.
    Picture(String),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Said {
    pub thought: String,
    pub text: String,
    pub calls: Vec<Call>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub id: String,
    pub name: String,
    pub arguments: Value,
}

#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub name: String,
    pub description: Option<String>,
    pub schema: Value,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub max_tokens: u32,
    /// In hundredths.
    pub temperature: Option<u8>,
    pub top_p: Option<u8>,
    pub stop: Vec<String>,
    pub effort: Option<&'static str>,
    pub schema: Option<Value>,
    /// Whether a tool must be called.
    pub must_call: bool,
}

impl Settings {
    pub(super) fn temperature(&self) -> Option<f64> {
        self.temperature.map(|hundredths| f64::from(hundredths) / 100.0)
    }

    pub(super) fn top_p(&self) -> Option<f64> {
        self.top_p.map(|hundredths| f64::from(hundredths) / 100.0)
    }
}

/// A message of a chat, whatever its form.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    System(String),
    User(Vec<Part>),
    Model(Said),
    Result { id: String, text: String },
}

/// Letters, quotes, escapes, braces, and letters of several bytes.
pub(super) fn words() -> impl Strategy<Value = String> {
    "[a-zA-Zé漢☂😀\"\\\\\n\t{}<>&;,:. -]{1,14}"
        .prop_map(|text| if text.trim().is_empty() { "x".to_owned() } else { text })
}

/// An object of some values.
pub(super) fn object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        words().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let value = leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec(("[a-z\"]{1,4}", inner), 0..3).prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    });
    vec(("[a-zé\"]{1,4}", value), 0..3).prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()))
}

/// A schema whose members stand in an order of their own.
pub(super) fn schema() -> impl Strategy<Value = Value> {
    vec("[a-z]{1,6}", 1..4).prop_map(|names| {
        let members: Map<String, Value> = names.iter().map(|name| (name.clone(), json!({"type": "string"}))).collect();
        let required: Vec<&String> = members.keys().collect();
        json!({"type": "object", "properties": members, "required": required, "additionalProperties": false})
    })
}

fn part() -> impl Strategy<Value = Part> {
    use base64::Engine as _;
    let picture = vec(any::<u8>(), 1..12)
        .prop_map(|bytes| Part::Picture(base64::engine::general_purpose::STANDARD.encode(bytes)));
    prop_oneof![3 => words().prop_map(Part::Text), 1 => picture]
}

pub(super) fn said() -> impl Strategy<Value = Said> {
    let call = ("[a-z_]{1,8}", object());
    (option::of(words()), option::of(words()), vec(call, 0..3)).prop_map(|(thought, text, calls)| {
        let calls: Vec<Call> = calls
            .into_iter()
            .enumerate()
            .map(|(index, (name, arguments))| Call { id: format!("call_{index}"), name, arguments })
            .collect();
        let text = text.unwrap_or_else(|| if calls.is_empty() { "Yes." } else { "" }.to_owned());
        Said { thought: thought.unwrap_or_default(), text, calls }
    })
}

pub(super) fn exchange() -> impl Strategy<Value = Exchange> {
    (vec(part(), 1..3), said(), vec((words(), any::<bool>()), 3)).prop_map(|(user, model, mut results)| {
        results.truncate(model.calls.len());
        Exchange { user, model, results }
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let effort = option::of(prop_oneof![Just("low"), Just("medium"), Just("high")]);
    let numbers = (1..9999_u32, option::of(0..100_u8), option::of(1..100_u8));
    (numbers, vec("[a-z\n\"]{1,4}", 0..3), effort, option::of(schema()), any::<bool>()).prop_map(
        |((max_tokens, temperature, top_p), stop, effort, schema, must_call)| Settings {
            max_tokens,
            temperature,
            top_p,
            stop,
            effort,
            schema,
            must_call,
        },
    )
}

pub(super) fn talk() -> impl Strategy<Value = Talk> {
    let tool = (option::of(words()), schema());
    let tools = vec(tool, 0..4).prop_map(|tools| {
        let tool = |(index, (description, schema)): (usize, _)| {
            // Not in the order of the alphabet.
            Tool { name: format!("tool_{}", (index * 7 + 3) % 5), description, schema }
        };
        tools.into_iter().enumerate().map(tool).collect()
    });
    (option::of(words()), vec(exchange(), 0..3), vec(part(), 1..3), tools, settings()).prop_map(
        |(system, mut exchanges, ask, tools, mut settings): (_, Vec<Exchange>, _, Vec<Tool>, _)| {
            // Ids are unique in a whole conversation.
            for (turn, exchange) in exchanges.iter_mut().enumerate() {
                for call in &mut exchange.model.calls {
                    call.id = format!("{}_{turn}", call.id);
                }
            }
            settings.must_call &= !tools.is_empty();
            Talk { system, exchanges, ask, tools, settings }
        },
    )
}

impl Talk {
    /// The messages that a chat must have. `result` is how the door says a tool's result in a chat, with the name of the
    /// function.
    pub(super) fn lines(&self, result: impl Fn(&str, bool) -> String) -> Vec<Line> {
        let mut lines: Vec<Line> = self.system.iter().cloned().map(Line::System).collect();
        for exchange in &self.exchanges {
            lines.push(Line::User(exchange.user.clone()));
            lines.push(Line::Model(exchange.model.clone()));
            for (call, (text, failed)) in exchange.model.calls.iter().zip(&exchange.results) {
                lines.push(Line::Result { id: call.id.clone(), text: result(text, *failed) });
            }
        }
        lines.push(Line::User(self.ask.clone()));
        lines
    }

    /// Checks that a chat says this, apart from what a door has no words for.
    pub(super) fn is_in(&self, chat: &Value, result: impl Fn(&str, bool) -> String) -> Result<(), TestCaseError> {
        prop_assert_eq!(lines(&chat["messages"]), joined(self.lines(result)));
        let tools: Vec<Value> =
            chat["tools"].as_array().into_iter().flatten().map(|tool| tool["function"].clone()).collect();
        prop_assert_eq!(tools.len(), self.tools.len());
        for (found, wanted) in tools.iter().zip(&self.tools) {
            prop_assert_eq!(&found["name"], &Value::from(wanted.name.as_str()));
            prop_assert_eq!(found["description"].as_str(), wanted.description.as_deref());
            prop_assert_eq!(found["parameters"].to_string(), wanted.schema.to_string());
        }
        let settings = &self.settings;
        let limit = if chat["max_tokens"].is_null() { &chat["max_completion_tokens"] } else { &chat["max_tokens"] };
        prop_assert_eq!(limit.as_u64(), Some(u64::from(settings.max_tokens)));
        prop_assert_eq!(chat["temperature"].as_f64(), settings.temperature());
        prop_assert_eq!(chat["top_p"].as_f64(), settings.top_p());
        let stop: Vec<&str> = chat["stop"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        prop_assert_eq!(stop, settings.stop.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert_eq!(chat["reasoning_effort"].as_str(), settings.effort);
        prop_assert_eq!(chat["tool_choice"] == "required", settings.must_call);
        let schema = chat.pointer("/response_format/json_schema/schema").map(Value::to_string);
        prop_assert_eq!(schema, settings.schema.as_ref().map(Value::to_string));
        Ok(())
    }

    /// The same in OpenAI's chat.
    pub(super) fn chat(&self) -> Value {
        let mut messages = Vec::new();
        for line in self.lines(failing) {
            messages.push(match line {
                Line::System(text) => json!({"role": "system", "content": text}),
                Line::User(parts) => {
                    json!({"role": "user", "content": parts.iter().map(part_of_chat).collect::<Vec<_>>()})
                }
                Line::Result { id, text } => json!({"role": "tool", "tool_call_id": id, "content": text}),
                Line::Model(said) => {
                    let mut message = json!({"role": "assistant", "content": said.text});
                    if !said.thought.is_empty() {
                        message["reasoning_content"] = said.thought.into();
                    }
                    if !said.calls.is_empty() {
                        let call = |call: Call| {
                            json!({"id": call.id, "type": "function",
                            "function": {"name": call.name, "arguments": call.arguments.to_string()}})
                        };
                        message["tool_calls"] = said.calls.into_iter().map(call).collect();
                    }
                    message
                }
            });
        }
        let mut chat = json!({"model": "m", "messages": messages});
        let settings = &self.settings;
        if !self.tools.is_empty() {
            let tool = |tool: &Tool| json!({"type": "function", "function": named(tool, "parameters")});
            chat["tools"] = self.tools.iter().map(tool).collect();
        }
        chat["max_completion_tokens"] = settings.max_tokens.into();
        let members = [
            ("temperature", settings.temperature().map(Value::from)),
            ("top_p", settings.top_p().map(Value::from)),
            ("stop", (!settings.stop.is_empty()).then(|| settings.stop.clone().into())),
            ("reasoning_effort", settings.effort.map(Value::from)),
            ("tool_choice", settings.must_call.then(|| "required".into())),
            (
                "response_format",
                settings
                    .schema
                    .as_ref()
                    .map(|schema| json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}})),
            ),
        ];
        put(&mut chat, members);
        chat
    }
}

/// How most dialects tell that a tool failed, where OpenAI's chat has no mark for it.
pub(super) fn failing(text: &str, failed: bool) -> String {
    if failed { format!("Error: {text}") } else { text.to_owned() }
}

/// A tool's own members, its schema under this name.
pub(super) fn named(tool: &Tool, schema: &str) -> Value {
    let mut said = json!({"name": tool.name});
    put(&mut said, [("description", tool.description.clone().map(Value::from))]);
    said[schema] = tool.schema.clone();
    said
}

/// Adds the members that are there.
pub(super) fn put<'a>(to: &mut Value, members: impl IntoIterator<Item = (&'a str, Option<Value>)>) {
    for (name, value) in members {
        if let Some(value) = value {
            to[name] = value;
        }
    }
}

fn part_of_chat(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Picture(data) => {
            json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{data}")}})
        }
    }
}

/// What the messages of a chat say.
pub(super) fn lines(messages: &Value) -> Vec<Line> {
    let mut lines = Vec::new();
    for message in messages.as_array().unwrap() {
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        lines.push(match message["role"].as_str().unwrap() {
            "system" | "developer" => Line::System(text("content")),
            "user" => Line::User(parts(&message["content"])),
            "tool" => Line::Result { id: text("tool_call_id"), text: text("content") },
            "assistant" => Line::Model(said_in(message)),
            other => panic!("{other}"),
        });
    }
    joined(lines)
}

/// What a message of the model says.
pub(super) fn said_in(message: &Value) -> Said {
    let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    let call = |call: &Value| Call {
        id: call["id"].as_str().unwrap().to_owned(),
        name: call["function"]["name"].as_str().unwrap().to_owned(),
        arguments: serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap(),
    };
    let calls = message["tool_calls"].as_array().into_iter().flatten().map(call).collect();
    Said { thought: text("reasoning_content"), text: text("content"), calls }
}

fn parts(content: &Value) -> Vec<Part> {
    match content {
        Value::String(text) => vec![Part::Text(text.clone())],
        Value::Array(parts) => parts
            .iter()
            .map(|part| match part["type"].as_str().unwrap() {
                "text" => Part::Text(part["text"].as_str().unwrap().to_owned()),
                "image_url" => {
                    let url = part["image_url"]["url"].as_str().unwrap();
                    Part::Picture(url.strip_prefix("data:image/png;base64,").unwrap().to_owned())
                }
                other => panic!("{other}"),
            })
            .collect(),
        other => panic!("{other}"),
    }
}

/// Lines in which texts that follow each other are one: dialects differ in whether they join them.
fn joined(mut lines: Vec<Line>) -> Vec<Line> {
    for line in &mut lines {
        let Line::User(parts) = line else { continue };
        let mut whole: Vec<Part> = Vec::new();
        for part in parts.drain(..) {
            match (whole.last_mut(), part) {
                (Some(Part::Text(before)), Part::Text(more)) => *before = format!("{before}\n\n{more}"),
                (_, part) => whole.push(part),
            }
        }
        *parts = whole;
    }
    lines
}
