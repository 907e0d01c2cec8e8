//! `GET /v1/files/{id}`: a result that was asked for as an address, as long as it is kept.

use http::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use net::{Abort, AnswerHeaders, StreamBody};
use types::{
    Fault, Kind, Result, SendBody,
    ports::{
        Answer as PortAnswer,
        kept::{FileId, Kept},
    },
};

use crate::{
    Gateway,
    doors::{Answer, Flow},
    trail::Trail,
};

/// So much is read from the store at a time. A larger file is passed on in such parts, and never stands in memory as a whole.
const PART: usize = 256 << 10;

/// Gives the file. Who has its address may have it: the address cannot be guessed.
///
/// # Errors
/// `NotFound` when it is not there, or not any more.
pub(crate) async fn get(gateway: &Gateway, id: &str) -> Result<Answer> {
    let missing = || Fault::new(Kind::NotFound, "There is no such file here, or not any more.");
    let id = FileId::parse(id).ok_or_else(missing)?;
    let mut headers = AnswerHeaders::new();
    headers.insert(CACHE_CONTROL, "private, max-age=300");
    give(gateway, id, headers).await?.ok_or_else(missing)
}

/// A kept file as an answer with these headers, if it is there.
pub(super) async fn give(gateway: &Gateway, id: FileId, mut headers: AnswerHeaders) -> Result<Option<Answer>> {
    let Some(file) = gateway.0.kept.get(&id, crate::clock()).await? else { return Ok(None) };
    headers.insert(CONTENT_TYPE, "application/octet-stream");
    headers.insert(CONTENT_TYPE, &file.media_type);
    headers.insert("x-content-type-options", "nosniff");
    let kept = Arc::clone(&gateway.0.kept);
    let first = kept.read(&id, 0, PART).await?;
    if first.len() as u64 == file.size {
        return Ok(Some(Answer::Whole { status: StatusCode::OK, headers, body: SendBody::from(first) }));
    }
    let parts = Parts { kept, id, at: first.len() as u64, size: file.size };
    Ok((!first.is_empty()).then(|| Answer::Stream { headers, flow: Flow::File(parts, first) }))
}

/// What of a file is still to be read.
pub(crate) struct Parts {
    kept: Arc<dyn Kept>,
    id: FileId,
    at: u64,
    size: u64,
}

/// A file in the caller's connection.
pub(crate) struct FilePump {
    parts: Parts,
    first: Option<Bytes>,
    reading: Option<PortAnswer<'static, Bytes>>,
    trail: Option<Trail>,
}

impl FilePump {
    /// Takes a file over after its first part, with the trail that it settles at its end.
    pub(crate) fn new(parts: Parts, first: Bytes, trail: Trail) -> Self {
        Self { parts, first: Some(first), reading: None, trail: Some(trail) }
    }

    fn end(&mut self) {
        if let Some(trail) = self.trail.take() {
            trail.settle();
        }
    }
}

impl StreamBody for FilePump {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Abort>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.parts.at >= self.parts.size {
            self.end();
            return Poll::Ready(None);
        }
        let parts = &self.parts;
        let reading = self.reading.get_or_insert_with(|| {
            let (kept, id, at) = (Arc::clone(&parts.kept), parts.id.clone(), parts.at);
            Box::pin(async move { kept.read(&id, at, PART).await })
        });
        let read = ready!(reading.as_mut().poll(cx));
        self.reading = None;
        match read {
            Ok(part) if !part.is_empty() => {
                self.parts.at += part.len() as u64;
                Poll::Ready(Some(Ok(part)))
            }
            // It broke off: the caller must not take it for whole.
            _ => {
                self.end();
                Poll::Ready(Some(Err(Abort)))
            }
        }
    }
}
