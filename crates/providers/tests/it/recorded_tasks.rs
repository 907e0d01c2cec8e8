//! Recorded sound and pictures: what was asked is what we would ask, and what was answered is read as it was meant. What is
//! expected of an answer is computed here from the recorded text, not by what is tested.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use providers::{
    Endpoint, TABLE,
    exchange::{Ask, Exchange, Got, Lora, Model, Step, To, Work},
};
use serde_json::{Map, Value};
use types::{
    Kind, Operation,
    ask::{Delivery, ImageAsk, Made, Outcome, SpeechAsk},
};
use wire::{json::Limits, openai::embeddings};

use crate::{
    sent::json_files,
    works::{PNG, edit_of, picture, sound},
};

const TASKS: &[(&str, Operation)] = &[
    ("text-to-speech", Operation::Speech),
    ("automatic-speech-recognition", Operation::Transcription),
    ("text-to-image", Operation::Image),
    ("image-to-image", Operation::ImageEdit),
];

/// Members that differ on purpose: provider, member, why.
const MEANT: &[(&str, &str, &str)] = &[
    ("hf-inference", "model", "the path names the model"),
    ("hf-inference", "options", "an empty object of an older client"),
    ("hf-inference", "parameters", "an empty object says nothing"),
    ("fal-ai", "response_format", "fal ignores it: `sync_mode` is its word"),
    ("fal-ai", "provider", "an older client's own member"),
    ("fal-ai", "inputs", "an older client's own member"),
    ("fal-ai", "loras", "an older client's mistake: fal refused it"),
    ("replicate", "provider", "an older client's own member: replicate refused it"),
    ("hyperbolic", "model", "an older client's mistake: hyperbolic refused it"),
    ("hyperbolic", "model_name", "what hyperbolic missed there"),
];

/// A recording of a task, with the endpoint that it belongs to today.
struct Recorded {
    id: String,
    url: String,
    endpoint: Endpoint,
    model: String,
    work: Work,
    asked: Value,
    legacy: bool,
    status: u16,
    body: Value,
}

fn all() -> Vec<Recorded> {
    let mut all = Vec::new();
    for (id, recording) in json_files("../wire/tests/recordings") {
        let task = recording["task"].as_str().unwrap_or_default();
        let Some((_, operation)) = TASKS.iter().find(|(name, _)| *name == task) else { continue };
        // It is not in the table: a name that Hugging Face removed, and that no cell of ours promises.
        let Some(backend) = TABLE.iter().find(|backend| id.starts_with(&format!("{}.", backend.id))) else {
            assert!(id.starts_with("black-forest-labs."), "{id}");
            continue;
        };
        let url = recording["request"]["url"].as_str().unwrap();
        let routed = url.starts_with("https://router.huggingface.co/") || backend.direct.is_none();
        let endpoint = if routed {
            Endpoint::routed(backend, *operation, "https://router.huggingface.co")
        } else {
            Endpoint::direct(backend, *operation, None)
        };
        let asked = recording["request"]["body"].clone();
        all.push(Recorded {
            model: model(url, &asked),
            work: work(*operation, &asked),
            id,
            url: url.to_owned(),
            endpoint: endpoint.unwrap().unwrap(),
            asked,
            legacy: !recording["legacy_route"].is_null(),
            status: recording["response"]["status"].as_u64().unwrap().try_into().unwrap(),
            body: recording["response"]["body"].clone(),
        });
    }
    assert!(all.len() > 40, "only {}", all.len());
    all
}

fn model(url: &str, asked: &Value) -> String {
    if let Some(version) = asked["version"].as_str() {
        return format!("some/model:{version}");
    }
    if url.ends_with("/images/generations") {
        return asked["model_name"].as_str().or_else(|| asked["model"].as_str()).unwrap().to_owned();
    }
    let path = url.split_once("://").unwrap().1.split_once('/').unwrap().1;
    let path = path.split_once("models/").map_or(path, |(_, rest)| rest);
    path.strip_suffix("/predictions").unwrap_or(path).to_owned()
}

/// The call that stands behind a recorded body.
fn work(operation: Operation, asked: &Value) -> Work {
    let text = |names: &[&str]| {
        let found = names.iter().find_map(|name| asked.pointer(name).and_then(Value::as_str).filter(|t| !t.is_empty()));
        found.unwrap_or_default().to_owned()
    };
    let at =
        |name: &str| ["", "/parameters", "/input"].iter().find_map(|place| asked.pointer(&format!("{place}/{name}")));
    let side = |name: &str| at(name).and_then(Value::as_u64).and_then(|side| u32::try_from(side).ok());
    match operation {
        Operation::Speech => {
            Work::Speech(SpeechAsk { input: text(&["/inputs", "/input/text"]), ..SpeechAsk::default() })
        }
        Operation::Transcription => Work::Transcription(sound()),
        Operation::ImageEdit => Work::Edit(edit_of(vec![picture(PNG)])),
        _ => Work::Image(ImageAsk {
            prompt: text(&["/prompt", "/inputs", "/input/prompt"]),
            size: side("width").zip(side("height")),
            negative_prompt: at("negative_prompt").and_then(Value::as_str).map(str::to_owned),
            num_inference_steps: at("num_inference_steps").and_then(Value::as_number).cloned(),
            delivery: (at("sync_mode") == Some(&Value::Bool(true))
                || matches!(at("response_format").and_then(Value::as_str), Some("base64" | "b64_json"))
                    && asked.get("model").is_some())
            .then_some(Delivery::B64Json),
            ..ImageAsk::default()
        }),
    }
}

fn begin(recorded: &Recorded) -> (Exchange, String, Value) {
    let lora = recorded.asked.pointer("/loras/0/path").and_then(Value::as_str).map(|path| {
        let path = path.strip_prefix("https://huggingface.co/").unwrap();
        path.split_once("/resolve/main/").unwrap()
    });
    let hub_id = lora.map(|(id, _)| id);
    let model = Model { id: &recorded.model, hub_id, lora: lora.map(|(_, weights)| Lora { weights: Some(weights) }) };
    let (exchange, send, _) = Exchange::begin(&recorded.endpoint, &model, &recorded.work, Ask::default()).unwrap();
    let To::Backend { target } = send.to else { panic!() };
    (exchange, target, serde_json::from_slice(&send.body.to_bytes()).unwrap_or_default())
}

#[test]
fn recorded_requests_for_sound_and_pictures_are_what_we_would_send() {
    let mut used = std::collections::BTreeSet::new();
    let mut compared = 0;
    for recorded in all().iter().filter(|recorded| !recorded.legacy && recorded.asked.get("omitted").is_none()) {
        let id = &recorded.id;
        let (_, target, ours) = begin(recorded);
        let there = format!("{}{target}", recorded.endpoint.origin());
        // fal was asked at once in those days; today the same path goes through its queue.
        assert_eq!(there.replace("https://queue.fal.run/", "https://fal.run/"), recorded.url, "{id}");
        for (member, our, their) in crate::sent::differing(&ours, &recorded.asked) {
            let meant = MEANT
                .iter()
                .position(|(backend, name, _)| *backend == recorded.endpoint.backend.as_str() && *name == member);
            match meant {
                Some(at) => used.insert(at),
                None => panic!("{id}: `{member}` differs\n ours {our:?}\n theirs {their:?}"),
            };
        }
        compared += 1;
    }
    assert!(compared >= 22, "only {compared} were compared");
    for (at, meant) in MEANT.iter().enumerate() {
        assert!(used.contains(&at), "no recording differs any more: {meant:?}");
    }
}

#[test]
fn recorded_answers_are_read_as_they_were_meant() {
    let (mut good, mut bad) = (0, 0);
    for recorded in all() {
        let id = &recorded.id;
        let body = bytes(&recorded.body);
        let (mut exchange, ..) = begin(&recorded);
        if id.starts_with("fal-ai.text-to-image.200") {
            submit(&mut exchange);
        }
        let got = Got { status: recorded.status, header: &|_| None, body: body.clone(), clock: 0 };
        let step = exchange.next(got, Duration::from_secs(1));
        let text: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        match step {
            Err(fault) => {
                assert!(recorded.status >= 400, "{id}: {fault}");
                assert_eq!(fault.status, Some(recorded.status), "{id}");
                let said = [&text["error"], &text["detail"], &text["detail"][0]["msg"]];
                let said = said.into_iter().find_map(Value::as_str).unwrap_or("404: Not Found").trim();
                assert!(fault.message.contains(said), "{id}: {}", fault.message);
                assert_eq!(fault.kind == Kind::UpstreamLoading, recorded.status == 503, "{id}");
                bad += 1;
                continue;
            }
            Ok(Step::Done(Outcome::Sound(sound))) => assert_eq!(sound, body, "{id}"),
            Ok(Step::Send(asset)) => {
                let url = text["output"].as_str().unwrap().to_owned();
                assert_eq!(asset.to, To::Asset { url }, "{id}");
            }
            Ok(Step::Done(Outcome::Transcript(heard))) => {
                assert_eq!(heard.text, text["text"], "{id}");
                let ends: Vec<_> = heard.segments.iter().map(|piece| (piece.start, piece.end)).collect();
                let chunks = text["chunks"].as_array().map_or(&[][..], Vec::as_slice);
                let want: Vec<_> = chunks
                    .iter()
                    .map(|one| (one["timestamp"][0].as_f64().unwrap(), one["timestamp"][1].as_f64()))
                    .collect();
                assert_eq!(ends, want, "{id}");
                assert_eq!(heard.language.as_deref(), text["inferred_languages"][0].as_str(), "{id}");
            }
            Ok(Step::Done(Outcome::Images { made, extra })) => pictures(id, &made, &extra, &text, &body),
            Ok(other) => panic!("{id}: {other:?}"),
        }
        assert!(recorded.status < 300, "{id}");
        good += 1;
    }
    assert!(good >= 35 && bad >= 6, "{good} good, {bad} bad");
}

fn pictures(id: &str, made: &[Made], extra: &Map<String, Value>, text: &Value, body: &Bytes) {
    let want: Vec<Made> = if text.is_null() {
        vec![Made::Bytes(body.clone())]
    } else {
        let list = ["images", "data", "output"].iter().find_map(|name| text[*name].as_array()).unwrap();
        let one = |item: &Value| {
            let said =
                [item, &item["url"], &item["b64_json"], &item["image"]].into_iter().find_map(Value::as_str).unwrap();
            match said.split_once(";base64,") {
                Some((_, base64)) => Made::Base64(base64.to_owned()),
                None if said.starts_with("https://") => Made::Url(said.to_owned()),
                None => Made::Base64(said.to_owned()),
            }
        };
        list.iter().map(one).collect()
    };
    assert_eq!(made, want, "{id}");
    if !id.starts_with("replicate.") {
        assert_eq!(extra.get("seed"), text.get("seed"), "{id}");
    }
    assert!(!extra.contains_key("images") && !extra.contains_key("data") && !extra.contains_key("input"), "{id}");
}

/// What went through the queue is asked for after it.
fn submit(exchange: &mut Exchange) {
    let say = |exchange: &mut Exchange, body: &'static str| {
        let got = Got { status: 200, header: &|_| None, body: Bytes::from_static(body.as_bytes()), clock: 0 };
        exchange.next(got, Duration::ZERO).unwrap()
    };
    say(exchange, r#"{"request_id":"r","response_url":"https://queue.fal.run/fal-ai/x/requests/r"}"#);
    say(exchange, r#"{"status":"COMPLETED"}"#);
}

/// A recorded body; bytes that were not recorded are stood in for.
fn bytes(body: &Value) -> Bytes {
    if let Some(text) = body.as_str() {
        return text.to_owned().into();
    }
    match body["base64"].as_str() {
        Some(base64) => STANDARD.decode(base64).unwrap().into(),
        None => Bytes::from_static(b"\xff\xd8\xff\xe0 not recorded"),
    }
}

#[test]
fn recorded_embeddings_are_asked_for_as_we_would() {
    let mut compared = 0;
    for (id, recording) in json_files("../wire/tests/recordings") {
        if recording["task"] != "embeddings" || !recording["legacy_route"].is_null() {
            continue;
        }
        let asked = &recording["request"]["body"];
        let backend = providers::find(recording["provider"].as_str().unwrap()).unwrap();
        let routed = Endpoint::routed(backend, Operation::Embeddings, "https://router.example").unwrap().unwrap();
        let input = asked.get("input").or_else(|| asked.get("inputs")).unwrap();
        let call = serde_json::json!({"model": "asked", "input": input}).to_string();
        let call = embeddings::Call::read(call.into(), &Limits::default()).unwrap();
        let encoded = embeddings::encode(&call, routed.embeddings().unwrap(), "m", Ask::default()).unwrap();
        let ours: Value = serde_json::from_slice(&encoded.body.to_bytes()).unwrap();
        for name in ["input", "inputs"] {
            // An older client gave sambanova both; one is enough, and strict services want no other.
            let both = id.starts_with("sambanova.") && name == "inputs";
            assert!(both || ours.get(name) == asked.get(name), "{id}: {name}");
        }
        compared += 1;
    }
    assert!(compared >= 7, "only {compared}");
}
