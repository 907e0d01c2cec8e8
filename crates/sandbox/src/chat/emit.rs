//! Writes a script in a backend's style: one JSON text, or the frames of a stream.

use bytes::Bytes;

use crate::chat::script::{Call, Finish, Script};
use crate::chat::style::{FILTERS_SLOT, Style, Tools, UsageAt};
use crate::fill::{fill, fingerprint, quoted};

/// The time that all answers say they were made.
const CREATED: &str = "1735689600";

/// One answer and how it is to look.
pub(crate) struct Answer<'a> {
    pub(crate) style: &'a Style,
    pub(crate) script: &'a Script,
    pub(crate) model: &'a str,
    /// The id is made of this.
    pub(crate) seed: &'a [u8],
}

/// What one chunk's choice says.
struct Part {
    delta: String,
    text: String,
    words: Vec<String>,
    finish: bool,
    /// Tokens that this chunk accounts for.
    tokens: u64,
}

impl Part {
    fn delta(delta: String, tokens: u64) -> Self {
        Self { delta, text: String::new(), words: Vec::new(), finish: false, tokens }
    }
}

impl Answer<'_> {
    fn id(&self) -> String {
        if self.style.id.is_empty() {
            return String::new();
        }
        format!("{}{}", self.style.id, fingerprint(&String::from_utf8_lossy(self.seed)))
    }

    fn finish(&self) -> String {
        quoted(match self.script.finish {
            Finish::Stop => self.style.stop,
            Finish::Length => "length",
            Finish::ToolCalls if self.style.tools == Tools::OldTgi => self.style.stop,
            Finish::ToolCalls => "tool_calls",
        })
    }

    fn usage(&self, completion: u64) -> String {
        let prompt = self.script.prompt_tokens;
        let total = prompt + completion;
        let thought = self.script.reasoning.len();
        let details = if thought == 0 {
            String::new()
        } else {
            format!(r#","completion_tokens_details":{{"reasoning_tokens":{thought}}}"#)
        };
        format!(r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total}{details}}}"#)
    }

    fn logprobs(&self, words: &[String]) -> String {
        let Some(top) = self.script.logprobs else { return "null".into() };
        let token = |word: &str| {
            let bytes: Vec<String> = word.bytes().map(|byte| byte.to_string()).collect();
            format!(r#""token":{},"logprob":-0.25,"bytes":[{}]"#, quoted(word), bytes.join(","))
        };
        let entry = |word: &String| {
            let tops: Vec<String> = (0..top).map(|_| format!("{{{}}}", token(word))).collect();
            format!(r#"{{{},"top_logprobs":[{}]}}"#, token(word), tops.join(","))
        };
        let all: Vec<String> = words.iter().map(entry).collect();
        format!(r#"{{"content":[{}]}}"#, all.join(","))
    }

    /// The whole answer as one JSON text.
    pub(crate) fn whole(&self) -> String {
        let choices: Vec<String> = (0..self.script.choices).map(|index| self.whole_choice(index)).collect();
        let slots: &[(&str, &str)] = &[
            ("ID", &self.id()),
            ("T", CREATED),
            ("M", &quoted(self.model)),
            ("C", &choices.join(",")),
            ("U", &self.usage(self.script.completion_tokens())),
        ];
        fill(self.style.whole, slots)
    }

    fn whole_choice(&self, index: u64) -> String {
        let (style, script) = (self.style, self.script);
        let silent = script.words.is_empty() && !script.calls.is_empty();
        let text = if silent { "null".to_owned() } else { quoted(&script.text()) };
        let calls: Vec<String> = script.calls.iter().map(|call| self.call(call)).collect();
        let calls = if calls.is_empty() { String::new() } else { format!(r#","tool_calls":[{}]"#, calls.join(",")) };
        let reasoning = if script.reasoning.is_empty() {
            String::new()
        } else {
            format!(r#","{}":{}"#, style.reasoning, quoted(&script.reasoning.concat()))
        };
        let message = fill(style.message, &[("X", &text), ("R", &reasoning), ("K", &calls)]);
        let logprobs = self.logprobs(&script.words);
        fill(
            style.whole_choice,
            &[
                ("I", &index.to_string()),
                ("D", &message),
                ("F", &self.finish()),
                ("L", &logprobs),
                ("X", &text),
                FILTERS_SLOT,
            ],
        )
    }

    /// A call as it stands in a whole message.
    fn call(&self, call: &Call) -> String {
        let name = quoted(&call.name);
        let arguments = call.arguments.to_string();
        match self.style.tools {
            Tools::OldTgi => format!(
                r#"{{"id":0,"type":"function","function":{{"description":null,"name":{name},"arguments":{arguments}}}}}"#
            ),
            Tools::Pieces | Tools::AtOnce => {
                let (id, arguments) = (quoted(&call.id), quoted(&arguments));
                format!(r#"{{"id":{id},"type":"function","function":{{"name":{name},"arguments":{arguments}}}}}"#)
            }
        }
    }

    /// The frames of a stream, `[DONE]` and stray bytes included.
    pub(crate) fn frames(&self, usage_asked: bool) -> Vec<Bytes> {
        let style = self.style;
        let mut frames = Vec::new();
        let mut counted = 0;
        let all = self.script.completion_tokens();
        for index in 0..self.script.choices {
            for part in self.parts() {
                counted += part.tokens;
                let usage = match style.usage {
                    UsageAt::Every => Some(self.usage(counted)),
                    UsageAt::Last if part.finish && index + 1 == self.script.choices => Some(self.usage(all)),
                    _ => None,
                };
                frames.push(self.frame(&self.choice(index, &part), usage.as_deref()));
            }
        }
        if style.usage == UsageAt::Asked && usage_asked {
            frames.push(self.frame("", Some(&self.usage(all))));
        }
        if style.done {
            frames.push(Bytes::from(format!("{}[DONE]\n\n", style.data)));
        }
        if !style.stray.is_empty() {
            frames.push(Bytes::from_static(style.stray.as_bytes()));
        }
        frames
    }

    fn frame(&self, choice: &str, usage: Option<&str>) -> Bytes {
        let style = self.style;
        let usage = match usage {
            Some(usage) => fill(style.with_usage, &[("U", usage), ("T", CREATED)]),
            None => style.no_usage.to_owned(),
        };
        let slots: &[(&str, &str)] =
            &[("ID", &self.id()), ("T", CREATED), ("M", &quoted(self.model)), ("C", choice), ("U", &usage)];
        Bytes::from(format!("{}{}\n\n", style.data, fill(style.chunk, slots)))
    }

    fn choice(&self, index: u64, part: &Part) -> String {
        let template = if part.finish { self.style.last_choice } else { self.style.choice };
        let finish = if part.finish { self.finish() } else { "null".to_owned() };
        let logprobs = if part.words.is_empty() { "null".to_owned() } else { self.logprobs(&part.words) };
        fill(
            template,
            &[
                ("I", &index.to_string()),
                ("D", &part.delta),
                ("F", &finish),
                ("L", &logprobs),
                ("X", &quoted(&part.text)),
                FILTERS_SLOT,
            ],
        )
    }

    /// What one choice says, chunk by chunk.
    fn parts(&self) -> Vec<Part> {
        let (style, script) = (self.style, self.script);
        let mut parts = Vec::new();
        if !style.first.is_empty() {
            parts.push(Part::delta(style.first.to_owned(), 0));
        }
        let size = if script.single { 1 } else { style.words };
        for words in script.reasoning.chunks(size) {
            let delta = format!(r#"{{"{}":{}}}"#, style.reasoning, quoted(&words.concat()));
            parts.push(Part::delta(delta, words.len() as u64));
        }
        for (at, words) in script.words.chunks(size).enumerate() {
            let text = words.concat();
            let number = (1000 + at).to_string();
            let delta = fill(style.text, &[("X", &quoted(&text)), ("N", &number)]);
            parts.push(Part { delta, text, words: words.to_vec(), finish: false, tokens: words.len() as u64 });
        }
        for (at, call) in script.calls.iter().enumerate() {
            parts.extend(self.call_parts(at, call));
        }
        match parts.last_mut() {
            // The last text carries the finish reason.
            Some(last) if style.last.is_empty() && script.calls.is_empty() => last.finish = true,
            _ => {
                let last = if style.last.is_empty() || !script.calls.is_empty() { "{}" } else { style.last };
                parts.push(Part { finish: true, ..Part::delta(last.to_owned(), 0) });
            }
        }
        parts
    }

    /// A call as a stream tells it.
    fn call_parts(&self, at: usize, call: &Call) -> Vec<Part> {
        let (id, name) = (quoted(&call.id), quoted(&call.name));
        let arguments = call.arguments.to_string();
        let delta = |inner: String| Part::delta(format!(r#"{{"tool_calls":[{inner}]}}"#), 1);
        match self.style.tools {
            Tools::OldTgi => {
                vec![Part::delta(format!(r#"{{"role":"assistant","tool_calls":[{}]}}"#, self.call(call)), 1)]
            }
            Tools::AtOnce => vec![delta(format!(
                r#"{{"index":{at},"id":{id},"type":"function","function":{{"name":{name},"arguments":{}}}}}"#,
                quoted(&arguments)
            ))],
            Tools::Pieces => {
                let mut parts = vec![delta(format!(
                    r#"{{"index":{at},"id":{id},"type":"function","function":{{"name":{name},"arguments":""}}}}"#
                ))];
                for piece in pieces(&arguments) {
                    let piece = quoted(piece);
                    parts.push(delta(format!(r#"{{"index":{at},"function":{{"arguments":{piece}}}}}"#)));
                }
                parts
            }
        }
    }
}

/// A text in three pieces, cut at letters.
fn pieces(text: &str) -> Vec<&str> {
    let cut = |at: usize| text.char_indices().map(|(at, _)| at).find(|start| *start >= at).unwrap_or(text.len());
    let (first, second) = (cut(text.len() / 3), cut(text.len() * 2 / 3));
    [&text[..first], &text[first..second], &text[second..]].into_iter().filter(|piece| !piece.is_empty()).collect()
}
