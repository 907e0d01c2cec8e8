//! OpenAI's responses: whole, and as the stream of typed events that the service sends.

use bytes::Bytes;
use serde_json::{Value, json};

use super::kept::{Kept, Response};
use super::{PLAIN, bad, object};
use crate::ask::{Ask, text};
use crate::backends::Backend;
use crate::chat;
use crate::chat::errors::Refusal;
use crate::chat::script::{Call, Finish, Script};
use crate::fill::{fill, fingerprint, quoted};
use crate::reply::Reply;
use crate::world;

const MEMBERS: &[&str] = &[
    "background",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

pub(super) fn answer(ask: &Ask, backend: &Backend, kept: &Kept) -> Result<Reply, Refusal> {
    if ask.method != "POST" {
        return Err(chat::wrong_method());
    }
    let body = object(ask)?;
    check(&body)?;
    let model = text(&body, "model").unwrap_or_default();
    if !world::serves(backend.id, model) {
        return Err(chat::no_model(backend, model));
    }
    if let Some(previous) = text(&body, "previous_response_id").filter(|id| !kept.has(id, ask.secret())) {
        return bad("previous_response_id", format!("Previous response with id '{previous}' not found."));
    }
    let schema = body.pointer("/text/format/schema").cloned();
    let script = Script::of(&plain(&body), &PLAIN, &ask.knobs, schema);
    let id = fingerprint(&format!("{}{}", ask.secret(), String::from_utf8_lossy(&ask.body)));
    let told = Told { script: &script, model, id, body: &body };
    let (stream, background) = (told.says("stream"), told.says("background"));
    let (queued, done, frames) =
        (told.response("queued", &[]), told.response("completed", &told.items()), told.frames());
    if body.get("store") != Some(&Value::Bool(false)) {
        kept.keep(Response {
            id: format!("resp_{}", told.id),
            key: ask.secret().to_owned(),
            queued: queued.clone(),
            done: done.clone(),
            frames: frames.clone(),
            input: told.input(),
            looks: if background && !stream { 2 } else { 0 },
            cancelled: false,
        });
    }
    let reply = if stream {
        Reply::events("text/event-stream; charset=utf-8", frames, ask.knobs.gap())
    } else {
        Reply::json(200, if background { queued } else { done })
    };
    Ok(reply
        .with("openai-version", "2020-10-01")
        .with("openai-processing-ms", "42")
        .with("x-request-id", "req_sandbox0"))
}

fn check(body: &Value) -> Result<(), Refusal> {
    if let Some(name) = body.as_object().and_then(|all| all.keys().find(|name| !MEMBERS.contains(&name.as_str()))) {
        return bad(name, format!("Unknown parameter: '{name}'."));
    }
    match body.get("input") {
        Some(Value::String(_)) => {}
        Some(Value::Array(items)) => {
            for (at, item) in items.iter().enumerate() {
                let kind = text(item, "type").unwrap_or("message");
                let known = [
                    "message",
                    "function_call",
                    "function_call_output",
                    "custom_tool_call",
                    "custom_tool_call_output",
                    "reasoning",
                    "item_reference",
                    "web_search_call",
                ];
                if !known.contains(&kind) {
                    return bad(&format!("input[{at}]"), format!("Invalid value: '{kind}'."));
                }
            }
        }
        _ => return bad("input", "Missing required parameter: 'input'."),
    }
    for (at, tool) in body.get("tools").and_then(Value::as_array).into_iter().flatten().enumerate() {
        match text(tool, "type") {
            Some("function" | "custom") if text(tool, "name").is_some() => {}
            Some("web_search" | "file_search" | "code_interpreter" | "image_generation" | "mcp") => {}
            _ => return bad(&format!("tools[{at}].type"), "Invalid value."),
        }
    }
    Ok(())
}

/// The call as a plain chat, from which the script is made.
fn plain(body: &Value) -> Value {
    let mut messages = Vec::new();
    if let Some(said) = text(body, "instructions") {
        messages.push(json!({"role": "system", "content": said}));
    }
    match body.get("input") {
        Some(Value::Array(items)) => items.iter().for_each(|item| push(item, &mut messages)),
        Some(said) => messages.push(json!({"role": "user", "content": said})),
        None => {}
    }
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    let function = |tool: &Value| json!({"type": "function", "function": tool});
    let tools: Vec<Value> = tools.filter(|tool| text(tool, "type") == Some("function")).map(function).collect();
    let mut chat = json!({"messages": messages, "tools": tools, "max_tokens": body.get("max_output_tokens")});
    if let Some(choice) = body.get("tool_choice") {
        chat["tool_choice"] = if choice.is_string() { choice.clone() } else { json!({"function": choice}) };
    }
    if let Some(effort) = body.pointer("/reasoning/effort") {
        chat["reasoning_effort"] = effort.clone();
    }
    chat
}

fn push(item: &Value, out: &mut Vec<Value>) {
    match text(item, "type").unwrap_or("message") {
        "message" => {
            let part = |part: &Value| json!({"type": "text", "text": part.get("text")});
            let content = match item.get("content") {
                Some(Value::Array(parts)) => Value::Array(parts.iter().map(part).collect()),
                other => other.cloned().unwrap_or_default(),
            };
            out.push(json!({"role": text(item, "role"), "content": content}));
        }
        "function_call" => out.push(json!({"role": "assistant", "tool_calls": [item]})),
        "function_call_output" => out.push(json!({"role": "tool", "content": item.get("output")})),
        _ => {}
    }
}

/// An answer on its way.
struct Told<'a> {
    script: &'a Script,
    model: &'a str,
    id: String,
    body: &'a Value,
}

const RESPONSE: &str = r#"{"id":"resp_$ID","object":"response","created_at":1735689600,"status":"$STATUS","background":$BACK,"error":null,"incomplete_details":$WHY,"instructions":null,"max_output_tokens":null,"model":$M,"output":[$OUT],"parallel_tool_calls":true,"previous_response_id":$PREV,"reasoning":{"effort":null,"summary":null},"service_tier":"default","store":$STORE,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":$TOOLS,"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":$USE,"user":null,"metadata":{}}"#;

/// The list of models, as OpenAI writes it.
pub(super) fn models(backend: &Backend) -> Reply {
    let item = |model: &str| {
        format!(r#"{{"id":{},"object":"model","created":1735689600,"owned_by":"system"}}"#, quoted(model))
    };
    let items: Vec<String> = backend.own_models.iter().map(|model| item(model)).collect();
    Reply::json(200, format!(r#"{{"object":"list","data":[{}]}}"#, items.join(",")))
}

impl Told<'_> {
    fn says(&self, name: &str) -> bool {
        self.body.get(name) == Some(&Value::Bool(true))
    }

    /// What was asked, as it is listed: the newest first.
    fn input(&self) -> Vec<Value> {
        let said = match self.body.get("input") {
            Some(Value::Array(items)) => items.clone(),
            Some(text) => vec![json!({"role": "user", "content": [{"type": "input_text", "text": text}]})],
            None => Vec::new(),
        };
        let named = |(at, mut item): (usize, Value)| {
            item["id"] = format!("msg_{}in{at}", self.id).into();
            item["type"] = text(&item, "type").unwrap_or("message").into();
            item
        };
        said.into_iter().enumerate().map(named).rev().collect()
    }

    fn response(&self, status: &str, items: &[String]) -> String {
        let cut = self.script.finish == Finish::Length && status == "completed";
        let script = self.script;
        let (input, output) = (script.prompt_tokens, script.completion_tokens());
        let usage = format!(
            r#"{{"input_tokens":{input},"input_tokens_details":{{"cached_tokens":0}},"output_tokens":{output},"output_tokens_details":{{"reasoning_tokens":{}}},"total_tokens":{}}}"#,
            script.reasoning.len(),
            input + output
        );
        fill(
            RESPONSE,
            &[
                ("ID", &self.id),
                ("STATUS", if cut { "incomplete" } else { status }),
                ("WHY", if cut { r#"{"reason":"max_output_tokens"}"# } else { "null" }),
                ("BACK", if self.says("background") { "true" } else { "false" }),
                ("STORE", if self.body.get("store") == Some(&Value::Bool(false)) { "false" } else { "true" }),
                ("M", &quoted(self.model)),
                ("OUT", &items.join(",")),
                ("PREV", &self.body.get("previous_response_id").cloned().unwrap_or_default().to_string()),
                ("TOOLS", &self.body.get("tools").cloned().unwrap_or_else(|| json!([])).to_string()),
                ("USE", if status == "completed" { &usage } else { "null" }),
            ],
        )
    }

    /// Hosted tools that the service runs before it answers.
    fn searches(&self) -> bool {
        let tools = self.body.get("tools").and_then(Value::as_array);
        tools.into_iter().flatten().any(|tool| text(tool, "type") == Some("web_search"))
    }

    fn items(&self) -> Vec<String> {
        let mut items = Vec::new();
        if self.searches() {
            items.push(format!(r#"{{"id":"ws_{}","type":"web_search_call","status":"completed","action":{{"type":"search","query":"sandbox"}}}}"#, self.id));
        }
        if !self.script.reasoning.is_empty() {
            items.push(format!(
                r#"{{"id":"rs_{}","type":"reasoning","summary":[],"encrypted_content":"gAAAA{}"}}"#,
                self.id, self.id
            ));
        }
        if !self.script.words.is_empty() {
            items.push(self.message("completed", &self.part(&self.script.text())));
        }
        items.extend(self.script.calls.iter().map(|call| self.call(call, "completed", &call.arguments.to_string())));
        items
    }

    fn part(&self, text: &str) -> String {
        format!(r#"{{"type":"output_text","annotations":[],"logprobs":[],"text":{}}}"#, quoted(text))
    }

    fn message(&self, status: &str, content: &str) -> String {
        format!(
            r#"{{"id":"msg_{}","type":"message","status":"{status}","content":[{content}],"role":"assistant"}}"#,
            self.id
        )
    }

    fn call(&self, call: &Call, status: &str, arguments: &str) -> String {
        let (id, name, arguments) = (&call.id, quoted(&call.name), quoted(arguments));
        format!(
            r#"{{"id":"fc_{id}","type":"function_call","status":"{status}","arguments":{arguments},"call_id":"{id}","name":{name}}}"#
        )
    }

    fn frames(&self) -> Vec<Bytes> {
        let mut frames = Numbered::default();
        frames.say("response.created", &format!(r#""response":{}"#, self.response("in_progress", &[])));
        frames.say("response.in_progress", &format!(r#""response":{}"#, self.response("in_progress", &[])));
        let items = self.items();
        let calls = self.script.calls.len();
        for (index, item) in items.iter().enumerate() {
            let call = (index + calls).checked_sub(items.len()).and_then(|number| self.script.calls.get(number));
            let begun = match call {
                Some(call) => self.call(call, "in_progress", ""),
                None if item.contains(r#""type":"message""#) => self.message("in_progress", ""),
                None => item.clone(),
            };
            frames.say("response.output_item.added", &format!(r#""output_index":{index},"item":{begun}"#));
            match call {
                Some(call) => self.arguments(call, index, &mut frames),
                None if item.contains(r#""type":"message""#) => self.text(index, &mut frames),
                None => {}
            }
            frames.say("response.output_item.done", &format!(r#""output_index":{index},"item":{item}"#));
        }
        let last = if self.script.finish == Finish::Length { "response.incomplete" } else { "response.completed" };
        frames.say(last, &format!(r#""response":{}"#, self.response("completed", &items)));
        frames.all
    }

    fn text(&self, index: usize, frames: &mut Numbered) {
        let place = format!(r#""item_id":"msg_{}","output_index":{index},"content_index":0"#, self.id);
        frames.say("response.content_part.added", &format!(r#"{place},"part":{}"#, self.part("")));
        for word in &self.script.words {
            let delta = quoted(word);
            frames.say(
                "response.output_text.delta",
                &format!(r#"{place},"delta":{delta},"logprobs":[],"obfuscation":"q3Xz""#),
            );
        }
        let text = self.script.text();
        frames.say("response.output_text.done", &format!(r#"{place},"text":{},"logprobs":[]"#, quoted(&text)));
        frames.say("response.content_part.done", &format!(r#"{place},"part":{}"#, self.part(&text)));
    }

    fn arguments(&self, call: &Call, index: usize, frames: &mut Numbered) {
        let place = format!(r#""item_id":"fc_{}","output_index":{index}"#, call.id);
        let arguments = quoted(&call.arguments.to_string());
        let delta = format!(r#"{place},"delta":{arguments},"obfuscation":"a1""#);
        frames.say("response.function_call_arguments.delta", &delta);
        frames.say("response.function_call_arguments.done", &format!(r#"{place},"arguments":{arguments}"#));
    }
}

/// Frames, numbered.
#[derive(Default)]
struct Numbered {
    all: Vec<Bytes>,
}

impl Numbered {
    fn say(&mut self, kind: &str, members: &str) {
        let number = self.all.len();
        let data = format!(r#"{{"type":"{kind}","sequence_number":{number},{members}}}"#);
        self.all.push(Bytes::from(format!("event: {kind}\ndata: {data}\n\n")));
    }
}
