//! Speech, transcription and pictures on OpenAI's paths: together, deepinfra, nebius, nscale, hyperbolic, self-hosted servers.

use serde_json::{Value, json};

use super::audio::{SEGMENT, listen, pieces, sent, spoken};
use super::pictures::Drawing;
use super::{Answered, Call, bad, base64, maybe, text};
use crate::ask::Ask;
use crate::chat::errors::{Kind, Refusal};
use crate::media::{hex, sniff};
use crate::multipart::{self, Part};
use crate::reply::Reply;

pub(super) fn speech(call: &Call<'_>) -> Answered {
    let body = call.json()?;
    let model = text(&body, "model")?;
    call.task(model, &["text-to-speech"])?;
    let voice = maybe(&body, "voice")?;
    if voice.is_none() && call.backend.id == "together" {
        return Err(Refusal::new(Kind::Malformed, "voice: Field required").about("voice"));
    }
    known_voice(model, voice)?;
    say(call.ask, &body)
}

/// The Kokoro models have their own voices: two letters, and a name.
pub(super) fn known_voice(model: &str, voice: Option<&str>) -> Result<(), Refusal> {
    let kokoro = |voice: &str| {
        let split = voice.split_once('_');
        split.is_some_and(|(kind, name)| kind.len() == 2 && !name.is_empty() && name.chars().all(char::is_alphabetic))
    };
    match voice {
        Some(voice) if model.to_lowercase().contains("kokoro") && !kokoro(voice) => {
            bad("voice", format!("voice '{voice}' is not one of af_alloy, af_bella, af_heart, am_adam, am_echo"))
        }
        _ => Ok(()),
    }
}

pub(super) fn say(ask: &Ask, body: &Value) -> Answered {
    let format = maybe(body, "response_format")?.unwrap_or("wav");
    let format = if format == "raw" { "pcm" } else { format };
    if body.get("speed").is_some_and(|speed| !speed.is_number()) {
        return bad("speed", "speed must be a number");
    }
    let said = text(body, "input")?;
    if said.is_empty() {
        return bad("input", "input must not be empty");
    }
    match spoken(said, format) {
        Some((media, sound)) => Ok(sent(ask, media, sound)),
        None => bad("response_format", format!("response_format '{format}' is not supported")),
    }
}

pub(super) fn transcription(call: &Call<'_>) -> Answered {
    let parts = parts(call.ask)?;
    let model = field(&parts, "model").ok_or_else(|| Refusal::new(Kind::Malformed, "Field required").about("model"))?;
    call.task(model, &["automatic-speech-recognition"])?;
    transcribe(call.ask, &parts)
}

pub(super) fn parts(ask: &Ask) -> Result<Vec<Part<'_>>, Refusal> {
    let media = ask.header("content-type").unwrap_or_default();
    multipart::read(media, &ask.body).map_err(|why| Refusal::new(Kind::Malformed, why).about("body"))
}

pub(super) fn field<'a>(parts: &[Part<'a>], name: &str) -> Option<&'a str> {
    let part = parts.iter().find(|part| part.name == name && part.file.is_none())?;
    std::str::from_utf8(part.body).ok()
}

pub(super) fn transcribe(ask: &Ask, parts: &[Part<'_>]) -> Answered {
    let Some(file) = parts.iter().find(|part| part.name == "file") else {
        return Err(Refusal::new(Kind::Malformed, "Field required").about("file"));
    };
    // The servers tell the kind of sound by the name of the file; an address may stand in its place.
    let address = std::str::from_utf8(file.body).ok().filter(|text| text.starts_with("http") && file.file.is_none());
    if let Some((kind, extension)) = sniff::kind(file.body)
        && !file.file.as_deref().is_some_and(|name| named(name, kind, extension))
    {
        return bad("file", format!("Invalid file format: these bytes are {kind}, the name is {:?}", file.file));
    }
    if file.body.is_empty() {
        return bad("file", "The file is empty");
    }
    let translate = field(parts, "task") == Some("translate") || ask.path.ends_with("/translations");
    let mut heard = listen(file.body, ask, translate);
    if let Some(address) = address {
        heard.text = format!("heard {address}");
    }
    let wanted = |kind: &str| {
        let names = ["timestamp_granularities[]", "timestamp_granularities"];
        parts
            .iter()
            .filter(|part| names.contains(&part.name.as_str()))
            .any(|part| std::str::from_utf8(part.body).is_ok_and(|text| text.contains(kind)))
    };
    let mut answer = json!({"text": heard.text});
    match field(parts, "response_format").unwrap_or("json") {
        "json" => {}
        "verbose_json" => {
            let all = pieces(&heard, SEGMENT);
            answer["task"] = json!(if translate { "translate" } else { "transcribe" });
            answer["language"] = json!(field(parts, "language").unwrap_or("en"));
            answer["duration"] = json!(heard.seconds.unwrap_or(1.0));
            answer["segments"] = all.iter().enumerate().map(|(id, one)| one.segment(id)).collect();
            if wanted("word") {
                answer["words"] = pieces(&heard, 1).iter().map(super::audio::Piece::word).collect();
            }
        }
        other => return bad("response_format", format!("response_format '{other}' is not supported")),
    }
    Ok(Reply::json(200, answer.to_string()))
}

fn named(name: &str, kind: &str, extension: &str) -> bool {
    let end = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let also = match kind {
        "audio/mpeg" => &["mpga", "mpeg"][..],
        "audio/ogg" => &["oga", "opus"],
        "audio/mp4" => &["mp4"],
        "audio/aiff" => &["aif"],
        _ => &[],
    };
    end == extension || also.contains(&end.as_str())
}

pub(super) fn pictures(call: &Call<'_>) -> Answered {
    let body = call.json()?;
    let named = if call.backend.id == "hyperbolic" { "model_name" } else { "model" };
    let model = text(&body, named)?;
    let task = call.task(model, &["text-to-image", "image-to-image"])?;
    match call.backend.id {
        "hyperbolic" => hyperbolic(&body),
        "nscale" => nscale(&body),
        "together" => together(call, &body, model, task),
        _ => nebius(call, &body),
    }
}

fn hyperbolic(body: &Value) -> Answered {
    let drawing = Drawing::of(text(body, "prompt")?).with(body)?.sides(body)?;
    let image = base64(&drawing.draw(0, 0));
    let answer =
        json!({"images": [{"index": 0, "image": image, "random_seed": drawing.seed()}], "inference_time": 1.25});
    Ok(Reply::json(200, answer.to_string()))
}

/// A list of pictures under `data`, as bytes or as addresses.
fn data(call: &Call<'_>, drawing: &Drawing, address: bool) -> Vec<Value> {
    let one = |picture: Vec<u8>| {
        if address {
            json!({"url": call.keep("image/png", "png", picture)})
        } else {
            json!({"b64_json": base64(&picture)})
        }
    };
    drawing.all().map(one).collect()
}

fn nscale(body: &Value) -> Answered {
    for unknown in ["num_inference_steps", "cfg_scale", "width", "height"] {
        if body.get(unknown).is_some() {
            return bad(unknown, format!("{unknown} is not supported"));
        }
    }
    if maybe(body, "response_format")? != Some("b64_json") {
        return bad("response_format", "response_format must be b64_json");
    }
    let mut drawing = Drawing::of(text(body, "prompt")?).with(body)?.counted(body, "n", 4)?;
    if let Some(size) = maybe(body, "size")? {
        drawing = drawing.size_text("size", size, 'x')?;
    }
    let all: Vec<Value> = drawing.all().map(|picture| json!({"b64_json": base64(&picture)})).collect();
    Ok(Reply::json(200, json!({"data": all}).to_string()))
}

fn nebius(call: &Call<'_>, body: &Value) -> Answered {
    let address = match maybe(body, "response_format")?.unwrap_or("url") {
        "b64_json" => false,
        "url" => true,
        other => return bad("response_format", format!("response_format '{other}' is not one of b64_json, url")),
    };
    if let Some(other) = maybe(body, "response_extension")?.filter(|one| !["webp", "jpg", "png"].contains(one)) {
        return bad("response_extension", format!("response_extension '{other}' is not one of webp, jpg, png"));
    }
    let drawing = Drawing::of(text(body, "prompt")?).with(body)?.sides(body)?;
    let answer = json!({"data": data(call, &drawing, address), "id": format!("text2img-{}", hex(&call.ask.body))});
    Ok(Reply::json(200, answer.to_string()))
}

fn together(call: &Call<'_>, body: &Value, model: &str, task: &str) -> Answered {
    let address = match maybe(body, "response_format")?.unwrap_or("url") {
        "base64" => false,
        "url" => true,
        other => return bad("response_format", format!("response_format '{other}' is not one of base64, url")),
    };
    if body.get("num_inference_steps").is_some() {
        return bad("num_inference_steps", "num_inference_steps is not known here, use steps");
    }
    let mut drawing = Drawing::of(text(body, "prompt")?).with(body)?.sides(body)?.counted(body, "n", 4)?;
    let kontext = model.to_lowercase().contains("kontext") && model.to_lowercase().contains("flux.1");
    let single = maybe(body, "image_url")?;
    let several = body.get("reference_images").and_then(Value::as_array);
    if task == "image-to-image" {
        drawing = match (kontext, single, several) {
            (true, Some(image), None) => drawing.input_uri("input", "image_url", image)?,
            (false, None, Some(all)) if !all.is_empty() => all.iter().try_fold(drawing, |drawing, one| {
                drawing.input_uri("input", "reference_images", one.as_str().unwrap_or_default())
            })?,
            (true, ..) => return bad("image_url", "this model takes image_url, and nothing beside it"),
            (false, ..) => return bad("reference_images", "this model takes reference_images, and nothing beside it"),
        };
    } else if single.is_some() || several.is_some() {
        return bad("image_url", "this model takes no images");
    }
    let mut list = data(call, &drawing, address);
    for (index, one) in list.iter_mut().enumerate() {
        one["timings"] = json!({"inference": 4459});
        one["index"] = json!(index);
    }
    let answer = json!({"id": format!("{}-CDG", hex(&call.ask.body)), "model": model, "object": "list", "data": list});
    let limits =
        [("retry-after", "2"), ("x-ratelimit-limit", "1"), ("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "2")];
    let reply = Reply::json(200, answer.to_string()).with("content-type", "application/json; charset=utf-8");
    Ok(limits.iter().fold(reply, |reply, (name, value)| reply.with(name, value)))
}
