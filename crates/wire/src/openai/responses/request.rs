//! Reading a call, and writing it as chat.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{Fault, Kind, Result};

use super::{
    Answered, Heard, Told, Writer,
    input::{self, Items},
    notes::{Notes, bad},
    settings, stored, tools,
    tools::Tools,
    turns::Turns,
    writer::Ways,
};
use crate::json::{self, Limits};

/// Members that go to chat as they are.
const ALIKE: &[&str] = &["temperature", "top_p", "user", "safety_identifier", "service_tier"];

/// Members that are dealt with one by one.
const OWN: &[&str] = &[
    "model",
    "input",
    "instructions",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "include",
    "top_logprobs",
    "max_output_tokens",
    "previous_response_id",
    "conversation",
    "store",
    "background",
    "metadata",
    "truncation",
    "prompt",
    "moderation",
    "temperature",
    "top_p",
    "user",
    "safety_identifier",
    "service_tier",
];

/// Members that advise OpenAI's service, or concern what only it has: taken out and named.
const ADVICE: &[&str] =
    &["access_programs", "background_options", "client_metadata", "context_management", "image", "max_tool_calls"];

/// Chat's members that this API calls otherwise.
const MOVED: &[(&str, &str)] = &[
    ("messages", "input"),
    ("response_format", "text.format"),
    ("max_tokens", "max_output_tokens"),
    ("max_completion_tokens", "max_output_tokens"),
    ("reasoning_effort", "reasoning.effort"),
    ("verbosity", "text.verbosity"),
    ("functions", "tools"),
    ("function_call", "tool_choice"),
    ("logprobs", "include"),
];

/// A call of `/v1/responses`.
#[derive(Clone, Debug)]
pub struct Request {
    members: Map<String, Value>,
    model: String,
    pub(super) input: Vec<Value>,
    pub(super) history: Vec<Value>,
    lenient: bool,
}

impl Request {
    /// Reads a body. `path_model` is the model where the path names it and the body does not.
    ///
    /// # Errors
    /// `BadRequest`, naming the member: no JSON object, a member of the wrong type, `model` or `input` missing.
    pub fn read(
        body: &Bytes,
        path_model: Option<&str>,
        headers: &dyn Fn(&str) -> Option<&str>,
        limits: &Limits,
    ) -> Result<Self> {
        let broken = |why: &dyn std::fmt::Display| {
            Fault::new(Kind::BadRequest, format!("The body is not valid JSON: {why}. Send a JSON object."))
        };
        json::validate(body, *limits).map_err(|error| broken(&error))?;
        let members: Map<String, Value> = serde_json::from_slice(body).map_err(|error| broken(&error))?;
        let model = match members.get("model").unwrap_or(&Value::Null) {
            Value::String(model) if !model.is_empty() => model.clone(),
            Value::Null => match path_model {
                Some(model) => model.to_owned(),
                None => return Err(bad("model", "is missing: name a model, e.g. \"huggingface/auto/org/name\"")),
            },
            _ => return Err(bad("model", "must be a string that is not empty")),
        };
        let input = match members.get("input").unwrap_or(&Value::Null) {
            Value::Null => Vec::new(),
            Value::String(text) => vec![json!({"type": "message", "role": "user", "content": text})],
            Value::Array(items) => items.clone(),
            _ => return Err(bad("input", "must be a string or a list of items")),
        };
        let lenient = headers("x-ironbow-lenient").is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let request = Self { members, model, input, history: Vec::new(), lenient };
        request.check()?;
        Ok(request)
    }

    /// The model as the caller named it.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether a stream is asked for.
    pub fn stream(&self) -> bool {
        self.member("stream") == &Value::Bool(true)
    }

    /// Whether the response is to be kept, where the call says.
    pub fn asked_to_store(&self) -> Option<bool> {
        self.member("store").as_bool()
    }

    /// Whether the response is to be kept; it is unless the caller says no.
    pub(super) fn store(&self) -> bool {
        self.asked_to_store() != Some(false)
    }

    /// Notes that the response will not be kept, which it then says.
    pub fn not_kept(&mut self) {
        self.members.insert("store".to_owned(), Value::Bool(false));
    }

    /// The items of the call's own input as they are listed and kept: with ids, and messages in parts.
    pub fn own_items(&self, response: &str) -> Vec<(String, Value)> {
        stored::named_items(&self.input, response)
    }

    /// Whether the caller does not wait for the answer.
    pub fn background(&self) -> bool {
        self.member("background") == &Value::Bool(true)
    }

    /// The response that this one continues.
    pub fn previous(&self) -> Option<&str> {
        self.member("previous_response_id").as_str()
    }

    /// The conversation that this call belongs to.
    pub fn conversation(&self) -> Option<&str> {
        let given = self.member("conversation");
        given.as_str().or_else(|| given["id"].as_str())
    }

    /// Whether something of before belongs to the call.
    pub fn continues(&self) -> bool {
        self.previous().is_some() || self.conversation().is_some()
    }

    /// The ids of kept items that the input names instead of saying them.
    pub fn references(&self) -> Vec<&str> {
        let referring = self.input.iter().filter(|item| input::kind(item) == Some("item_reference"));
        referring.filter_map(|item| item["id"].as_str()).collect()
    }

    /// Puts items of before (what was asked and answered, oldest first) in front of the new input.
    pub fn compose(&mut self, history: Vec<Value>) {
        let by_id: HashMap<&str, &Value> =
            history.iter().filter_map(|item| Some((item["id"].as_str()?, item))).collect();
        self.resolve(|id| by_id.get(id).map(|item| (*item).clone()));
        self.history = history;
    }

    /// Puts kept items where the input names them; what is not found stays a reference, and is refused by name later.
    pub fn resolve(&mut self, find: impl Fn(&str) -> Option<Value>) {
        for item in &mut self.input {
            if input::kind(item) == Some("item_reference")
                && let Some(found) = item["id"].as_str().and_then(&find)
            {
                *item = found;
            }
        }
    }

    /// The same call about other items.
    pub(super) fn about(&self, history: Vec<Value>, input: Vec<Value>) -> Self {
        Self { members: self.members.clone(), model: self.model.clone(), input, history, lenient: self.lenient }
    }

    /// The chat to send, and what writes its answer.
    ///
    /// # Errors
    /// `UnsupportedParameter` for what cannot be said in chat and changes the answer (unless the caller is lenient),
    /// `BadRequest` for what is wrong; both name the member.
    pub fn heard(&self, told: &Told) -> Result<Heard> {
        let mut notes = Notes::new(self.lenient);
        let tools = tools::read(self.member("tools"), &self.added_tools()?, self.member("tool_choice"), &mut notes)?;
        let messages = self.messages(&tools, told, &mut notes)?;
        let ways = self.ways(&mut notes)?;
        let chat = self.chat(messages, &tools, ways, &mut notes)?;
        let answered = Answered::default();
        let skeleton = settings::skeleton(self, told, &tools);
        let writer = Writer::new(skeleton, told.clone(), tools.names, ways, answered.clone());
        Ok(Heard {
            chat: Bytes::from(Value::Object(chat).to_string()),
            model: self.model.clone(),
            writer: Box::new(writer),
            answered,
            dropped: notes.into_dropped(),
        })
    }

    /// The response before it has an answer, with this status (`queued`, `in_progress`): what the caller of a
    /// background call is told, and what is kept meanwhile.
    ///
    /// # Errors
    /// Those of [`Self::heard`] that concern tools.
    pub fn waiting(&self, told: &Told, status: &str) -> Result<Value> {
        let mut notes = Notes::new(self.lenient);
        let tools = tools::read(self.member("tools"), &self.added_tools()?, self.member("tool_choice"), &mut notes)?;
        let mut response = settings::skeleton(self, told, &tools);
        response.insert("status".into(), status.into());
        Ok(response.into())
    }

    pub(super) fn member(&self, name: &str) -> &Value {
        self.members.get(name).unwrap_or(&Value::Null)
    }

    /// How much of the reasoning's summary is wanted.
    pub(super) fn summary(&self) -> &Value {
        let reasoning = self.member("reasoning");
        let older = &reasoning["generate_summary"];
        if reasoning["summary"].is_null() { older } else { &reasoning["summary"] }
    }

    /// Checks the types of what is judged here.
    fn check(&self) -> Result<()> {
        let wrong = |names: &[&str], good: fn(&Value) -> bool, wanted: &str| {
            let wrong = names.iter().find(|name| !self.member(name).is_null() && !good(self.member(name)));
            wrong.map_or(Ok(()), |name| Err(bad(name, &format!("must be {wanted}"))))
        };
        wrong(&["stream", "store", "background", "parallel_tool_calls"], Value::is_boolean, "a boolean")?;
        wrong(&["instructions", "previous_response_id"], Value::is_string, "a string")?;
        wrong(&["text", "reasoning", "metadata", "stream_options"], Value::is_object, "an object")?;
        wrong(&["max_output_tokens", "top_logprobs"], Value::is_u64, "a whole number")?;
        wrong(&["include"], Value::is_array, "a list")?;
        wrong(&["truncation"], |value| value == "auto" || value == "disabled", "`auto` or `disabled`")?;
        if !self.member("conversation").is_null() && self.conversation().is_none() {
            return Err(bad("conversation", "must be an id, or an object with an `id`"));
        }
        if self.previous().is_some() && self.conversation().is_some() {
            return Err(bad("previous_response_id", "cannot be given together with `conversation`"));
        }
        if self.background() && !self.store() {
            return Err(bad("background", "needs `store`: there is no other way to fetch the answer"));
        }
        if self.conversation().is_some() && !self.store() {
            return Err(bad("conversation", "needs `store`: what is answered is added to it"));
        }
        let moved = MOVED.iter().find(|(name, _)| !self.member(name).is_null());
        if let Some((name, home)) = moved {
            return Err(bad(name, &format!("is not a member of this API; use `{home}`")));
        }
        if !matches!(self.member("n"), Value::Null) && self.member("n") != 1 {
            return Err(bad("n", "is not a member of this API: there is one answer"));
        }
        Ok(())
    }

    /// The tools that come with items, each with its place: Codex sends all of its tools so to the models that it knows.
    fn added_tools(&self) -> Result<Vec<(String, &Value)>> {
        let mut added = Vec::new();
        let places = (0..self.input.len()).map(|index| format!("input[{index}]"));
        let places = self.history.iter().map(|_| "input".to_owned()).chain(places);
        for (item, place) in self.history.iter().chain(&self.input).zip(places) {
            if input::kind(item) != Some("additional_tools") {
                continue;
            }
            let Some(tools) = item["tools"].as_array() else {
                return Err(bad(&format!("{place}.tools"), "must be a list of tools"));
            };
            added.extend(tools.iter().enumerate().map(|(index, tool)| (format!("{place}.tools[{index}]"), tool)));
        }
        Ok(added)
    }

    fn messages(&self, tools: &Tools, told: &Told, notes: &mut Notes) -> Result<Vec<Value>> {
        let mut items =
            Items { names: &tools.names, sealer: Arc::as_ref(&told.sealer), notes, turns: Turns::default() };
        if let Some(instructions) = self.member("instructions").as_str().filter(|text| !text.is_empty()) {
            items.turns.instruct("system", instructions);
        }
        let before = if self.previous().is_some() { "previous_response_id" } else { "conversation" };
        for item in &self.history {
            items.take(item, before)?;
        }
        for (index, item) in self.input.iter().enumerate() {
            items.take(item, &format!("input[{index}]"))?;
        }
        let messages = items.turns.done();
        if messages.is_empty() {
            return Err(bad("input", "is missing: send a string or a list of items"));
        }
        Ok(messages)
    }

    /// How the answer is to be written.
    fn ways(&self, notes: &mut Notes) -> Result<Ways> {
        let mut ways = Ways { summary: self.summary().is_string(), sealed: false, logprobs: false };
        for (index, wish) in self.member("include").as_array().into_iter().flatten().enumerate() {
            match wish.as_str() {
                Some("reasoning.encrypted_content") => ways.sealed = true,
                Some("message.output_text.logprobs") => ways.logprobs = true,
                // Always there.
                Some("message.input_image.image_url") => {}
                Some(other) => notes.drop(&format!("include.{other}")),
                None => return Err(bad(&format!("include[{index}]"), "must be a string")),
            }
        }
        ways.logprobs |= self.member("top_logprobs").as_u64().is_some_and(|top| top > 0);
        Ok(ways)
    }

    fn chat(&self, messages: Vec<Value>, tools: &Tools, ways: Ways, notes: &mut Notes) -> Result<Map<String, Value>> {
        let mut chat = Map::new();
        chat.insert("model".into(), self.model.as_str().into());
        chat.insert("messages".into(), messages.into());
        if !tools.chat.is_empty() {
            chat.insert("tools".into(), tools.chat.clone().into());
            if let Some(choice) = &tools.choice {
                chat.insert("tool_choice".into(), choice.clone());
            }
            if !self.member("parallel_tool_calls").is_null() {
                chat.insert("parallel_tool_calls".into(), self.member("parallel_tool_calls").clone());
            }
        }
        self.text(&mut chat, notes)?;
        self.reasoning(&mut chat, notes)?;
        if !self.member("max_output_tokens").is_null() {
            chat.insert("max_completion_tokens".into(), self.member("max_output_tokens").clone());
        }
        if ways.logprobs {
            chat.insert("logprobs".into(), true.into());
            if let Some(top) = self.member("top_logprobs").as_u64().filter(|top| *top > 0) {
                chat.insert("top_logprobs".into(), top.into());
            }
        }
        self.rest(&mut chat, notes)?;
        if self.stream() {
            chat.insert("stream".into(), true.into());
            chat.insert("stream_options".into(), json!({"include_usage": true}));
        }
        Ok(chat)
    }

    fn text(&self, chat: &mut Map<String, Value>, notes: &mut Notes) -> Result<()> {
        let text = self.member("text");
        if !text["verbosity"].is_null() && text["verbosity"] != "medium" {
            notes.drop("text.verbosity");
        }
        let format = &text["format"];
        notes.unread("text", text, &["verbosity", "format"]);
        notes.unread("text.format", format, &["type", "name", "description", "schema", "strict"]);
        match format["type"].as_str() {
            Some("text") => {}
            Some("json_object") => {
                chat.insert("response_format".into(), json!({"type": "json_object"}));
            }
            Some("json_schema") => {
                let mut schema = Map::new();
                for member in ["name", "description", "schema", "strict"] {
                    if !format[member].is_null() {
                        schema.insert(member.into(), format[member].clone());
                    }
                }
                if !format["schema"].is_object() {
                    return Err(bad("text.format.schema", "must be an object"));
                }
                chat.insert("response_format".into(), json!({"type": "json_schema", "json_schema": schema}));
            }
            Some(_) => notes.refuse("text.format", "the formats are `text`, `json_object` and `json_schema`")?,
            None if format.is_null() => {}
            None => return Err(bad("text.format.type", "is missing")),
        }
        Ok(())
    }

    fn reasoning(&self, chat: &mut Map<String, Value>, notes: &mut Notes) -> Result<()> {
        let Some(reasoning) = self.member("reasoning").as_object() else { return Ok(()) };
        for (name, value) in reasoning {
            match (name.as_str(), value) {
                (_, Value::Null) | ("summary" | "generate_summary", _) => {}
                ("effort", Value::String(_)) => {
                    chat.insert("reasoning_effort".into(), value.clone());
                }
                ("effort", _) => return Err(bad("reasoning.effort", "must be a string")),
                ("mode", mode) if mode == "standard" => {}
                ("mode", _) => notes.refuse("reasoning.mode", "only its vendor's models have it")?,
                (other, _) => notes.drop(&format!("reasoning.{other}")),
            }
        }
        Ok(())
    }

    /// What goes as it is, what is left out, and what we do not know: passed on.
    fn rest(&self, chat: &mut Map<String, Value>, notes: &mut Notes) -> Result<()> {
        if self.member("stream_options")["include_obfuscation"] == true {
            notes.drop("stream_options.include_obfuscation");
        }
        if !self.member("prompt").is_null() {
            notes.refuse("prompt", "prompts that are kept at OpenAI cannot be read; say it in `instructions`")?;
        }
        if !self.member("moderation").is_null() {
            notes.refuse("moderation", "only its vendor does it")?;
        }
        for (name, value) in &self.members {
            let own = OWN.contains(&name.as_str()) || name == "n";
            if value.is_null() || own && !ALIKE.contains(&name.as_str()) {
                continue;
            }
            if ADVICE.contains(&name.as_str()) {
                notes.drop(name);
            } else {
                chat.insert(name.clone(), value.clone());
            }
        }
        Ok(())
    }
}
