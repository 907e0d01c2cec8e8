//! `GET /v1/files/{id}`: a result that was asked for as an address, as long as it is kept.

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use types::{Fault, Kind, Result, SendBody, ports::kept::FileId};

use crate::{Gateway, doors::Answer};

/// So much is read from the store at a time.
const PART: usize = 1 << 20;

/// Gives the file. Who has its address may have it: the address cannot be guessed.
///
/// # Errors
/// `NotFound` when it is not there, or not any more.
pub(crate) async fn get(gateway: &Gateway, id: &str) -> Result<Answer> {
    let missing = || Fault::new(Kind::NotFound, "There is no such file here, or not any more.");
    let id = FileId::parse(id).ok_or_else(missing)?;
    let (kind, body) = whole(gateway, &id).await?.ok_or_else(missing)?;
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_str(&kind).unwrap_or(HeaderValue::from_static("application/octet-stream")),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=300"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    Ok(Answer::Whole { status: StatusCode::OK, headers, body })
}

/// The media type and the bytes of a kept file, if it is there.
pub(super) async fn whole(gateway: &Gateway, id: &FileId) -> Result<Option<(String, SendBody)>> {
    let Some(kept) = gateway.0.kept.get(id, crate::clock()).await? else { return Ok(None) };
    let mut body = SendBody::empty();
    while (body.len() as u64) < kept.size {
        let part = gateway.0.kept.read(id, body.len() as u64, PART).await?;
        if part.is_empty() {
            return Ok(None);
        }
        body.push(part);
    }
    Ok(Some((kept.media_type, body)))
}
