//! Which models there are: `GET /v1/models` and `GET /v1/models/{id}`.

mod query;
mod rows;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use catalog::Listing;
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use net::Request;
use types::{Fault, Kind, Result, SendBody};
use wire::openai::models;

use crate::{Gateway, Snapshot, doors::Answer, steps::authenticate::authenticate};
use query::{Query, decoded};
use rows::{Declared, Row};

/// The Hub is asked for every backend when nothing is kept; a listing that takes longer is given up.
const LIST_TIME: Duration = Duration::from_secs(30);

/// `GET /v1/models`.
///
/// # Errors
/// `BadRequest` for a query that cannot be read; `CatalogUnavailable` when nobody can be asked and nothing is kept.
pub(crate) async fn list(gateway: &Gateway, request: &Request) -> Result<Answer> {
    authenticate(&request.headers)?;
    let snapshot = gateway.snapshot();
    let servers: Vec<_> = snapshot.config.servers.iter().map(|server| &server.name).collect();
    let query = Query::read(request.uri.query().unwrap_or_default(), &servers)?;
    let listing = listing(gateway).await?;
    // Ten thousand models are megabytes of text: not on a thread that serves others meanwhile.
    let page = tokio::task::spawn_blocking(move || page(&query, &listing, &snapshot)).await;
    Ok(json(page.map_err(|_| Fault::new(Kind::Internal, "The list could not be written."))??))
}

/// `GET /v1/models/{id}`; slashes of the id stand as they are or as `%2F`.
///
/// # Errors
/// `UnknownModel` when the listing does not have it.
pub(crate) async fn one(gateway: &Gateway, request: &Request, id: &str) -> Result<Answer> {
    authenticate(&request.headers)?;
    let (listing, snapshot) = (listing(gateway).await?, gateway.snapshot());
    let id = decoded(id).unwrap_or_else(|| id.to_owned());
    let servers = Declared::all(&snapshot);
    let item = listing.find(&id).and_then(|item| Row::of_item(item, &snapshot));
    let row = item.or_else(|| servers.iter().find(|model| model.id == id).map(Row::Declared));
    match row {
        Some(row) => Ok(json(models::one(&row.model()).into())),
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

/// The part of the list that was asked for.
fn page(query: &Query, listing: &Listing, snapshot: &Snapshot) -> Result<SendBody> {
    let declared = Declared::all(snapshot);
    let start = rows::start(query, listing, &declared)?;
    let (rows, has_more) = rows::page(query, listing, &declared, start.as_ref(), snapshot);
    let (first, last) = (rows.first().map(Row::place), rows.last().map(Row::place));
    let cursor = last.filter(|_| has_more).map(|(adapter, id)| query::After::cursor(adapter, id));
    let warnings = rows::warnings(query, listing, snapshot);
    let page = models::Page {
        has_more,
        first_id: first.map(|(_, id)| id),
        last_id: last.map(|(_, id)| id),
        next_cursor: cursor.as_deref(),
        warnings: &warnings,
    };
    Ok(models::list(rows.iter().map(Row::model), &page))
}

fn json(body: SendBody) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Answer::Whole { status: StatusCode::OK, headers, body }
}

#[cfg(test)]
mod tests;
