//! `generationConfig` as members of OpenAI's chat.

use serde_json::{Map, Value, json};
use types::Result;

use super::schema;
use crate::heard::{Fields, Notes, bad, effort};

/// Whether the caller sees what the model thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thoughts {
    /// As parts with `thought: true`.
    Shown,
    /// The caller asked not to.
    Hidden,
}

/// Members that mean the same and are numbers or lists as they are.
const SAME: &[(&str, &str)] = &[
    ("temperature", "temperature"),
    ("topP", "top_p"),
    ("presencePenalty", "presence_penalty"),
    ("frequencyPenalty", "frequency_penalty"),
    ("stopSequences", "stop"),
];

const WHOLE: &[(&str, &str)] =
    &[("topK", "top_k"), ("candidateCount", "n"), ("maxOutputTokens", "max_completion_tokens"), ("seed", "seed")];

pub(super) fn read(mut config: Fields, chat: &mut Map<String, Value>, notes: &mut Notes) -> Result<Thoughts> {
    for (theirs, ours) in SAME {
        if let Some(value) = config.take(theirs).filter(|value| value.as_array().is_none_or(|list| !list.is_empty())) {
            chat.insert((*ours).into(), value);
        }
    }
    for (theirs, ours) in WHOLE {
        if let Some(value) = config.whole(theirs)? {
            chat.insert((*ours).into(), value.into());
        }
    }
    format(&mut config, chat, notes)?;
    let shown = match config.object("thinkingConfig")? {
        Some(config) => thinking(config, chat, notes)?,
        None => Thoughts::Shown,
    };
    modalities(&mut config, notes)?;
    let sure = config.flag("responseLogprobs")? == Some(true);
    let how_many = config.whole("logprobs")?;
    if sure {
        chat.insert("logprobs".into(), true.into());
        if let Some(how_many) = how_many {
            chat.insert("top_logprobs".into(), how_many.into());
        }
    } else if how_many.is_some() {
        return Err(bad(config.at("logprobs"), "goes with `responseLogprobs: true` only"));
    }
    for advisory in ["mediaResolution", "enableEnhancedCivicAnswers"] {
        if config.take(advisory).is_some() {
            notes.took_out(config.at(advisory));
        }
    }
    notes.refuse_rest(config)?;
    Ok(shown)
}

fn modalities(config: &mut Fields, notes: &mut Notes) -> Result<()> {
    for modality in config.list("responseModalities")? {
        if !modality.as_str().is_some_and(|name| name.eq_ignore_ascii_case("text")) {
            notes.refuse(config.at("responseModalities"), "chats answer in text only")?;
        }
    }
    Ok(())
}

fn format(config: &mut Fields, chat: &mut Map<String, Value>, notes: &mut Notes) -> Result<()> {
    let mime = config.text("responseMimeType")?;
    let google = config.take("responseSchema");
    let plain = config.take("responseJsonSchema").or_else(|| config.take("_responseJsonSchema"));
    if google.is_some() && plain.is_some() {
        return Err(bad(config.at("responseJsonSchema"), "and `responseSchema` are given both; send one of them"));
    }
    let schema = match google {
        Some(schema) => Some(schema::of_google(&config.at("responseSchema"), schema)?),
        None => plain,
    };
    match (mime.as_deref(), schema) {
        (Some("application/json"), None) => {
            chat.insert("response_format".into(), json!({"type": "json_object"}));
        }
        (Some("application/json") | None, Some(schema)) => {
            let named = json!({"name": "response", "schema": schema});
            chat.insert("response_format".into(), json!({"type": "json_schema", "json_schema": named}));
        }
        (None | Some("" | "text/plain"), None) => {}
        (Some(_), _) => {
            let why = "answers are `text/plain`, or `application/json` with or without a schema";
            notes.refuse(config.at("responseMimeType"), why)?;
        }
    }
    Ok(())
}

fn thinking(mut config: Fields, chat: &mut Map<String, Value>, notes: &mut Notes) -> Result<Thoughts> {
    let budget = config.whole("thinkingBudget")?;
    let level = config.text("thinkingLevel")?.map(|level| level.to_ascii_lowercase());
    let shown = if config.flag("includeThoughts")? == Some(false) { Thoughts::Hidden } else { Thoughts::Shown };
    let effort = match (level.as_deref(), budget) {
        (Some("thinking_level_unspecified") | None, Some(budget)) if budget >= 0 => {
            Some(effort(budget.unsigned_abs()).to_owned())
        }
        (Some("thinking_level_unspecified") | None, _) => None,
        (Some(level @ ("minimal" | "low" | "medium" | "high")), _) => Some(level.to_owned()),
        (Some(_), _) => return Err(bad(config.at("thinkingLevel"), "must be MINIMAL, LOW, MEDIUM or HIGH")),
    };
    if let Some(effort) = effort {
        chat.insert("reasoning_effort".into(), effort.into());
    }
    notes.refuse_rest(config)?;
    Ok(shown)
}
