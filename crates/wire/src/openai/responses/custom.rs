//! Free text inside a function's arguments: `{"input": "…"}`, decoded while it comes.

use serde_json::Value;

/// Decodes the text of a custom tool's call.
#[derive(Clone, Debug, Default)]
pub(super) struct FreeText {
    raw: String,
    text: String,
    state: State,
    /// An escape that is not complete yet.
    escape: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the text begins.
    #[default]
    Ahead,
    Inside,
    Ended,
    /// Not of the form that was asked for: judged when it is whole.
    Odd,
}

impl FreeText {
    pub(super) fn push(&mut self, piece: &str) {
        self.raw.push_str(piece);
        match self.state {
            State::Ahead => match head(&self.raw) {
                Some(Ok(begin)) => {
                    self.state = State::Inside;
                    let rest = self.raw.split_off(begin);
                    self.decode(&rest);
                    self.raw.push_str(&rest);
                }
                Some(Err(())) => self.state = State::Odd,
                None => {}
            },
            State::Inside => self.decode(piece),
            State::Ended | State::Odd => {}
        }
    }

    /// What is decoded so far.
    pub(super) fn so_far(&self) -> &str {
        &self.text
    }

    /// The whole text, when nothing more comes.
    pub(super) fn end(&mut self) {
        if matches!(self.state, State::Ahead | State::Odd) {
            self.state = State::Ended;
            self.text = match serde_json::from_str(&self.raw) {
                Ok(Value::String(text)) => text,
                Ok(Value::Object(members)) => {
                    let named = members.get("input").and_then(Value::as_str);
                    let only = members.values().next().filter(|_| members.len() == 1).and_then(Value::as_str);
                    named.or(only).map_or_else(|| self.raw.clone(), str::to_owned)
                }
                _ => self.raw.clone(),
            };
        }
    }

    /// Whether half a letter stands alone because its other half does not follow; it becomes the letter for what
    /// cannot be read, and what follows is read by itself.
    fn is_torn(&mut self, letter: char) -> bool {
        let expected = match self.escape.len() {
            6 => '\\',
            7 => 'u',
            _ => return false,
        };
        if letter == expected {
            return false;
        }
        self.text.push('\u{fffd}');
        if self.escape.len() == 6 {
            self.escape.clear();
            return true;
        }
        self.escape.replace_range(..6, "");
        false
    }

    fn decode(&mut self, piece: &str) {
        for letter in piece.chars() {
            if !self.escape.is_empty() && !self.is_torn(letter) {
                self.escape.push(letter);
                if let Some(decoded) = unescape(&self.escape) {
                    self.text.push(decoded);
                    self.escape.clear();
                }
                continue;
            }
            match letter {
                '\\' => self.escape.push(letter),
                '"' => {
                    self.state = State::Ended;
                    return;
                }
                _ => self.text.push(letter),
            }
        }
    }
}

/// Where the text begins behind `{"input":"`; nothing while that cannot be told, an error when it is something else.
fn head(raw: &str) -> Option<Result<usize, ()>> {
    let mut rest = raw;
    for wanted in ["{", "\"input\"", ":", "\""] {
        rest = rest.trim_start_matches([' ', '\n', '\r', '\t']);
        match rest.strip_prefix(wanted) {
            Some(behind) => rest = behind,
            None if wanted.starts_with(rest) && raw.len() < 1024 => return None,
            None => return Some(Err(())),
        }
    }
    Some(Ok(raw.len() - rest.len()))
}

/// The letter that an escape stands for, once it is complete.
fn unescape(escape: &str) -> Option<char> {
    let unit = |hex: Option<&str>| hex.and_then(|hex| u32::from_str_radix(hex, 16).ok());
    match escape.as_bytes() {
        [b'\\', b'u', ..] => {}
        [b'\\', letter] => {
            return Some(match letter {
                b'n' => '\n',
                b't' => '\t',
                b'r' => '\r',
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                other => char::from(*other),
            });
        }
        _ => return Some('\u{fffd}'),
    }
    if escape.chars().count() < 6 {
        return None;
    }
    let first = unit(escape.get(2..6)).unwrap_or(0xfffd);
    if !(0xd800..0xdc00).contains(&first) {
        return Some(char::from_u32(first).unwrap_or('\u{fffd}'));
    }
    // One half of a letter: the other half follows.
    if escape.chars().count() < 12 {
        return None;
    }
    let second = unit(escape.get(8..12)).unwrap_or(0).wrapping_sub(0xdc00);
    let whole = 0x10000 + ((first - 0xd800) << 10) + second.min(0x3ff);
    Some(if second < 0x400 { char::from_u32(whole).unwrap_or('\u{fffd}') } else { '\u{fffd}' })
}

/// Tells when arguments that come in pieces are one whole object or list.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Brackets {
    depth: usize,
    in_string: bool,
    escaped: bool,
    closed: bool,
}

impl Brackets {
    pub(super) fn push(&mut self, piece: &str) {
        for byte in piece.bytes() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.closed |= self.depth == 0;
                }
                _ => {}
            }
        }
    }

    pub(super) const fn whole(&self) -> bool {
        self.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(pieces: &[&str]) -> (String, String) {
        let mut text = FreeText::default();
        for piece in pieces {
            text.push(piece);
        }
        let so_far = text.so_far().to_owned();
        text.end();
        (so_far, text.so_far().to_owned())
    }

    #[test]
    fn text_comes_out_the_same_however_it_is_cut() {
        let whole = r#" { "input" : "a\n\"b\" \u00e9 \ud83d\ude00 é\\" }"#;
        for cut in (0..=whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
            let (so_far, end) = decoded(&[&whole[..cut], &whole[cut..]]);
            assert_eq!(so_far, "a\n\"b\" é 😀 é\\", "cut at {cut}");
            assert_eq!(so_far, end);
        }
    }

    #[test]
    fn text_of_another_form_is_taken_as_it_was_meant() {
        assert_eq!(decoded(&["\"plain\""]).1, "plain");
        assert_eq!(decoded(&["{\"patch\":\"p\"}"]).1, "p");
        assert_eq!(decoded(&["{\"x\":1,\"input\":\"p\"}"]).1, "p");
        assert_eq!(decoded(&["*** Begin"]).1, "*** Begin");
        assert_eq!(decoded(&[r#"{"input":"\ud800x"}"#]).1, "\u{fffd}x");
        assert_eq!(decoded(&[r#"{"input":"\ud800\nx"}"#]).1, "\u{fffd}\nx");
    }

    #[test]
    fn brackets_in_strings_close_nothing() {
        let mut brackets = Brackets::default();
        brackets.push(r#"{"a":"}\"}"#);
        assert!(!brackets.whole());
        brackets.push("\"}");
        assert!(brackets.whole());
    }
}
