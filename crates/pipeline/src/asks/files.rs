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
    let kept = gateway.0.kept.get(&id, crate::clock()).await?.ok_or_else(missing)?;
    let mut body = SendBody::empty();
    while (body.len() as u64) < kept.size {
        let part = gateway.0.kept.read(&id, body.len() as u64, PART).await?;
        if part.is_empty() {
            return Err(missing());
        }
        body.push(part);
    }
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_str(&kept.media_type).unwrap_or(HeaderValue::from_static("application/octet-stream")),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=300"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    Ok(Answer::Whole { status: StatusCode::OK, headers, body })
}
