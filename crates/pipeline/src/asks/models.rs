//! Which models there are: `GET /v1/models` and `GET /v1/models/{id}`, as OpenAI, Anthropic and Google list them.

pub(super) mod query;
mod rows;
mod shape;
mod sheet;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use catalog::Listing;
use http::header::CONTENT_TYPE;
use net::{AnswerHeaders, Request};
use types::{Fault, Kind, Result};

use crate::{
    Gateway,
    doors::{Answer, Flow},
    steps::authenticate::authenticate,
};
use query::Query;
pub(crate) use query::decoded;
use rows::{Declared, Row};
pub(crate) use shape::Shape;
pub(crate) use sheet::{Sheet, SheetPump};

const JSON: &str = "application/json";

/// The Hub is asked for every backend when nothing is kept; a listing that takes longer is given up.
const LIST_TIME: Duration = Duration::from_secs(30);

/// Vendors are asked at the start; who comes so early waits for them, but not longer than this.
const VENDORS_TIME: Duration = Duration::from_secs(2);

/// `GET /v1/models`.
///
/// # Errors
/// `BadRequest` for a query that cannot be read; `CatalogUnavailable` when nobody can be asked and nothing is kept.
pub(crate) async fn list(gateway: &Gateway, request: &Request, shape: Shape) -> Result<Answer> {
    authenticate(&request.headers)?;
    let snapshot = gateway.snapshot();
    let query = {
        let servers: Vec<_> = snapshot.config.servers.iter().map(|server| &server.name).collect();
        Query::read(request.uri.query().unwrap_or_default(), &servers, shape)?
    };
    let listing = listing(gateway).await?;
    gateway.0.wares.wait(VENDORS_TIME).await;
    let declared = Declared::all(&snapshot, &gateway.0.servers, &gateway.0.wares);
    let mut sheet = Sheet::new(query, listing, snapshot, declared, gateway.0.catalog.losses(), shape)?;
    let first = sheet.next_piece().unwrap_or_default();
    if sheet.is_over() {
        return Ok(Answer::whole(JSON, first));
    }
    let mut headers = AnswerHeaders::new();
    headers.insert(CONTENT_TYPE, JSON);
    Ok(Answer::Stream { headers, flow: Flow::Models(Box::new(sheet), first) })
}

/// `GET /v1/models/{id}`; slashes of the id stand as they are or as `%2F`.
///
/// # Errors
/// `UnknownModel` when the listing does not have it.
pub(crate) async fn one(gateway: &Gateway, request: &Request, id: &str, shape: Shape) -> Result<Answer> {
    authenticate(&request.headers)?;
    let (listing, snapshot) = (listing(gateway).await?, gateway.snapshot());
    let id = decoded(id).unwrap_or_else(|| id.to_owned());
    gateway.0.wares.wait(VENDORS_TIME).await;
    let servers = Declared::all(&snapshot, &gateway.0.servers, &gateway.0.wares);
    let item = listing.find(&id).and_then(|item| Row::of_item(item, &snapshot));
    let row = item.or_else(|| servers.iter().find(|model| model.id == id).map(Row::Declared));
    match row {
        Some(row) => Ok(Answer::whole(JSON, shape.one(&row.model()))),
        None => {
            let id: String = id.chars().take(256).collect();
            let text = format!("There is no model `{id}` in the list. `GET /v1/models` has all of them.");
            Err(Fault::new(Kind::UnknownModel, text).param("model"))
        }
    }
}

async fn listing(gateway: &Gateway) -> Result<Arc<Listing>> {
    gateway.0.catalog.list(Instant::now() + LIST_TIME).await
}

#[cfg(test)]
mod tests;
