//! Writing OpenAI's list of models, with what Hugging Face knows of each beside it.

use serde::Serialize;

use crate::hub::Price;

/// One model of the list. What is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Model {
    /// What to put into a call's `model`.
    pub id: String,
    /// Seconds since 1970; 0 when nobody knows, since OpenAI's schema wants a number.
    pub created: u64,
    /// The organisation.
    pub owned_by: String,
    /// The task, e.g. `conversational`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// `live`, `staging` or `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The backend that serves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// The id at the Hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub_id: Option<String>,
    /// The backend's own name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_model: Option<String>,
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
    pub input_modalities: Vec<String>,
    /// What comes out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output_modalities: Vec<String>,
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
struct Tagged<'a> {
    object: &'static str,
    #[serde(flatten)]
    model: &'a Model,
}

/// One model, as `GET /v1/models/{id}` answers it.
pub fn one(model: &Model) -> Vec<u8> {
    serde_json::to_vec(&Tagged { object: "model", model }).unwrap_or_default()
}

/// The list, as `GET /v1/models` answers it; warnings name backends that could not be asked.
pub fn list(models: &[Model], warnings: &[String]) -> Vec<u8> {
    #[derive(Serialize)]
    struct List<'a> {
        object: &'static str,
        data: Vec<Tagged<'a>>,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        warnings: &'a [String],
    }
    let data = models.iter().map(|model| Tagged { object: "model", model }).collect();
    serde_json::to_vec(&List { object: "list", data, warnings }).unwrap_or_default()
}
