//! Self-hosted servers beyond chat: embeddings of TEI, vLLM and llama.cpp, sound on OpenAI's paths, and an endpoint whose
//! own address takes what hf-inference takes.

use serde_json::{Value, json};

use super::{Answered, embeddings, openai};
use crate::ask::Ask;
use crate::chat;
use crate::chat::errors::{Kind, Refusal};
use crate::custom::Server;
use crate::media::vectors;
use crate::reply::Reply;

pub(crate) fn operation(route: &str, _ask: &Ask) -> Option<&'static str> {
    match route {
        "v1/embeddings" | "embed" => Some("embeddings"),
        "v1/audio/speech" => Some("speech"),
        "v1/audio/transcriptions" | "v1/audio/translations" => Some("transcription"),
        _ => None,
    }
}

fn json(ask: &Ask) -> Result<Value, Refusal> {
    chat::labelled(ask)?;
    serde_json::from_slice(&ask.body).map_err(|error| Refusal::new(Kind::Malformed, error.to_string()))
}

/// The answer, or none if this server has no such path.
pub(crate) fn answer(ask: &Ask, server: &Server, route: &str) -> Option<Reply> {
    let answered: Answered = match (server.name, route) {
        ("tei", "embed") => json(ask).and_then(|body| embed(ask, &body)),
        ("vllm" | "llamacpp" | "tei", "v1/embeddings") => {
            json(ask).and_then(|body| embeddings::custom(ask, &body, server.name))
        }
        ("vllm", "v1/audio/speech") => json(ask).and_then(|body| openai::say(ask, &body)),
        ("vllm", "v1/audio/transcriptions" | "v1/audio/translations") => {
            openai::parts(ask).and_then(|parts| openai::transcribe(ask, &parts))
        }
        _ => return None,
    };
    Some(answered.unwrap_or_else(|refusal| refusal.reply(server.refusal)))
}

/// TEI's own route.
fn embed(ask: &Ask, body: &Value) -> Answered {
    let list: Vec<&str> = match body.get("inputs") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(all)) if !all.is_empty() => all.iter().filter_map(Value::as_str).collect(),
        _ => return Err(Refusal::new(Kind::Malformed, "missing field `inputs`").about("inputs")),
    };
    let most = ask.knobs.max_inputs.unwrap_or(32);
    if list.len() > most {
        let error = format!("batch size {} > maximum allowed batch size {most}", list.len());
        return Ok(Reply::json(413, json!({"error": error, "error_type": "validation"}).to_string()));
    }
    let normal = body.get("normalize").and_then(Value::as_bool).unwrap_or(true);
    let all: Vec<String> = list.iter().map(|text| vectors::json(&vectors::vector(text, 384, normal))).collect();
    Ok(Reply::json(200, format!("[{}]", all.join(","))))
}
