//! What was asked for a response: `GET /v1/responses/{id}/input_items`; and how kept items are shown there and in conversations.

use std::collections::HashMap;

use net::Request;
use serde_json::Value;
use types::{
    Result,
    ports::{
        jobs::Owner,
        sessions::{History, Item, Session, SessionId},
    },
};
use wire::openai::responses;

use super::{
    pages::{Page, bad, parameters},
    responses::{find, missing, shown},
};
use crate::{Gateway, doors::Answer, steps::recall::value};

/// What a list of items can be asked to include, as at OpenAI.
const INCLUDABLE: [&str; 8] = [
    SEALED,
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "web_search_call.action.sources",
    "web_search_call.results",
];
const SEALED: &str = "reasoning.encrypted_content";

/// How items are shown.
#[derive(Clone, Copy)]
pub(super) enum Show {
    /// What was thought stands in them as far as it can be read.
    Plain,
    /// And sealed.
    Sealed,
}

impl Show {
    /// Reads `include` in a query.
    ///
    /// # Errors
    /// `BadRequest` for what cannot be included.
    pub(super) fn read(query: &str) -> Result<Self> {
        let mut show = Self::Plain;
        for (name, value) in parameters(query)? {
            // SDKs write lists with brackets, plain or encoded.
            if !matches!(name, "include" | "include[]" | "include%5B%5D" | "include%5b%5d") {
                continue;
            }
            for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
                if word == SEALED {
                    show = Self::Sealed;
                } else if !INCLUDABLE.contains(&word) {
                    return Err(bad("include", format!("`include` must be of {}.", INCLUDABLE.join(", "))));
                }
            }
        }
        Ok(show)
    }

    /// An item as it is shown.
    pub(super) fn item(self, gateway: &Gateway, item: &Item) -> Value {
        let sealer = match self {
            Self::Plain => None,
            Self::Sealed => Some(&*gateway.0.sealer),
        };
        responses::listed(value(item), sealer)
    }
}

/// What the model was given: what was said before, in the chain or in the conversation, and what was asked.
///
/// # Errors
/// `NotFound` when the caller has no such response; what of the query cannot be read.
pub(crate) async fn of_input(gateway: &Gateway, request: &Request, id: &str) -> Result<Answer> {
    let query = request.uri.query().unwrap_or_default();
    let (page, show) = (Page::read(query)?, Show::read(query)?);
    let (owner, id, kept) = find(gateway, request, id).await?;
    let history = gateway.0.archive.sessions.history(&owner, &id, crate::clock()).await?.ok_or_else(missing)?;
    let before = of_conversation(gateway, &owner, &kept, &history).await?;
    let asked = history.items.iter().enumerate().filter(|(place, item)| *place < history.before || !item.answer);
    let items = before.iter().chain(asked.map(|(_, item)| item));
    Ok(shown(&page.cut(items.map(|item| show.item(gateway, item)).collect())?))
}

/// What had been said in its conversation when the response was asked for. What of it was taken out since is gone.
async fn of_conversation(gateway: &Gateway, owner: &Owner, kept: &Session, own: &History) -> Result<Vec<Item>> {
    let response: Value = serde_json::from_slice(&kept.body).unwrap_or_default();
    let Some(id) = response["conversation"]["id"].as_str().and_then(SessionId::parse_conversation) else {
        return Ok(Vec::new());
    };
    let said = gateway.0.archive.sessions.history(owner, &id, crate::clock()).await?;
    let mut said = said.unwrap_or_default().items;
    // An item that the response refers to stands there twice: where it was said, and among the response's own.
    let places: HashMap<&str, usize> = said.iter().enumerate().map(|(at, item)| (item.id.as_str(), at)).collect();
    let begin = own.items.iter().filter_map(|item| places.get(item.id.as_str())).min().copied();
    // They come into the conversation when the response has ended.
    let begin = begin.unwrap_or(if own.ended { 0 } else { said.len() });
    said.truncate(begin);
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_included_is_read_in_every_spelling_and_anything_else_refused() {
        for (query, sealed) in [
            ("", false),
            ("limit=3", false),
            ("include=reasoning.encrypted_content", true),
            ("include[]=message.output_text.logprobs&include[]=reasoning.encrypted_content", true),
            ("include%5B%5D=reasoning.encrypted_content", true),
            ("include=file_search_call.results,reasoning.encrypted_content", true),
            ("include=", false),
        ] {
            assert_eq!(matches!(Show::read(query).unwrap(), Show::Sealed), sealed, "{query}");
        }
        for query in ["include=everything", "include[]=reasoning", "include=a,b"] {
            assert_eq!(Show::read(query).err().unwrap().param.as_deref(), Some("include"), "{query}");
        }
    }
}
