//! Writing OpenAI's list of models, with what Hugging Face knows of each beside it.

use bytes::Bytes;
use serde::Serialize;
use types::Operation;

use crate::hub::Price;

/// One model of the list. What is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Model<'a> {
    /// What to put into a call's `model`.
    pub id: &'a str,
    /// Seconds since 1970; 0 when nobody knows, since OpenAI's schema wants a number.
    pub created: u64,
    /// The organisation.
    pub owned_by: &'a str,
    /// The Hub's task, e.g. `conversational`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<&'a str>,
    /// What it can be asked for, e.g. `chat`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Operation>,
    /// `live`, `staging` or `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'a str>,
    /// The backend that serves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<&'a str>,
    /// The id at the Hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub_id: Option<&'a str>,
    /// The backend's own name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_model: Option<&'a str>,
    /// Whether it is weights on a base model; left out when it is a model of its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub adapter: bool,
    /// Most tokens of prompt and answer together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_length: Option<u64>,
    /// US dollars per million tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pricing: Option<Pricing>,
    /// Whether tools are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_tools: Option<bool>,
    /// Whether a JSON schema is kept to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_structured_output: Option<bool>,
    /// What goes in, e.g. `text`, `image`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input_modalities: Vec<&'a str>,
    /// What comes out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output_modalities: Vec<&'a str>,
}

/// Prices as exact decimal texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pricing {
    /// Of the prompt.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "decimal")]
    pub input: Option<Price>,
    /// Of the answer.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "decimal")]
    pub output: Option<Price>,
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn decimal<S: serde::Serializer>(price: &Option<Price>, out: S) -> Result<S::Ok, S::Error> {
    match price {
        Some(price) => out.collect_str(price),
        None => out.serialize_none(),
    }
}

#[derive(Serialize)]
struct Tagged<'a, 'm> {
    object: &'static str,
    #[serde(flatten)]
    model: &'a Model<'m>,
}

/// What is said of a list beside its models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Page<'a> {
    /// Whether there are more models than these.
    pub has_more: bool,
    /// The first id of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_id: Option<&'a str>,
    /// The last id of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_id: Option<&'a str>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<&'a str>,
    /// Sentences on backends that could not be asked.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub warnings: &'a [String],
}

/// One model, as `GET /v1/models/{id}` answers it.
pub fn one(model: &Model<'_>) -> Vec<u8> {
    serde_json::to_vec(&Tagged { object: "model", model }).unwrap_or_default()
}

/// How large a piece of a list grows before the next one is begun.
const PIECE: usize = 64 * 1024;

/// Writes the list, as `GET /v1/models` answers it, piece by piece.
#[derive(Debug)]
pub struct List {
    piece: Vec<u8>,
    is_empty: bool,
}

impl Default for List {
    fn default() -> Self {
        Self { piece: br#"{"object":"list","data":["#.to_vec(), is_empty: true }
    }
}

impl List {
    /// Writes one more model.
    pub fn push(&mut self, model: &Model<'_>) {
        if !self.is_empty {
            self.piece.push(b',');
        }
        self.is_empty = false;
        self.piece.extend_from_slice(&one(model));
    }

    /// What is written, once it is enough for a piece.
    pub fn piece(&mut self) -> Option<Bytes> {
        (self.piece.len() >= PIECE).then(|| std::mem::take(&mut self.piece).into())
    }

    /// The last piece.
    pub fn end(&mut self, page: &Page<'_>) -> Bytes {
        let mut piece = std::mem::take(&mut self.piece);
        piece.push(b']');
        // The rest is an object too: its members go on after ours.
        let rest = serde_json::to_vec(page).unwrap_or_default();
        match rest.strip_prefix(b"{") {
            Some(members) if members != b"}" => {
                piece.push(b',');
                piece.extend_from_slice(members);
            }
            _ => piece.push(b'}'),
        }
        piece.into()
    }
}
