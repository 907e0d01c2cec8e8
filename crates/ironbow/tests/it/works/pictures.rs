//! `/v1/images/…`: pictures of the size, seed and prompt that were asked, as addresses and in base64, whole and streamed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::it::{
    raw::Reply,
    world::{World, and},
};

const DRAWS: &str = "sandbox/draws";
const EDITS: &str = "sandbox/edits";
const DRAWING: &[&str] = &["hf-inference", "fal-ai", "replicate", "together", "nscale", "wavespeed", "zai-org"];

fn draw(world: &World, backend: &str, members: Value) -> Reply {
    let body = and(json!({"model": format!("huggingface/{backend}/{DRAWS}"), "prompt": "a red fox"}), members);
    world.send("POST", "/v1/images/generations", &[("content-type", "application/json")], body.to_string().as_bytes())
}

fn fnv(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

/// Width and height of a PNG, and the description that it carries.
fn read(png: &[u8]) -> (u32, u32, String) {
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "{:?}", &png[..png.len().min(16)]);
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    let at = png.windows(4).position(|w| w == b"tEXt").unwrap();
    let length = u32::from_be_bytes(png[at - 4..at].try_into().unwrap()) as usize;
    let text = &png[at + 4..at + 4 + length];
    let nul = text.iter().position(|b| *b == 0).unwrap();
    (number(16), number(20), String::from_utf8_lossy(&text[nul + 1..]).into_owned())
}

/// The bytes of a picture in an answer, fetched if it stands at an address.
fn bytes(world: &World, item: &Value) -> Vec<u8> {
    if let Some(text) = item["b64_json"].as_str() {
        return STANDARD.decode(text).unwrap();
    }
    let url = item["url"].as_str().unwrap();
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let addr = host.replace("localhost", &format!("127.0.0.1:{}", world.addr.port())).parse().unwrap_or(world.addr);
    let request = crate::it::raw::request("GET", &format!("/{path}"), &[], b"");
    let reply = crate::it::raw::Exchange::send(addr, &request).reply();
    assert_eq!(reply.status, 200, "{url}: {}", reply.text());
    assert!(reply.header("content-type").unwrap().starts_with("image/"));
    reply.body
}

#[test]
fn pictures_come_as_addresses_and_in_base64_from_every_backend() {
    let world = World::plain();
    for backend in DRAWING {
        for delivery in [None, Some("url"), Some("b64_json")] {
            let mut members = json!({"size": "256x128"});
            if let Some(delivery) = delivery {
                members["response_format"] = json!(delivery);
            }
            let reply = draw(&world, backend, members);
            assert_eq!(reply.status, 200, "{backend} {delivery:?}: {}", reply.text());
            let answer = reply.json();
            assert!(answer["created"].is_u64());
            let item = &answer["data"][0];
            match delivery {
                Some("url") => assert!(item["url"].as_str().unwrap().starts_with("http"), "{backend}: {item}"),
                Some(_) => assert!(item["b64_json"].is_string(), "{backend}: {item}"),
                None => {}
            }
            let (width, height, said) = read(&bytes(&world, item));
            assert!(said.starts_with("a red fox"), "{backend}: {said}");
            assert_eq!((width, height), (256, 128), "{backend}");
        }
    }
    let leaked: Vec<_> = world.sandbox.journal().into_iter().filter(|e| e["leaked"] == true).collect();
    assert!(leaked.is_empty(), "a key went to an asset: {leaked:?}");
}

#[test]
fn fals_parameters_are_mapped_as_promised() {
    let world = World::plain();
    let members = json!({"n": 2, "size": "64x64", "response_format": "b64_json", "output_format": "png", "moderation": "low",
        "seed": 18_446_744_073_709_551_615_u64, "negative_prompt": "blue", "num_inference_steps": 4, "guidance_scale": 2.5});
    let reply = draw(&world, "fal-ai", members);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["data"].as_array().unwrap().len(), 2);
    let submit = world.sandbox.journal().into_iter().find(|e| e["operation"] == "image").unwrap();
    let body: Value = serde_json::from_str(submit["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["num_images"], 2);
    assert_eq!(body["image_size"], json!({"width": 64, "height": 64}));
    assert_eq!((&body["sync_mode"], &body["enable_safety_checker"]), (&json!(true), &json!(false)));
    assert_eq!(body["seed"].as_u64(), Some(u64::MAX));
    assert_eq!(
        (&body["negative_prompt"], &body["num_inference_steps"], &body["guidance_scale"]),
        (&json!("blue"), &json!(4), &json!(2.5))
    );
}

#[test]
fn a_stream_shows_sketches_and_then_the_picture() {
    let world = World::plain();
    let reply = draw(&world, "fal-ai", json!({"stream": true, "size": "64x32"}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let events: Vec<Value> = reply
        .text()
        .split("\n\n")
        .filter_map(|f| f.lines().find_map(|l| l.strip_prefix("data: ")))
        .map(|d| serde_json::from_str(d).unwrap())
        .collect();
    let kinds: Vec<_> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert!(
        kinds.len() >= 3 && kinds[..kinds.len() - 1].iter().all(|k| *k == "image_generation.partial_image"),
        "{kinds:?}"
    );
    assert_eq!(kinds.last(), Some(&"image_generation.completed"));
    assert_eq!(read(&bytes(&world, events.last().unwrap())).0, 64);
    let reply = draw(&world, "together", json!({"stream": true}));
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!("unsupported_operation")));
}

fn edit(world: &World, backend: &str, pictures: &[&[u8]], fields: &[(&str, &str)]) -> Reply {
    let mut body = Vec::new();
    let model = format!("huggingface/{backend}/{EDITS}");
    for (name, value) in fields.iter().chain(&[("model", model.as_str()), ("prompt", "make it blue")]) {
        body.extend(format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
    }
    for picture in pictures {
        let name = if pictures.len() > 1 { "image[]" } else { "image" };
        body.extend(format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"a.png\"\r\ncontent-type: image/png\r\n\r\n").bytes());
        body.extend_from_slice(picture);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b--\r\n");
    world.send("POST", "/v1/images/edits", &[("content-type", "multipart/form-data; boundary=b")], &body)
}

#[test]
fn edits_see_the_picture_that_was_sent() {
    let world = World::plain();
    let picture = bytes(
        &world,
        &draw(&world, "hf-inference", json!({"size": "96x64", "response_format": "b64_json"})).json()["data"][0],
    );
    for backend in ["hf-inference", "fal-ai", "replicate", "together", "wavespeed"] {
        let reply = edit(&world, backend, &[&picture], &[("response_format", "b64_json")]);
        assert_eq!(reply.status, 200, "{backend}: {}", reply.text());
        let (.., said) = read(&bytes(&world, &reply.json()["data"][0]));
        assert!(said.starts_with("make it blue"), "{backend}: {said}");
        assert!(said.contains(&format!("{:016x}", fnv(&picture))), "{backend}: {said}");
    }
    let reply = edit(&world, "fal-ai", &[&picture], &[("stream", "true")]);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(
        reply.text().contains("image_edit.partial_image") && reply.text().contains("image_edit.completed"),
        "{:.300}",
        reply.text()
    );
}

#[test]
fn variations_and_backends_that_cannot_edit_say_so() {
    let world = World::plain();
    let reply = world.send(
        "POST",
        "/v1/images/variations",
        &[("content-type", "multipart/form-data; boundary=b")],
        b"--b--\r\n",
    );
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!("unsupported_operation")));
    let reply = edit(&world, "groq", &[b"\x89PNG\r\n\x1a\n"], &[]);
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (400, &json!("unsupported_operation")),
        "{}",
        reply.text()
    );
    let reply = edit(&world, "fal-ai", &[b"no picture"], &[]);
    assert_eq!(reply.status, 400, "{}", reply.text());
}

#[test]
fn a_job_that_fails_at_its_backend_is_a_true_error() {
    let world = World::plain();
    world.settings(&json!({"queue_ends": "failed", "queue_message": "NSFW detected, sorry"}));
    for backend in ["fal-ai", "wavespeed", "zai-org"] {
        let reply = draw(&world, backend, json!({}));
        assert!(reply.status >= 400, "{backend}: {}", reply.text());
        assert!(reply.text().contains("NSFW detected") || backend == "zai-org", "{backend}: {}", reply.text());
    }
}

#[test]
fn a_caller_who_leaves_cancels_the_job_upstream() {
    let world = World::plain();
    world.settings(&json!({"queue_ends": "stuck"}));
    let body = json!({"model": format!("huggingface/fal-ai/{DRAWS}"), "prompt": "never"}).to_string();
    let request = crate::it::raw::request(
        "POST",
        "/v1/images/generations",
        &[("content-type", "application/json")],
        body.as_bytes(),
    );
    let exchange = crate::it::raw::Exchange::send(world.addr, &request);
    let polled = |all: &[Value]| all.iter().any(|e| e["operation"] == "poll");
    assert!(polled(&world.journal_until(std::time::Duration::from_secs(10), polled)));
    drop(exchange);
    let cancelled = |all: &[Value]| all.iter().any(|e| e["operation"] == "cancel");
    assert!(cancelled(&world.journal_until(std::time::Duration::from_secs(10), cancelled)));
}

#[test]
fn results_at_private_addresses_are_not_fetched_unless_allowed() {
    let world =
        World::with(crate::it::world::With { env: vec![("IRONBOW_ASSETS__ALLOW", "[]".into())], ..Default::default() });
    let reply = draw(&world, "replicate", json!({"response_format": "b64_json"}));
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert!(reply.text().contains("assets.allow"), "{}", reply.text());
    assert_eq!(world.sandbox.journal().iter().filter(|e| e["area"] == "asset").count(), 0);
}
