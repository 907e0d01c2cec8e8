//! Files that are too large for memory: byte for byte at every backend, in whatever form it wants them, and no trace of them after.

use std::{path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::sound::form;
use crate::it::world::{With, World};

const MB: usize = 1 << 20;

/// A world with a folder for temporary files of its own, which is empty.
fn world() -> (World, std::path::PathBuf) {
    let folder = std::env::temp_dir().join(format!("ironbow-uploads-{}-{}", std::process::id(), fastrand()));
    std::fs::create_dir_all(&folder).unwrap();
    let world = World::with(With {
        config: "[servers.own]\nurl = \"{sandbox}/custom/vllm/v1\"\ndialect = \"vllm\"\n",
        env: vec![("TMPDIR", folder.display().to_string())],
        ..With::default()
    });
    (world, folder)
}

fn fastrand() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos()
}

/// Sound of so many bytes in which no part is like another.
fn noise(size: usize) -> Vec<u8> {
    let mut wav = super::sound::wav();
    wav.truncate(44);
    wav.extend((0..(size - 44) as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8));
    let length = (size - 44) as u32;
    wav[40..44].copy_from_slice(&length.to_le_bytes());
    wav[4..8].copy_from_slice(&(length + 36).to_le_bytes());
    wav
}

fn fnv(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_large_recording_arrives_byte_for_byte_at_every_backend_and_leaves_nothing_behind() {
    let (world, folder) = world();
    let sound = noise(MB + 1);
    let said = format!("heard {} bytes of audio/wav {}", sound.len(), fnv(&sound));
    for model in [
        "hf-inference/openai/whisper-large-v3",
        "fal-ai/openai/whisper-large-v3",
        "replicate/openai/whisper-large-v3",
        "together/openai/whisper-large-v3",
        "deepinfra/openai/whisper-large-v3",
        "own/sandbox/vllm-model",
    ] {
        // The model last: until then nobody knows what becomes of the file.
        let model = format!("huggingface/{model}");
        let (kind, body) = form(&[("prompt", "p")], Some(("a.wav", "text/plain", &sound)));
        let end = body.len() - b"--XyZ--\r\n".len();
        let (_, last) = form(&[("model", &model)], None);
        let body = [&body[..end], &last].concat();
        let reply = world.send("POST", "/v1/audio/transcriptions", &[("content-type", &kind)], &body);
        assert_eq!(reply.status, 200, "{model}: {}", reply.text());
        assert_eq!(reply.json()["text"], said, "{model}");
        assert!(is_empty(&folder), "{model}: a temporary file has a name");
    }
    // The file goes with the call, which ends when its answer was written.
    let limit = std::time::Instant::now() + Duration::from_secs(10);
    while world.has_deleted_files() {
        assert!(std::time::Instant::now() < limit, "a temporary file is still open");
        std::thread::yield_now();
    }
    std::fs::remove_dir(&folder).unwrap();
}

#[test]
fn large_pictures_are_edited_as_they_came() {
    let (world, folder) = world();
    // The first picture is in memory and the second on disk.
    let picture = |size: usize| {
        let mut png = STANDARD.decode("iVBORw0KGgo=").unwrap();
        png.extend((0..size as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8));
        png
    };
    let (small, large) = (picture(1000), picture(600_000));
    for (model, several) in
        [("fal-ai", true), ("replicate", true), ("together", true), ("wavespeed", true), ("hf-inference", false)]
    {
        let model = format!("huggingface/{model}/sandbox/edits");
        let mut body = Vec::new();
        for (name, bytes) in [("image[]", &small), ("image[]", &large)].iter().skip(usize::from(!several)) {
            body.extend(
                format!("--XyZ\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"a\"\r\n\r\n").bytes(),
            );
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        let (kind, last) = form(&[("model", &model), ("prompt", "red"), ("response_format", "b64_json")], None);
        body.extend(last);
        let reply = world.send("POST", "/v1/images/edits", &[("content-type", &kind)], &body);
        assert_eq!(reply.status, 200, "{model}: {}", reply.text());
        let drawn = STANDARD.decode(reply.json()["data"][0]["b64_json"].as_str().unwrap()).unwrap();
        let drawn = String::from_utf8_lossy(&drawn);
        assert!(drawn.contains(&fnv(&large)), "{model} saw another picture");
        assert!(!several || drawn.contains(&fnv(&small)), "{model} saw another first picture");
        assert!(is_empty(&folder), "{model}");
    }
    drop(world);
    std::fs::remove_dir(&folder).unwrap();
}

#[test]
fn a_call_that_is_sent_twice_sends_the_whole_file_twice() {
    let (world, folder) = world();
    let sound = noise(MB);
    world.fault(&json!({"match": {"operation": "transcription"}, "times": 2, "fault": {"kind": "loading", "estimated_time": 0.01}}));
    let model = "huggingface/fal-ai/openai/whisper-large-v3";
    let (kind, body) = form(&[("model", model)], Some(("a.wav", "audio/wav", &sound)));
    let reply = world.send("POST", "/v1/audio/transcriptions", &[("content-type", &kind)], &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent: Vec<Value> =
        world.sandbox.journal().into_iter().filter(|entry| entry["operation"] == "transcription").collect();
    assert_eq!(sent.len(), 3);
    assert!(
        sent.iter()
            .all(|entry| entry["body_hash"] == sent[0]["body_hash"] && entry["body_bytes"] == sent[0]["body_bytes"])
    );
    drop(world);
    std::fs::remove_dir(&folder).unwrap();
}

#[test]
fn without_a_folder_for_temporary_files_memory_serves() {
    let world = World::with(With { env: vec![("TMPDIR", "/nowhere/at/all".into())], ..With::default() });
    let sound = noise(MB);
    let model = "huggingface/together/openai/whisper-large-v3";
    let (kind, body) = form(&[("model", model)], Some(("a.wav", "audio/wav", &sound)));
    let reply = world.send("POST", "/v1/audio/transcriptions", &[("content-type", &kind)], &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.text().contains(&fnv(&sound)), "{}", reply.text());
    assert!(world.log_line(|line| line.contains("no temporary file")).contains("TMPDIR"));
}
