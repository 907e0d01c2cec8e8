//! Every task but chat, as each backend serves it: where a path leads, who may ask, and which room answers.

mod audio;
mod custom;
mod embeddings;
mod fal;
mod hf;
mod openai;
mod pictures;
mod queues;
mod replicate;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::ask::Ask;
use crate::backends::Backend;
use crate::chat;
use crate::chat::errors::{Kind, Refusal};
use crate::journal::Exchange;
use crate::place::Door;
use crate::reply::Reply;
use crate::server::State;
use crate::world;

pub(crate) use custom::{answer as answer_custom, operation as custom_operation};

/// One request on a backend's path.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) backend: &'static Backend,
    pub(crate) door: Door,
    pub(crate) state: &'a State,
    pub(crate) exchange: &'a Exchange,
}

type Answered = Result<Reply, Refusal>;

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spot<'a> {
    Embeddings,
    Speech,
    Transcription,
    Pictures,
    /// `models/{m}` of hf-inference; whether with `/pipeline/feature-extraction`.
    Hf(&'a str, bool),
    Fal(&'a str),
    FalStream(&'a str),
    FalQueue(&'a str),
    FalJob(&'a str, Step),
    /// A model in the path, or a version in the body.
    Predict(Option<&'a str>),
    Prediction(&'a str, Step),
    Wavespeed(&'a str),
    WavespeedJob(&'a str),
    Zai,
    ZaiJob(&'a str),
}

/// What is asked of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Status,
    Result,
    Cancel,
}

fn spot<'a>(backend: &str, route: &'a str, queue: bool) -> Option<Spot<'a>> {
    let parts: Vec<&str> = route.split('/').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    match (backend, route) {
        ("deepinfra", "v1/openai/embeddings") => Some(Spot::Embeddings),
        ("openai" | "scaleway" | "nebius" | "sambanova" | "together", "v1/embeddings") => Some(Spot::Embeddings),
        ("deepinfra", "v1/openai/audio/speech") | ("together", "v1/audio/speech") => Some(Spot::Speech),
        ("deepinfra", "v1/openai/audio/transcriptions") | ("together", "v1/audio/transcriptions") => {
            Some(Spot::Transcription)
        }
        ("together" | "nscale" | "hyperbolic" | "nebius", "v1/images/generations") => Some(Spot::Pictures),
        ("zai-org", "api/paas/v4/async/images/generations") => Some(Spot::Zai),
        ("zai-org", _) => route.strip_prefix("api/paas/v4/async-result/").map(Spot::ZaiJob),
        ("hf-inference", _) => {
            let rest = route.strip_prefix("models/")?;
            let piped = ["/pipeline/feature-extraction", "/pipeline/sentence-similarity"];
            match piped.iter().find_map(|end| rest.strip_suffix(end)) {
                Some(model) => Some(Spot::Hf(model, true)),
                None => Some(Spot::Hf(rest, false)),
            }
        }
        ("replicate", "v1/predictions") => Some(Spot::Predict(None)),
        ("replicate", _) => match parts.as_slice() {
            ["v1", "models", _, _, "predictions"] => {
                Some(Spot::Predict(route.strip_prefix("v1/models/")?.strip_suffix("/predictions")))
            }
            ["v1", "predictions", id] => Some(Spot::Prediction(id, Step::Status)),
            ["v1", "predictions", id, "cancel"] => Some(Spot::Prediction(id, Step::Cancel)),
            _ => None,
        },
        ("wavespeed", _) => match parts.as_slice() {
            ["api", "v3", "predictions", id, "result"] => Some(Spot::WavespeedJob(id)),
            _ => route.strip_prefix("api/v3/").map(Spot::Wavespeed),
        },
        ("fal-ai", _) => match parts.as_slice() {
            [.., "requests", id] => Some(Spot::FalJob(id, Step::Result)),
            [.., "requests", id, "status"] => Some(Spot::FalJob(id, Step::Status)),
            [.., "requests", id, "cancel"] => Some(Spot::FalJob(id, Step::Cancel)),
            _ if queue => Some(Spot::FalQueue(route)),
            _ => Some(route.strip_suffix("/stream").map_or(Spot::Fal(route), Spot::FalStream)),
        },
        _ => None,
    }
}

fn queued(ask: &Ask, queue: bool) -> bool {
    queue || ask.asked("_subdomain").iter().any(|value| value == "queue")
}

/// What a task is called in the journal.
fn operation_of(task: &str) -> &'static str {
    match task {
        "feature-extraction" | "sentence-similarity" => "embeddings",
        "text-to-speech" => "speech",
        "automatic-speech-recognition" => "transcription",
        "text-to-image" => "image",
        "image-to-image" => "image_edit",
        _ => "other",
    }
}

/// What a path and body ask for, for the journal and for faults; whether it is right is another matter.
pub(crate) fn operation(backend: &Backend, route: &str, queue: bool, ask: &Ask) -> Option<&'static str> {
    let named = |id: &str| world::served(backend.id, id).map(|route| operation_of(route.task));
    let body = || serde_json::from_slice::<Value>(&ask.body).unwrap_or_default();
    let text = |name: &str| body().get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match spot(backend.id, route, queued(ask, queue))? {
        Spot::Embeddings | Spot::Hf(_, true) => Some("embeddings"),
        Spot::Speech => Some("speech"),
        Spot::Transcription => Some("transcription"),
        Spot::Zai => Some("image"),
        Spot::Pictures => {
            let body = body();
            let edits = ["image_url", "reference_images"].iter().any(|name| body.get(name).is_some());
            Some(if edits { "image_edit" } else { "image" })
        }
        Spot::Hf(id, false) | Spot::Fal(id) | Spot::FalQueue(id) | Spot::Predict(Some(id)) | Spot::Wavespeed(id) => {
            named(id)
        }
        Spot::FalStream(id) => Some(if named(id) == Some("image_edit") { "image_edit_stream" } else { "image_stream" }),
        Spot::Predict(None) => replicate::versioned(&text("version")).map(|route| operation_of(route.task)),
        Spot::FalJob(_, step) | Spot::Prediction(_, step) => Some(match step {
            Step::Status => "poll",
            Step::Result => "result",
            Step::Cancel => "cancel",
        }),
        Spot::WavespeedJob(_) | Spot::ZaiJob(_) => Some("poll"),
    }
}

/// Answers a request on a backend's path.
pub(crate) fn answer(call: &Call<'_>, route: &str, queue: bool) -> Reply {
    admitted(call, route, queue).unwrap_or_else(|reply| reply)
}

fn admitted(call: &Call<'_>, route: &str, queue: bool) -> Result<Reply, Reply> {
    let (ask, backend) = (call.ask, call.backend);
    let refused = |refusal: Refusal| refusal.reply(backend.refusal);
    chat::enter(ask, backend, call.door)?;
    let nowhere = || refused(Refusal::new(Kind::NoPath, format!("Invalid URL ({} /{route})", ask.method)));
    let queue = queued(ask, queue);
    let spot = spot(backend.id, route, queue).ok_or_else(nowhere)?;
    let method = match spot {
        Spot::FalJob(_, Step::Cancel) => "PUT",
        Spot::FalJob(..) | Spot::Prediction(_, Step::Status) | Spot::WavespeedJob(_) | Spot::ZaiJob(_) => "GET",
        _ => "POST",
    };
    if ask.method != method {
        return Err(refused(chat::wrong_method()));
    }
    // Routed, the queue is another host behind a parameter, on every one of its calls.
    if matches!(spot, Spot::FalJob(..)) && !queue && call.door == Door::Routed {
        return Err(nowhere());
    }
    if matches!(operation(backend, route, queue, ask), Some("embeddings" | "speech" | "transcription")) {
        chat::small(ask, call.door)?;
    }
    room(call, spot).map_err(refused)
}

fn room(call: &Call<'_>, spot: Spot<'_>) -> Answered {
    match spot {
        Spot::Embeddings => embeddings::openai(call),
        Spot::Speech => openai::speech(call),
        Spot::Transcription => openai::transcription(call),
        Spot::Pictures => openai::pictures(call),
        Spot::Hf(model, pipeline) => hf::answer(call, model, pipeline),
        Spot::Fal(model) => fal::sync(call, model),
        Spot::FalStream(model) => fal::stream(call, model),
        Spot::FalQueue(model) => fal::submit(call, model),
        Spot::FalJob(id, step) => fal::job(call, id, step),
        Spot::Predict(model) => replicate::predict(call, model),
        Spot::Prediction(id, step) => replicate::job(call, id, step),
        Spot::Wavespeed(model) => queues::wavespeed(call, model),
        Spot::WavespeedJob(id) => queues::wavespeed_job(call, id),
        Spot::Zai => queues::zai(call),
        Spot::ZaiJob(id) => queues::zai_job(call, id),
    }
}

impl Call<'_> {
    /// The body as a JSON object.
    fn json(&self) -> Result<Value, Refusal> {
        object(self.ask)
    }

    /// The task that a model of this backend's is for, if it is one of those.
    fn task(&self, id: &str, tasks: &[&str]) -> Result<&'static str, Refusal> {
        let route = self.state.faults.route(self.backend.id, id);
        match route.map(|route| route.task) {
            Some(task) if tasks.contains(&task) => Ok(task),
            Some(task) => {
                let message = format!("The model `{id}` is for {task}, not for {}", tasks.join(" or "));
                Err(Refusal::new(Kind::Unsupported, message).about("model"))
            }
            None => Err(chat::no_model(self.backend, id)),
        }
    }

    fn keep(&self, media: &str, extension: &str, bytes: Vec<u8>) -> String {
        self.state.works.keep(self.ask, media, extension, bytes)
    }

    fn note_job(&self, id: &str) {
        self.exchange.note("job", id.into());
    }
}

/// A body as a JSON object.
fn object(ask: &Ask) -> Result<Value, Refusal> {
    chat::labelled(ask)?;
    let body: Value =
        serde_json::from_slice(&ask.body).map_err(|error| Refusal::new(Kind::Malformed, error.to_string()))?;
    if body.is_object() { Ok(body) } else { Err(Refusal::new(Kind::Malformed, "expected an object")) }
}

/// A member that must be a text.
fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    match body.get(name) {
        Some(Value::String(text)) => Ok(text),
        None => Err(Refusal::new(Kind::Malformed, "Field required").about(name)),
        Some(_) => Err(Refusal::new(Kind::Malformed, format!("{name}: str type expected")).about(name)),
    }
}

/// A member that is a text if it is there.
fn maybe<'a>(body: &'a Value, name: &str) -> Result<Option<&'a str>, Refusal> {
    if body.get(name).is_none_or(Value::is_null) { Ok(None) } else { text(body, name).map(Some) }
}

fn bad<T>(name: &str, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(Kind::Unsupported, message).about(name))
}

/// A `data:` URI as its label and bytes.
fn data_uri(text: &str) -> Option<(&str, Vec<u8>)> {
    let (head, body) = text.strip_prefix("data:")?.split_once(',')?;
    Some((head.strip_suffix(";base64")?, STANDARD.decode(body).ok()?))
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
