//! Tools and the choice among them: functions, tools of free text, and functions in a namespace are chat's functions;
//! tools that only their vendor can run are taken out and named.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};
use types::Result;

use super::notes::{Notes, bad, shown};

/// Longest name of a function in chat.
const LONGEST_NAME: usize = 64;

/// What is behind a function's name in chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Its name in chat.
    pub(super) written: String,
    /// Its name in the call.
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    /// Whether it takes free text.
    pub(super) custom: bool,
}

/// The functions of a call, by the names that they have in chat.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    known: Vec<Known>,
    by_written: HashMap<String, usize>,
    by_name: HashMap<(Option<String>, String), usize>,
}

impl Names {
    pub(super) fn find(&self, written: &str) -> Option<&Known> {
        self.known.get(*self.by_written.get(written)?)
    }

    /// The name that a function has in chat, also one that is not offered any more.
    pub(super) fn written(&self, namespace: Option<&str>, name: &str) -> String {
        let position = self.by_name.get(&(namespace.map(str::to_owned), name.to_owned()));
        let known = position.and_then(|position| self.known.get(*position));
        known.map_or_else(|| joined(namespace, name), |known| known.written.clone())
    }

    fn add(&mut self, known: Known) {
        self.by_written.insert(known.written.clone(), self.known.len());
        self.by_name.insert((known.namespace.clone(), known.name.clone()), self.known.len());
        self.known.push(known);
    }
}

/// The tools of a call, translated.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// As chat has them.
    pub(super) chat: Vec<Value>,
    pub(super) names: Names,
    /// As the answer shows them.
    pub(super) shown: Vec<Value>,
    /// `tool_choice` in chat.
    pub(super) choice: Option<Value>,
    hosted: Vec<String>,
    /// Whether these tools come with an item: what is already there may come again, and the answer does not show them.
    added: bool,
}

/// Reads `tools`, the tools that items add to them, each with its place, and `tool_choice`.
pub(super) fn read(tools: &Value, added: &[(String, &Value)], choice: &Value, notes: &mut Notes) -> Result<Tools> {
    let mut read = Tools::default();
    match tools {
        Value::Null => {}
        Value::Array(tools) => {
            for (index, tool) in tools.iter().enumerate() {
                read.take(tool, &format!("tools[{index}]"), notes)?;
            }
        }
        _ => return Err(bad("tools", "must be a list")),
    }
    read.added = true;
    for (param, tool) in added {
        read.take(tool, param, notes)?;
    }
    read.choose(choice, notes)?;
    Ok(read)
}

impl Tools {
    fn take(&mut self, tool: &Value, param: &str, notes: &mut Notes) -> Result<()> {
        let Some(kind) = tool["type"].as_str() else {
            return Err(bad(&format!("{param}.type"), "is missing: name the tool's type"));
        };
        match kind {
            "function" | "custom" => self.function(tool, None, None, param, notes)?,
            "namespace" => {
                let name = text(tool, "name", param)?;
                let mut about = tool["description"].as_str();
                for (index, inner) in tool["tools"].as_array().into_iter().flatten().enumerate() {
                    let param = format!("{param}.tools[{index}]");
                    // What the namespace says of itself is said once, with its first function.
                    self.function(inner, Some(name), about.take(), &param, notes)?;
                }
            }
            hosted => {
                notes.drop(&format!("tools.{}", shown(hosted)));
                self.hosted.push(hosted.to_owned());
                return Ok(());
            }
        }
        if !self.added {
            self.shown.push(as_shown(tool));
        }
        Ok(())
    }

    fn function(
        &mut self,
        tool: &Value,
        namespace: Option<&str>,
        about: Option<&str>,
        param: &str,
        notes: &mut Notes,
    ) -> Result<()> {
        let name = text(tool, "name", param)?;
        let custom = tool["type"] == "custom";
        notes.unread("tools", tool, &["type", "name", "description", "parameters", "strict", "format"]);
        let mut written = joined(namespace, name);
        if written.len() > LONGEST_NAME && namespace.is_some() {
            let end = (0..=LONGEST_NAME - 6).rev().find(|end| written.is_char_boundary(*end)).unwrap_or(0);
            written.truncate(end);
            written.push_str(&format!("_{:05}", self.chat.len()));
        }
        if self.added && self.names.find(&written).is_some() {
            return Ok(());
        }
        if self.names.find(&written).is_some() {
            return Err(bad(&format!("{param}.name"), &format!("is `{}`, which another tool has", shown(name))));
        }
        let mut described: Vec<String> = about.into_iter().map(str::to_owned).collect();
        described.extend(tool["description"].as_str().map(str::to_owned));
        let mut function = Map::new();
        function.insert("name".into(), written.as_str().into());
        if custom {
            described.extend(format_in_words(&tool["format"]));
            if tool["format"]["type"] == "grammar" {
                notes.drop("tools.format");
            }
        }
        if !described.is_empty() {
            function.insert("description".into(), described.join("\n\n").into());
        }
        if custom {
            function.insert(
                "parameters".into(),
                json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}),
            );
        } else {
            for member in ["parameters", "strict"] {
                if !tool[member].is_null() {
                    function.insert(member.into(), tool[member].clone());
                }
            }
        }
        self.chat.push(json!({"type": "function", "function": function}));
        self.names.add(Known { written, name: name.into(), namespace: namespace.map(Into::into), custom });
        Ok(())
    }

    fn choose(&mut self, choice: &Value, notes: &mut Notes) -> Result<()> {
        const PARAM: &str = "tool_choice";
        match choice {
            Value::Null => {}
            Value::String(word) => self.choose_word(word, notes)?,
            Value::Object(_) => match choice["type"].as_str() {
                Some("function" | "custom") => {
                    notes.unread(PARAM, choice, &["type", "name", "namespace"]);
                    let name = text(choice, "name", PARAM)?;
                    let written = self.names.written(choice["namespace"].as_str(), name);
                    if self.names.find(&written).is_none() {
                        let what = format!("names `{}`, which is not among `tools`", shown(name));
                        return Err(bad("tool_choice.name", &what));
                    }
                    self.choice = Some(json!({"type": "function", "function": {"name": written}}));
                }
                Some("allowed_tools") => {
                    self.allow(&choice["tools"]);
                    self.choose_word(choice["mode"].as_str().unwrap_or("auto"), notes)?;
                }
                Some(vendor) => {
                    let why = format!("it demands `{}`, which only its vendor can run", shown(vendor));
                    notes.refuse(PARAM, &why)?;
                }
                None => return Err(bad("tool_choice.type", "is missing")),
            },
            _ => return Err(bad(PARAM, "must be a string or an object")),
        }
        Ok(())
    }

    fn choose_word(&mut self, word: &str, notes: &mut Notes) -> Result<()> {
        match word {
            "auto" | "none" if self.chat.is_empty() => {}
            "required" if self.chat.is_empty() && !self.hosted.is_empty() => {
                let why = "it demands a tool, and only the vendor of those in `tools` can run them";
                notes.refuse("tool_choice", why)?;
            }
            "required" if self.chat.is_empty() => {
                return Err(bad("tool_choice", "demands a tool, and `tools` has none"));
            }
            "auto" | "none" | "required" => self.choice = Some(word.into()),
            _ => return Err(bad("tool_choice", "must be `auto`, `none`, `required` or an object")),
        }
        Ok(())
    }

    /// Leaves only these tools to choose from.
    fn allow(&mut self, allowed: &Value) {
        let mut kept = HashSet::new();
        for one in allowed.as_array().into_iter().flatten() {
            if let Some(name) = one["name"].as_str() {
                kept.insert(self.names.written(one["namespace"].as_str(), name));
            }
        }
        self.chat.retain(|tool| tool["function"]["name"].as_str().is_some_and(|name| kept.contains(name)));
    }
}

/// The name of a function in chat, which has no namespaces.
fn joined(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        None => name.to_owned(),
        Some(namespace) if namespace.ends_with("__") => format!("{namespace}{name}"),
        Some(namespace) => format!("{namespace}__{name}"),
    }
}

/// What a tool of free text must be given, for the model to read.
fn format_in_words(format: &Value) -> Option<String> {
    let definition = format["definition"].as_str()?;
    let syntax = format["syntax"].as_str().unwrap_or("the following");
    Some(format!("`input` must follow this grammar ({syntax}):\n{definition}"))
}

/// A tool with the members that OpenAI's answers always have.
fn as_shown(tool: &Value) -> Value {
    let mut shown = tool.clone();
    if tool["type"] == "function"
        && let Some(members) = shown.as_object_mut()
    {
        for member in ["description", "parameters", "strict"] {
            members.entry(member).or_insert(Value::Null);
        }
    }
    shown
}

fn text<'a>(value: &'a Value, member: &str, param: &str) -> Result<&'a str> {
    match value[member].as_str() {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(bad(&format!("{param}.{member}"), "must be a string that is not empty")),
    }
}
