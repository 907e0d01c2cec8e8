//! Embeddings in OpenAI's shape, as five backends and the self-hosted servers take and give them.

use serde_json::Value;

use super::{Answered, Call, bad, base64, maybe, text};
use crate::ask::Ask;
use crate::chat::errors::{Kind, Refusal};
use crate::fill::quoted;
use crate::media::vectors;
use crate::reply::Reply;

/// What a server takes beside texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Takes {
    pub(super) tokens: bool,
    pub(super) base64: bool,
    pub(super) dimensions: bool,
    /// Whether it says how many tokens there were.
    pub(super) usage: bool,
    pub(super) most: usize,
    pub(super) size: usize,
}

const VLLM: Takes = Takes { tokens: true, base64: true, dimensions: true, usage: true, most: 2048, size: 384 };

/// What OpenAI itself embeds with; no mapping of the Hub's names them.
const OPENAI_MODELS: &[&str] = &["text-embedding-3-small", "text-embedding-3-large", "sandbox/embeds"];

fn takes(backend: &str) -> Takes {
    match backend {
        "deepinfra" => Takes { tokens: false, most: 1024, ..VLLM },
        "together" => Takes { tokens: false, base64: false, dimensions: false, usage: false, ..VLLM },
        "sambanova" => Takes { tokens: false, base64: false, dimensions: false, most: 32, ..VLLM },
        "tei" => Takes { dimensions: false, most: 32, ..VLLM },
        _ => VLLM,
    }
}

pub(super) fn openai(call: &Call<'_>) -> Answered {
    let body = call.json()?;
    let model = text(&body, "model")?;
    if !(call.backend.id == "openai" && OPENAI_MODELS.contains(&model)) {
        call.task(model, &["feature-extraction", "sentence-similarity"])?;
    }
    answer(call.ask, &body, model, takes(call.backend.id))
}

pub(super) fn custom(ask: &Ask, body: &Value, server: &str) -> Answered {
    answer(ask, body, maybe(body, "model")?.unwrap_or(server), takes(server))
}

fn answer(ask: &Ask, body: &Value, model: &str, takes: Takes) -> Answered {
    let input = inputs(body.get("input"), takes)?;
    let most = ask.knobs.max_inputs.unwrap_or(takes.most);
    if input.len() > most {
        return bad("input", format!("input: at most {most} inputs per call, got {}", input.len()));
    }
    let packed = match maybe(body, "encoding_format")? {
        None | Some("float") => false,
        Some("base64") if takes.base64 => true,
        Some(other) => return bad("encoding_format", format!("encoding_format '{other}' is not supported")),
    };
    let size = match body.get("dimensions").filter(|value| !value.is_null()) {
        None => takes.size,
        Some(_) if !takes.dimensions => return bad("dimensions", "dimensions is not supported for this model"),
        Some(value) => match value.as_u64().and_then(|size| usize::try_from(size).ok()) {
            Some(size) if (1..=takes.size).contains(&size) => size,
            _ => return bad("dimensions", format!("dimensions must be between 1 and {}", takes.size)),
        },
    };
    let mut items: Vec<String> = input
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let vector = vectors::vector(text, size, true);
            let shown = if packed { quoted(&base64(&vectors::bytes(&vector))) } else { vectors::json(&vector) };
            format!(r#"{{"object":"embedding","index":{index},"embedding":{shown}}}"#)
        })
        .collect();
    if ask.knobs.reversed_embeddings {
        items.reverse();
    }
    let tokens: usize = input.iter().map(|text| text.split_whitespace().count() + 2).sum();
    let usage = if takes.usage {
        format!(r#","usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}"#)
    } else {
        String::new()
    };
    let data = items.join(",");
    Ok(Reply::json(200, format!(r#"{{"object":"list","data":[{data}],"model":{}{usage}}}"#, quoted(model))))
}

/// The texts that are embedded; token arrays are the text `tokens 1 2 3`.
fn inputs(input: Option<&Value>, takes: Takes) -> Result<Vec<String>, Refusal> {
    let wrong = || Refusal::new(Kind::Malformed, "input: a string or a list of strings is expected").about("input");
    let tokens = |list: &[Value]| -> Result<String, Refusal> {
        if !takes.tokens {
            return bad("input", "input: arrays of tokens are not supported");
        }
        let numbers = list.iter().map(|one| one.as_u64().map(|number| number.to_string()));
        Ok(format!("tokens {}", numbers.collect::<Option<Vec<_>>>().ok_or_else(wrong)?.join(" ")))
    };
    match input {
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(list)) if list.first().is_some_and(Value::is_number) => Ok(vec![tokens(list)?]),
        Some(Value::Array(list)) if !list.is_empty() => list
            .iter()
            .map(|one| match one {
                Value::String(text) => Ok(text.clone()),
                Value::Array(list) if !list.is_empty() => tokens(list),
                _ => Err(wrong()),
            })
            .collect(),
        _ => Err(wrong()),
    }
}
