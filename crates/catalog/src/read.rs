//! From the Hub's and the router's JSON to entries. What is malformed in one model costs that model only.

use std::{borrow::Cow, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    entry::{CHAT_TASK, ModelEntry, Serving, State},
    listing::Listed,
    lookup::is_hub_id,
    market::{MarketModel, Offer, Price, UsdPerMillion},
};

/// How long a backend's own name of a model may be.
const LONGEST: usize = 1024;

/// Why JSON could not be read: a sentence without any of its text.
type Unreadable = String;

#[derive(Deserialize)]
struct Model<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(rename = "inferenceProviderMapping", default)]
    mapping: Value,
    #[serde(rename = "createdAt", default)]
    created: Value,
}

#[derive(Deserialize)]
struct RouterList<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct RouterModel<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    created: Option<u64>,
    #[serde(default)]
    architecture: Architecture,
    #[serde(borrow, default)]
    providers: Vec<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Architecture {
    #[serde(default)]
    input_modalities: Vec<Arc<str>>,
    #[serde(default)]
    output_modalities: Vec<Arc<str>>,
}

#[derive(Deserialize)]
struct RouterOffer<'a> {
    provider: Arc<str>,
    #[serde(borrow, default)]
    status: Cow<'a, str>,
    context_length: Option<u64>,
    #[serde(borrow)]
    pricing: Option<Pricing<'a>>,
    supports_tools: Option<bool>,
    supports_structured_output: Option<bool>,
    first_token_latency_ms: Option<f64>,
    throughput: Option<f64>,
}

#[derive(Deserialize)]
struct Pricing<'a> {
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
}

/// The Hub's answer for one model.
pub(crate) fn model(body: &[u8]) -> Result<ModelEntry, Unreadable> {
    let model: Model<'_> = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    Ok(ModelEntry { hub_id: model.id.as_ref().into(), servings: servings(&model.mapping) })
}

/// One page of the Hub's list: the models that `backend` serves for chat.
pub(crate) fn page(body: &[u8], backend: &str) -> Result<Vec<Listed>, Unreadable> {
    let models: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let models = models.into_iter().filter_map(|raw| serde_json::from_str::<Model<'_>>(raw.get()).ok());
    let listed = models.filter(|model| is_hub_id(&model.id)).filter_map(|model| {
        let serving = servings(&model.mapping).into_iter().find(|s| &*s.backend == backend && &*s.task == CHAT_TASK)?;
        Some(Listed {
            hub_id: model.id.as_ref().into(),
            provider_id: serving.provider_id,
            state: serving.state,
            created: model.created.as_str().and_then(unix_seconds),
        })
    });
    Ok(listed.collect())
}

/// The router's list.
pub(crate) fn market(body: &[u8]) -> Result<Vec<MarketModel>, Unreadable> {
    let list: RouterList<'_> = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let models = list.data.into_iter().filter_map(|raw| serde_json::from_str::<RouterModel<'_>>(raw.get()).ok());
    let models = models.filter(|model| is_hub_id(&model.id)).map(|model| MarketModel {
        hub_id: model.id.as_ref().into(),
        created: model.created,
        input_modalities: model.architecture.input_modalities,
        output_modalities: model.architecture.output_modalities,
        offers: model.providers.into_iter().filter_map(offer).collect(),
    });
    Ok(models.collect())
}

/// The mapping: an object of backends for one model, an array that names the backend in each element in lists.
fn servings(mapping: &Value) -> Vec<Serving> {
    match mapping {
        Value::Object(all) => all.iter().filter_map(|(backend, mapped)| serving(backend, mapped)).collect(),
        Value::Array(all) => {
            all.iter().filter_map(|mapped| serving(mapped.get("provider")?.as_str()?, mapped)).collect()
        }
        _ => Vec::new(),
    }
}

fn serving(backend: &str, mapped: &Value) -> Option<Serving> {
    let text = |name: &str| mapped.get(name).and_then(Value::as_str);
    let provider_id = text("providerId").filter(|id| !id.is_empty() && id.len() <= LONGEST)?;
    Some(Serving {
        backend: backend.into(),
        provider_id: provider_id.into(),
        task: text("task").unwrap_or_default().into(),
        state: State::named(text("status").unwrap_or_default()),
    })
}

fn offer(raw: &RawValue) -> Option<Offer> {
    let offer: RouterOffer<'_> = serde_json::from_str(raw.get()).ok()?;
    let price = offer.pricing.and_then(|p| Some(Price { input: usd(p.input?)?, output: usd(p.output?)? }));
    Some(Offer {
        backend: offer.provider,
        state: State::named(&offer.status),
        context_length: offer.context_length,
        price,
        tools: offer.supports_tools,
        structured_output: offer.supports_structured_output,
        first_token_ms: offer.first_token_latency_ms,
        tokens_per_second: offer.throughput,
    })
}

/// A price from the very digits that the router wrote, as a number or as text.
fn usd(raw: &RawValue) -> Option<UsdPerMillion> {
    UsdPerMillion::read(raw.get().trim_matches('"'))
}

/// Seconds since 1970 of a time such as `2024-09-18T15:16:57.000Z`.
fn unix_seconds(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !text.ends_with('Z') || year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days by the civil calendar, counted from March so that the leap day is a year's last.
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn unreadable(error: &serde_json::Error) -> Unreadable {
    format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_of_a_mapping_are_read_alike() {
        let object = br#"{"_id":"x","id":"o/m","inferenceProviderMapping":{
            "groq":{"status":"live","providerId":"own-m","task":"conversational"},
            "together":{"status":"staging","providerId":"t/m","task":"text-to-image","adapter":"lora"}}}"#;
        let array = br#"{"id":"o/m","inferenceProviderMapping":[
            {"provider":"groq","hfModelId":"o/m","providerId":"own-m","status":"live","task":"conversational"},
            {"provider":"together","providerId":"t/m","status":"staging","task":"text-to-image"}]}"#;
        let entry = model(object).unwrap();
        assert_eq!(entry, model(array).unwrap());
        assert_eq!(&*entry.hub_id, "o/m");
        let (first, second) = (&entry.servings[0], &entry.servings[1]);
        assert_eq!((&*first.backend, &*first.provider_id, first.state), ("groq", "own-m", State::Live));
        assert_eq!((second.is_chat(), second.state), (false, State::Staging));
    }

    #[test]
    fn a_model_that_nobody_serves_is_known_and_nonsense_is_not() {
        for body in [&br#"{"id":"o/m"}"#[..], br#"{"id":"o/m","inferenceProviderMapping":null}"#] {
            assert_eq!(model(body).unwrap().servings, []);
        }
        let odd = br#"{"id":"o/m","inferenceProviderMapping":{"a":7,"b":{"providerId":""},"c":{"providerId":"x"}}}"#;
        assert_eq!(model(odd).unwrap().servings.len(), 1);
        for body in ["", "{", "[]", "<html>", r#"{"id":7}"#] {
            let why = model(body.as_bytes()).unwrap_err();
            assert!(!why.contains("html"), "{why}");
        }
    }

    #[test]
    fn a_page_gives_the_chat_models_of_one_backend() {
        let body = br#"[
            {"id":"o/chat","createdAt":"2024-09-18T15:16:57.000Z","inferenceProviderMapping":
                [{"provider":"groq","providerId":"p","status":"live","task":"conversational"}]},
            {"id":"o/image","inferenceProviderMapping":[{"provider":"groq","providerId":"p","task":"text-to-image"}]},
            {"id":"o/other","inferenceProviderMapping":[{"provider":"novita","providerId":"p","task":"conversational"}]},
            {"id":"../evil","inferenceProviderMapping":[{"provider":"groq","providerId":"p","task":"conversational"}]},
            {"no":"id"}, 7]"#;
        let listed = page(body, "groq").unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((&*listed[0].hub_id, listed[0].created), ("o/chat", Some(1_726_672_617)));
    }

    #[test]
    fn the_routers_list_keeps_what_it_says_and_invents_nothing() {
        let body = br#"{"object":"list","data":[{"id":"o/m","object":"model","created":5,"owned_by":"o",
            "architecture":{"input_modalities":["text","image"],"output_modalities":["text"]},
            "providers":[
                {"provider":"groq","status":"live","context_length":8192,"pricing":{"input":0.1,"output":0.35},
                 "supports_tools":true,"supports_structured_output":false,"first_token_latency_ms":120.5,"throughput":99.5,
                 "is_model_author":false},
                {"provider":"novita","status":"error"}, {"provider":7}]}, {"id":7}]}"#;
        let models = market(body).unwrap();
        assert_eq!((models.len(), models[0].offers.len()), (1, 2));
        let (first, second) = (&models[0].offers[0], &models[0].offers[1]);
        let price = first.price.unwrap();
        assert_eq!((price.input.to_string(), price.output.to_string()), ("0.1".into(), "0.35".into()));
        assert_eq!((first.tools, first.structured_output, first.context_length), (Some(true), Some(false), Some(8192)));
        assert_eq!((second.state, second.price, second.tools), (State::Error, None, None));
        assert_eq!(models[0].input_modalities.len(), 2);
    }

    #[test]
    fn times_are_read_as_seconds() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00.000Z", Some(0)),
            ("2000-02-29T12:00:00.000Z", Some(951_825_600)),
            ("2026-11-23T10:00:00Z", Some(1_795_428_000)),
            ("2026-11-23", None),
            ("yesterday", None),
            ("2026-13-01T00:00:00Z", None),
        ] {
            assert_eq!(unix_seconds(text), seconds, "{text}");
        }
    }
}
