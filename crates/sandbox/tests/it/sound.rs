//! Speech and transcription: what one backend says, every other one hears.

use super::client::{Got, asset, chat, get, own, sandbox, send, upload, with};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::Running;
use serde_json::{Value, json};

const WHISPER: &str = "/hf-inference/models/openai/whisper-large-v3";

async fn said(running: &Running, backend: &str, text: &str) -> Vec<u8> {
    let post = async |path: &str, body: Value| chat(running, path, "hf_sandbox", &body).await;
    let model = own(backend, "sandbox/speaks");
    match backend {
        "hf-inference" => post("/hf-inference/models/sandbox/speaks", json!({"inputs": text})).await.body,
        "fal-ai" => {
            let got = post(&format!("/fal-ai/{model}"), json!({"text": text})).await.json();
            assert_eq!(got["audio"]["content_type"], "audio/wav");
            get(running, &asset(running, &got["audio"]["url"]), None).await.body
        }
        "replicate" => {
            let body = json!({"input": {"text": text}}).to_string();
            let path = format!("/replicate/v1/models/{model}/predictions");
            let headers =
                [("authorization", "Bearer hf_sandbox"), ("content-type", "application/json"), ("prefer", "wait")];
            let got = send(running, "POST", &path, &headers, &body).await;
            assert_eq!((got.status, got.header("preference-applied")), (201, Some("wait=60")));
            let got = get(running, &asset(running, &got.json()["output"]), None).await;
            assert_eq!(got.header("content-type"), Some("audio/x-wav"));
            got.body
        }
        "together" => {
            let body = json!({"model": model, "input": text, "voice": "x", "response_format": "mp3"});
            post("/together/v1/audio/speech", body).await.body
        }
        _ => post("/deepinfra/v1/openai/audio/speech", json!({"model": model, "input": text})).await.body,
    }
}

async fn hears(running: &Running, sound: &[u8], media: &str) -> Value {
    upload(running, WHISPER, "hf_sandbox", media, sound).await.json()
}

#[tokio::test]
async fn what_every_backend_says_is_heard_again() {
    let running = sandbox();
    for (backend, media) in [
        ("hf-inference", "audio/flac"),
        ("fal-ai", "audio/wav"),
        ("replicate", "audio/x-wav"),
        ("together", "audio/mpeg"),
        ("deepinfra", "audio/wav"),
    ] {
        let sound = said(&running, backend, "hello there").await;
        assert_eq!(hears(&running, &sound, media).await, json!({"text": "hello there"}), "{backend}");
    }
}

#[tokio::test]
async fn labels_are_compared_with_bytes() {
    let running = sandbox();
    let sound = said(&running, "hf-inference", "x").await;
    let wrong = upload(&running, WHISPER, "hf_sandbox", "audio/wav", &sound).await;
    assert_eq!((wrong.status, wrong.json()["warnings"].is_array()), (400, true));
    running.fault(&json!({"match": {"operation": "transcription"}, "times": 1, "fault": {"kind": "loading"}})).unwrap();
    let loading = upload(&running, WHISPER, "hf_sandbox", "audio/flac", &sound).await;
    assert_eq!(
        (loading.status, loading.json()["error"].as_str()),
        (503, Some("Model openai/whisper-large-v3 is currently loading"))
    );
    let unknown = hears(&running, b"who knows", "audio/basic").await;
    assert!(unknown["text"].as_str().unwrap().starts_with("heard 9 bytes of application/octet-stream "));
    let large = vec![0; 2_097_153];
    assert_eq!(upload(&running, WHISPER, "hf_sandbox", "audio/basic", &large).await.status, 413);
}

async fn fal(running: &Running, model: &str, label: &str, sound: &[u8]) -> Got {
    let body = json!({"audio_url": format!("data:{label};base64,{}", STANDARD.encode(sound))});
    chat(running, &format!("/fal-ai/{model}"), "hf_sandbox", &body).await
}

#[tokio::test]
async fn fal_looks_at_the_label_and_leniently_at_the_bytes() {
    let running = sandbox();
    let flac = said(&running, "hf-inference", "ok").await;
    for label in ["audio/mpeg", "audio/x-wav", "video/webm"] {
        assert_eq!(fal(&running, "fal-ai/whisper", label, &flac).await.json()["text"], "ok", "{label}");
    }
    for label in ["audio/wav", "audio/webm", "audio/ogg", "audio/flac", "audio/mp4", "audio/x-m4a"] {
        let got = fal(&running, "fal-ai/whisper", label, &flac).await;
        assert_eq!((got.status, got.json()), (400, json!({"detail": "Unsupported data URL"})), "{label}");
    }
    let other = fal(&running, "fal-ai/wizper", "audio/mpeg", &flac).await.json();
    assert_eq!((&other["output"], other["segments"][0]["start"].as_f64()), (&json!("ok"), Some(0.0)));
}

fn form(file: &str, sound: &[u8], fields: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(format!("--B\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes());
    }
    let head = format!("--B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{file}\"\r\n\r\n");
    body.extend(head.into_bytes());
    body.extend(sound);
    body.extend(b"\r\n--B--\r\n");
    body
}

#[tokio::test]
async fn forms_are_read_and_shown_in_parts() {
    let running = sandbox();
    let sound = said(&running, "deepinfra", "one two three four five").await;
    let media = "multipart/form-data; boundary=B";
    let path = "/deepinfra/v1/openai/audio/transcriptions";
    let model = ("model", "openai/whisper-large-v3-DI");
    let words = [model, ("response_format", "verbose_json"), ("timestamp_granularities[]", "word")];
    running.clear_journal();
    let got = upload(&running, path, "hf_sandbox", media, &form("a.wav", &sound, &words)).await.json();
    assert_eq!((&got["text"], got["segments"][1]["text"].as_str()), (&json!("one two three four five"), Some(" five")));
    assert_eq!(got["words"].as_array().unwrap().len(), 5);
    let parts = running.journal()[0]["parts"].clone();
    assert_eq!((&parts[0]["value"], &parts[3]["kind"]), (&json!("openai/whisper-large-v3-DI"), &json!("audio/wav")));
    for body in [form("a.mp3", &sound, &[model]), form("a.wav", &sound, &[]), b"--B\r\n".to_vec()] {
        assert_eq!(upload(&running, path, "hf_sandbox", media, &body).await.status, 400);
    }
}

#[tokio::test]
async fn timestamps_translation_and_refusals_of_speech() {
    let running = sandbox();
    let sound = STANDARD.encode(said(&running, "hf-inference", "one two three four five").await);
    let body = json!({"inputs": sound, "parameters": {"return_timestamps": true}});
    let got = chat(&running, WHISPER, "hf_sandbox", &body).await.json();
    assert_eq!(got["chunks"][1], json!({"text": " five", "timestamp": [0.79, null]}));
    let speech = async |more: Value| {
        let body = with(json!({"model": "hexgrad/Kokoro-82M", "input": "x", "voice": "af_alloy"}), more);
        chat(&running, "/together/v1/audio/speech", "hf_sandbox", &body).await.status
    };
    assert_eq!(speech(json!({})).await, 200);
    for more in
        [json!({"voice": "alloy"}), json!({"voice": null}), json!({"response_format": "opus"}), json!({"input": ""})]
    {
        assert_eq!(speech(more.clone()).await, 400, "{more}");
    }
}
