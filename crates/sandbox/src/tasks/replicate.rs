//! Replicate: everything is a prediction; results are addresses; what takes longer than the client waits is polled.

use serde_json::{Value, json};

use super::audio::{SEGMENT, listen, pieces, spoken};
use super::openai::known_voice;
use super::pictures::Drawing;
use super::{Answered, Call, Step, data_uri, maybe, operation_of, text};
use crate::chat::errors::{Kind, Refusal};
use crate::media::hear::Heard;
use crate::reply::Reply;
use crate::works::{Job, Order, Phase};
use crate::world::{self, Route};

const TASKS: &[&str] = &["text-to-speech", "automatic-speech-recognition", "text-to-image", "image-to-image"];

/// The model that a version belongs to.
pub(super) fn versioned(version: &str) -> Option<&'static Route> {
    let of = |route: &&'static Route| {
        route.backend == "replicate" && route.provider_id.split_once(':').is_some_and(|(_, have)| have == version)
    };
    world::models().flat_map(|model| model.routes).find(of)
}

/// An error as its API writes it.
fn problem(status: u16, title: &str, detail: &str, field: Option<(&str, &str)>) -> Reply {
    let mut body = json!({"detail": detail, "status": status, "title": title});
    if let Some((kind, name)) = field {
        let description = detail.trim_start_matches("- ").trim_end();
        body["invalid_fields"] = json!([{"type": kind, "field": name, "description": description}]);
    }
    Reply::json(status, body.to_string()).with("content-type", "application/problem+json")
}

fn unknown_member(body: &Value) -> Option<Reply> {
    let known = ["input", "version", "stream", "webhook", "webhook_events_filter"];
    let name = body.as_object()?.keys().find(|name| !known.contains(&name.as_str()))?;
    let detail = format!("- Additional property {name} is not allowed\n");
    Some(problem(422, "Input validation failed", &detail, Some(("additional_property_not_allowed", ""))))
}

pub(super) fn predict(call: &Call<'_>, model: Option<&str>) -> Answered {
    let body = call.json()?;
    let waits = call.ask.header("prefer").is_some_and(|prefer| prefer.starts_with("wait"));
    let preferred = |reply: Reply| if waits { reply.with("preference-applied", "wait=60") } else { reply };
    if let Some(reply) = unknown_member(&body) {
        return Ok(preferred(reply));
    }
    let version = maybe(&body, "version")?;
    let id = match (model, version) {
        (Some(model), _) => model.to_owned(),
        (None, Some(version)) => match versioned(version) {
            Some(route) => route.provider_id.to_owned(),
            None => {
                let detail = "The specified version does not exist (or perhaps you don't have permission to use it?)";
                return Ok(preferred(problem(422, "Invalid version or not permitted", detail, None)));
            }
        },
        (None, None) => {
            let detail = "- version is required\n";
            return Ok(preferred(problem(422, "Input validation failed", detail, Some(("required", "version")))));
        }
    };
    let task = call.task(&id, TASKS)?;
    let Some(input) = body.get("input").filter(|input| input.is_object()) else {
        let detail = "- input is required\n";
        return Ok(preferred(problem(422, "Input validation failed", detail, Some(("required", "input")))));
    };
    let output = output(call, &id, task, input)?;
    let (name, version) = id.split_once(':').unwrap_or((&id, "hidden"));
    let result = json!({"model": name, "version": version, "input": input, "output": output});
    let knobs = &call.ask.knobs;
    let quick = waits && !knobs.slow_predictions && knobs.queue_ends == crate::knobs::Ends::Completed;
    let order = Order { backend: "replicate", model: &id, operation: operation_of(task), result };
    let job = call.state.works.submit(call.ask, order, if quick { 0 } else { knobs.queue_polls });
    call.note_job(&job.id);
    let status = if waits && !quick { 202 } else { 201 };
    // Waited for, the output is there although the status often still says otherwise.
    let word = if quick { "processing" } else { "starting" };
    Ok(preferred(Reply::json(status, prediction(&job, word, quick).to_string()))
        .with("content-type", "application/json; charset=UTF-8"))
}

fn output(call: &Call<'_>, id: &str, task: &str, input: &Value) -> Result<Value, Refusal> {
    match task {
        "text-to-speech" => {
            known_voice(id, maybe(input, "voice")?)?;
            let (_, sound) = spoken(text(input, "text")?, "wav").unwrap_or_default();
            Ok(json!(call.keep("audio/x-wav", "wav", sound)))
        }
        "automatic-speech-recognition" => transcription(call, id, input),
        _ => {
            let prompt = if task == "text-to-image" {
                text(input, "prompt")?
            } else {
                maybe(input, "prompt")?.unwrap_or_default()
            };
            let mut drawing = Drawing::of(prompt).with(input)?.sides(input)?.counted(input, "num_outputs", 4)?;
            if task == "image-to-image" {
                drawing = picture(input, drawing)?;
            }
            let all: Vec<Value> = drawing.all().map(|picture| json!(call.keep("image/png", "png", picture))).collect();
            // Models with one output say it without a list.
            Ok(if id == "black-forest-labs/flux-kontext-dev" { all[0].clone() } else { Value::Array(all) })
        }
    }
}

/// Models look for the picture under different names, and clients send all of them.
fn picture(input: &Value, drawing: Drawing) -> Result<Drawing, Refusal> {
    let one = ["input_image", "image"].iter().find_map(|name| input.get(*name).and_then(Value::as_str));
    let several = ["input_images", "images"].iter().find_map(|name| input.get(*name).and_then(Value::as_array));
    let all: Vec<&str> = match (several, one) {
        (Some(list), _) if !list.is_empty() => list.iter().filter_map(Value::as_str).collect(),
        (_, Some(one)) => vec![one],
        _ => return Err(Refusal::new(Kind::Malformed, "- input: image is required\n").about("image")),
    };
    all.into_iter().try_fold(drawing, |drawing, image| drawing.input_uri("input", "image", image))
}

fn transcription(call: &Call<'_>, id: &str, input: &Value) -> Result<Value, Refusal> {
    let audio = text(input, "audio")?;
    let translate = maybe(input, "task")? == Some("translate") || input.get("translate") == Some(&Value::Bool(true));
    let heard = match data_uri(audio) {
        Some((_, bytes)) => listen(&bytes, call.ask, translate),
        None if audio.starts_with("http") => Heard { text: format!("heard {audio}"), seconds: None },
        None => {
            return Err(Refusal::new(Kind::Malformed, "- input.audio: Does not match format 'uri'\n").about("audio"));
        }
    };
    let segments = || pieces(&heard, SEGMENT).iter().enumerate().map(|(id, one)| one.segment(id)).collect::<Vec<_>>();
    Ok(match id {
        "vaibhavs10/incredibly-fast-whisper" => json!([heard.text]),
        "sandbox/text-file-asr" => {
            json!({"txt_file": call.keep("text/plain; charset=utf-8", "txt", heard.text.into_bytes())})
        }
        _ if translate => json!({"translation": heard.text, "detected_language": "english", "segments": segments()}),
        _ => json!({"transcription": heard.text, "translation": null, "detected_language": "english",
            "segments": segments()}),
    })
}

/// A prediction as it stands.
fn prediction(job: &Job, status: &str, output: bool) -> Value {
    let base = format!("https://api.replicate.com/v1/predictions/{}", job.id);
    let error = if status == "failed" { json!(job.message) } else { Value::Null };
    json!({"id": job.id, "model": job.result["model"], "version": job.result["version"], "input": job.result["input"],
        "logs": "", "output": if output { job.result["output"].clone() } else { Value::Null }, "data_removed": false,
        "error": error, "status": status, "created_at": "2025-01-01T00:00:00.000Z",
        "urls": {"cancel": format!("{base}/cancel"), "get": base, "stream": "https://stream.replicate.com/v1/files/x"}})
}

pub(super) fn job(call: &Call<'_>, id: &str, step: Step) -> Answered {
    call.note_job(id);
    let works = &call.state.works;
    let job = if step == Step::Cancel {
        works.cancel("replicate", id).map(|(_, job)| job)
    } else {
        works.poll("replicate", id)
    };
    let Some(job) = job else {
        return Ok(problem(404, "Prediction not found", "The requested prediction could not be found.", None));
    };
    let (word, output) = match job.phase() {
        Phase::Queued => ("starting", false),
        Phase::Running => ("processing", false),
        Phase::Completed => ("succeeded", true),
        Phase::Failed => ("failed", false),
        Phase::Canceled => ("canceled", false),
    };
    Ok(Reply::json(200, prediction(&job, word, output).to_string()))
}
