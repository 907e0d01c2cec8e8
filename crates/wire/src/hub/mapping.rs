//! Hub models and where they are served.

use std::{fmt, str::FromStr as _};

use serde_json::{Map, Value, value::RawValue};
use types::{Fault, Kind, Result};

/// One model of the Hub, with the backends that serve it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    /// The Hub id, as the Hub spells it now.
    pub id: String,
    /// Where it is served, in the Hub's order. Nothing when the answer does not say, which is not the same as nowhere.
    pub mappings: Option<Vec<Mapping>>,
    /// What the model is for, if the answer says.
    pub pipeline_tag: Option<String>,
    /// Its tags, if the answer says.
    pub tags: Vec<String>,
}

/// One backend's entry for a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The backend's id at Hugging Face.
    pub provider: String,
    /// The backend's own name for the model.
    pub provider_id: String,
    /// How it does.
    pub state: State,
    /// The task; `conversational` is chat.
    pub task: String,
    /// An adapter on a base model.
    pub adapter: Option<Adapter>,
    /// Whether the backend made the model.
    pub is_model_author: bool,
    /// `single-model` or `tag-filter`.
    pub kind: Option<String>,
}

/// An adapter on a base model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// E.g. `lora`.
    pub kind: String,
    /// Where its weights lie in the repository.
    pub weights_path: Option<String>,
}

/// How a backend's model does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Serving.
    Live,
    /// Serving, on trial.
    Staging,
    /// The last check failed.
    Error,
    /// A word that is new to us.
    Other(String),
}

impl State {
    fn read(word: &str) -> Self {
        match word {
            "live" => Self::Live,
            "staging" => Self::Staging,
            "error" => Self::Error,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The Hub's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Live => "live",
            Self::Staging => "staging",
            Self::Error => "error",
            Self::Other(word) => word,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One entry of a page of models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedModel {
    /// The model.
    pub info: ModelInfo,
    /// When it was made, seconds since 1970.
    pub created: Option<u64>,
    /// How many like it.
    pub likes: Option<u64>,
}

impl ListedModel {
    /// Whether it chats: the tag says so, no pipeline tag does.
    pub fn is_chat(&self) -> bool {
        self.info.tags.iter().any(|tag| tag == "conversational")
    }
}

/// Reads the Hub's answer for one model.
///
/// # Errors
/// `CatalogUnavailable` when it is no such answer.
pub fn mapping(body: &[u8]) -> Result<ModelInfo> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => info(&object).ok_or_else(|| unreadable("a model without `id`")),
        Ok(_) => Err(unreadable("no object")),
        Err(error) => Err(unreadable(&error.to_string())),
    }
}

/// Reads one page of models. Entries without an id are passed over.
///
/// # Errors
/// `CatalogUnavailable` when it is no list.
pub fn models(body: &[u8]) -> Result<Vec<ListedModel>> {
    // A page may be megabytes: only one entry at a time becomes a tree.
    let list: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| unreadable(&error.to_string()))?;
    let listed = |raw: &&RawValue| {
        let object: Map<String, Value> = serde_json::from_str(raw.get()).ok()?;
        let object = &object;
        Some(ListedModel {
            info: info(object)?,
            created: text(object, "createdAt").and_then(|date| seconds_of(&date)),
            likes: object.get("likes").and_then(Value::as_u64),
        })
    };
    Ok(list.iter().filter_map(listed).collect())
}

pub(super) fn unreadable(detail: &str) -> Box<Fault> {
    Fault::new(Kind::CatalogUnavailable, "The Hub's answer cannot be read.").detail(detail)
}

fn info(object: &Map<String, Value>) -> Option<ModelInfo> {
    let tags = object.get("tags").and_then(Value::as_array).into_iter().flatten();
    Some(ModelInfo {
        id: text(object, "id").or_else(|| text(object, "modelId"))?,
        mappings: object.get("inferenceProviderMapping").and_then(mappings),
        pipeline_tag: text(object, "pipeline_tag"),
        tags: tags.filter_map(|tag| tag.as_str().map(str::to_owned)).collect(),
    })
}

/// A dictionary by backend (one model) or a list (pages): both are accepted everywhere.
fn mappings(value: &Value) -> Option<Vec<Mapping>> {
    match value {
        Value::Object(by_backend) => {
            Some(by_backend.iter().filter_map(|(provider, entry)| one(Some(provider), entry)).collect())
        }
        Value::Array(list) => Some(list.iter().filter_map(|entry| one(None, entry)).collect()),
        _ => None,
    }
}

fn one(provider: Option<&str>, entry: &Value) -> Option<Mapping> {
    let entry = entry.as_object()?;
    let adapter = text(entry, "adapter").or_else(|| text(entry, "adapterType"));
    Some(Mapping {
        provider: provider.map(str::to_owned).or_else(|| text(entry, "provider"))?,
        provider_id: text(entry, "providerId")?,
        state: State::read(&text(entry, "status").unwrap_or_default()),
        task: text(entry, "task").unwrap_or_default(),
        adapter: adapter.map(|kind| Adapter { kind, weights_path: text(entry, "adapterWeightsPath") }),
        is_model_author: entry.get("isModelAuthor").and_then(Value::as_bool).unwrap_or(false),
        kind: text(entry, "type"),
    })
}

fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Seconds since 1970 of `2024-07-16T22:31:04.000Z`.
fn seconds_of(date: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| u64::from_str(date.get(range)?).ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    crate::calendar::seconds((year, month, day), (hour, minute, second))
}
