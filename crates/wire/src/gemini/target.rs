//! What a path of Google's API asks for: `models/{model}:{method}`.

use types::{Fault, Kind, Result};

/// What is asked for, and of which model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The model, with its slashes.
    pub model: String,
    /// What is asked for.
    pub ask: Ask,
}

/// What can be asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `generateContent`, `streamGenerateContent`.
    Generate(Way),
    /// `countTokens`.
    Count,
    /// `embedContent`.
    Embed,
    /// `batchEmbedContents`.
    EmbedBatch,
}

/// How an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Whole.
    Whole,
    /// As server-sent events (`alt=sse`).
    Events,
    /// As one JSON array, written item by item.
    Array,
}

impl Target {
    /// Reads what follows `models/` in the path, and the query.
    ///
    /// # Errors
    /// `NotFound` when there is no such method.
    pub fn read(rest: &str, query: Option<&str>) -> Result<Self> {
        let decoded = percent_encoding::percent_decode_str(rest).decode_utf8();
        let decoded = decoded.map_err(|_| not_found("The model's name is not UTF-8."))?;
        let (model, method) = decoded
            .rsplit_once(':')
            .filter(|(model, _)| !model.is_empty())
            .ok_or_else(|| not_found("The path names no method; write `models/{model}:generateContent`."))?;
        let events = query.is_some_and(|query| query.split('&').any(|pair| pair.eq_ignore_ascii_case("alt=sse")));
        let ask = match method {
            "generateContent" => Ask::Generate(Way::Whole),
            "streamGenerateContent" if events => Ask::Generate(Way::Events),
            "streamGenerateContent" => Ask::Generate(Way::Array),
            "countTokens" => Ask::Count,
            "embedContent" => Ask::Embed,
            "batchEmbedContents" => Ask::EmbedBatch,
            other => {
                let shown: String = other.chars().take(60).collect();
                return Err(not_found(&format!(
                    "There is no method `{shown}` here: generateContent, streamGenerateContent, countTokens, \
                     embedContent and batchEmbedContents are."
                )));
            }
        };
        Ok(Self { model: model.to_owned(), ask })
    }
}

fn not_found(message: &str) -> Box<Fault> {
    Fault::new(Kind::NotFound, message)
}
