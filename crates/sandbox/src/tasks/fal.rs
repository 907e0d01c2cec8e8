//! fal: the model's own path, at once or through a queue; results are addresses; pictures also as a stream.

use bytes::Bytes;
use serde_json::{Value, json};

use super::audio::{SEGMENT, listen, pieces, spoken};
use super::openai::known_voice;
use super::pictures::Drawing;
use super::{Answered, Call, Step, bad, base64, data_uri, maybe, operation_of, text};
use crate::chat::errors::{Kind, Refusal, Shape};
use crate::reply::Reply;
use crate::works::{Order, Phase};

const TASKS: &[&str] = &["text-to-speech", "automatic-speech-recognition", "text-to-image", "image-to-image"];
/// Labels of sound that its decoder knows an extension for.
const LABELS: &[&str] = &["audio/mpeg", "audio/x-wav", "video/webm"];

fn plain<T>(message: &str) -> Result<T, Reply> {
    Err(Reply::json(400, json!({ "detail": message }).to_string()))
}

pub(super) fn sync(call: &Call<'_>, model: &str) -> Answered {
    Ok(match result(call, model)? {
        Ok(result) => Reply::json(200, result.to_string()),
        Err(reply) => reply,
    })
}

/// The answer of a model; the inner error is one of fal's that has a shape of its own.
fn result(call: &Call<'_>, model: &str) -> Result<Result<Value, Reply>, Refusal> {
    let body = call.json()?;
    match call.task(model, TASKS).map_err(|refusal| Refusal { kind: no_path(refusal.kind), ..refusal })? {
        "text-to-speech" => speech(call, &body, model).map(Ok),
        "automatic-speech-recognition" => transcription(call, &body, model),
        task => {
            let drawing = drawing(&body, model, task)?;
            Ok(Ok(pictures(call, &body, &drawing, 0)))
        }
    }
}

/// A model that it does not have is a path that it does not have.
fn no_path(kind: Kind) -> Kind {
    if kind == Kind::NoModel { Kind::NoPath } else { kind }
}

fn speech(call: &Call<'_>, body: &Value, model: &str) -> Result<Value, Refusal> {
    let said = text(body, "text")?;
    known_voice(model, maybe(body, "voice")?)?;
    let (media, sound) = spoken(said, "wav").unwrap_or_default();
    let size = sound.len();
    let url = call.keep(media, "wav", sound);
    Ok(json!({"audio": {"url": url, "content_type": media, "file_name": "tts_output.wav", "file_size": size}}))
}

fn transcription(call: &Call<'_>, body: &Value, model: &str) -> Result<Result<Value, Reply>, Refusal> {
    let url = text(body, "audio_url")?;
    let heard = if url.starts_with("http://") || url.starts_with("https://") {
        crate::media::hear::Heard { text: format!("heard {url}"), seconds: None }
    } else {
        match data_uri(url) {
            Some((label, bytes)) if LABELS.contains(&label) => {
                listen(&bytes, call.ask, maybe(body, "task")? == Some("translate"))
            }
            _ => return Ok(plain("Unsupported data URL")),
        }
    };
    let all = pieces(&heard, if maybe(body, "chunk_level")? == Some("word") { 1 } else { SEGMENT });
    // Two models of the same kind, two shapes.
    let answer = if model == "fal-ai/wizper" {
        let segments: Vec<Value> = all.iter().enumerate().map(|(id, one)| one.segment(id)).collect();
        json!({"output": heard.text, "segments": segments})
    } else {
        let chunks: Vec<Value> = all.iter().map(|one| one.chunk(false)).collect();
        json!({"text": heard.text, "chunks": chunks, "inferred_languages": ["en"], "diarization_segments": []})
    };
    Ok(Ok(answer))
}

fn drawing(body: &Value, model: &str, task: &str) -> Result<Drawing, Refusal> {
    for (at, lora) in body.get("loras").and_then(Value::as_array).into_iter().flatten().enumerate() {
        if lora.get("path").and_then(Value::as_str).is_none_or(|path| !path.starts_with("http")) {
            return bad("loras", format!("loras.{at}.path: str type expected"));
        }
    }
    if model == "fal-ai/lora" && body.get("model_name").is_none() {
        return Err(Refusal::new(Kind::Malformed, "Field required").about("model_name"));
    }
    let prompt =
        if task == "image-to-image" { maybe(body, "prompt")?.unwrap_or_default() } else { text(body, "prompt")? };
    let mut drawing = Drawing::of(prompt).with(body)?.counted(body, "num_images", 10)?;
    drawing = match body.get("image_size").filter(|size| !size.is_null()) {
        None => drawing,
        Some(Value::String(name)) => match name.as_str() {
            "square_hd" => drawing.sized(1024, 1024)?,
            "square" => drawing.sized(512, 512)?,
            "landscape_4_3" => drawing.sized(1024, 768)?,
            "portrait_4_3" => drawing.sized(768, 1024)?,
            "landscape_16_9" => drawing.sized(1024, 576)?,
            "portrait_16_9" => drawing.sized(576, 1024)?,
            other => return bad("image_size", format!("image_size: unexpected value {other}")),
        },
        Some(size) => {
            let side = |name: &str| size.get(name).and_then(Value::as_u64).and_then(|side| u32::try_from(side).ok());
            match (side("width"), side("height")) {
                (Some(width), Some(height)) => drawing.sized(width, height)?,
                _ => return bad("image_size", "image_size: width and height are expected"),
            }
        }
    };
    if let Some(other) = maybe(body, "output_format")?.filter(|one| !["jpeg", "png"].contains(one)) {
        return bad("output_format", format!("output_format: '{other}' is not one of 'jpeg', 'png'"));
    }
    if body.get("sync_mode").is_some_and(|value| !value.is_boolean()) {
        return bad("sync_mode", "sync_mode: value could not be parsed to a boolean");
    }
    if task != "image-to-image" {
        return Ok(drawing);
    }
    inputs(body, model, drawing)
}

/// Some models take a list, the others one; clients send both, so what is not theirs is not looked at.
fn inputs(body: &Value, model: &str, mut drawing: Drawing) -> Result<Drawing, Refusal> {
    let one = maybe(body, "image_url")?;
    let several: Option<Vec<&str>> =
        body.get("image_urls").and_then(Value::as_array).map(|all| all.iter().filter_map(Value::as_str).collect());
    let takes_list = model.starts_with("fal-ai/flux-2") || model == "fal-ai/edits/v1";
    let (name, used) = match (takes_list, one, several) {
        (true, _, Some(all)) if !all.is_empty() => ("image_urls", all),
        (false, Some(one), _) => ("image_url", vec![one]),
        (true, ..) => return Err(Refusal::new(Kind::Malformed, "field required").about("image_urls")),
        (false, ..) => return Err(Refusal::new(Kind::Malformed, "field required").about("image_url")),
    };
    for image in used {
        drawing = drawing.input_uri("input", name, image)?;
    }
    match maybe(body, "mask_url")? {
        Some(mask) => drawing.input_uri("mask", "mask_url", mask),
        None => Ok(drawing),
    }
}

fn pictures(call: &Call<'_>, body: &Value, drawing: &Drawing, step: u32) -> Value {
    let inline = body.get("sync_mode") == Some(&Value::Bool(true));
    let image = |index: u32| {
        let picture = drawing.draw(index, step);
        let url = if inline {
            format!("data:image/png;base64,{}", base64(&picture))
        } else {
            call.keep("image/png", "png", picture)
        };
        // The label is fal's habit: the bytes and the name say PNG.
        json!({"url": url, "width": drawing.width, "height": drawing.height, "content_type": "image/jpeg"})
    };
    let images: Vec<Value> = (0..drawing.count).map(image).collect();
    let safe = vec![false; images.len()];
    json!({"images": images, "timings": {"inference": 1.5}, "seed": drawing.seed(), "has_nsfw_concepts": safe,
        "prompt": body.get("prompt").cloned().unwrap_or_default()})
}

pub(super) fn stream(call: &Call<'_>, model: &str) -> Answered {
    let body = call.json()?;
    let task = call.task(model, &["text-to-image", "image-to-image"]);
    let task = task.map_err(|refusal| Refusal { kind: no_path(refusal.kind), ..refusal })?;
    let drawing = drawing(&body, model, task)?;
    let sketches = call.ask.knobs.sketches;
    let frame = |step: u32| Bytes::from(format!("data: {}\n\n", pictures(call, &body, &drawing, step)));
    let frames = (1..=sketches).chain([0]).map(frame).collect();
    Ok(Reply::events("text/event-stream; charset=utf-8", frames, call.ask.knobs.gap()))
}

pub(super) fn submit(call: &Call<'_>, model: &str) -> Answered {
    let task = call.task(model, TASKS).map_err(|refusal| Refusal { kind: no_path(refusal.kind), ..refusal })?;
    let result = match result(call, model)? {
        Ok(result) => result,
        Err(reply) => return Ok(reply),
    };
    let order = Order { backend: "fal-ai", model, operation: operation_of(task), result };
    let job = call.state.works.submit(call.ask, order, call.ask.knobs.queue_polls);
    call.note_job(&job.id);
    let base = address(model, &job.id);
    Ok(Reply::json(
        200,
        json!({"status": "IN_QUEUE", "request_id": job.id, "response_url": base, "status_url": format!("{base}/status"),
            "cancel_url": format!("{base}/cancel"), "logs": null, "metrics": {}, "queue_position": 0})
        .to_string(),
    ))
}

/// Where the job is, as fal says it: on its own host, and under the first two parts of the model's name only.
fn address(model: &str, id: &str) -> String {
    let app: Vec<&str> = model.split('/').take(2).collect();
    format!("https://queue.fal.run/{}/requests/{id}", app.join("/"))
}

pub(super) fn job(call: &Call<'_>, id: &str, step: Step) -> Answered {
    call.note_job(id);
    let works = &call.state.works;
    let job = match step {
        Step::Status => works.poll("fal-ai", id),
        Step::Result => works.take("fal-ai", id),
        Step::Cancel => works.cancel("fal-ai", id).map(|(_, job)| job),
    };
    let Some(job) = job else {
        return Ok(Reply::json(404, json!({"detail": "Request not found"}).to_string()));
    };
    let phase = job.phase();
    if step == Step::Cancel {
        return Ok(if phase == Phase::Canceled {
            Reply::json(202, json!({"status": "CANCELLATION_REQUESTED"}).to_string())
        } else {
            Reply::json(400, json!({"status": "ALREADY_COMPLETED"}).to_string())
        });
    }
    let base = address(&job.model, id);
    let (status, word) = match phase {
        Phase::Queued => (202, "IN_QUEUE"),
        Phase::Running => (202, "IN_PROGRESS"),
        // What failed or was called off is done as well; the result says why.
        Phase::Completed | Phase::Failed | Phase::Canceled => (200, "COMPLETED"),
    };
    if step == Step::Status {
        let mut answer = json!({"status": word, "request_id": id, "response_url": base, "status_url": format!("{base}/status"),
            "cancel_url": format!("{base}/cancel"), "logs": null, "metrics": {"inference_time": 1.5}});
        match phase {
            Phase::Queued => answer["queue_position"] = json!(1),
            Phase::Failed => {
                answer["error"] = json!(job.message);
                answer["error_type"] = json!("runtime_error");
            }
            _ => {}
        }
        return Ok(Reply::json(status, answer.to_string()));
    }
    Ok(match phase {
        Phase::Completed => Reply::json(200, job.result.to_string()),
        Phase::Failed => {
            let mut refusal = Refusal::new(Kind::Unsupported, job.message);
            refusal.status = 422;
            refusal.reply(Shape::Fal)
        }
        Phase::Canceled => Reply::json(400, json!({"detail": "Request was cancelled"}).to_string()),
        Phase::Queued | Phase::Running => {
            Reply::json(400, json!({"detail": "Request is still in progress"}).to_string())
        }
    })
}
