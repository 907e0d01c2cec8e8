//! How many tokens a text is likely to be: an estimate without a tokenizer, by kind of script.
//!
//! The numbers were fitted to what the tokenizers of widespread open models make of ordinary texts; a test prints the
//! error per language.

use serde_json::{Map, Value};

/// The tokens that a message's frame takes.
const PER_MESSAGE: u64 = 4;
/// The tokens that open the answer.
const PER_CALL: u64 = 3;
/// What a function's definition takes besides its text.
const PER_TOOL: u64 = 6;
/// A picture of common size.
const PER_IMAGE: u64 = 800;

/// The tokens of a prompt in OpenAI's chat form.
pub fn of_chat(chat: &Map<String, Value>) -> u64 {
    let items = |name: &str| chat.get(name).and_then(Value::as_array).into_iter().flatten();
    let messages: u64 = items("messages").map(of_message).sum();
    let tools: u64 = items("tools").map(|tool| PER_TOOL + of_text(&tool["function"].to_string())).sum();
    let format = chat.get("response_format").map_or(0, |format| of_text(&format["json_schema"]["schema"].to_string()));
    PER_CALL + messages + tools + format
}

fn of_message(message: &Value) -> u64 {
    let text = |value: &Value| value.as_str().map_or(0, of_text);
    let content = match &message["content"] {
        Value::Array(parts) => parts.iter().map(of_part).sum(),
        other => text(other),
    };
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    let calls: u64 =
        calls.map(|call| PER_TOOL + text(&call["function"]["name"]) + text(&call["function"]["arguments"])).sum();
    PER_MESSAGE + content + text(&message["reasoning_content"]) + calls
}

fn of_part(part: &Value) -> u64 {
    match part["type"].as_str() {
        Some("text") => part["text"].as_str().map_or(0, of_text),
        // About three bytes of a document in base64 make one of its text; four of those a token.
        Some("file") => part["file"]["file_data"].as_str().map_or(0, |data| (data.len() / 16) as u64),
        _ => PER_IMAGE,
    }
}

/// The tokens of a text.
pub fn of_text(text: &str) -> u64 {
    let mut count = Count::default();
    for c in text.chars() {
        count.take(c);
    }
    count.total()
}

/// A run of characters of one kind, in hundredths of tokens.
#[derive(Default)]
struct Count {
    hundredths: u64,
    run: Option<Script>,
    length: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Plain,
    Accented,
    Digit,
    Space,
    Line,
    Sign,
    Han,
    Kana,
    Hangul,
    Cyrillic,
    Greek,
    Semitic,
    Indic,
    Thai,
    Other,
}

impl Count {
    fn take(&mut self, c: char) {
        let script = Script::of(c);
        // An accent makes the whole word a rarer one.
        let same = match (self.run, script) {
            (Some(Script::Plain), Script::Accented) => {
                self.run = Some(Script::Accented);
                true
            }
            (Some(Script::Accented), Script::Plain) => true,
            (run, script) => run == Some(script),
        };
        if same {
            self.length += 1;
        } else {
            self.settle();
            (self.run, self.length) = (Some(script), 1);
        }
    }

    fn settle(&mut self) {
        if let Some(script) = self.run {
            self.hundredths += script.cost(self.length);
        }
    }

    fn total(mut self) -> u64 {
        self.settle();
        self.hundredths.div_ceil(100)
    }
}

impl Script {
    fn of(c: char) -> Self {
        match c {
            'a'..='z' | 'A'..='Z' => Self::Plain,
            '0'..='9' => Self::Digit,
            '\n' | '\r' => Self::Line,
            ' ' | '\t' => Self::Space,
            '\u{0}'..='\u{7f}' => Self::Sign,
            '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{300}'..='\u{36f}' => Self::Accented,
            '\u{370}'..='\u{3ff}' => Self::Greek,
            '\u{400}'..='\u{52f}' => Self::Cyrillic,
            '\u{590}'..='\u{77f}' => Self::Semitic,
            '\u{900}'..='\u{dff}' => Self::Indic,
            '\u{e00}'..='\u{eff}' => Self::Thai,
            '\u{3040}'..='\u{30ff}' => Self::Kana,
            '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => Self::Han,
            '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7af}' => Self::Hangul,
            '\u{2010}'..='\u{2027}' | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}' | '\u{a0}'..='\u{bf}' => {
                Self::Sign
            }
            _ => Self::Other,
        }
    }

    /// Hundredths of tokens of a run of this length.
    const fn cost(self, n: u64) -> u64 {
        match self {
            // Most common words are one token with the space before them.
            Self::Plain => 100 + n.saturating_sub(7) * 15,
            Self::Accented => 100 + n.saturating_sub(3) * 28,
            Self::Digit => n.div_ceil(3) * 100,
            Self::Space => {
                if n > 1 {
                    100
                } else {
                    0
                }
            }
            Self::Line => 100,
            Self::Sign => 60 + n * 35,
            Self::Han => n * 75,
            Self::Kana => n * 70,
            Self::Hangul => n * 75,
            Self::Cyrillic | Self::Greek => 60 + n * 24,
            Self::Semitic => 60 + n * 28,
            Self::Indic => 50 + n * 35,
            Self::Thai => n * 50,
            Self::Other => n * 150,
        }
    }
}
