//! Wavespeed and Z.ai: pictures that are always submitted and polled.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::pictures::Drawing;
use super::{Answered, Call, maybe, text};
use crate::chat::errors::{Kind, Refusal};
use crate::reply::Reply;
use crate::works::{Job, Order, Phase};

pub(super) fn wavespeed(call: &Call<'_>, model: &str) -> Answered {
    let body = call.json()?;
    let task = call.task(model, &["text-to-image", "image-to-image"])?;
    let edits = task == "image-to-image";
    let prompt = if edits { maybe(&body, "prompt")?.unwrap_or_default() } else { text(&body, "prompt")? };
    let mut drawing = Drawing::of(prompt).with(&body)?.sides(&body)?.counted(&body, "num_images", 4)?;
    if let Some(size) = maybe(&body, "size")? {
        drawing = drawing.size_text("size", size, '*')?;
    }
    if edits {
        drawing = images(&body, drawing)?;
    }
    let outputs: Vec<Value> = drawing.all().map(|picture| json!(call.keep("image/png", "png", picture))).collect();
    let order = Order { backend: "wavespeed", model, operation: super::operation_of(task), result: json!(outputs) };
    let job = call.state.works.submit(call.ask, order, call.ask.knobs.queue_polls);
    call.note_job(&job.id);
    Ok(Reply::json(200, standing(&job, "created").to_string()))
}

/// One or several, as addresses, data URIs or bare base64; clients send one of them twice.
fn images(body: &Value, drawing: Drawing) -> Result<Drawing, Refusal> {
    let list = body.get("images").and_then(Value::as_array).filter(|list| !list.is_empty());
    let all: Vec<&str> = match (list, maybe(body, "image")?) {
        (Some(list), _) => list.iter().filter_map(Value::as_str).collect(),
        (None, Some(one)) => vec![one],
        (None, None) => return Err(Refusal::new(Kind::Malformed, "image: Field required").about("image")),
    };
    all.into_iter().try_fold(drawing, |drawing, image| match STANDARD.decode(image) {
        Ok(bytes) => drawing.input("input", &bytes),
        Err(_) => drawing.input_uri("input", "image", image),
    })
}

fn standing(job: &Job, status: &str) -> Value {
    let outputs = if status == "completed" { job.result.clone() } else { json!([]) };
    let error = if status == "failed" { job.message.as_str() } else { "" };
    json!({"code": 200, "message": "success", "data": {"id": job.id, "model": job.model, "outputs": outputs,
        "urls": {"get": format!("https://api.wavespeed.ai/api/v3/predictions/{}/result", job.id)},
        "has_nsfw_contents": [], "status": status, "error": error, "created_at": "2025-01-01T00:00:00.000Z",
        "timings": {"inference": 0}}})
}

pub(super) fn wavespeed_job(call: &Call<'_>, id: &str) -> Answered {
    call.note_job(id);
    let Some(job) = call.state.works.poll("wavespeed", id) else {
        return Ok(Reply::json(404, json!({"code": 404, "message": "prediction not found"}).to_string()));
    };
    let status = match job.phase() {
        Phase::Queued => "created",
        Phase::Running => "processing",
        Phase::Completed => "completed",
        Phase::Failed | Phase::Canceled => "failed",
    };
    Ok(Reply::json(200, standing(&job, status).to_string()))
}

pub(super) fn zai(call: &Call<'_>) -> Answered {
    let body = call.json()?;
    let model = text(&body, "model")?;
    call.task(model, &["text-to-image"])?;
    let mut drawing = Drawing::of(text(&body, "prompt")?).with(&body)?;
    if let Some(size) = maybe(&body, "size")? {
        drawing = drawing.size_text("size", size, 'x')?;
    }
    let outputs: Vec<Value> =
        drawing.all().map(|picture| json!({"url": call.keep("image/png", "png", picture)})).collect();
    let order = Order { backend: "zai-org", model, operation: "image", result: json!(outputs) };
    let job = call.state.works.submit(call.ask, order, call.ask.knobs.queue_polls);
    call.note_job(&job.id);
    let answer = json!({"id": job.id, "request_id": job.id, "model": model, "task_status": "PROCESSING"});
    Ok(Reply::json(200, answer.to_string()))
}

pub(super) fn zai_job(call: &Call<'_>, id: &str) -> Answered {
    call.note_job(id);
    let Some(job) = call.state.works.poll("zai-org", id) else {
        return Err(Refusal::new(Kind::NoModel, "task not found"));
    };
    let mut answer = json!({"id": job.id, "request_id": job.id, "model": job.model, "task_status": "PROCESSING"});
    match job.phase() {
        Phase::Completed => {
            answer["task_status"] = json!("SUCCESS");
            answer["image_result"] = job.result.clone();
        }
        Phase::Failed | Phase::Canceled => answer["task_status"] = json!("FAIL"),
        Phase::Queued | Phase::Running => {}
    }
    Ok(Reply::json(200, answer.to_string()))
}
