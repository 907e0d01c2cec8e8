//! From what `wire` reads of the Hub's and the router's answers to entries: only what can be used, and shared text.

use std::sync::Arc;

use types::Operation;
use wire::hub::{self, ListedModel, Mapping, ModelInfo, RouterModel};

use crate::{
    entry::{Adapter, ModelEntry, Serving, State},
    listing::{Item, Modalities, name},
    lookup::is_hub_id,
    market::{MarketModel, Offer},
    task::Task,
};

/// How long a backend's own name of a model may be.
const LONGEST: usize = 1024;

/// Why an answer could not be read: a sentence for the log.
type Unreadable = String;

/// The Hub's answer for one model.
pub(crate) fn model(body: &[u8]) -> Result<ModelEntry, Unreadable> {
    let info = hub::mapping(body).map_err(|fault| unreadable(&fault))?;
    Ok(ModelEntry { hub_id: info.id.as_str().into(), servings: servings(&info).collect() })
}

/// One page of the Hub's list: the models that `backend` serves for any of these operations.
pub(crate) fn page(body: &[u8], backend: &Arc<str>, operations: &[Operation]) -> Result<Vec<Item>, Unreadable> {
    let models = hub::models(body).map_err(|fault| unreadable(&fault))?;
    let seeing = Modalities { input: vec!["text".into(), "image".into()], output: vec!["text".into()] };
    let listed = models.iter().filter(|model| is_hub_id(&model.info.id)).filter_map(|model| {
        let here = || usable(&model.info).filter(|mapping| *mapping.provider == **backend);
        let fits = |task: Task| operations.iter().any(|operation| task.is_for(*operation));
        // A backend has one mapping per model; were there several, the first task in our order would count.
        let (mapping, task) = Task::all().filter(|task| fits(*task)).find_map(|task| {
            let mapping = here().find(|mapping| mapping.task == task.name())?;
            Some((mapping, task))
        })?;
        let sees = task.is_for(Operation::Chat) && sees_images(model);
        Some(Item {
            id: name(backend, &model.info.id),
            backend: Arc::clone(backend),
            provider_id: Some(mapping.provider_id.as_str().into()),
            task,
            adapter: mapping.adapter.is_some() || mapping.kind.as_deref() == Some("tag-filter"),
            state: State::from(&mapping.state),
            created: model.created,
            modalities: sees.then(|| Box::new(seeing.clone())),
            offer: None,
        })
    });
    Ok(listed.collect())
}

fn sees_images(model: &ListedModel) -> bool {
    model.info.pipeline_tag.as_deref() == Some("image-text-to-text")
}

/// The router's list.
pub(crate) fn market(body: &[u8]) -> Result<Vec<MarketModel>, Unreadable> {
    let models = hub::router_models(body).map_err(|fault| unreadable(&fault))?;
    Ok(models.into_iter().filter(|model| is_hub_id(&model.id)).map(market_model).collect())
}

/// The mappings whose name can be used.
fn usable(info: &ModelInfo) -> impl Iterator<Item = &Mapping> {
    info.mappings.iter().flatten().filter(|mapping| (1..=LONGEST).contains(&mapping.provider_id.len()))
}

fn servings(info: &ModelInfo) -> impl Iterator<Item = Serving> {
    usable(info).map(|mapping| Serving {
        backend: mapping.provider.as_str().into(),
        provider_id: mapping.provider_id.as_str().into(),
        task: mapping.task.as_str().into(),
        state: State::from(&mapping.state),
        adapter: mapping.adapter.as_ref().map(adapter),
    })
}

fn adapter(adapter: &hub::Adapter) -> Adapter {
    Adapter { kind: adapter.kind.as_str().into(), weights_path: adapter.weights_path.as_deref().map(Into::into) }
}

fn market_model(model: RouterModel) -> MarketModel {
    let offers = model.offers.into_iter().map(|offer| Offer {
        backend: offer.provider.into(),
        state: State::from(&offer.state),
        context_length: offer.context_length,
        input_price: offer.input_price,
        output_price: offer.output_price,
        tools: offer.supports_tools,
        structured_output: offer.supports_structured_output,
        first_token_us: offer.first_token_latency_us,
        throughput_milli: offer.throughput_milli,
    });
    MarketModel {
        hub_id: model.id.into(),
        created: model.created,
        owned_by: model.owned_by.map(Into::into),
        input: model.input.into_iter().map(Into::into).collect(),
        output: model.output.into_iter().map(Into::into).collect(),
        offers: offers.collect(),
    }
}

impl From<&hub::State> for State {
    fn from(state: &hub::State) -> Self {
        match state {
            hub::State::Live => Self::Live,
            hub::State::Staging => Self::Staging,
            hub::State::Error => Self::Error,
            hub::State::Other(_) => Self::Unknown,
        }
    }
}

fn unreadable(fault: &types::Fault) -> Unreadable {
    fault.detail.clone().unwrap_or_else(|| fault.message.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_nobody_serves_is_known() {
        for body in [&br#"{"id":"o/m"}"#[..], br#"{"id":"o/m","inferenceProviderMapping":{}}"#] {
            assert_eq!(model(body).unwrap().servings, []);
        }
        assert!(model(b"<html>").is_err());
    }

    #[test]
    fn a_page_gives_the_models_of_one_backend_for_what_it_can_do() {
        let body = br#"[
            {"id":"o/chat","createdAt":"2024-09-18T15:16:57.000Z","pipeline_tag":"image-text-to-text",
             "inferenceProviderMapping":[{"provider":"groq","providerId":"p","status":"live","task":"conversational"}]},
            {"id":"o/image","inferenceProviderMapping":[{"provider":"groq","providerId":"p","task":"text-to-image",
             "adapter":"lora","type":"tag-filter"}]},
            {"id":"o/similar","inferenceProviderMapping":[{"provider":"groq","providerId":"p","task":"sentence-similarity"}]},
            {"id":"o/mask","inferenceProviderMapping":[{"provider":"groq","providerId":"p","task":"fill-mask"}]},
            {"id":"o/unnamed","inferenceProviderMapping":[{"provider":"groq","providerId":"","task":"conversational"}]},
            {"id":"o/other","inferenceProviderMapping":[{"provider":"novita","providerId":"p","task":"conversational"}]},
            {"id":"../evil","inferenceProviderMapping":[{"provider":"groq","providerId":"p","task":"conversational"}]},
            {"no":"id"}, 7]"#;
        let listed = page(body, &"groq".into(), Operation::ALL).unwrap();
        let rows: Vec<_> = listed.iter().map(|item| (item.hub_id(), item.task.name(), item.adapter)).collect();
        assert_eq!(
            rows,
            [
                ("o/chat", "conversational", false),
                ("o/image", "text-to-image", true),
                ("o/similar", "sentence-similarity", false)
            ]
        );
        assert_eq!(listed[0].created, Some(1_726_672_617));
        assert_eq!(listed[0].modalities.as_ref().unwrap().input.len(), 2);
        let speech = page(body, &"groq".into(), &[Operation::Speech]).unwrap();
        assert!(speech.is_empty(), "what the backend cannot do with us is not listed");
    }

    #[test]
    fn the_routers_list_keeps_what_it_says_and_invents_nothing() {
        let body = br#"{"object":"list","data":[{"id":"o/m","object":"model","created":5,"owned_by":"o",
            "architecture":{"input_modalities":["text","image"],"output_modalities":["text"]},
            "providers":[
                {"provider":"groq","status":"live","context_length":8192,"pricing":{"input":0.1,"output":0.35},
                 "supports_tools":true,"supports_structured_output":false,"first_token_latency_ms":120.5,"throughput":99.5,
                 "is_model_author":false},
                {"provider":"novita","status":"error"}]}, {"id":"../evil"}]}"#;
        let models = market(body).unwrap();
        assert_eq!((models.len(), models[0].offers.len()), (1, 2));
        let (first, second) = (&models[0].offers[0], &models[0].offers[1]);
        assert_eq!(first.input_price.unwrap().to_string(), "0.1");
        assert_eq!(first.output_price.unwrap().micros(), 350_000);
        assert_eq!((first.tools, first.structured_output, first.context_length), (Some(true), Some(false), Some(8192)));
        assert_eq!((first.first_token_us, first.throughput_milli), (Some(120_500), Some(99_500)));
        assert_eq!((second.state, second.input_price, second.tools), (State::Error, None, None));
        assert_eq!(models[0].input.len(), 2);
    }
}
