//! What the router's own list says: terms, limits, speed and state of each model at each backend.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};
pub use wire::hub::Price;

use crate::entry::State;

/// The router's list.
#[derive(Debug, Default)]
pub struct Market {
    models: Vec<MarketModel>,
    by_id: HashMap<Arc<str>, usize>,
    taken_at: u64,
}

/// One model of the router's list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketModel {
    /// The model's id on the Hub.
    pub hub_id: Arc<str>,
    /// When it was made, in seconds since 1970.
    pub created: Option<u64>,
    /// Who made it.
    pub owned_by: Option<Arc<str>>,
    /// What it reads, in the router's words (`text`, `image`, …).
    pub input: Vec<Arc<str>>,
    /// What it writes.
    pub output: Vec<Arc<str>>,
    /// Who serves it, on which terms, in the router's order.
    pub offers: Vec<Offer>,
}

/// One backend's terms for a model. What the router does not say is `None`, never zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The backend's id.
    pub backend: Arc<str>,
    /// What the router says of its state.
    pub state: State,
    /// How many tokens fit, prompt and answer together.
    pub context_length: Option<u64>,
    /// What the prompt costs.
    #[serde(with = "micros")]
    pub input_price: Option<Price>,
    /// What the answer costs.
    #[serde(with = "micros")]
    pub output_price: Option<Price>,
    /// Whether it takes tools.
    pub tools: Option<bool>,
    /// Whether it can follow a JSON schema.
    pub structured_output: Option<bool>,
    /// Microseconds to the first token, as measured by the router.
    pub first_token_us: Option<u64>,
    /// Thousandths of tokens per second, as measured by the router.
    pub throughput_milli: Option<u64>,
}

/// A price on disk: micro-dollars per million tokens.
mod micros {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::Price;

    pub(super) fn serialize<S: Serializer>(price: &Option<Price>, serializer: S) -> Result<S::Ok, S::Error> {
        price.map(Price::micros).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Price>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Price::micros_per_million))
    }
}

impl Market {
    /// A list of these models; of two with the same id the first counts.
    pub(crate) fn of(models: Vec<MarketModel>, taken_at: u64) -> Self {
        let mut by_id = HashMap::with_capacity(models.len());
        for (at, model) in models.iter().enumerate() {
            by_id.entry(Arc::clone(&model.hub_id)).or_insert(at);
        }
        Self { models, by_id, taken_at }
    }

    /// When the router said so, in seconds since 1970.
    pub const fn taken_at(&self) -> u64 {
        self.taken_at
    }

    /// All models, in the router's order.
    pub fn models(&self) -> &[MarketModel] {
        &self.models
    }

    /// The model of this Hub id.
    pub fn find(&self, hub_id: &str) -> Option<&MarketModel> {
        self.by_id.get(hub_id).map(|at| &self.models[*at])
    }
}

impl MarketModel {
    /// The terms of one backend.
    pub fn offer(&self, backend: &str) -> Option<&Offer> {
        self.offers.iter().find(|offer| &*offer.backend == backend)
    }
}

#[cfg(test)]
impl Offer {
    /// An offer of which only the state is known.
    pub(crate) fn bare(backend: &str, state: State) -> Self {
        Self {
            backend: backend.into(),
            state,
            context_length: None,
            input_price: None,
            output_price: None,
            tools: None,
            structured_output: None,
            first_token_us: None,
            throughput_milli: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_models_with_one_id_counts() {
        let model = |created| MarketModel { hub_id: "o/m".into(), created, ..MarketModel::default() };
        let market = Market::of(vec![model(Some(1)), model(Some(2))], 7);
        assert_eq!(market.taken_at(), 7);
        assert_eq!(market.find("o/m").unwrap().created, Some(1));
        assert!(market.find("o/n").is_none());
    }

    #[test]
    fn terms_come_back_from_disk_as_they_were() {
        let offer = Offer { input_price: Price::dollars("0.15"), ..Offer::bare("groq", State::Live) };
        let text = serde_json::to_string(&offer).unwrap();
        assert!(text.contains("\"input_price\":150000"), "{text}");
        assert_eq!(serde_json::from_str::<Offer>(&text).unwrap(), offer);
    }
}
