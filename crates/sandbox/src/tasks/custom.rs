//! Self-hosted servers beyond chat: embeddings of TEI, vLLM and llama.cpp, sound and pictures on OpenAI's paths, and an
//! endpoint for each task, whose own address takes what hf-inference takes.

use serde_json::{Value, json};

use super::pictures::Drawing;
use super::{Answered, bad, base64, embeddings, hf, maybe, object, openai, text};
use crate::ask::Ask;
use crate::chat::errors::{Kind, Refusal};
use crate::custom::Server;
use crate::media::vectors;
use crate::multipart::Part;
use crate::reply::Reply;

pub(crate) fn operation(route: &str, _ask: &Ask) -> Option<&'static str> {
    match route {
        "v1/embeddings" | "embed" => Some("embeddings"),
        "v1/audio/speech" => Some("speech"),
        "v1/audio/transcriptions" | "v1/audio/translations" => Some("transcription"),
        "v1/images/generations" => Some("image"),
        "v1/images/edits" => Some("image_edit"),
        task => Some(super::operation_of(task)).filter(|known| *known != "other"),
    }
}

/// The answer, or none if this server has no such path.
pub(crate) fn answer(ask: &Ask, server: &Server, route: &str) -> Option<Reply> {
    let answered: Answered = match (server.name, route) {
        ("endpoint", task) if super::operation_of(task) != "other" => hf::perform(ask, task, ""),
        ("tei", "embed") => object(ask).and_then(|body| embed(ask, &body)),
        ("vllm" | "llamacpp" | "tei", "v1/embeddings") => {
            object(ask).and_then(|body| embeddings::custom(ask, &body, server.name))
        }
        ("vllm", "v1/audio/speech") => object(ask).and_then(|body| openai::say(ask, &body)),
        ("vllm", "v1/images/generations") => object(ask).and_then(|body| draw(&body)),
        ("vllm", "v1/images/edits") => openai::parts(ask).and_then(|parts| redraw(&parts)),
        ("vllm", "v1/audio/transcriptions" | "v1/audio/translations") => {
            openai::parts(ask).and_then(|parts| openai::transcribe(ask, &parts))
        }
        _ => return None,
    };
    Some(answered.unwrap_or_else(|refusal| refusal.reply(server.refusal)))
}

/// Pictures as OpenAI gives them, in base64; what it has no word for goes by the names of diffusers.
fn draw(body: &Value) -> Answered {
    text(body, "model")?;
    finish(Drawing::of(text(body, "prompt")?), body)
}

/// The same from a form with the pictures to change.
fn redraw(parts: &[Part<'_>]) -> Answered {
    let mut body = serde_json::Map::new();
    for part in parts.iter().filter(|part| part.file.is_none()) {
        let said = String::from_utf8_lossy(part.body);
        // A form has texts only: what reads like a number is one.
        body.insert(part.name.clone(), said.parse::<u64>().map_or_else(|_| json!(said), |number| json!(number)));
    }
    let body = Value::Object(body);
    text(&body, "model")?;
    let files: Vec<_> = parts.iter().filter(|part| part.file.is_some()).collect();
    let (inputs, masks): (Vec<_>, Vec<_>) = files.into_iter().partition(|part| part.name != "mask");
    let known = if inputs.len() == 1 { "image" } else { "image[]" };
    match inputs.iter().find(|part| part.name != known) {
        Some(other) => return bad(&other.name, format!("{}: {known} is expected", other.name)),
        None if inputs.is_empty() => return Err(Refusal::new(Kind::Malformed, "Field required").about("image")),
        None => {}
    }
    let drawing = Drawing::of(text(&body, "prompt")?);
    let drawing = inputs.iter().try_fold(drawing, |drawing, part| drawing.input("input", part.body))?;
    let drawing = masks.iter().try_fold(drawing, |drawing, part| drawing.input("mask", part.body))?;
    finish(drawing, &body)
}

fn finish(drawing: Drawing, body: &Value) -> Answered {
    if let Some(other) = maybe(body, "response_format")?.filter(|form| *form != "b64_json") {
        return bad("response_format", format!("response_format '{other}' is not supported"));
    }
    let mut drawing = drawing.with(body)?.counted(body, "n", 10)?;
    if let Some(size) = maybe(body, "size")?.filter(|size| *size != "auto") {
        drawing = drawing.size_text("size", size, 'x')?;
    }
    let all: Vec<Value> = drawing.all().map(|picture| json!({"b64_json": base64(&picture)})).collect();
    Ok(Reply::json(200, json!({"created": 1_735_689_600, "data": all}).to_string()))
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
