//! `embedContent` and `batchEmbedContents` as OpenAI's embeddings and back.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use types::{Fault, Kind, Result, Sent};

use crate::{
    heard::{Fields, Notes, bad, pass_on, tree},
    json::Limits,
};

/// A call for embeddings, understood.
#[derive(Clone, Debug)]
pub struct HeardEmbeddings {
    /// The call as OpenAI's embeddings have it.
    pub call: Bytes,
    /// The model as the caller named it.
    pub model: String,
    /// What was taken out of the call, by name.
    pub dropped: Vec<String>,
    batch: bool,
}

/// Reads the body of `embedContent`, or of `batchEmbedContents` when `ask` says so.
///
/// # Errors
/// `BadRequest` or `UnsupportedParameter`, naming the member.
pub fn embeddings(
    body: &Bytes,
    model: &str,
    ask: super::Ask,
    headers: &dyn Fn(&str) -> Option<&str>,
    limits: &Limits,
) -> Result<HeardEmbeddings> {
    let mut notes = Notes::of(headers);
    let mut call = Fields::top(tree(body, limits)?);
    let batch = ask == super::Ask::EmbedBatch;
    let (mut texts, mut sizes) = (Vec::new(), Vec::new());
    if batch {
        call.take("model");
        let requests = call.list("requests")?;
        if requests.is_empty() {
            return Err(bad("requests", "is empty; send at least one"));
        }
        for (index, request) in requests.into_iter().enumerate() {
            let mut request = Fields::of(format!("requests[{index}]"), request)?;
            sizes.push(self::request(&mut request, &mut texts, &mut notes)?);
            notes.refuse_rest(request)?;
        }
        if sizes.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(bad("requests[].outputDimensionality", "must be the same in all requests of a batch"));
        }
    } else {
        sizes.push(request(&mut call, &mut texts, &mut notes)?);
    }
    let input = if batch { Value::Array(texts) } else { texts.swap_remove(0) };
    let mut asked = Map::new();
    asked.insert("model".into(), model.into());
    asked.insert("input".into(), input);
    asked.insert("encoding_format".into(), "float".into());
    if let Some(Some(size)) = sizes.first() {
        asked.insert("dimensions".into(), (*size).into());
    }
    pass_on(call, &mut asked, &mut notes)?;
    let call = Value::Object(asked).to_string().into();
    Ok(HeardEmbeddings { call, model: model.to_owned(), dropped: notes.dropped(), batch })
}

/// One request: adds its text, gives its size.
fn request(request: &mut Fields, texts: &mut Vec<Value>, notes: &mut Notes) -> Result<Option<i64>> {
    request.take("model");
    let (mut task, mut size) = (request.take("taskType").is_some(), request.whole("outputDimensionality")?);
    let mut title = request.take("title").is_some();
    if let Some(mut config) = request.object("embedContentConfig")? {
        task |= config.take("taskType").is_some();
        title |= config.take("title").is_some();
        size = config.whole("outputDimensionality")?.or(size);
        notes.refuse_rest(config)?;
    }
    if task {
        notes.took_out("taskType");
    }
    if title {
        notes.took_out("title");
    }
    let mut content = request.object("content")?.ok_or_else(|| bad(request.at("content"), "is missing"))?;
    content.take("role");
    let mut text = String::new();
    for (index, part) in content.list("parts")?.into_iter().enumerate() {
        let mut part = Fields::of(format!("{}[{index}]", content.at("parts")), part)?;
        text.push_str(&part.text("text")?.unwrap_or_default());
        notes.refuse_rest(part)?;
    }
    notes.refuse_rest(content)?;
    texts.push(text.into());
    Ok(size)
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    data: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    embedding: &'a RawValue,
}

impl HeardEmbeddings {
    /// Writes OpenAI's answer as Google's. Numbers stay as they are written.
    ///
    /// # Errors
    /// `UpstreamBadReply` when it is no such answer.
    pub fn answer(&self, body: &[u8]) -> Result<Vec<u8>> {
        let wrong = || Fault::new(Kind::UpstreamBadReply, "The backend's answer holds no vectors.").sent(Sent::Yes);
        let said: Said<'_> = serde_json::from_slice(body).map_err(|_| wrong())?;
        let answer = if self.batch {
            format!("{{\"embeddings\":[{}]}}", list(&said.data))
        } else {
            let item = said.data.first().ok_or_else(wrong)?;
            format!("{{\"embedding\":{}}}", list(std::slice::from_ref(item)))
        };
        Ok(answer.into_bytes())
    }
}

/// The vectors, as they are written.
fn list(items: &[Item<'_>]) -> String {
    let values: Vec<String> = items.iter().map(|item| format!("{{\"values\":{}}}", item.embedding.get())).collect();
    values.join(",")
}
