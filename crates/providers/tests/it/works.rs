//! Calls for sound and pictures that touch every member, and what goes to a backend for each.

use bytes::Bytes;
use providers::{
    Codec, Endpoint, Flow,
    exchange::{Ask, Dropped, Exchange, Lora, Model, Send, To, Work, image_stream},
};
use serde_json::{Map, Value, json};
use types::{
    Operation,
    ask::{AudioFormat, Delivery, EditAsk, ImageAsk, Picture, SpeechAsk, TranscriptFormat, TranscriptionAsk, Upload},
};
use wire::{json::Limits, openai::embeddings};

pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0123456789";

/// One call.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) model: &'static str,
    pub(crate) lora: bool,
    pub(crate) work: Work,
}

pub(crate) fn upload(bytes: &'static [u8], kind: &str) -> Upload {
    Upload { bytes: Bytes::from_static(bytes).into(), file_name: None, claimed_type: Some(kind.to_owned()) }
}

pub(crate) fn picture(bytes: &'static [u8]) -> Picture {
    Picture::Bytes(upload(bytes, "application/octet-stream"))
}

pub(crate) fn extra(value: impl Into<Value>) -> Map<String, Value> {
    value.into().as_object().unwrap().clone()
}

fn number(value: impl Into<Value>) -> Option<serde_json::Number> {
    value.into().as_number().cloned()
}

fn case(name: &'static str, work: Work) -> Case {
    Case { name, model: "org/the-model", lora: false, work }
}

pub(crate) fn sound() -> TranscriptionAsk {
    TranscriptionAsk {
        file: upload(b"ID3 sound", "audio/mpeg"),
        translate: false,
        language: None,
        prompt: None,
        temperature: None,
        format: TranscriptFormat::Json,
        words: false,
        segments: false,
        extra: Map::new(),
    }
}

fn speeches() -> Vec<Case> {
    let plain = SpeechAsk { input: "hi".into(), voice: Some("af_bella".into()), ..SpeechAsk::default() };
    let all = SpeechAsk {
        voice: Some("alloy".into()),
        speed: number(json!(1.25)),
        format: Some(AudioFormat::Mp3),
        instructions: Some("gently".into()),
        extra: extra(json!({"own": 1, "user": "me"})),
        ..plain.clone()
    };
    let aac = SpeechAsk { format: Some(AudioFormat::Aac), ..plain.clone() };
    let kokoro = Case {
        model: "org/kokoro-82m:5599",
        ..case("Kokoro without a voice", Work::Speech(SpeechAsk { voice: None, ..plain.clone() }))
    };
    vec![
        case("plain", Work::Speech(plain.clone())),
        case("no voice", Work::Speech(SpeechAsk { voice: None, ..plain })),
        case("all", Work::Speech(all)),
        case("aac", Work::Speech(aac)),
        kokoro,
    ]
}

fn transcriptions() -> Vec<Case> {
    let all = TranscriptionAsk {
        language: Some("de".into()),
        prompt: Some("names".into()),
        temperature: number(json!(0.2)),
        translate: true,
        extra: extra(json!({"own": {"a": 1}, "user": "me"})),
        ..sound()
    };
    let wav = TranscriptionAsk { file: upload(b"RIFF....WAVE", "audio/x-wav"), words: true, ..sound() };
    let flac = TranscriptionAsk { file: upload(b"fLaC", "audio/flac"), segments: true, ..sound() };
    let ogg = TranscriptionAsk { file: upload(b"OggS", "audio/ogg"), format: TranscriptFormat::Srt, ..sound() };
    vec![
        case("plain", Work::Transcription(sound())),
        case("all", Work::Transcription(all)),
        case("words of WAV", Work::Transcription(wav)),
        case("segments of FLAC", Work::Transcription(flac)),
        Case { model: "a/b:5599", ..case("subtitles of Ogg", Work::Transcription(ogg)) },
    ]
}

pub(crate) fn full_image() -> ImageAsk {
    ImageAsk {
        prompt: "a cat".into(),
        n: Some(1),
        size: Some((512, 768)),
        seed: number(json!(14715652618304795000_u64)),
        negative_prompt: Some("a dog".into()),
        moderation: Some("low".into()),
        extra: extra(
            json!({"quality": "hd", "style": "vivid", "background": "opaque", "user": "me", "acceleration": "high"}),
        ),
        ..ImageAsk::default()
    }
}

fn images() -> Vec<Case> {
    let plain = ImageAsk { prompt: "a cat".into(), ..ImageAsk::default() };
    let with = |name, change: fn(&mut ImageAsk)| {
        let mut ask = ImageAsk { prompt: "a cat".into(), ..ImageAsk::default() };
        change(&mut ask);
        case(name, Work::Image(ask))
    };
    vec![
        case("plain", Work::Image(plain.clone())),
        case("full", Work::Image(full_image())),
        with("two", |ask| ask.n = Some(2)),
        with("steps", |ask| ask.num_inference_steps = number(json!(4))),
        with("guidance", |ask| ask.guidance_scale = number(json!(3.5))),
        with("jpeg", |ask| ask.output_format = Some("jpeg".into())),
        with("webp", |ask| ask.output_format = Some("webp".into())),
        with("address", |ask| ask.delivery = Some(Delivery::Url)),
        with("base64", |ask| ask.delivery = Some(Delivery::B64Json)),
        with("adapters of its own", |ask| ask.extra = extra(json!({"loras": [{"path": "x"}]}))),
        Case { lora: true, ..case("adapter", Work::Image(plain.clone())) },
        Case { lora: true, model: "fal-ai/lora", ..case("adapter of SDXL", Work::Image(plain.clone())) },
        Case { model: "a/b:5599", ..case("version", Work::Image(plain)) },
    ]
}

pub(crate) fn edit_of(images: Vec<Picture>) -> EditAsk {
    let image = ImageAsk { prompt: "redder".into(), ..ImageAsk::default() };
    EditAsk { image, images, mask: None, use_image_urls: None }
}

fn edits() -> Vec<Case> {
    let one = || edit_of(vec![picture(PNG)]);
    let two = || edit_of(vec![picture(PNG), picture(b"\xff\xd8\xff jpeg bytes")]);
    let silent = EditAsk { image: ImageAsk::default(), ..one() };
    let size = EditAsk { image: ImageAsk { size: Some((64, 32)), ..one().image }, ..one() };
    let many = |n| EditAsk { image: ImageAsk { n: Some(n), ..one().image }, ..one() };
    let on = |model, name, ask| Case { model, ..case(name, Work::Edit(ask)) };
    vec![
        case("one", Work::Edit(one())),
        case("two", Work::Edit(two())),
        case("silent", Work::Edit(silent)),
        case("size", Work::Edit(size)),
        case("ten", Work::Edit(many(10))),
        case("eleven", Work::Edit(many(11))),
        case("address", Work::Edit(edit_of(vec![Picture::Url("https://host.example/a.png".into())]))),
        case("mask", Work::Edit(EditAsk { mask: Some(picture(PNG)), ..one() })),
        on("a/flux-fill", "mask to fill", EditAsk { mask: Some(picture(PNG)), ..one() }),
        case("as a list", Work::Edit(EditAsk { use_image_urls: Some(true), ..one() })),
        case("as one", Work::Edit(EditAsk { use_image_urls: Some(false), ..one() })),
        case("two as one", Work::Edit(EditAsk { use_image_urls: Some(false), ..two() })),
        on("fal-ai/flux-2/edit", "one to a model of lists", one()),
        on("fal-ai/flux-pro/kontext", "one to a model of one", one()),
        on("fal-ai/flux-pro/kontext", "two to a model of one", two()),
        on("black-forest-labs/FLUX.1-kontext-dev", "one to Kontext", one()),
    ]
}

/// The calls that belong to an operation; none for chat and embeddings.
pub(crate) fn cases(operation: Operation) -> Vec<Case> {
    match operation {
        Operation::Speech => speeches(),
        Operation::Transcription => transcriptions(),
        Operation::Image | Operation::ImageStream => images(),
        Operation::ImageEdit | Operation::ImageEditStream => edits(),
        Operation::Chat | Operation::Embeddings => Vec::new(),
    }
}

/// The first request of a call.
pub(crate) fn begin(
    endpoint: &Endpoint,
    model: &Model<'_>,
    work: &Work,
    ask: Ask<'_>,
) -> types::Result<(Send, Vec<Dropped>)> {
    if endpoint.flow() == Some(Flow::FalStream) {
        return image_stream::request(endpoint, model, work, ask);
    }
    Exchange::begin(endpoint, model, work, ask).map(|(_, send, dropped)| (send, dropped))
}

/// What goes out, as one value.
pub(crate) fn shown(send: &Send) -> Value {
    let To::Backend { target } = &send.to else { panic!("the first request goes to the backend") };
    let body = send.body.to_bytes();
    let body =
        serde_json::from_slice(&body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
    let mut shown = json!({"to": target, "body": body});
    for (name, value) in &send.headers {
        shown["headers"][name.as_str()] = value.to_str().unwrap().into();
    }
    if send.once {
        shown["once"] = true.into();
    }
    shown
}

/// What becomes of each call at this endpoint: what goes out, what was dropped, or what was refused.
pub(crate) fn outcomes(endpoint: &Endpoint, all: &mut Map<String, Value>) {
    if let Codec::Embeddings(dialect) = &endpoint.codec {
        vectors(dialect, all);
        return;
    }
    for case in cases(endpoint.operation) {
        let lora = case.lora.then_some(Lora { weights: Some("w.safetensors") });
        let model = Model { id: case.model, hub_id: Some("hub/id"), lora };
        let outcome = |lenient| match begin(endpoint, &model, &case.work, Ask { lenient, backend: "" }) {
            Ok((send, dropped)) => {
                let mut shown = shown(&send);
                shown["dropped"] = dropped.iter().map(|d| Value::from(d.member.as_ref())).collect();
                shown
            }
            Err(fault) => json!({"refused": fault.param, "as": fault.kind.name()}),
        };
        let name = format!("{}: {}", endpoint.operation.name(), case.name);
        let strict = outcome(false);
        if strict["as"] == "unsupported_parameter" {
            all.insert(format!("{name}, leniently"), outcome(true));
        }
        all.insert(name, strict);
    }
}

/// The same for embeddings.
fn vectors(dialect: &embeddings::Dialect, all: &mut Map<String, Value>) {
    let some = |n: u32| (0..n).map(|n| n.to_string()).collect::<Vec<_>>();
    let probes = [
        ("text", json!({"input": "hi"})),
        ("base64", json!({"input": ["hi"], "encoding_format": "base64", "user": "me"})),
        ("dimensions", json!({"input": "hi", "dimensions": 8})),
        ("tokens", json!({"input": [1, 2]})),
        ("normalize", json!({"input": "hi", "normalize": true, "truncate": true, "prompt_name": "query"})),
        ("40", json!({"input": some(40)})),
        ("2049", json!({"input": some(2049)})),
    ];
    for (name, mut call) in probes {
        call["model"] = "asked".into();
        let call = embeddings::Call::read(Bytes::from(call.to_string()), &Limits::default()).unwrap();
        let outcome = |lenient| {
            let parts = embeddings::split(&call, dialect.max_inputs.unwrap_or(usize::MAX)).unwrap().len();
            match embeddings::encode(&call, dialect, "own-name", Ask { lenient, backend: "x" }) {
                _ if call.inputs() > 1 => json!({"parts": parts}),
                Ok(encoded) => {
                    let body: Value = serde_json::from_slice(&encoded.body.to_bytes()).unwrap();
                    let dropped: Vec<_> = encoded.dropped.iter().map(|d| d.member.to_string()).collect();
                    json!({"body": body, "dropped": dropped})
                }
                Err(fault) => json!({"refused": fault.param}),
            }
        };
        all.insert(format!("embeddings: {name}"), outcome(false));
        if outcome(false)["refused"].is_string() {
            all.insert(format!("embeddings: {name}, leniently"), outcome(true));
        }
    }
}
