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
    let (mut count, bytes, mut at) = (Count::default(), text.as_bytes(), 0);
    while let Some(&first) = bytes.get(at) {
        // Nearly all text is runs of ASCII: a run is measured by one look at each byte.
        let Some(script) = OF_BYTE[usize::from(first)] else {
            let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { break };
            count.take(Script::of(c), &[], 1);
            at += c.len_utf8();
            continue;
        };
        let start = at;
        while bytes.get(at).is_some_and(|byte| OF_BYTE[usize::from(*byte)] == Some(script)) {
            at += 1;
        }
        let run = &bytes[start..at];
        // Most runs are words, and most are followed by one space, which costs nothing.
        let whole = count.run != Some(Script::Accented) && bytes.get(at).is_none_or(u8::is_ascii);
        if script == Script::Plain && whole {
            count.settle();
            count.run = None;
            count.plain(run.len() as u64, word(run));
            let more = matches!(bytes.get(at + 1), Some(b' ' | b'\t'));
            at += usize::from(!more && bytes.get(at) == Some(&b' '));
        } else {
            count.take(script, run, run.len() as u64);
        }
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
    /// The run, if it is a short one of plain letters.
    word: Word,
}

/// A word of four letters at most, each in a byte of its own, the last in the lowest.
type Word = u32;

/// Short words by which a language shows itself that writes few accents: articles, prepositions, conjunctions.
const FOREIGN: [&[u8]; 61] = [
    b"al", b"au", b"che", b"con", b"da", b"das", b"de", b"dei", b"del", b"den", b"der", b"des", b"det", b"di", b"du",
    b"een", b"ein", b"el", b"em", b"en", b"est", b"et", b"het", b"ik", b"il", b"ist", b"je", b"la", b"las", b"le",
    b"les", b"lo", b"los", b"met", b"na", b"nie", b"niet", b"non", b"och", b"og", b"op", b"para", b"per", b"por",
    b"que", b"qui", b"se", b"si", b"som", b"sur", b"te", b"um", b"uma", b"un", b"una", b"und", b"van", b"von", b"voor",
    b"ze", b"zu",
];

/// The same as numbers, each at the place that [`place`] gives it.
static PLACES: [Word; ROOM] = spread(FACTOR).0;
/// Makes all places differ.
const FACTOR: Word = {
    let mut factor = 0x9e37_79b1;
    while !spread(factor).1 {
        factor += 2;
    }
    factor
};
const ROOM: usize = 512;

const fn place(word: Word, factor: Word) -> usize {
    (word.wrapping_mul(factor) >> (Word::BITS - ROOM.trailing_zeros())) as usize
}

/// The words at their places, and whether each has one of its own.
const fn spread(factor: Word) -> ([Word; ROOM], bool) {
    let (mut places, mut at) = ([0; ROOM], 0);
    while at < FOREIGN.len() {
        let word = word(FOREIGN[at]);
        let place = place(word, factor);
        if places[place] != 0 {
            return (places, false);
        }
        places[place] = word;
        at += 1;
    }
    (places, true)
}

/// Whether a short word is one of [`FOREIGN`].
fn is_foreign(word: Word) -> bool {
    word != 0 && PLACES[place(word, FACTOR)] == word
}

/// Letters as a number, in lower case; 0 for more than fit.
const fn word(letters: &[u8]) -> Word {
    if letters.len() > 4 {
        return 0;
    }
    let (mut word, mut at) = (0, 0);
    while at < letters.len() {
        word = word << 8 | letters[at].to_ascii_lowercase() as Word;
        at += 1;
    }
    word
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
    Hebrew,
    Arabic,
    Indic,
    Thai,
    Other,
}

impl Count {
    /// Takes `length` characters of a script; `run` are their letters, where they are ASCII.
    #[inline]
    fn take(&mut self, script: Script, run: &[u8], length: u64) {
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
            self.length += length;
            return;
        }
        self.settle();
        (self.run, self.length) = (Some(script), length);
        self.word = if script == Script::Plain { word(run) } else { 0 };
    }

    #[inline]
    fn settle(&mut self) {
        let Some(script) = self.run else { return };
        if script == Script::Plain {
            self.plain(self.length, self.word);
        } else {
            self.hundredths += script.cost(self.length);
            self.accented_words += u64::from(script == Script::Accented);
        }
    }

    /// A word of plain letters.
    #[inline]
    fn plain(&mut self, length: u64, word: Word) {
        let cost = Script::Plain.cost(length);
        self.hundredths += cost;
        self.plain_words += 1;
        self.foreign_words += u64::from(is_foreign(word));
        self.plain_more += foreign(length) - cost;
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

/// The scripts of ASCII's bytes, and nothing for others.
static OF_BYTE: [Option<Script>; 256] = {
    let mut scripts = [None; 256];
    let mut byte = 0;
    while byte < 128 {
        scripts[byte] = Some(Script::of(byte as u8 as char));
        byte += 1;
    }
    scripts
};

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One character after the other.
    fn by_characters(text: &str) -> u64 {
        let mut count = Count::default();
        let mut run = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let script = Script::of(c);
            let mut length = 1;
            run.clear();
            run.push(c as u8);
            while script == Script::Plain
                && let Some(next) = chars.next_if(|next| Script::of(*next) == script)
            {
                run.push(next as u8);
                length += 1;
            }
            count.take(script, &run, length);
        }
        count.total()
    }

    #[test]
    fn every_word_that_shows_a_language_is_found() {
        for known in FOREIGN {
            assert!(is_foreign(word(&known.to_ascii_uppercase())));
        }
        assert_eq!((word(b""), word(b"Das"), word(b"voors")), (0, 0x0064_6173, 0));
        for other in ["", "a", "the", "quit", "voors"] {
            assert!(!is_foreign(word(other.as_bytes())));
        }
    }

    proptest! {
        /// Runs of ASCII are taken at once, and count as their characters do.
        #[test]
        fn a_text_counts_as_its_characters_do(text in "([a-zA-Z]{1,9}|[ \\n\t]{1,3}|[0-9.,;{}\"]{1,4}|[éüñßłøД中の한ไ€ा\u{300}]{1,3}|der|que|.){0,60}") {
            prop_assert_eq!(of_text(&text), by_characters(&text), "{}", text);
        }
    }
}
