//! Pictures, edits and streams of pictures: every backend draws what was asked, in its own shape.

use super::client::{Got, asset, chat, get, own, sandbox, send, with};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::Running;
use serde_json::{Value, json};

fn hash(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Description hash, seed, index, width, height, step of a picture: its first row, behind the heads of zlib and of the row.
fn card(png: &[u8]) -> (u64, u64, u32, u32, u32, u32) {
    assert!(png.starts_with(b"\x89PNG"), "{:?}", &png[..8]);
    let data = png.windows(4).position(|window| window == b"IDAT").unwrap() + 4 + 8;
    let word = |at: usize| u32::from_be_bytes(png[data + at..data + at + 4].try_into().unwrap());
    let long = |at: usize| u64::from(word(at)) << 32 | u64::from(word(at + 4));
    (long(0), long(8), word(16), word(20), word(24), word(28))
}

fn drawn(png: &[u8], description: &str, index: u32, size: (u32, u32)) {
    assert_eq!(card(png), (hash(description.as_bytes()), 7, index, size.0, size.1, 0), "{description}");
}

async fn post(running: &Running, path: &str, body: Value) -> Got {
    chat(running, path, "hf_sandbox", &body).await
}

fn b64(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn backends_that_answer_at_once_draw_what_was_asked() {
    let running = sandbox();
    let size = json!({"width": 64, "height": 32, "seed": 7});
    let parameters = with(size.clone(), json!({"negative_prompt": "dogs"}));
    let hf = post(&running, "/hf-inference/models/sandbox/draws", json!({"inputs": "a cat", "parameters": parameters}))
        .await;
    assert_eq!(hf.header("content-type"), Some("image/jpeg"));
    drawn(&hf.body, "a cat\nnegative: dogs", 0, (64, 32));

    let body =
        json!({"model": own("together", "sandbox/draws"), "prompt": "a cat", "response_format": "base64", "n": 2});
    let together = post(&running, "/together/v1/images/generations", with(body, size.clone())).await;
    assert_eq!(together.header("retry-after"), Some("2"));
    drawn(&b64(&together.json()["data"][1]["b64_json"]), "a cat", 1, (64, 32));

    let body = json!({"model": own("nscale", "sandbox/draws"), "prompt": "a cat", "response_format": "b64_json", "seed": 7,
        "size": "64x32"});
    let nscale = post(&running, "/nscale/v1/images/generations", body).await.json();
    drawn(&b64(&nscale["data"][0]["b64_json"]), "a cat", 0, (64, 32));

    let ask = async |backend: &str, body: Value| {
        let path = format!("/direct/{backend}/v1/images/generations");
        chat(&running, &path, &format!("key-{backend}"), &with(body, size.clone())).await
    };
    let body = json!({"model": "stability-ai/sdxl", "prompt": "a cat", "response_format": "b64_json"});
    drawn(&b64(&ask("nebius", body).await.json()["data"][0]["b64_json"]), "a cat", 0, (64, 32));
    let hyper = ask("hyperbolic", json!({"model_name": "SD2", "prompt": "a cat"})).await.json();
    drawn(&b64(&hyper["images"][0]["image"]), "a cat", 0, (64, 32));
    let missing = ask("hyperbolic", json!({"model": "SD2", "prompt": "a cat"})).await;
    assert_eq!((missing.status, missing.json()["detail"][0]["loc"][1].clone()), (422, json!("model_name")));
}

#[tokio::test]
async fn fal_draws_at_once_and_labels_png_as_jpeg() {
    let running = sandbox();
    let body = json!({"prompt": "a cat", "image_size": {"width": 64, "height": 32}, "num_images": 2, "seed": 7});
    let got = post(&running, "/fal-ai/fal-ai/flux/dev", body.clone()).await.json();
    let second = &got["images"][1];
    assert_eq!((&second["content_type"], &second["width"]), (&json!("image/jpeg"), &json!(64)));
    let fetched = get(&running, &asset(&running, &second["url"]), None).await;
    assert_eq!(fetched.header("content-type"), Some("image/png"));
    drawn(&fetched.body, "a cat", 1, (64, 32));
    let inline = post(&running, "/fal-ai/fal-ai/flux/dev", with(body, json!({"sync_mode": true}))).await.json();
    let uri = inline["images"][0]["url"].as_str().unwrap();
    drawn(&STANDARD.decode(uri.strip_prefix("data:image/png;base64,").unwrap()).unwrap(), "a cat", 0, (64, 32));
    let seedless = post(&running, "/fal-ai/fal-ai/flux/dev", json!({"prompt": "a cat"})).await.json();
    assert!(seedless["seed"].as_u64().unwrap() > 1 << 63);
    for (path, body, status) in [
        ("/fal-ai/fal-ai/none", json!({"prompt": "x"}), 404),
        ("/fal-ai/fal-ai/flux/dev", json!({}), 422),
        ("/fal-ai/fal-ai/flux/dev", json!({"prompt": "x", "image_size": "64x32"}), 422),
        ("/fal-ai/fal-ai/flux/dev", json!({"prompt": "x", "num_images": 11}), 422),
        ("/fal-ai/fal-ai/flux-lora", json!({"prompt": "x", "loras": [{"path": {}}]}), 422),
        ("/fal-ai/fal-ai/lora", json!({"prompt": "x", "loras": [{"path": "https://x"}]}), 422),
    ] {
        assert_eq!(post(&running, path, body.clone()).await.status, status, "{path} {body}");
    }
}

#[tokio::test]
async fn streams_show_sketches_and_then_the_picture() {
    let running = sandbox();
    let body = json!({"prompt": "a cat", "sync_mode": true, "seed": 7, "image_size": {"width": 64, "height": 32}});
    let events = post(&running, "/fal-ai/fal-ai/flux/dev/stream", body).await.events();
    let steps: Vec<u32> = events
        .iter()
        .map(|event| {
            let uri = event["images"][0]["url"].as_str().unwrap();
            card(&STANDARD.decode(uri.split(',').nth(1).unwrap()).unwrap()).5
        })
        .collect();
    assert_eq!(steps, [1, 2, 0]);
    assert_eq!(running.journal()[0]["operation"], "image_stream");
}

#[tokio::test]
async fn edits_depend_on_prompt_and_picture() {
    let running = sandbox();
    let first = post(
        &running,
        "/hf-inference/models/sandbox/draws",
        json!({"inputs": "a cat", "parameters": {"width": 48, "height": 40}}),
    )
    .await
    .body;
    let uri = format!("data:image/png;base64,{}", STANDARD.encode(&first));
    let description = format!("red\ninput: {:016x}", hash(&first));

    let body = json!({"inputs": STANDARD.encode(&first), "parameters": {"prompt": "red", "seed": 7}});
    let hf = post(&running, "/hf-inference/models/sandbox/edits", body).await;
    drawn(&hf.body, &description, 0, (48, 40));

    let together = async |hub: &str, member: Value| {
        let body = json!({"model": own("together", hub), "prompt": "red", "seed": 7, "response_format": "base64"});
        post(&running, "/together/v1/images/generations", with(body, member)).await
    };
    let got = together("sandbox/edits", json!({"reference_images": [uri]})).await.json();
    drawn(&b64(&got["data"][0]["b64_json"]), &description, 0, (48, 40));
    assert_eq!(together("sandbox/edits", json!({"image_url": uri})).await.status, 400);
    assert_eq!(together("black-forest-labs/FLUX.1-Kontext-dev", json!({"image_url": uri})).await.status, 200);
    assert_eq!(together("black-forest-labs/FLUX.1-Kontext-dev", json!({"reference_images": [uri]})).await.status, 400);
    assert_eq!(running.journal().last().unwrap()["operation"], "image_edit");

    let several =
        json!({"prompt": "red", "seed": 7, "sync_mode": true, "image_urls": [uri, "https://example.com/b.png"]});
    let fal = post(&running, "/fal-ai/fal-ai/flux-2/edit", several.clone()).await.json();
    let got = STANDARD.decode(fal["images"][0]["url"].as_str().unwrap().split(',').nth(1).unwrap()).unwrap();
    drawn(&got, &format!("{description}\ninput: https://example.com/b.png"), 0, (48, 40));
    assert_eq!(post(&running, "/fal-ai/fal-ai/flux-kontext/dev", several).await.status, 422);
    let text = json!({"prompt": "red", "image_url": "data:image/png;base64,aGVsbG8="});
    assert_eq!(post(&running, "/fal-ai/fal-ai/flux-kontext/dev", text).await.status, 422);
}

#[tokio::test]
async fn results_are_for_those_without_a_key_and_can_go_wrong() {
    let running = sandbox();
    let got = post(&running, "/fal-ai/fal-ai/flux/dev", json!({"prompt": "x"})).await.json();
    let target = asset(&running, &got["images"][0]["url"]);
    assert_eq!(get(&running, &target, Some("hf_sandbox")).await.status, 400);
    assert_eq!(running.journal().last().unwrap()["leaked"], "authorization");
    assert_eq!(get(&running, "/_assets/none.png", None).await.status, 404);
    let fault =
        |fault: Value| running.fault(&json!({"match": {"operation": "asset"}, "times": 1, "fault": fault})).unwrap();
    fault(json!({"kind": "redirect", "to": "http://169.254.169.254/latest"}));
    let moved = send(&running, "GET", &target, &[], "").await;
    assert_eq!((moved.status, moved.header("location")), (302, Some("http://169.254.169.254/latest")));
    fault(json!({"kind": "content_type", "value": "text/html"}));
    assert_eq!(get(&running, &target, None).await.header("content-type"), Some("text/html"));
    running.set(&json!({"asset_base": "file:///etc"})).unwrap();
    let got = post(&running, "/fal-ai/fal-ai/flux/dev", json!({"prompt": "x"})).await.json();
    assert!(got["images"][0]["url"].as_str().unwrap().starts_with("file:///etc/_assets/"));
}
