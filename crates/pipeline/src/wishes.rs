//! What the headers of a call ask of its routing.

use std::sync::Arc;

use http::HeaderName;
use net::Fields;
use policy::order;
use serde::{Deserialize, Serialize};
use types::{Fault, Kind, Result};

/// Models that may serve instead, with commas between them.
const FALLBACKS: HeaderName = HeaderName::from_static("x-ironbow-fallbacks");
/// Whether another backend of the same model may serve a call that names one.
const FAILOVER: HeaderName = HeaderName::from_static("x-ironbow-failover");
/// Calls with the same value go to the same target while it serves.
const SESSION: HeaderName = HeaderName::from_static("x-ironbow-session");
/// The most that the call may cost, in dollars.
const MAX_PRICE: HeaderName = HeaderName::from_static("x-ironbow-max-price");

/// What a call asks of its routing beyond its model's name. Most calls ask for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Wishes {
    /// Models that may serve instead, in their order.
    pub(crate) fallbacks: Vec<String>,
    /// Whether another backend of the same model may serve a call that names one.
    pub(crate) failover: Option<bool>,
    /// Calls with the same number go to the same target.
    pub(crate) session: Option<u64>,
    /// The most that the call may cost, in micro-dollars.
    pub(crate) max_price: Option<u64>,
}

impl Wishes {
    /// Reads the headers; nothing where they ask for nothing.
    ///
    /// # Errors
    /// `BadRequest` naming the header that cannot be read.
    pub(crate) fn of(headers: &Fields) -> Result<Option<Arc<Self>>> {
        let text = |name: &HeaderName, wanted: &str| -> Result<Option<&str>> {
            let Some(value) = headers.get(name) else { return Ok(None) };
            value.to_str().map(|text| Some(text.trim())).map_err(|_| bad(name, wanted))
        };
        let mut wishes = Self::default();
        if let Some(list) = text(&FALLBACKS, "names of models with commas between them")? {
            wishes.fallbacks =
                list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
            if wishes.fallbacks.len() > wire::openai::detours::MOST {
                return Err(bad(&FALLBACKS, &format!("at most {} models", wire::openai::detours::MOST)));
            }
        }
        wishes.failover = match text(&FAILOVER, "`true` or `false`")? {
            None => None,
            Some("true" | "1") => Some(true),
            Some("false" | "0") => Some(false),
            Some(_) => return Err(bad(&FAILOVER, "`true` or `false`")),
        };
        wishes.session = text(&SESSION, "text")?.filter(|text| !text.is_empty()).map(order::sticky);
        wishes.max_price = match text(&MAX_PRICE, "an amount of dollars, such as 0.05")? {
            None => None,
            Some(dollars) => {
                Some(micros(dollars).ok_or_else(|| bad(&MAX_PRICE, "an amount of dollars, such as 0.05"))?)
            }
        };
        Ok((wishes != Self::default()).then(|| Arc::new(wishes)))
    }
}

/// Dollars as micro-dollars, exactly; what is beyond the sixth digit is cut off.
fn micros(dollars: &str) -> Option<u64> {
    let (whole, part) = dollars.split_once('.').unwrap_or((dollars, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && part.is_empty() || !digits(whole) || !digits(part) || whole.len() > 9 {
        return None;
    }
    let part: String = part.bytes().chain(std::iter::repeat(b'0')).take(6).map(char::from).collect();
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    Some(whole * 1_000_000 + part.parse::<u64>().ok()?)
}

fn bad(name: &HeaderName, wanted: &str) -> Box<Fault> {
    Fault::new(Kind::BadRequest, format!("The header `{name}` must be {wanted}.")).param(name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &'static str)]) -> Result<Option<Arc<Wishes>>> {
        Wishes::of(&pairs.iter().copied().collect())
    }

    #[test]
    fn headers_are_read_and_none_cost_nothing() {
        assert_eq!(read(&[("x-other", "1")]).unwrap(), None);
        let wishes = read(&[
            ("x-ironbow-fallbacks", "a/b, huggingface/groq/c ,"),
            ("x-ironbow-failover", "true"),
            ("x-ironbow-session", "u-7"),
            ("x-ironbow-max-price", "0.05"),
        ]);
        let wishes = wishes.unwrap().unwrap();
        assert_eq!(wishes.fallbacks, ["a/b", "huggingface/groq/c"]);
        assert_eq!((wishes.failover, wishes.max_price), (Some(true), Some(50_000)));
        assert_eq!(wishes.session, Some(order::sticky("u-7")));
    }

    #[test]
    fn a_header_that_cannot_be_read_is_named() {
        for (name, value) in [
            ("x-ironbow-failover", "perhaps"),
            ("x-ironbow-max-price", "cheap"),
            ("x-ironbow-max-price", "-1"),
            ("x-ironbow-max-price", "."),
            ("x-ironbow-fallbacks", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"),
        ] {
            assert_eq!(read(&[(name, value)]).unwrap_err().param.as_deref(), Some(name), "{value}");
        }
    }

    #[test]
    fn dollars_become_micro_dollars_exactly() {
        for (text, wanted) in [("1", 1_000_000), ("0.1", 100_000), (".5", 500_000), ("2.0000019", 2_000_001)] {
            assert_eq!(micros(text), Some(wanted), "{text}");
        }
    }
}
