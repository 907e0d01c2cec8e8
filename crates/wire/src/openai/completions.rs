//! The older completions (`/v1/completions`), asked as a chat of one message and written as they were.
//!
//! One prompt that is a text becomes one message of the user. What completions can ask for and a chat cannot
//! (`echo`, `suffix`, `best_of`, several prompts, tokens for a prompt) is refused by name. Everything else is a member of
//! the chat too and goes on as it is. Nothing is filled in: without `max_tokens` the backend's own limit counts.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{Fault, Result, SendBody, Usage};

use super::{chat::Finish, fault as openai};
use crate::{
    events::{Event, Write},
    heard::{Fields, Gathered, Notes, Piece, bad, tree},
    json::Limits,
};

pub use crate::heard::Heard;

/// Reads a call. `path_model` is the model that the path names, if it does.
///
/// # Errors
/// `BadRequest` or `UnsupportedParameter`, naming the member.
pub fn read(
    body: &Bytes,
    path_model: Option<&str>,
    headers: &dyn Fn(&str) -> Option<&str>,
    limits: &Limits,
) -> Result<Heard> {
    let mut notes = Notes::of(headers);
    let mut call = Fields::top(tree(body, limits)?);
    let named = call.text("model")?;
    let model = path_model.map(str::to_owned).or(named).filter(|model| !model.is_empty());
    let model = model.ok_or_else(|| bad("model", "is missing; name a model, e.g. \"huggingface/auto/org/name\""))?;
    let prompt = prompt(call.take("prompt"))?;
    refused(&mut call, &mut notes)?;

    let mut chat = Map::new();
    chat.insert("model".into(), model.as_str().into());
    chat.insert("messages".into(), json!([{"role": "user", "content": prompt}]));
    let stream = call.flag("stream")?.unwrap_or(false);
    chat.insert("stream".into(), stream.into());
    if let Some(how_many) = call.whole("logprobs")? {
        chat.insert("logprobs".into(), true.into());
        chat.insert("top_logprobs".into(), how_many.into());
    }
    let mut usage = StreamUsage::Hidden;
    if let Some(limit) = call.take("max_tokens") {
        // The name that all of OpenAI's own models take.
        chat.insert("max_completion_tokens".into(), limit);
    }
    for (name, value) in call.rest() {
        if name == "stream_options" && value["include_usage"] == true {
            usage = StreamUsage::Shown;
        }
        chat.insert(name, value);
    }
    let chat = Value::Object(chat).to_string().into();
    Ok(Heard { chat, model, writer: Box::new(Writer::new(usage)), dropped: notes.dropped() })
}

fn prompt(prompt: Option<Value>) -> Result<String> {
    match prompt {
        None => Err(bad("prompt", "is missing; send a text")),
        Some(Value::String(text)) => Ok(text),
        Some(Value::Array(mut items)) => match items.as_mut_slice() {
            [Value::String(text)] => Ok(std::mem::take(text)),
            [] => Err(bad("prompt", "is empty; send a text")),
            [Value::String(_), ..] => Err(cannot("holds several texts; send one call for each")),
            [Value::Object(_), ..] => {
                Err(bad("prompt", "must be a text; parts of a message go to `/v1/chat/completions`"))
            }
            _ => Err(cannot("is made of tokens, which belong to one model's own vocabulary; send a text")),
        },
        Some(_) => Err(bad("prompt", "must be a text")),
    }
}

fn cannot(why: &str) -> Box<Fault> {
    Fault::new(types::Kind::UnsupportedParameter, format!("`prompt` {why}.")).param("prompt")
}

/// Takes out what a chat has no word for, unless it says what is true anyway.
fn refused(call: &mut Fields, notes: &mut Notes) -> Result<()> {
    if call.flag("echo")? == Some(true) {
        notes.refuse("echo", "a chat does not repeat its prompt")?;
    }
    if call.text("suffix")?.is_some_and(|suffix| !suffix.is_empty()) {
        notes.refuse("suffix", "a chat cannot write what stands between two texts")?;
    }
    if call.whole("best_of")?.is_some_and(|best| best > 1) {
        notes.refuse("best_of", "a chat does not choose among answers; ask for `n` of them")?;
    }
    for name in ["messages", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"] {
        if call.take(name).is_some() {
            notes.refuse(name, "completions have no such member; call `/v1/chat/completions`")?;
        }
    }
    Ok(())
}

/// A fault as OpenAI's clients expect it: the status, the media type and the body.
pub fn fault(fault: &Fault, request_id: &str) -> (u16, &'static str, Vec<u8>) {
    (openai::status(fault), "application/json", openai::body(fault, request_id))
}

/// Whether a stream tells what was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreamUsage {
    Shown,
    Hidden,
}

/// Writes one answer.
struct Writer {
    usage: StreamUsage,
    head: Gathered,
    /// How many characters each choice has so far, for `text_offset`.
    said: Vec<(u32, usize)>,
}

impl Writer {
    fn new(usage: StreamUsage) -> Self {
        Self { usage, head: Gathered::default(), said: Vec::new() }
    }

    /// One object of the stream, or the whole answer.
    fn object(&self, choices: Vec<Value>, usage: Option<Usage>) -> Value {
        let id = &self.head.id;
        let id = id.strip_prefix("chatcmpl-").map_or_else(|| id.clone(), |rest| format!("cmpl-{rest}"));
        let mut object = Map::new();
        object.insert("id".into(), id.into());
        object.insert("object".into(), "text_completion".into());
        object.insert("created".into(), self.head.created.into());
        object.insert("model".into(), self.head.model.as_str().into());
        object.insert("choices".into(), Value::Array(choices));
        if let Some(usage) = usage {
            object.insert("usage".into(), counted(&usage));
        }
        Value::Object(object)
    }

    fn put(&self, choice: Value, out: &mut dyn FnMut(Bytes)) {
        out(format!("data: {}\n\n", self.object(vec![choice], None)).into());
    }

    /// Where the text of this choice goes on, and then a little further.
    fn advance(&mut self, choice: u32, by: usize) -> usize {
        let at = self.said.iter().position(|(number, _)| *number == choice).unwrap_or(self.said.len());
        if at == self.said.len() {
            self.said.push((choice, 0));
        }
        let from = self.said[at].1;
        self.said[at].1 += by;
        from
    }

    fn sureness(&mut self, choice: u32, tokens: &[Value]) -> Value {
        let (mut texts, mut sure, mut top, mut places) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for token in tokens {
            let text = token["token"].as_str().unwrap_or_default();
            places.push(self.advance(choice, text.chars().count()));
            texts.push(text);
            sure.push(&token["logprob"]);
            let others = token["top_logprobs"].as_array().into_iter().flatten();
            let others =
                others.map(|other| (other["token"].as_str().unwrap_or_default().to_owned(), &other["logprob"]));
            top.push(others.map(|(text, sure)| (text, sure.clone())).collect::<Map<_, _>>());
        }
        json!({"tokens": texts, "token_logprobs": sure, "top_logprobs": top, "text_offset": places})
    }
}

fn choice(number: u32, text: &str, logprobs: &Value, finish: Option<Finish>) -> Value {
    json!({"index": number, "text": text, "logprobs": logprobs, "finish_reason": finish.map(reason)})
}

/// Completions know three reasons.
const fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Length => "length",
        Finish::ContentFilter => "content_filter",
        Finish::Stop | Finish::ToolCalls | Finish::FunctionCall | Finish::Other => "stop",
    }
}

fn counted(usage: &Usage) -> Value {
    let mut said = Map::new();
    said.insert("prompt_tokens".into(), usage.input.into());
    said.insert("completion_tokens".into(), usage.output.into());
    said.insert("total_tokens".into(), usage.total().into());
    if usage.cached_input > 0 {
        said.insert("prompt_tokens_details".into(), json!({"cached_tokens": usage.cached_input}));
    }
    if usage.reasoning > 0 {
        said.insert("completion_tokens_details".into(), json!({"reasoning_tokens": usage.reasoning}));
    }
    Value::Object(said)
}

impl Write for Writer {
    fn event(&mut self, event: &Event, out: &mut dyn FnMut(Bytes)) {
        match event {
            Event::Start { .. } => self.head.take(event),
            Event::Text { choice: number, text } | Event::Refusal { choice: number, text } => {
                self.put(choice(*number, text, &Value::Null, None), out);
            }
            Event::Reasoning { choice: number, text } => {
                let mut choice = choice(*number, "", &Value::Null, None);
                choice["reasoning_content"] = text.as_str().into();
                self.put(choice, out);
            }
            Event::Logprobs { choice: number, tokens } => {
                let sureness = self.sureness(*number, tokens);
                self.put(choice(*number, "", &sureness, None), out);
            }
            Event::Finish { choice: number, reason } => {
                self.put(choice(*number, "", &Value::Null, Some(*reason)), out);
            }
            Event::Usage(usage) => {
                if self.usage == StreamUsage::Hidden {
                    return;
                }
                out(format!("data: {}\n\n", self.object(Vec::new(), Some(*usage))).into());
            }
            Event::Done => out(Bytes::from_static(b"data: [DONE]\n\n")),
            // A completion offers no tools.
            Event::Thought { .. } | Event::ToolStart { .. } | Event::ToolArguments { .. } => {}
        }
    }

    fn fault(&mut self, fault: &Fault, request_id: &str, out: &mut dyn FnMut(Bytes)) {
        out(openai::event(fault, request_id).into());
    }

    fn whole(&mut self, events: &[Event]) -> SendBody {
        let gathered = Gathered::of(events);
        let mut choices = Vec::new();
        for said in &gathered.choices {
            let (mut text, mut thoughts) = (String::new(), String::new());
            for piece in &said.pieces {
                match piece {
                    Piece::Text(more) => text.push_str(more),
                    Piece::Reasoning(more) => thoughts.push_str(more),
                    Piece::Signed(_) | Piece::Tool { .. } => {}
                }
            }
            let sureness =
                if said.logprobs.is_empty() { Value::Null } else { self.sureness(said.number, &said.logprobs) };
            let mut choice = choice(said.number, &text, &sureness, said.finish);
            if !thoughts.is_empty() {
                choice["reasoning_content"] = thoughts.into();
            }
            choices.push(choice);
        }
        let usage = gathered.usage;
        self.head = gathered;
        SendBody::from(Bytes::from(self.object(choices, usage).to_string()))
    }
}
