//! The same for sound, pictures and embeddings: what the official clients send for a task, and where they ask afterwards, is
//! what we send. Every difference has a written reason.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use providers::{
    Codec, Dress, Endpoint, Routing, TABLE,
    exchange::{Ask, Exchange, Got, Lora, Model, Send, Step, To, Work},
    find,
};
use serde_json::{Map, Value, json};
use types::{
    Operation, Secret,
    ask::{Delivery, EditAsk, ImageAsk, Picture, SpeechAsk, TranscriptionAsk, Upload},
};
use wire::{json::Limits, multipart, openai::embeddings};

use crate::{
    sent::{differing, json_files},
    works::sound,
};

const ROUTER: &str = "https://router.example";

/// A difference that is meant: client, backends, call, member, why.
type Meant = (&'static str, &'static [&'static str], &'static str, &'static str, &'static str);

const MEANT: &[Meant] = &[
    (
        "python",
        &["fal-ai"],
        "text_to_image",
        "path",
        "long work survives in the queue, as the JavaScript client has it",
    ),
    ("python", &["fal-ai"], "lora", "path", "long work survives in the queue, as the JavaScript client has it"),
    ("python", &["fal-ai"], "asr", "audio_url", "the JavaScript client's label is the one that fal takes for WAV"),
    ("python", &["fal-ai"], "image_to_image", "image_url", "PNG is not labelled JPEG"),
    ("python", &["fal-ai"], "image_to_image", "image_urls", "PNG is not labelled JPEG"),
    ("python", &["replicate"], "image_to_image", "input.image", "PNG is not labelled JPEG"),
    ("python", &["replicate"], "image_to_image", "input.images", "PNG is not labelled JPEG"),
    ("python", &["replicate"], "image_to_image", "input.input_image", "PNG is not labelled JPEG"),
    ("python", &["replicate"], "image_to_image", "input.input_images", "PNG is not labelled JPEG"),
    ("python", &["together"], "image_to_image", "reference_images", "PNG is not labelled JPEG"),
    ("python", &["wavespeed"], "image_to_image", "image", "PNG is not labelled JPEG"),
    (
        "python",
        &["wavespeed"],
        "image_to_image",
        "images",
        "several pictures go as a list, as in the JavaScript client",
    ),
    ("js", &["wavespeed"], "image_to_image", "image", "a data URI says what it is, as in the Python client"),
    ("js", &["wavespeed"], "image_to_image", "images", "a data URI says what it is"),
    ("python", &["wavespeed"], "lora", "loras", "without it there is no adapter; the JavaScript client has it"),
    ("python", &["hf-inference"], "text_to_speech", "parameters", "an empty object says nothing"),
    ("python", &["hf-inference"], "asr", "content-type", "the bytes are labelled, as in the JavaScript client"),
    ("python", &["deepinfra"], "asr", "file", "the file is labelled, as in the JavaScript client"),
    ("python", &["together"], "text_to_image", "size", "the service ignores what it does not know; its map has `size`"),
    ("js", &["together"], "text_to_image", "size", "the service ignores what it does not know; its map has `size`"),
    ("js", &["fal-ai"], "text_to_image", "image_size", "width and height stand in an object, as in the Python client"),
    ("js", &["fal-ai"], "text_to_image", "width", "width and height stand in an object, as in the Python client"),
    ("js", &["fal-ai"], "text_to_image", "height", "width and height stand in an object, as in the Python client"),
    ("js", &["fal-ai"], "lora", "image_size", "width and height stand in an object, as in the Python client"),
    ("js", &["fal-ai"], "lora", "width", "width and height stand in an object, as in the Python client"),
    ("js", &["fal-ai"], "lora", "height", "width and height stand in an object, as in the Python client"),
    ("js", &["zai-org"], "text_to_image", "size", "the service wants `size`, as in the Python client"),
    ("js", &["zai-org"], "text_to_image", "width", "the service wants `size`, as in the Python client"),
    ("js", &["zai-org"], "text_to_image", "height", "the service wants `size`, as in the Python client"),
    ("js", &["zai-org"], "text_to_image", "num_inference_steps", "the service has none, as in the Python client"),
];

const CALLS: &[(&str, Operation)] = &[
    ("feature_extraction", Operation::Embeddings),
    ("text_to_speech", Operation::Speech),
    ("asr", Operation::Transcription),
    ("text_to_image", Operation::Image),
    ("lora", Operation::Image),
    ("image_to_image", Operation::ImageEdit),
];

/// What goes out, by parts: the path, headers that say something about the body, and the members of the body.
type Parts = Map<String, Value>;

#[test]
fn the_official_clients_send_what_we_send_for_every_task() {
    let mut used = BTreeSet::new();
    let mut compared = BTreeSet::new();
    for client in ["python", "js"] {
        for (name, fixture) in json_files(&format!("tests/captured/{client}/tasks")) {
            for way in ["routed", "direct"].into_iter().filter(|way| !fixture[*way].is_null()) {
                compare(client, &format!("{client}/{name} {way}"), way, &fixture, &mut used);
                compared.insert((client, name.clone()));
            }
        }
    }
    for (at, meant) in MEANT.iter().enumerate() {
        assert!(used.contains(&at), "no fixture differs any more: {meant:?}");
    }
    for backend in TABLE.iter().filter(|backend| backend.routing == Routing::Live) {
        for (call, operation) in CALLS.iter().filter(|(call, op)| *call != "lora" && backend.can(*op)) {
            let one = |client| compared.contains(&(client, format!("{}.{call}", backend.id)));
            assert!(one("python") || one("js"), "nobody was captured doing {} at {}", operation.name(), backend.id);
        }
    }
}

fn compare(client: &str, place: &str, way: &str, fixture: &Value, used: &mut BTreeSet<usize>) {
    let (backend, call) = (fixture["backend"].as_str().unwrap(), fixture["call"].as_str().unwrap());
    let operation = CALLS.iter().find(|(name, _)| *name == call).unwrap().1;
    let known = find(backend).unwrap();
    let endpoint = match way {
        "routed" => Endpoint::routed(known, operation, ROUTER),
        _ => Endpoint::direct(known, operation, None),
    };
    let endpoint = endpoint.unwrap().unwrap_or_else(|| panic!("{place}: we cannot"));
    let theirs = &fixture[way];
    assert_eq!(theirs["method"], "POST", "{place}");
    let model = model(theirs);
    let (ours, exchange) = ours(&endpoint, &model, call, fixture);
    let before = if way == "routed" { format!("/{backend}") } else { String::new() };
    for (member, our, their) in differing(&Value::Object(ours), &Value::Object(parts_of(theirs, &before))) {
        let meant = MEANT.iter().position(|(c, backends, k, m, _)| {
            *c == client && backends.contains(&backend) && *k == call && *m == member
        });
        match meant {
            Some(at) => used.insert(at),
            None => panic!("{place}: `{member}` differs\n ours {our:?}\n theirs {their:?}"),
        };
    }
    if let Some(exchange) = exchange {
        follow(exchange, backend, &before, &theirs["then"], place);
    }
}

/// The backend's name of the model, from where the client put it.
fn model(theirs: &Value) -> String {
    let path = theirs["path"].as_str().unwrap().split('?').next().unwrap();
    let body = &theirs["body"];
    if let Some(version) = body["version"].as_str() {
        return format!("some/model:{version}");
    }
    for (front, back) in [
        ("/v1/models/", "/predictions"),
        ("/models/", "/pipeline/feature-extraction"),
        ("/models/", ""),
        ("/api/v3/", ""),
    ] {
        if let Some(model) = path.strip_prefix(front).and_then(|rest| rest.strip_suffix(back)) {
            return model.to_owned();
        }
    }
    let field = body["multipart"].as_array().into_iter().flatten().find(|part| part["name"] == "model");
    field.map_or(&body["model"], |part| &part["value"]).as_str().unwrap_or(&path[1..]).to_owned()
}

/// The bytes that stand behind "a WAV of 4524 bytes" and "a PNG of 70 bytes": in fixtures that hold them.
fn file(call: &str) -> Bytes {
    let (name, member) =
        if call == "asr" { ("fal-ai.asr", "audio_url") } else { ("fal-ai.image_to_image", "image_url") };
    let all: BTreeMap<_, _> = json_files("tests/captured/js/tasks").into_iter().collect();
    let uri = all[name]["routed"]["body"][member].as_str().unwrap();
    STANDARD.decode(uri.split_once(',').unwrap().1).unwrap().into()
}

fn ours(endpoint: &Endpoint, model: &str, call: &str, fixture: &Value) -> (Parts, Option<Exchange>) {
    let asked = &fixture["asked"];
    let said = &asked["parameters"];
    let text = asked["inputs"].as_str().unwrap().to_owned();
    if let Codec::Embeddings(dialect) = &endpoint.codec {
        let body = json!({"model": "asked", "input": text});
        let read = embeddings::Call::read(Bytes::from(body.to_string()), &Limits::default()).unwrap();
        let encoded = embeddings::encode(&read, dialect, model, Ask::default()).unwrap();
        let to = To::Backend { target: endpoint.target(model).unwrap() };
        return (parts(endpoint, &to, &[], &encoded.body.to_bytes()), None);
    }
    let upload = |kind: &str| Upload { bytes: file(call).into(), file_name: None, claimed_type: Some(kind.to_owned()) };
    let number = |name: &str| said[name].as_number().cloned();
    let side = |name: &str| said[name].as_u64().and_then(|side| u32::try_from(side).ok());
    let sides = said["size"].as_str().map(|size| {
        let (width, height) = size.split_once('x').unwrap();
        (width.parse().unwrap(), height.parse().unwrap())
    });
    let image = |prompt: &str| ImageAsk {
        prompt: prompt.to_owned(),
        size: side("width").zip(side("height")).or(sides),
        seed: number("seed"),
        num_inference_steps: number("num_inference_steps"),
        // Both clients want bytes of those who are asked; fal and the like give addresses all the same.
        delivery: matches!(endpoint.backend.as_str(), "together" | "nscale").then_some(Delivery::B64Json),
        ..ImageAsk::default()
    };
    let work = match call {
        "text_to_speech" => {
            // The Python client says Kokoro's voice by itself.
            let voice = (endpoint.backend.as_str() == "together").then(|| "af_alloy".to_owned());
            Work::Speech(SpeechAsk { input: text, voice, ..SpeechAsk::default() })
        }
        "asr" => Work::Transcription(TranscriptionAsk { file: upload("audio/wav"), ..sound() }),
        "image_to_image" => Work::Edit(EditAsk {
            image: image(said["prompt"].as_str().unwrap()),
            images: vec![Picture::Bytes(upload("image/png"))],
            mask: None,
            use_image_urls: None,
        }),
        _ => Work::Image(image(&text)),
    };
    let weights = Some("flux-chatgpt-ghibli-lora.safetensors");
    let lora = (call == "lora").then_some(Lora { weights });
    let named = Model { id: model, hub_id: fixture["hub_model"].as_str(), lora };
    let lenient = Ask { lenient: true, backend: "" };
    let (exchange, send, _) = Exchange::begin(endpoint, &named, &work, lenient).unwrap();
    (parts(endpoint, &send.to, &send.headers, &send.body.to_bytes()), Some(exchange))
}

fn parts(endpoint: &Endpoint, to: &To, own: &[(http::HeaderName, http::HeaderValue)], body: &Bytes) -> Parts {
    let To::Backend { target } = to else { panic!() };
    let key = Secret::new("k");
    let mut headers = endpoint.headers(Dress { key: Some(&key), bill_to: None }).unwrap();
    headers.extend(own.iter().map(|(name, value)| (Some(name.clone()), value.clone())));
    let mut parts = Map::new();
    parts.insert("path".into(), target.clone().into());
    for (name, value) in headers.iter().filter(|(name, _)| *name != "user-agent") {
        parts.insert(name.to_string(), said(name.as_str(), value.to_str().unwrap()));
    }
    let form = headers["content-type"].to_str().unwrap();
    if form.starts_with("multipart/") {
        for field in multipart::Form::read(form, body.clone(), multipart::Limits::default()).unwrap().fields {
            let value = match field.content {
                multipart::Content::Text(text) => json!(text),
                multipart::Content::File(file) => json!([file.file_name, file.claimed_type, file.bytes.len()]),
            };
            parts.insert(field.name, value);
        }
    } else {
        match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => members(&object, &mut parts),
            _ => {
                parts.insert("bytes".into(), body.len().into());
            }
        }
    }
    parts
}

/// What of a header says something: not the key, not the boundary.
fn said(name: &str, value: &str) -> Value {
    match name {
        "authorization" => value.split(' ').next().unwrap().into(),
        "content-type" => value.split(';').next().unwrap().into(),
        _ => value.into(),
    }
}

fn parts_of(theirs: &Value, before: &str) -> Parts {
    let mut parts = Map::new();
    parts.insert("path".into(), format!("{before}{}", theirs["path"].as_str().unwrap()).into());
    // `accept` says what the client can show, and the services do not heed it.
    for (name, value) in theirs["headers"].as_object().unwrap().iter().filter(|(name, _)| *name != "accept") {
        parts.insert(name.clone(), said(name, value.as_str().unwrap()));
    }
    let body = theirs["body"].as_object().unwrap();
    if let Some(form) = body.get("multipart") {
        for part in form.as_array().unwrap() {
            let file = json!([part["file_name"], part["content_type"], part["bytes"]]);
            let value = part.get("value").cloned().unwrap_or(file);
            parts.insert(part["name"].as_str().unwrap().to_owned(), value);
        }
    } else if let Some(bytes) = body.get("bytes") {
        parts.insert("bytes".into(), bytes.clone());
    } else {
        members(body, &mut parts);
    }
    parts
}

fn members(object: &Map<String, Value>, parts: &mut Parts) {
    for (name, value) in object {
        match value {
            Value::Object(inner) if name == "input" || name == "parameters" && !inner.is_empty() => {
                for (inner, value) in inner {
                    parts.insert(format!("{name}.{inner}"), value.clone());
                }
            }
            _ => {
                parts.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Whoever is polled is asked where the client asked.
fn follow(mut exchange: Exchange, backend: &str, before: &str, then: &Value, place: &str) {
    let paths: Vec<&str> = then.as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    let polls: Vec<&str> = paths.iter().copied().filter(|path| !path.starts_with("/_assets/")).collect();
    let Some(first) = polls.first() else { return };
    let mut next = |body: Value| {
        let got = Got { status: 200, header: &|_| None, body: body.to_string().into(), clock: 0 };
        match exchange.next(got, Duration::ZERO).unwrap() {
            Step::Wait { then, .. } | Step::Send(then) => Some(then),
            Step::Done(_) => None,
        }
    };
    let own = first.split('?').next().unwrap();
    let answer = match backend {
        "fal-ai" => {
            let own = own.strip_suffix("/status").unwrap();
            let id = own.rsplit('/').next().unwrap();
            json!({"request_id": id, "response_url": format!("https://queue.fal.run{own}")})
        }
        "wavespeed" => json!({"data": {"id": "w", "urls": {"get": format!("https://api.wavespeed.ai{own}")}}}),
        _ => json!({"id": own.rsplit('/').next().unwrap(), "task_status": "PROCESSING"}),
    };
    let target = |send: &Option<Send>| match send.as_ref().map(|send| &send.to) {
        Some(To::Backend { target }) => target.clone(),
        other => panic!("{place}: {other:?}"),
    };
    assert_eq!(target(&next(answer)), format!("{before}{first}"), "{place}");
    if let [_, result] = polls.as_slice() {
        assert_eq!(target(&next(json!({"status": "COMPLETED"}))), format!("{before}{result}"), "{place}");
    }
}
