//! The router's own list of models: prices, context, tools.

use serde::Deserialize;
use serde_json::value::RawValue;
use types::Result;

use super::{Price, State, mapping::unreadable};

/// One model of the router's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterModel {
    /// The Hub id.
    pub id: String,
    /// When it was made, seconds since 1970.
    pub created: Option<u64>,
    /// Who made it.
    pub owned_by: Option<String>,
    /// What goes in, e.g. `text`, `image`.
    pub input: Vec<String>,
    /// What comes out.
    pub output: Vec<String>,
    /// Who serves it, in the router's order.
    pub offers: Vec<Offer>,
}

/// One backend's offer of a model. What the router does not say is unknown, never zero or no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The backend's id at Hugging Face.
    pub provider: String,
    /// How it does.
    pub state: State,
    /// Most tokens of prompt and answer together.
    pub context_length: Option<u64>,
    /// Price of the prompt.
    pub input_price: Option<Price>,
    /// Price of the answer.
    pub output_price: Option<Price>,
    /// Whether it takes tools.
    pub supports_tools: Option<bool>,
    /// Whether it keeps to a JSON schema.
    pub supports_structured_output: Option<bool>,
    /// Time to the first token, in microseconds.
    pub first_token_latency_us: Option<u64>,
    /// Tokens a second, in thousandths.
    pub throughput_milli: Option<u64>,
    /// Whether the backend made the model.
    pub is_model_author: Option<bool>,
}

/// Reads the router's list. Entries that cannot be read are passed over.
///
/// # Errors
/// `CatalogUnavailable` when it is no list.
pub fn router_models(body: &[u8]) -> Result<Vec<RouterModel>> {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        data: Vec<&'a RawValue>,
    }
    let list: List<'_> = serde_json::from_slice(body).map_err(|error| unreadable(&error.to_string()))?;
    Ok(list.data.into_iter().filter_map(|raw| read(raw.get())).collect())
}

/// Reads the router's answer for one model.
///
/// # Errors
/// `CatalogUnavailable` when it is no such answer.
pub fn router_model(body: &[u8]) -> Result<RouterModel> {
    #[derive(Deserialize)]
    struct Wrapped<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let text = std::str::from_utf8(body).map_err(|error| unreadable(&error.to_string()))?;
    let inner = serde_json::from_str::<Wrapped<'_>>(text).map_or(text, |wrapped| wrapped.data.get());
    read(inner).ok_or_else(|| unreadable("no model"))
}

fn read(text: &str) -> Option<RouterModel> {
    let raw: RawModel<'_> = serde_json::from_str(text).ok()?;
    let (input, output) = raw.architecture.map(|a| (a.input_modalities, a.output_modalities)).unwrap_or_default();
    Some(RouterModel {
        id: raw.id,
        created: raw.created.and_then(number),
        owned_by: raw.owned_by,
        input,
        output,
        offers: raw.providers.into_iter().filter_map(|raw| offer(raw.get())).collect(),
    })
}

fn offer(text: &str) -> Option<Offer> {
    let raw: RawOffer<'_> = serde_json::from_str(text).ok()?;
    let price = |text: Option<&RawValue>| Price::dollars(text?.get().trim_matches('"'));
    let pricing = raw.pricing.unwrap_or_default();
    Some(Offer {
        provider: raw.provider,
        state: match raw.status.as_deref() {
            Some("live") | None => State::Live,
            Some("staging") => State::Staging,
            Some("error") => State::Error,
            Some(other) => State::Other(other.to_owned()),
        },
        context_length: raw.context_length.and_then(number),
        input_price: price(pricing.input),
        output_price: price(pricing.output),
        supports_tools: raw.supports_tools,
        supports_structured_output: raw.supports_structured_output,
        first_token_latency_us: raw.first_token_latency_ms.and_then(thousandths),
        throughput_milli: raw.throughput.and_then(thousandths),
        is_model_author: raw.is_model_author,
    })
}

fn number(raw: &RawValue) -> Option<u64> {
    raw.get().parse().ok()
}

/// A measurement in thousandths: `412.5` becomes `412500`. Not money, so rounding is fine.
fn thousandths(raw: &RawValue) -> Option<u64> {
    let number = raw.get().parse::<f64>().ok()? * 1000.0;
    (number >= 0.0 && number.is_finite()).then_some(number.round() as u64)
}

#[derive(Deserialize)]
struct RawModel<'a> {
    id: String,
    #[serde(default, borrow)]
    created: Option<&'a RawValue>,
    #[serde(default)]
    owned_by: Option<String>,
    #[serde(default)]
    architecture: Option<RawArchitecture>,
    #[serde(default, borrow)]
    providers: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawArchitecture {
    #[serde(default)]
    input_modalities: Vec<String>,
    #[serde(default)]
    output_modalities: Vec<String>,
}

#[derive(Deserialize)]
struct RawOffer<'a> {
    provider: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default, borrow)]
    context_length: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pricing: Option<RawPricing<'a>>,
    #[serde(default)]
    supports_tools: Option<bool>,
    #[serde(default)]
    supports_structured_output: Option<bool>,
    #[serde(default, borrow)]
    first_token_latency_ms: Option<&'a RawValue>,
    #[serde(default, borrow)]
    throughput: Option<&'a RawValue>,
    #[serde(default)]
    is_model_author: Option<bool>,
}

#[derive(Default, Deserialize)]
struct RawPricing<'a> {
    #[serde(default, borrow)]
    input: Option<&'a RawValue>,
    #[serde(default, borrow)]
    output: Option<&'a RawValue>,
}
