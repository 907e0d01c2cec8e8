//! Writing Anthropic's list of models, piece by piece.

use bytes::Bytes;
use serde_json::json;

use crate::calendar;

/// One model, as Anthropic lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model<'a> {
    /// What to put into a call's `model`.
    pub id: &'a str,
    /// A name for people.
    pub display_name: &'a str,
    /// Seconds since 1970; 0 when nobody knows.
    pub created: u64,
    /// Most tokens of prompt and answer together, when known.
    pub context_length: Option<u64>,
}

/// One model, as `GET /v1/models/{id}` answers it.
pub fn one(model: &Model<'_>) -> Vec<u8> {
    let mut said = json!({
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": calendar::written(model.created),
        "lifecycle": "active",
    });
    if let Some(length) = model.context_length {
        said["max_input_tokens"] = length.into();
    }
    said.to_string().into_bytes()
}

/// How large a piece of a list grows before the next one is begun.
const PIECE: usize = 64 * 1024;

/// Writes the list, as `GET /v1/models` answers it.
#[derive(Debug)]
pub struct List {
    piece: Vec<u8>,
    first: Option<String>,
    last: Option<String>,
}

impl Default for List {
    fn default() -> Self {
        Self { piece: br#"{"data":["#.to_vec(), first: None, last: None }
    }
}

impl List {
    /// Writes one more model.
    pub fn push(&mut self, model: &Model<'_>) {
        if self.first.is_some() {
            self.piece.push(b',');
        } else {
            self.first = Some(model.id.to_owned());
        }
        self.last = Some(model.id.to_owned());
        self.piece.extend_from_slice(&one(model));
    }

    /// What is written, once it is enough for a piece.
    pub fn piece(&mut self) -> Option<Bytes> {
        (self.piece.len() >= PIECE).then(|| std::mem::take(&mut self.piece).into())
    }

    /// The last piece; `has_more` when models follow on another page.
    pub fn end(&mut self, has_more: More) -> Bytes {
        let mut piece = std::mem::take(&mut self.piece);
        let page = json!({ "has_more": has_more == More::Yes, "first_id": self.first, "last_id": self.last });
        let rest = page.to_string();
        piece.extend_from_slice(b"],");
        piece.extend_from_slice(rest.trim_start_matches('{').as_bytes());
        piece.into()
    }
}

/// Whether models follow on another page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// They do.
    Yes,
    /// This was the last page.
    No,
}
