//! The members at the top of a call.

use serde_json::{Map, Value, json};
use types::{Fault, Kind, Result};

use super::{
    Sealer,
    fault::NO_THREADS,
    members::{array, flag, object, text, wrong},
    messages,
    thinking::{self, Thinking},
    tools,
};
use crate::heard::Notes;

/// Members that only advise the service.
const ADVISORY: &[&str] = &[
    "billing_policy",
    "compaction",
    "context_management",
    "diagnostics",
    "fallback_credit_token",
    "fallbacks",
    "service_tier",
    "speed",
    "user_profile_id",
    "workspace_id",
];

/// Members that Anthropic's API does not have and that every chat server has its own opinion of: SDKs let callers add
/// them, and they are passed on.
const EXTRA: &[&str] = &[
    "chat_template_kwargs",
    "frequency_penalty",
    "logit_bias",
    "min_p",
    "presence_penalty",
    "prompt_cache_key",
    "repetition_penalty",
    "safety_identifier",
    "seed",
    "typical_p",
];

/// A call, member by member, in OpenAI's words.
#[derive(Default)]
pub(super) struct Wish {
    pub(super) model: String,
    pub(super) max_tokens: Option<u64>,
    pub(super) thinking: Thinking,
    stream: bool,
    messages: Vec<Value>,
    tools: Vec<Value>,
    tool_choice: Option<Value>,
    one_tool_at_a_time: bool,
    stop: Vec<Value>,
    effort: Option<&'static str>,
    format: Option<Value>,
    user: Option<String>,
    /// `temperature` and the like, as they came.
    sampling: Vec<(String, Value)>,
}

/// Members whose meaning hangs on one another.
#[derive(Default)]
struct Later {
    system: Option<Value>,
    messages: Option<Value>,
    tools: Option<Value>,
    tool_choice: Option<Value>,
    effort: Option<&'static str>,
}

impl Wish {
    pub(super) fn read(
        members: Map<String, Value>,
        path_model: Option<&str>,
        sealer: &dyn Sealer,
        notes: &mut Notes,
    ) -> Result<Self> {
        let mut wish = Self::default();
        let mut later = Later::default();
        for (name, value) in members {
            if !value.is_null() {
                wish.member(&name, value, &mut later, notes)?;
            }
        }
        wish.effort = later.effort.or(wish.effort);
        if wish.model.is_empty() {
            wish.model = path_model.unwrap_or_default().to_owned();
        }
        if wish.model.is_empty() {
            return Err(wrong("model", "is missing: name a model, e.g. \"huggingface/auto/org/name\""));
        }
        if let Some(system) = later.system {
            wish.messages.extend(messages::system(system, notes)?);
        }
        let said = later.messages.ok_or_else(|| wrong("messages", "is missing: send an array of messages"))?;
        messages::read(array(said, "messages")?, sealer, notes, &mut wish.messages)?;
        let offered = tools::read(later.tools, notes)?;
        let choice = tools::choice(later.tool_choice, &offered, notes)?;
        (wish.tool_choice, wish.one_tool_at_a_time) = choice;
        wish.tools = offered.functions;
        Ok(wish)
    }

    fn member(&mut self, name: &str, value: Value, later: &mut Later, notes: &mut Notes) -> Result<()> {
        match name {
            "model" => match value {
                Value::String(model) => self.model = model,
                _ => return Err(wrong(name, "must be a string")),
            },
            "messages" => later.messages = Some(value),
            "system" => later.system = Some(value),
            "tools" => later.tools = Some(value),
            "tool_choice" => later.tool_choice = Some(value),
            "max_tokens" => {
                let limit = value.as_u64().ok_or_else(|| wrong(name, "must be a whole number"))?;
                self.max_tokens = Some(limit);
            }
            "stream" => self.stream = value.as_bool().ok_or_else(|| wrong(name, "must be a boolean"))?,
            "stop_sequences" => {
                self.stop = array(value, name)?;
                if !self.stop.iter().all(Value::is_string) {
                    return Err(wrong(name, "must be an array of strings"));
                }
            }
            "temperature" | "top_p" | "top_k" => {
                if !value.is_number() {
                    return Err(wrong(name, "must be a number"));
                }
                self.sampling.push((name.to_owned(), value));
            }
            "metadata" => self.metadata(object(value, name)?, notes)?,
            "thinking" => {
                let said = object(value, name)?;
                notes.unread(name, &said, &["type", "budget_tokens", "display"]);
                (self.thinking, self.effort) = thinking::read(said)?;
            }
            "output_config" => {
                let mut config = object(value, name)?;
                if let Some(effort) = config.shift_remove("effort") {
                    later.effort = thinking::effort(&effort, notes)?;
                }
                if let Some(format) = config.shift_remove("format") {
                    self.format(format, "output_config.format", notes)?;
                }
                for other in config.keys() {
                    notes.refuse(format!("output_config.{other}"), "it is not known here")?;
                }
            }
            "output_format" => self.format(value, name, notes)?,
            "cache_control" | "betas" | "anthropic_version" | "anthropic_beta" => {}
            "mcp_servers" => {
                if value.as_array().is_none_or(|servers| !servers.is_empty()) {
                    notes.took_out(name);
                }
            }
            "container" => notes.refuse(name, "code is not run here")?,
            "thread" => thread(&value, notes)?,
            "inference_geo" => notes.refuse(name, "where a backend computes cannot be promised")?,
            _ if ADVISORY.contains(&name) => notes.took_out(name),
            _ if EXTRA.contains(&name) => self.sampling.push((name.to_owned(), value)),
            _ => {
                let shown: String = name.chars().filter(|c| c.is_ascii_graphic()).take(60).collect();
                notes.refuse(shown, "it is not known here")?;
            }
        }
        Ok(())
    }

    fn metadata(&mut self, mut said: Map<String, Value>, notes: &mut Notes) -> Result<()> {
        if said.get("user_id").is_some_and(|id| !id.is_null()) {
            self.user = Some(text(&mut said, "user_id", "metadata")?);
        }
        if said.keys().any(|name| name != "user_id") {
            notes.took_out("metadata");
        }
        Ok(())
    }

    fn format(&mut self, said: Value, at: &str, notes: &mut Notes) -> Result<()> {
        if said.is_null() {
            return Ok(());
        }
        let mut said = object(said, at)?;
        if text(&mut said, "type", at)? != "json_schema" {
            return Err(wrong(format_args!("{at}.type"), "must be \"json_schema\""));
        }
        let Some(schema @ Value::Object(_)) = said.shift_remove("schema") else {
            return Err(wrong(format_args!("{at}.schema"), "must be an object: a JSON schema"));
        };
        notes.unread(at, &said, &["type", "name"]);
        let named = json!({ "name": "answer", "strict": true, "schema": schema });
        self.format = Some(json!({ "type": "json_schema", "json_schema": named }));
        Ok(())
    }

    /// The call as OpenAI's chat has it: always in the same order.
    pub(super) fn into_chat(self) -> Map<String, Value> {
        let mut chat = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                chat.insert(name.to_owned(), value);
            }
        };
        put("model", Some(self.model.into()));
        put("messages", Some(self.messages.into()));
        put("max_completion_tokens", self.max_tokens.map(Value::from));
        let offers = !self.tools.is_empty();
        put("tools", offers.then_some(Value::Array(self.tools)));
        put("tool_choice", self.tool_choice);
        put("parallel_tool_calls", (offers && self.one_tool_at_a_time).then_some(Value::Bool(false)));
        put("response_format", self.format);
        put("reasoning_effort", self.effort.map(Value::from));
        put("stop", (!self.stop.is_empty()).then_some(Value::Array(self.stop)));
        put("user", self.user.map(Value::from));
        put("stream", Some(self.stream.into()));
        put("stream_options", self.stream.then(|| json!({ "include_usage": true })));
        for (name, value) in self.sampling {
            put(&name, Some(value));
        }
        chat
    }
}

/// Refuses a thread with the code at which SDKs go on without one and send the whole conversation. To go on with a
/// thread says too little by itself, so that it is refused even when the caller is lenient.
fn thread(said: &Value, notes: &mut Notes) -> Result<()> {
    let why = "conversations are not kept for this API; send all messages";
    if said["type"] == "create" {
        return notes.refuse("thread", why).map_err(|fault| fault.code(NO_THREADS));
    }
    let fault = Fault::new(Kind::UnsupportedParameter, format!("`thread` cannot be honoured: {why}."));
    Err(fault.param("thread").code(NO_THREADS))
}

/// Whether only one tool may be called at a time.
pub(super) fn one_at_a_time(choice: &Map<String, Value>) -> Result<bool> {
    flag(choice, "disable_parallel_tool_use", "tool_choice")
}
