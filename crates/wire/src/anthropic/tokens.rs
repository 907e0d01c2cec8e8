//! How many tokens a text is likely to be: an estimate without a tokenizer, by kind of script.
//!
//! The numbers were fitted to what the tokenizers of widespread open models make of ordinary texts. A test prints the
//! error per language for these texts, and for others to which nothing was fitted.

use serde_json::{Map, Value};

/// The tokens that a message's frame takes.
const PER_MESSAGE: u64 = 4;
/// The tokens that open the answer.
const PER_CALL: u64 = 3;
/// What a function's definition takes besides its text.
const PER_TOOL: u64 = 6;
/// A picture of common size.
pub(crate) const PER_IMAGE: u64 = 800;

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
        Some("file") => part["file"]["file_data"].as_str().map_or(0, of_file),
        _ => PER_IMAGE,
    }
}

/// The tokens of a file in base64.
pub(crate) const fn of_file(data: &str) -> u64 {
    // About three bytes of a document in base64 make one of its text; four of those a token.
    data.len() as u64 / 16
}

/// The tokens of a text.
pub fn of_text(text: &str) -> u64 {
    let mut count = Count::default();
    for c in text.chars() {
        count.take(c);
    }
    count.total()
}

/// What was counted so far, in hundredths of tokens.
#[derive(Default)]
struct Count {
    hundredths: u64,
    /// Words of plain letters: how many, what they cost in English, and what more in another language.
    plain_words: u64,
    plain_more: u64,
    /// Words with other letters.
    accented_words: u64,
    /// Words of plain letters that other languages use all the time, and English does not.
    foreign_words: u64,
    run: Option<Script>,
    length: u64,
    /// The first letters of the run, if it is one of plain letters.
    word: Word,
}

/// As many letters as the words below have.
type Word = [u8; 4];

/// Short words by which a language shows itself that writes few accents: articles, prepositions, conjunctions.
const FOREIGN: &[&[u8]] = &[
    b"al", b"au", b"che", b"con", b"da", b"das", b"de", b"dei", b"del", b"den", b"der", b"des", b"det", b"di", b"du",
    b"een", b"ein", b"el", b"em", b"en", b"est", b"et", b"het", b"ik", b"il", b"ist", b"je", b"la", b"las", b"le",
    b"les", b"lo", b"los", b"met", b"na", b"nie", b"niet", b"non", b"och", b"og", b"op", b"para", b"per", b"por",
    b"que", b"qui", b"se", b"si", b"som", b"sur", b"te", b"um", b"uma", b"un", b"una", b"und", b"van", b"von", b"voor",
    b"ze", b"zu",
];

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
    Hebrew,
    Arabic,
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
            (self.run, self.length, self.word) = (Some(script), 1, Word::default());
        }
        if let (Some(letter), Script::Plain) = (self.word.get_mut(self.length as usize - 1), script) {
            *letter = (c as u8).to_ascii_lowercase();
        }
    }

    fn settle(&mut self) {
        let Some(script) = self.run else { return };
        self.hundredths += script.cost(self.length);
        match script {
            Script::Plain => {
                self.plain_words += 1;
                let word = self.word.get(..self.length as usize).unwrap_or_default();
                self.foreign_words += u64::from(FOREIGN.contains(&word));
                self.plain_more += foreign(self.length) - Script::Plain.cost(self.length);
            }
            Script::Accented => self.accented_words += 1,
            _ => {}
        }
    }

    fn total(mut self) -> u64 {
        self.settle();
        // Tokenizers know English words best. One word in eight that is none of its own says that it is not English at all.
        let words = (self.plain_words + self.accented_words).max(1);
        let foreign = (8 * (self.accented_words + self.foreign_words)).min(words);
        (self.hundredths + self.plain_more * foreign / words).div_ceil(100)
    }
}

/// What a word of plain letters costs in another language than English.
const fn foreign(n: u64) -> u64 {
    100 + n.saturating_sub(4) * 25
}

impl Script {
    const fn of(c: char) -> Self {
        match c {
            'a'..='z' | 'A'..='Z' => Self::Plain,
            '0'..='9' => Self::Digit,
            '\n' | '\r' => Self::Line,
            ' ' | '\t' => Self::Space,
            '\u{0}'..='\u{7f}' | '\u{80}'..='\u{bf}' => Self::Sign,
            '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{300}'..='\u{36f}' => Self::Accented,
            '\u{370}'..='\u{3ff}' => Self::Greek,
            '\u{400}'..='\u{52f}' => Self::Cyrillic,
            '\u{590}'..='\u{5ff}' => Self::Hebrew,
            '\u{600}'..='\u{77f}' => Self::Arabic,
            '\u{900}'..='\u{dff}' => Self::Indic,
            '\u{e00}'..='\u{eff}' => Self::Thai,
            '\u{3040}'..='\u{30ff}' => Self::Kana,
            '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => Self::Han,
            '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7af}' => Self::Hangul,
            '\u{2010}'..='\u{2027}' | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}' => Self::Sign,
            _ => Self::Other,
        }
    }

    /// Hundredths of tokens of a run of this length. Most common words are one token with the space before them.
    const fn cost(self, n: u64) -> u64 {
        match self {
            Self::Plain => 100 + n.saturating_sub(7) * 15,
            Self::Accented => 120 + n.saturating_sub(3) * 42,
            Self::Digit => 30 + n.div_ceil(3) * 100,
            Self::Space if n > 1 => 50,
            Self::Space => 0,
            Self::Line => 90,
            Self::Sign if n == 1 => 85,
            Self::Sign => 60 + n * 22,
            Self::Han => n * 88,
            Self::Kana => n * 76,
            Self::Hangul => 40 + n * 72,
            Self::Cyrillic => 50 + n * 25,
            Self::Greek => 70 + n * 30,
            Self::Hebrew => 60 + n * 60,
            Self::Arabic => 60 + n * 30,
            Self::Indic => 50 + n * 36,
            Self::Thai => n * 50,
            Self::Other => n * 150,
        }
    }
}
