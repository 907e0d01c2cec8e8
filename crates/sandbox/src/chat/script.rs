//! What is answered: an echo of what was asked, tool calls when they are due, JSON when it is wanted; counted in words.

use serde_json::{Value, json};

use crate::ask::text;
use crate::chat::Rules;
use crate::chat::instance::instance;
use crate::knobs::{Knobs, ScriptedCall, Turn};

/// The answer of one choice, before it becomes bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    /// The text in words; each is a token.
    pub(crate) words: Vec<String>,
    /// The words of the reasoning, if any is shown.
    pub(crate) reasoning: Vec<String>,
    pub(crate) calls: Vec<Call>,
    pub(crate) finish: Finish,
    pub(crate) choices: u64,
    pub(crate) prompt_tokens: u64,
    /// How many alternatives each token shows; none: no logprobs.
    pub(crate) logprobs: Option<u64>,
    /// The stop text that ended it.
    pub(crate) stopped: Option<String>,
    /// One word per frame, whatever the backend's habit.
    pub(crate) single: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Finish {
    #[default]
    Stop,
    Length,
    ToolCalls,
}

impl Script {
    pub(crate) fn of(body: &Value, rules: &Rules, knobs: &Knobs, schema: Option<Value>) -> Self {
        let said = said(body);
        let turn = turn(body, knobs);
        let mut script = Self {
            choices: body.get("n").and_then(Value::as_u64).unwrap_or(1).min(8),
            prompt_tokens: prompt_tokens(body),
            logprobs: logprobs(body),
            single: knobs.chunks.is_some(),
            calls: match turn {
                Some(turn) => scripted(&turn.tool_calls, turns_over(body)),
                None => calls(body, &said, knobs),
            },
            ..Self::default()
        };
        if let Some(turn) = turn {
            script.words = words(&turn.text);
        } else if script.calls.is_empty() {
            script.words = words(&answer(body, &said, knobs, schema));
        }
        if rules.prefills || body.get("continue_final_message") == Some(&Value::Bool(true)) {
            script.go_on(body);
        }
        if !script.calls.is_empty() {
            script.finish = Finish::ToolCalls;
        }
        if text(body, "reasoning_effort").is_some_and(|effort| effort != "none") {
            script.reasoning = words(&format!("thinking about: {said}"));
        }
        script.stop(body);
        script.limit(body, rules);
        script
    }

    pub(crate) fn text(&self) -> String {
        self.words.concat()
    }

    /// What all choices together cost, with what was thought.
    pub(crate) fn completion_tokens(&self) -> u64 {
        let calls: usize = self.calls.iter().map(|call| words(&call.arguments.to_string()).len() + 1).sum();
        (self.words.len() + self.reasoning.len() + calls) as u64 * self.choices
    }

    /// What is left to say, where the last message is the beginning of the answer.
    fn go_on(&mut self, body: &Value) {
        let Some(last) = messages(body).last().filter(|last| text(last, "role") == Some("assistant")) else { return };
        if let Some(rest) = self.text().strip_prefix(content(last).as_str()) {
            self.words = words(rest);
        }
    }

    fn stop(&mut self, body: &Value) {
        let stops: Vec<&str> = match body.get("stop") {
            Some(Value::String(stop)) => vec![stop],
            Some(Value::Array(stops)) => stops.iter().filter_map(Value::as_str).collect(),
            _ => return,
        };
        let all = self.text();
        let found = stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| Some((all.find(stop)?, *stop)));
        if let Some((at, stop)) = found.min() {
            self.words = words(&all[..at]);
            self.stopped = Some(stop.to_owned());
        }
    }

    fn limit(&mut self, body: &Value, rules: &Rules) {
        let mut most = body.get("max_tokens").and_then(Value::as_u64);
        if rules.max_completion_tokens {
            most = most.or_else(|| body.get("max_completion_tokens").and_then(Value::as_u64));
        }
        let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        if self.words.len() > most {
            self.words.truncate(most);
            self.finish = Finish::Length;
        }
    }
}

fn logprobs(body: &Value) -> Option<u64> {
    let top = body.get("top_logprobs").and_then(Value::as_u64).unwrap_or(0).min(5);
    (body.get("logprobs") == Some(&Value::Bool(true))).then_some(top)
}

/// A text cut in front of each word; put together again, it is the text.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut inside = false;
    for (at, letter) in text.char_indices() {
        if letter.is_whitespace() && inside {
            words.push(text[start..at].to_owned());
            start = at;
            inside = false;
        } else if !letter.is_whitespace() {
            inside = true;
        }
    }
    if start < text.len() {
        words.push(text[start..].to_owned());
    }
    words
}

fn messages(body: &Value) -> &[Value] {
    body.get("messages").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text of a message's content, images named by their kind and size.
fn content(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().map(part).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

fn part(part: &Value) -> String {
    let Some(url) = part.pointer("/image_url/url").and_then(Value::as_str) else {
        return text(part, "text").unwrap_or_default().to_owned();
    };
    match url.strip_prefix("data:").and_then(|data| data.split_once(',')) {
        Some((media, data)) => {
            use base64::Engine as _;
            let size = base64::engine::general_purpose::STANDARD.decode(data).map(|bytes| bytes.len());
            let size = size.map_or_else(|_| "broken".to_owned(), |size| format!("{size} bytes"));
            format!("[image {} {size}]", media.trim_end_matches(";base64"))
        }
        None => format!("[image at {url}]"),
    }
}

/// The last user message.
fn said(body: &Value) -> String {
    messages(body).iter().rev().find(|message| text(message, "role") == Some("user")).map(content).unwrap_or_default()
}

fn prompt_tokens(body: &Value) -> u64 {
    messages(body).iter().map(|message| words(&content(message)).len() as u64 + 1).sum()
}

fn answer(body: &Value, said: &str, knobs: &Knobs, schema: Option<Value>) -> String {
    if let Some(answer) = &knobs.answer {
        return answer.clone();
    }
    if let Some(count) = knobs.chunks {
        let width = knobs.chunk_bytes.saturating_sub(1);
        let word = |at: usize| format!("{:.<width$}", format!("c{at}"));
        return (1..=count).map(word).collect::<Vec<_>>().join(" ");
    }
    if let Some(schema) = schema {
        return instance(&schema, said).to_string();
    }
    match messages(body).last() {
        Some(message) if text(message, "role") == Some("tool") => format!("tool said: {}", content(message)),
        _ => format!("echo: {said}"),
    }
}

fn calls(body: &Value, said: &str, knobs: &Knobs) -> Vec<Call> {
    if let Some(script) = &knobs.tool_calls {
        return scripted(script, 0);
    }
    let Some(Value::Array(tools)) = body.get("tools") else { return Vec::new() };
    let choice = body.get("tool_choice").unwrap_or(&Value::Null);
    let named = choice
        .pointer("/function/name")
        .and_then(Value::as_str)
        .or_else(|| choice.as_str().filter(|choice| !matches!(*choice, "auto" | "none" | "required")));
    let answered = messages(body).last().is_some_and(|message| text(message, "role") == Some("tool"));
    let wanted = named.is_some() || choice == "required" || (said.contains("call") && !answered);
    if !wanted || choice == "none" || tools.is_empty() {
        return Vec::new();
    }
    let called = |tool: &Value| tool.pointer("/function/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut chosen: Vec<&Value> = tools.iter().filter(|tool| named.is_none_or(|name| called(tool) == name)).collect();
    let parallel = said.contains("parallel") && body.get("parallel_tool_calls") != Some(&Value::Bool(false));
    if parallel && chosen.len() == 1 {
        chosen.push(chosen[0]);
    }
    chosen.truncate(if parallel { 2 } else { 1 });
    chosen.iter().enumerate().map(|(at, tool)| numbered(at, &called(tool), arguments(tool, said))).collect()
}

/// The turn of the script that is due: as many calls' turns as the conversation has, so many are over. Only where all
/// the tools are offered that the script calls: agents ask side questions without them.
fn turn<'k>(body: &Value, knobs: &'k Knobs) -> Option<&'k Turn> {
    let script = knobs.script.as_ref()?;
    let tools = body.get("tools").and_then(Value::as_array)?;
    let offered = |name: &str| tools.iter().any(|tool| tool.pointer("/function/name").is_some_and(|is| is == name));
    let all = script.iter().flat_map(|turn| &turn.tool_calls).all(|call| offered(&call.name));
    script.get(turns_over(body)).filter(|_| all)
}

/// How many turns with calls the conversation has.
fn turns_over(body: &Value) -> usize {
    let called =
        |message: &&Value| message.get("tool_calls").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    messages(body).iter().filter(called).count()
}

/// Calls that were written down; in later turns their ids go on.
fn scripted(calls: &[ScriptedCall], turn: usize) -> Vec<Call> {
    let call = |(at, call): (usize, &ScriptedCall)| numbered(at + 10 * turn, &call.name, call.arguments.clone());
    calls.iter().enumerate().map(call).collect()
}

fn numbered(at: usize, name: &str, arguments: Value) -> Call {
    Call { id: format!("call_sandbox{at}"), name: name.to_owned(), arguments }
}

fn arguments(tool: &Value, said: &str) -> Value {
    tool.pointer("/function/parameters").map_or_else(|| json!({}), |parameters| instance(parameters, said))
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_put_together_are_the_text() {
        for text in ["echo: a  b\n c", " lead", "", "one", "end ", "ünï cödé 🌈 x"] {
            assert_eq!(words(text).concat(), text);
        }
        assert_eq!(words("echo: a b"), ["echo:", " a", " b"]);
    }
}
