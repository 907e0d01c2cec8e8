//! `/v1/audio/…`: text becomes sound, and sound becomes the same text again.

use serde_json::{Value, json};

use crate::it::{
    raw::Reply,
    world::{World, and},
};

const SPEAKS: &str = "sandbox/speaks";
const WHISPER: &str = "openai/whisper-large-v3";

fn speak(world: &World, backend: &str, members: Value) -> Reply {
    let body = and(json!({"model": format!("huggingface/{backend}/{SPEAKS}"), "voice": "af_alloy"}), members);
    world.send("POST", "/v1/audio/speech", &[("content-type", "application/json")], body.to_string().as_bytes())
}

/// A form as a browser writes it.
pub(super) fn form(fields: &[(&str, &str)], file: Option<(&str, &str, &[u8])>) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(format!("--XyZ\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
    }
    if let Some((name, kind, bytes)) = file {
        body.extend(
            format!("--XyZ\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: {kind}\r\n\r\n").bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XyZ--\r\n");
    ("multipart/form-data; boundary=XyZ".to_owned(), body)
}

/// A little sound.
pub(super) fn wav() -> Vec<u8> {
    let samples: Vec<u8> = (0..8_000_i16).flat_map(|n| ((n % 100) * 300).to_le_bytes()).collect();
    let size = samples.len() as u32;
    let format = [
        16_u32.to_le_bytes(),
        (1 << 16 | 1_u32).to_le_bytes(),
        16_000_u32.to_le_bytes(),
        32_000_u32.to_le_bytes(),
        (16 << 16 | 2_u32).to_le_bytes(),
    ];
    [b"RIFF", &(36 + size).to_le_bytes()[..], b"WAVEfmt ", &format.concat(), b"data", &size.to_le_bytes(), &samples]
        .concat()
}

fn hear(world: &World, path: &str, backend: &str, fields: &[(&str, &str)], file: (&str, &str, &[u8])) -> Reply {
    let model = format!("huggingface/{backend}/{WHISPER}");
    let mut all = fields.to_vec();
    all.push(("model", &model));
    let (kind, body) = form(&all, Some(file));
    world.send("POST", path, &[("content-type", &kind)], &body)
}

#[test]
fn what_is_spoken_by_any_backend_in_any_format_is_heard_again() {
    let world = World::plain();
    for backend in ["hf-inference", "fal-ai", "replicate", "together", "deepinfra"] {
        for format in [None, Some("wav"), Some("flac"), Some("pcm"), Some("mp3"), Some("opus")] {
            let mut members = json!({"input": "Hello, wörld!"});
            if let Some(format) = format {
                members["response_format"] = json!(format);
            }
            let reply = speak(&world, backend, members);
            assert_eq!(reply.status, 200, "{backend} {format:?}: {}", String::from_utf8_lossy(&reply.body));
            assert!(reply.complete && reply.body.len() > 400, "{backend} {format:?}: {} bytes", reply.body.len());
            let kind = reply.header("content-type").unwrap().to_owned();
            let wanted = match format {
                Some("mp3") => "audio/mpeg",
                Some("opus") => "audio/ogg",
                Some("flac") => "audio/flac",
                Some("pcm") => "audio/pcm",
                Some("wav") => "audio/wav",
                _ => "audio/",
            };
            assert!(kind.starts_with(wanted), "{backend} {format:?}: {kind}");
            // What loses nothing comes back as the very text.
            if matches!(format, None | Some("wav" | "flac")) && !kind.contains("mpeg") {
                let heard = hear(
                    &world,
                    "/v1/audio/transcriptions",
                    "hf-inference",
                    &[],
                    ("a.bin", "application/octet-stream", &reply.body),
                );
                assert_eq!(heard.json()["text"], "Hello, wörld!", "{backend} {format:?}");
            }
        }
    }
    let leaked: Vec<_> = world.sandbox.journal().into_iter().filter(|e| e["leaked"] == true).collect();
    assert!(leaked.is_empty(), "a key went to an asset: {leaked:?}");
}

#[test]
fn sound_is_passed_on_as_it_arrives_and_as_events_on_demand() {
    let world = World::plain();
    let reply =
        speak(&world, "together", json!({"input": "as events", "response_format": "wav", "stream_format": "sse"}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let events = reply.events();
    assert!(events.iter().any(|e| e["type"] == "speech.audio.delta"), "{}", reply.text());
    assert_eq!(events.last().unwrap()["type"], "speech.audio.done");
}

#[test]
fn every_backend_hears_every_format() {
    let world = World::plain();
    let sound = |format| {
        speak(&world, "hf-inference", json!({"input": "many words to be heard here", "response_format": format})).body
    };
    let (wav, flac) = (sound("wav"), sound("flac"));
    for backend in ["hf-inference", "fal-ai", "replicate"] {
        for (name, kind, bytes) in [("a.wav", "audio/wav", &wav), ("voice.dat", "text/plain", &flac)] {
            let heard = hear(&world, "/v1/audio/transcriptions", backend, &[], (name, kind, bytes));
            assert_eq!(heard.status, 200, "{backend} {name}: {}", heard.text());
            assert_eq!(heard.json()["text"], "many words to be heard here", "{backend} {name}");
        }
    }
    let opus = sound("opus");
    assert!(opus.starts_with(b"OggS"));
    let heard = hear(&world, "/v1/audio/transcriptions", "fal-ai", &[], ("voice.ogg", "audio/ogg", &opus));
    assert_eq!(heard.status, 200, "an Ogg voice note is converted: {}", heard.text());
}

#[test]
fn a_transcript_is_written_in_every_way() {
    let world = World::plain();
    let wav =
        speak(&world, "hf-inference", json!({"input": "one two three four five six", "response_format": "wav"})).body;
    let file = ("a.wav", "audio/wav", &wav[..]);
    let hear = |format: &str, more: &[(&str, &str)]| {
        let fields = [&[("response_format", format)], more].concat();
        hear(&world, "/v1/audio/transcriptions", "hf-inference", &fields, file)
    };
    assert_eq!(hear("text", &[]).text().trim(), "one two three four five six");
    let srt = hear("srt", &[]);
    assert!(srt.text().starts_with("1\n00:00:00,000 --> 00:00:"), "{}", srt.text());
    let vtt = hear("vtt", &[]);
    assert!(vtt.text().starts_with("WEBVTT\n") && vtt.header("content-type").unwrap().starts_with("text/vtt"));
    let verbose = hear("verbose_json", &[("timestamp_granularities[]", "segment")]).json();
    assert_eq!((&verbose["task"], &verbose["text"]), (&json!("transcribe"), &json!("one two three four five six")));
    assert!(
        verbose["segments"][0]["end"].as_f64().unwrap() > 0.0 && verbose["duration"].as_f64().unwrap() > 0.5,
        "{verbose}"
    );
    let streamed = hear("json", &[("stream", "true")]);
    assert_eq!(streamed.events().last().unwrap()["text"], "one two three four five six");
}

#[test]
fn forms_that_are_no_sound_calls_are_refused_by_name() {
    let world = World::plain();
    let model = format!("huggingface/hf-inference/{WHISPER}");
    for (fields, file) in [
        (vec![("model", model.as_str())], None),
        (vec![], Some(("a.wav", "audio/wav", &b"RIFF"[..]))),
        (vec![("model", model.as_str()), ("response_format", "xml")], Some(("a.wav", "audio/wav", b"RIFF"))),
    ] {
        let (kind, body) = form(&fields, file);
        let reply = world.send("POST", "/v1/audio/transcriptions", &[("content-type", &kind)], &body);
        assert_eq!(reply.status, 400, "{}", reply.text());
    }
    let reply = hear(
        &world,
        "/v1/audio/transcriptions",
        "fal-ai",
        &[],
        ("x.wav", "audio/wav", b"not sound at all, just words"),
    );
    assert_eq!((reply.status, &reply.json()["error"]["param"]), (400, &json!("file")), "{}", reply.text());
    let large = vec![0x55; 2_097_153];
    let reply = hear(
        &world,
        "/v1/audio/transcriptions",
        "hf-inference",
        &[],
        ("x.mp3", "audio/mpeg", &[&[0xff, 0xfb, 0x90, 0x64], &large[..]].concat()),
    );
    assert_eq!(reply.status, 413, "{}", reply.text());
    assert!(reply.text().contains("2097152"), "{}", reply.text());
    assert_eq!(world.sandbox.journal().iter().filter(|e| e["area"] == "routed").count(), 0);
}
