//! What a translation leaves out: named, or refused by name.

use serde_json::Value;
use types::{Fault, Kind, Result};

use crate::heard::unread;

/// Most names that are told: they stand in a header.
const MOST: usize = 64;

/// What was left out so far, and whether more than advice may be.
#[derive(Debug)]
pub(super) struct Notes {
    lenient: bool,
    dropped: Vec<String>,
}

impl Notes {
    pub(super) const fn new(lenient: bool) -> Self {
        Self { lenient, dropped: Vec::new() }
    }

    /// Names something that was left out, once.
    pub(super) fn drop(&mut self, name: &str) {
        let shown: String =
            name.chars().take(80).map(|c| if c.is_ascii_graphic() && c != ',' { c } else { '?' }).collect();
        if self.dropped.len() < MOST && !self.dropped.contains(&shown) {
            self.dropped.push(if self.dropped.len() + 1 == MOST { "more".to_owned() } else { shown });
        }
    }

    /// Refuses what changes the answer and cannot be said; a lenient caller has it left out.
    pub(super) fn refuse(&mut self, param: &str, why: &str) -> Result<()> {
        if self.lenient {
            self.drop(param);
            return Ok(());
        }
        let message = format!(
            "`{param}` is not supported: {why}. Leave it out, or send the header `x-ironbow-lenient: true` to have it left out for you."
        );
        Err(Fault::new(Kind::UnsupportedParameter, message).param(param))
    }

    /// Names the members of an object that chat has no place for: all but these.
    pub(super) fn unread(&mut self, place: &str, said: &Value, known: &[&str]) {
        for name in said.as_object().map(|members| unread(members, known)).unwrap_or_default() {
            self.drop(&format!("{place}.{name}"));
        }
    }

    pub(super) fn into_dropped(self) -> Vec<String> {
        self.dropped
    }
}

/// A member with a bad value.
pub(super) fn bad(param: &str, what: &str) -> Box<Fault> {
    Fault::new(Kind::BadRequest, format!("`{param}` {what}.")).param(param)
}

/// A word of the caller's as it may stand in a message.
pub(super) fn shown(word: &str) -> String {
    word.chars().take(64).filter(|c| c.is_ascii_graphic() && *c != '`').collect()
}
