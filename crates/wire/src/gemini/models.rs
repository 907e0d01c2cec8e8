//! The list of models as Google writes it.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::Operation;

use crate::openai::models::Model;

/// One model, as `GET /v1beta/models/{model}` answers it.
pub fn model(model: &Model<'_>) -> Vec<u8> {
    shape(model).to_string().into_bytes()
}

fn shape(model: &Model<'_>) -> Value {
    let mut said = Map::new();
    said.insert("name".into(), format!("models/{}", model.id).into());
    said.insert("version".into(), "1".into());
    said.insert("displayName".into(), model.hub_id.unwrap_or(model.id).into());
    if let Some(context) = model.context_length {
        said.insert("inputTokenLimit".into(), context.into());
        said.insert("outputTokenLimit".into(), context.into());
    }
    let mut methods = Vec::new();
    for operation in &model.operations {
        methods.extend_from_slice(match operation {
            Operation::Chat => &["generateContent", "countTokens"][..],
            Operation::Embeddings => &["embedContent"][..],
            _ => &[],
        });
    }
    said.insert("supportedGenerationMethods".into(), json!(methods));
    Value::Object(said)
}

/// How large a piece of a list grows before the next one is begun.
const PIECE: usize = 64 * 1024;

/// Writes the list, as `GET /v1beta/models` answers it, piece by piece.
#[derive(Debug)]
pub struct List {
    piece: Vec<u8>,
    is_empty: bool,
}

impl Default for List {
    fn default() -> Self {
        Self { piece: br#"{"models":["#.to_vec(), is_empty: true }
    }
}

impl List {
    /// Writes one more model.
    pub fn push(&mut self, model: &Model<'_>) {
        if !self.is_empty {
            self.piece.push(b',');
        }
        self.is_empty = false;
        self.piece.extend_from_slice(&self::model(model));
    }

    /// What is written, once it is enough for a piece.
    pub fn piece(&mut self) -> Option<Bytes> {
        (self.piece.len() >= PIECE).then(|| std::mem::take(&mut self.piece).into())
    }

    /// The last piece; `next` is where the next page begins.
    pub fn end(&mut self, next: Option<&str>) -> Bytes {
        let mut piece = std::mem::take(&mut self.piece);
        piece.push(b']');
        if let Some(next) = next {
            piece.extend_from_slice(br#","nextPageToken":"#);
            piece.extend_from_slice(&crate::json::text::encoded(next));
        }
        piece.push(b'}');
        piece.into()
    }
}
