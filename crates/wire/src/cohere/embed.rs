//! `/v2/embed` as OpenAI's embeddings and back.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};
use types::{Fault, Kind, Result, Sent};

use crate::{
    heard::{Fields, Notes, bad, pass_on, tree},
    json::{Limits, text},
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
    texts: Vec<String>,
    floats: bool,
    base64: bool,
}

/// Reads a call of `/v2/embed`.
///
/// # Errors
/// `BadRequest` or `UnsupportedParameter`, naming the member.
pub fn embeddings(
    body: &Bytes,
    path_model: Option<&str>,
    headers: &dyn Fn(&str) -> Option<&str>,
    limits: &Limits,
) -> Result<HeardEmbeddings> {
    let mut notes = Notes::of(headers);
    let mut call = Fields::top(tree(body, limits)?);
    let model = super::model(&mut call, path_model)?;
    let texts = texts(&mut call, &mut notes)?;
    let (floats, base64) = types(&mut call, &mut notes)?;
    for advisory in ["input_type", "truncate", "priority"] {
        if call.take(advisory).is_some() {
            notes.took_out(advisory);
        }
    }
    if call.take("max_tokens").is_some() {
        notes.refuse("max_tokens", "texts cannot be cut to a number of tokens here")?;
    }
    let mut asked = Map::new();
    asked.insert("model".into(), model.as_str().into());
    asked.insert("input".into(), json!(texts));
    asked.insert("encoding_format".into(), "float".into());
    if let Some(size) = call.whole("output_dimension")? {
        asked.insert("dimensions".into(), size.into());
    }
    pass_on(call, &mut asked, &mut notes)?;
    let call = Value::Object(asked).to_string().into();
    Ok(HeardEmbeddings { call, model, dropped: notes.dropped(), texts, floats, base64 })
}

fn texts(call: &mut Fields, notes: &mut Notes) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for (index, text) in call.list("texts")?.into_iter().enumerate() {
        match text {
            Value::String(text) => texts.push(text),
            _ => return Err(bad(format!("texts[{index}]"), "must be a string")),
        }
    }
    for (index, input) in call.list("inputs")?.into_iter().enumerate() {
        let mut input = Fields::of(format!("inputs[{index}]"), input)?;
        let mut joined = String::new();
        for (part, content) in input.list("content")?.into_iter().enumerate() {
            let mut content = Fields::of(format!("{}[{part}]", input.at("content")), content)?;
            match content.text("type")?.as_deref() {
                Some("text") => joined.push_str(&content.text("text")?.unwrap_or_default()),
                _ => return Err(images(content.at("type"))),
            }
        }
        notes.refuse_rest(input)?;
        texts.push(joined);
    }
    if !call.list("images")?.is_empty() {
        return Err(images("images".into()));
    }
    if texts.is_empty() {
        return Err(bad("texts", "is missing; send a list of texts"));
    }
    Ok(texts)
}

fn images(member: String) -> Box<Fault> {
    let message = format!("`{member}` cannot be honoured: only texts become vectors here.");
    Fault::new(Kind::UnsupportedParameter, message).param(member)
}

/// Whether floats and whether base64 is asked for; floats when nothing is said.
fn types(call: &mut Fields, notes: &mut Notes) -> Result<(bool, bool)> {
    let (mut floats, mut base64) = (false, false);
    for kind in call.list("embedding_types")? {
        match kind.as_str() {
            Some("float") => floats = true,
            Some("base64") => base64 = true,
            Some("int8" | "uint8" | "binary" | "ubinary") => {
                notes.refuse("embedding_types", "vectors are `float` or `base64` here")?;
            }
            _ => return Err(bad("embedding_types", "must hold `float` or `base64`")),
        }
    }
    Ok((floats || !base64, base64))
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    data: Vec<Item<'a>>,
    #[serde(default)]
    usage: Value,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    embedding: &'a RawValue,
}

impl HeardEmbeddings {
    /// Writes OpenAI's answer as Cohere's. Numbers stay as they are written.
    ///
    /// # Errors
    /// `UpstreamBadReply` when it is no such answer.
    pub fn answer(&self, body: &[u8], request_id: &str) -> Result<Vec<u8>> {
        let wrong = || Fault::new(Kind::UpstreamBadReply, "The backend's answer holds no vectors.").sent(Sent::Yes);
        let said: Said<'_> = serde_json::from_slice(body).map_err(|_| wrong())?;
        let mut out = br#"{"id":"#.to_vec();
        text::encode(request_id, &mut out);
        out.extend_from_slice(br#","embeddings":{"#);
        if self.floats {
            out.extend_from_slice(br#""float":["#);
            for (index, item) in said.data.iter().enumerate() {
                out.extend_from_slice(if index > 0 { b"," } else { b"" });
                out.extend_from_slice(item.embedding.get().as_bytes());
            }
            out.push(b']');
        }
        if self.base64 {
            out.extend_from_slice(if self.floats { br#","base64":["# } else { br#""base64":["# });
            for (index, item) in said.data.iter().enumerate() {
                let floats: Vec<f32> = serde_json::from_str(item.embedding.get()).map_err(|_| wrong())?;
                let bytes: Vec<u8> = floats.into_iter().flat_map(f32::to_le_bytes).collect();
                out.extend_from_slice(if index > 0 { b",\"" } else { b"\"" });
                out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
                out.push(b'"');
            }
            out.push(b']');
        }
        let tokens = said.usage["prompt_tokens"].as_u64().unwrap_or(0);
        let meta = json!({"api_version": {"version": "2"}, "billed_units": {"input_tokens": tokens}});
        let rest =
            format!("}},\"texts\":{},\"meta\":{meta},\"response_type\":\"embeddings_by_type\"}}", json!(self.texts));
        out.extend_from_slice(rest.as_bytes());
        Ok(out)
    }
}
