//! hf-inference: one path for every task, raw bytes in and out, errors as `{error}`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::audio::{SEGMENT, listen, pieces, sent, spoken};
use super::pictures::Drawing;
use super::{Answered, Call, bad, object, text};
use crate::ask::Ask;
use crate::chat::errors::{Kind, Refusal};
use crate::media::{sniff, vectors};
use crate::reply::Reply;

const SIZE: usize = 384;
/// Text Embeddings Inference takes no larger batch.
const BATCH: usize = 32;

pub(super) fn answer(call: &Call<'_>, model: &str, pipeline: bool) -> Answered {
    let tasks: &[&str] = if pipeline {
        &["feature-extraction", "sentence-similarity"]
    } else {
        &["text-to-speech", "automatic-speech-recognition", "text-to-image", "image-to-image"]
    };
    let reply = perform(call.ask, call.task(model, tasks)?, model)?;
    Ok(reply.with("x-compute-time", "0.042").with("x-compute-type", "cache"))
}

/// One task, as Hugging Face's own servers and dedicated endpoints do it.
pub(super) fn perform(ask: &Ask, task: &str, model: &str) -> Answered {
    match task {
        "text-to-speech" => Ok(own_words(speech(ask))),
        "automatic-speech-recognition" => Ok(own_words(transcription(ask))),
        "text-to-image" => Ok(own_words(picture(ask))),
        "image-to-image" => Ok(own_words(edit(ask))),
        _ => embeddings(ask, model),
    }
}

/// Pipelines refuse in other words than TGI and TEI do.
fn own_words(answered: Answered) -> Reply {
    let refusal = match answered {
        Ok(reply) => return reply,
        Err(refusal) => refusal,
    };
    let body = if refusal.kind == Kind::Malformed {
        json!({"error": [format!("{}: `{}`", refusal.message, refusal.param.as_deref().unwrap_or("inputs"))]})
    } else {
        json!({"error": refusal.message, "warnings": [format!("There was an inference error: {}", refusal.message)]})
    };
    Reply::json(refusal.status, body.to_string())
}

fn one_of(body: &Value, known: &[&str]) -> Result<(), Refusal> {
    let names = body.as_object().into_iter().flat_map(|all| all.keys());
    match names.into_iter().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => Err(Refusal::new(Kind::Malformed, format!("unknown field `{unknown}`")).about(unknown)),
        None => Ok(()),
    }
}

fn embeddings(ask: &Ask, model: &str) -> Answered {
    let body = object(ask)?;
    let known = ["inputs", "model", "normalize", "prompt_name", "truncate", "truncation_direction", "dimensions"];
    one_of(&body, &known)?;
    let list = match body.get("inputs") {
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(all)) if !all.is_empty() && all.iter().all(Value::is_string) => {
            all.iter().filter_map(Value::as_str).collect()
        }
        Some(_) => return Err(Refusal::new(Kind::Malformed, "inputs: expected a string or a sequence").about("inputs")),
        None => return Err(Refusal::new(Kind::Malformed, "missing field `inputs`").about("inputs")),
    };
    let single = body["inputs"].is_string();
    let flag = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(yes)) => Ok(Some(*yes)),
        Some(_) => Err(Refusal::new(Kind::Malformed, format!("{name}: expected a boolean")).about(name)),
    };
    flag("truncate")?;
    let normal = flag("normalize")?.unwrap_or(true);
    let most = ask.knobs.max_inputs.unwrap_or(BATCH);
    if list.len() > most {
        let message = format!("batch size {} > maximum allowed batch size {most}", list.len());
        let mut refusal = Refusal::new(Kind::TooLarge, message);
        refusal.status = 413;
        return Err(refusal);
    }
    let size = match body.get("dimensions").and_then(Value::as_u64) {
        Some(size) => usize::try_from(size).unwrap_or(SIZE).clamp(1, SIZE),
        None => SIZE,
    };
    let prompt = super::maybe(&body, "prompt_name")?.map_or_else(String::new, |name| format!("{name}: "));
    let one = |text: &&str| vectors::json(&vectors::vector(&format!("{prompt}{text}"), size, normal));
    let answer = if model == "facebook/bart-base" {
        tokens(&list, single)
    } else if single && model != "BAAI/bge-small-en-v1.5" {
        list.iter().map(one).collect()
    } else {
        format!("[{}]", list.iter().map(one).collect::<Vec<_>>().join(","))
    };
    Ok(Reply::json(200, answer))
}

/// A model without pooling: for each text one vector for its beginning, for each word, and for its end.
fn tokens(list: &[&str], single: bool) -> String {
    let one = |text: &&str| {
        let words = ["<s>"].into_iter().chain(text.split_whitespace()).chain(["</s>"]);
        let all: Vec<String> = words.map(|word| vectors::json(&vectors::vector(word, SIZE, false))).collect();
        format!("[[{}]]", all.join(","))
    };
    let all: Vec<String> = list.iter().map(one).collect();
    if single { all.concat() } else { format!("[{}]", all.join(",")) }
}

fn speech(ask: &Ask) -> Answered {
    let body = object(ask)?;
    one_of(&body, &["inputs", "model", "parameters"])?;
    let said = text(&body, "inputs")?;
    let (media, sound) = spoken(said, "flac").unwrap_or_default();
    Ok(sent(ask, media, sound))
}

/// The bytes and the parameters: raw under their media type, or base64 in JSON.
fn upload(ask: &Ask) -> Result<(Vec<u8>, Value), Refusal> {
    if !ask.is_json() {
        return Ok((ask.body.to_vec(), Value::Null));
    }
    let body = object(ask)?;
    one_of(&body, &["inputs", "model", "parameters"])?;
    match STANDARD.decode(text(&body, "inputs")?) {
        Ok(bytes) => Ok((bytes, body.get("parameters").cloned().unwrap_or_default())),
        Err(_) => bad("inputs", "inputs must be base64-encoded"),
    }
}

/// Bytes of the right kind, under the label that they deserve if there is one.
fn labelled(ask: &Ask, bytes: &[u8], family: &str) -> Result<(), Refusal> {
    let label = ask.header("content-type").filter(|_| !ask.is_json());
    match sniff::kind(bytes) {
        Some((kind, _)) if !kind.starts_with(family) => bad("inputs", format!("expected {family}*, got {kind}")),
        Some((kind, _)) => match label {
            Some(label) if !sniff::same(label, kind) => {
                bad("content-type", format!("Content type \"{label}\" not supported for these bytes, they are {kind}"))
            }
            _ => Ok(()),
        },
        None if label.is_some_and(|label| !label.starts_with(family)) => {
            bad("content-type", format!("Content type {:?} not supported", label.unwrap_or_default()))
        }
        None if bytes.is_empty() => bad("inputs", "Soundfile is either not in the correct format or is malformed."),
        None => Ok(()),
    }
}

fn transcription(ask: &Ask) -> Answered {
    let (bytes, parameters) = upload(ask)?;
    labelled(ask, &bytes, "audio/")?;
    let task =
        parameters.pointer("/generation_parameters/task").or_else(|| parameters.pointer("/generate_kwargs/task"));
    let heard = listen(&bytes, ask, task.and_then(Value::as_str) == Some("translate"));
    let mut answer = json!({"text": heard.text});
    let size = match parameters.get("return_timestamps") {
        Some(Value::Bool(true)) => Some(SEGMENT),
        Some(Value::String(word)) if word == "word" => Some(1),
        _ => None,
    };
    if let Some(size) = size {
        let all = pieces(&heard, size);
        let chunks: Vec<Value> = all.iter().enumerate().map(|(at, one)| one.chunk(at + 1 == all.len())).collect();
        answer["chunks"] = Value::Array(chunks);
    }
    Ok(Reply::json(200, answer.to_string()))
}

/// A PNG, labelled as recorded.
fn jpeg(picture: Vec<u8>) -> Reply {
    Reply::whole(200, "image/jpeg", picture)
}

fn picture(ask: &Ask) -> Answered {
    let body = object(ask)?;
    let parameters = body.get("parameters").cloned().unwrap_or_default();
    let drawing = Drawing::of(text(&body, "inputs")?).with(&parameters)?.sides(&parameters)?;
    Ok(jpeg(drawing.draw(0, 0)))
}

fn edit(ask: &Ask) -> Answered {
    let (bytes, parameters) = upload(ask)?;
    labelled(ask, &bytes, "image/")?;
    let prompt = parameters.get("prompt").and_then(Value::as_str).unwrap_or_default();
    let mut drawing = Drawing::of(prompt).with(&parameters)?.sides(&parameters)?;
    if let Some(size) = parameters.get("target_size").filter(|size| size.is_object()) {
        drawing = drawing.sides(size)?;
    }
    Ok(jpeg(drawing.input("input", &bytes)?.draw(0, 0)))
}
