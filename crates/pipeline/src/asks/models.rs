//! Which models there are: `GET /v1/models` and `GET /v1/models/{id}`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use catalog::{Item, Listing};
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use net::Request;
use types::{BackendName, Fault, Kind, Operation, Result};
use wire::openai::models::{self, Model, Pricing};

use crate::{Gateway, Snapshot, doors::Answer, steps::authenticate::authenticate};

/// The Hub is asked for every backend when nothing is kept; a listing that takes longer is given up.
const LIST_TIME: Duration = Duration::from_secs(30);

/// `GET /v1/models`.
///
/// # Errors
/// `CatalogUnavailable` when nobody can be asked and nothing is kept.
pub(crate) async fn list(gateway: &Gateway, request: &Request) -> Result<Answer> {
    let (listing, snapshot) = listing(gateway, request).await?;
    let mut models = declared(&snapshot);
    let enabled = |item: &&Item| snapshot.config.enabled(&BackendName::new(&item.backend));
    models.extend(listing.items.iter().filter(enabled).map(model));
    let warnings: Vec<_> = listing.warnings.iter().map(|w| format!("{}: {}", w.source, w.message)).collect();
    Ok(json(models::list(&models, &warnings)))
}

/// `GET /v1/models/{id}`; slashes of the id stand as they are or as `%2F`.
///
/// # Errors
/// `UnknownModel` when the listing does not have it.
pub(crate) async fn one(gateway: &Gateway, request: &Request, id: &str) -> Result<Answer> {
    let (listing, snapshot) = listing(gateway, request).await?;
    let id = id.replace("%2F", "/").replace("%2f", "/");
    let found = listing.find(&id).map(model).or_else(|| declared(&snapshot).into_iter().find(|model| model.id == id));
    match found {
        Some(model) => Ok(json(models::one(&model))),
        None => {
            let id: String = id.chars().take(256).collect();
            let text = format!("There is no model `{id}` in the list. `GET /v1/models` has all of them.");
            Err(Fault::new(Kind::UnknownModel, text).param("model"))
        }
    }
}

async fn listing(gateway: &Gateway, request: &Request) -> Result<(Arc<Listing>, Arc<Snapshot>)> {
    authenticate(&request.headers)?;
    let listing = gateway.0.catalog.list(Instant::now() + LIST_TIME).await?;
    Ok((listing, gateway.snapshot()))
}

/// The models of servers that the operator declared and wants listed.
fn declared(snapshot: &Snapshot) -> Vec<Model> {
    let servers = snapshot.config.servers.iter().filter(|server| server.advertised);
    let models = servers.flat_map(|server| server.models.iter().map(move |model| (server, model)));
    models
        .map(|(server, model)| Model {
            id: format!("huggingface/{}/{model}", server.name),
            owned_by: server.name.to_string(),
            backend: Some(server.name.to_string()),
            backend_model: Some(model.to_string()),
            task: Some(Operation::Chat.tasks()[0].to_owned()),
            ..Model::default()
        })
        .collect()
}

fn model(item: &Item) -> Model {
    let offer = item.offer.as_ref();
    let (input, output) = (offer.and_then(|o| o.input_price), offer.and_then(|o| o.output_price));
    let pricing = (input.is_some() || output.is_some()).then_some(Pricing { input, output });
    Model {
        id: item.id.to_string(),
        created: item.created.unwrap_or(0),
        owned_by: item.hub_id().split('/').next().unwrap_or_default().to_owned(),
        task: Some(Operation::Chat.tasks()[0].to_owned()),
        state: Some(item.state.name().to_owned()),
        backend: Some(item.backend.to_string()),
        hub_id: Some(item.hub_id().to_string()),
        backend_model: item.provider_id.as_deref().map(str::to_owned),
        context_length: offer.and_then(|offer| offer.context_length),
        pricing,
        supports_tools: offer.and_then(|offer| offer.tools),
        supports_structured_output: offer.and_then(|offer| offer.structured_output),
        input_modalities: Vec::new(),
        output_modalities: Vec::new(),
    }
}

fn json(body: Vec<u8>) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Answer::Whole { status: StatusCode::OK, headers, body: body.into() }
}
