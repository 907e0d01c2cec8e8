//! What the router's own list says: terms, limits, speed and state of each model at each backend.

use std::{collections::HashMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::entry::State;

/// The router's list.
#[derive(Debug, Default)]
pub struct Market {
    models: Vec<MarketModel>,
    by_id: HashMap<Arc<str>, usize>,
}

/// One model of the router's list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MarketModel {
    /// The model's id on the Hub.
    pub hub_id: Arc<str>,
    /// When it was made, in seconds since 1970.
    pub created: Option<u64>,
    /// What it reads, in the router's words (`text`, `image`, …).
    pub input_modalities: Vec<Arc<str>>,
    /// What it writes.
    pub output_modalities: Vec<Arc<str>>,
    /// Who serves it, on which terms, in the router's order.
    pub offers: Vec<Offer>,
}

/// One backend's terms for a model. What the router does not say is `None`, never zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// The backend's id.
    pub backend: Arc<str>,
    /// What the router says of its state.
    pub state: State,
    /// How many tokens fit.
    pub context_length: Option<u64>,
    /// What tokens cost.
    pub price: Option<Price>,
    /// Whether it takes tools.
    pub tools: Option<bool>,
    /// Whether it can follow a JSON schema.
    pub structured_output: Option<bool>,
    /// Milliseconds to the first token, as measured by the router.
    pub first_token_ms: Option<f64>,
    /// Tokens per second, as measured by the router.
    pub tokens_per_second: Option<f64>,
}

/// What tokens cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Of the prompt.
    pub input: UsdPerMillion,
    /// Of the answer.
    pub output: UsdPerMillion,
}

/// US dollars per million tokens, counted in millionths of a dollar: exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UsdPerMillion(pub u64);

impl UsdPerMillion {
    /// Reads a decimal number, also with an exponent. `None` when it is negative, too large, or finer than a millionth
    /// of a dollar: a price that cannot be told exactly is not told.
    pub fn read(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: String = [whole, fraction].concat();
        if digits.is_empty() || digits.len() > 30 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut value: u128 = digits.parse().ok()?;
        let mut scale = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?.checked_add(6)?;
        while scale < 0 {
            if value == 0 {
                break;
            }
            if value % 10 != 0 {
                return None;
            }
            value /= 10;
            scale += 1;
        }
        for _ in 0..scale.max(0) {
            value = value.checked_mul(10)?;
            if value > u128::from(u64::MAX) {
                return None;
            }
        }
        u64::try_from(value).ok().map(Self)
    }
}

impl fmt::Display for UsdPerMillion {
    /// As a plain decimal number: `0.15`, `3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let part = format!("{part:06}");
        write!(f, "{whole}.{}", part.trim_end_matches('0'))
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
            price: None,
            tools: None,
            structured_output: None,
            first_token_ms: None,
            tokens_per_second: None,
        }
    }
}

impl Market {
    /// A list of these models; of two with the same id the first counts.
    pub(crate) fn of(models: Vec<MarketModel>) -> Self {
        let mut by_id = HashMap::with_capacity(models.len());
        for (at, model) in models.iter().enumerate() {
            by_id.entry(Arc::clone(&model.hub_id)).or_insert(at);
        }
        Self { models, by_id }
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
mod tests {
    use super::*;

    #[test]
    fn a_price_is_read_and_shown_exactly_or_not_at_all() {
        for (text, micros, shown) in [
            ("0.15", 150_000, "0.15"),
            ("3", 3_000_000, "3"),
            ("3.0", 3_000_000, "3"),
            ("0", 0, "0"),
            ("0.000001", 1, "0.000001"),
            ("1e-6", 1, "0.000001"),
            ("1.5E1", 15_000_000, "15"),
            ("0.1000000", 100_000, "0.1"),
            ("0e-400", 0, "0"),
        ] {
            let price = UsdPerMillion::read(text);
            assert_eq!(price, Some(UsdPerMillion(micros)), "{text}");
            assert_eq!(price.unwrap().to_string(), shown);
        }
        for text in ["-1", "", ".", "abc", "0.0000001", "1e99", "1e99999999999", "99999999999999999999", "0x1", "1e-9"]
        {
            assert_eq!(UsdPerMillion::read(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_of_two_models_with_one_id_counts() {
        let model = |created| MarketModel { hub_id: "o/m".into(), created, ..MarketModel::default() };
        let market = Market::of(vec![model(Some(1)), model(Some(2))]);
        assert_eq!(market.find("o/m").unwrap().created, Some(1));
        assert!(market.find("o/n").is_none());
    }
}
