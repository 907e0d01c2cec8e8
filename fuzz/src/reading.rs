//! What is read whole: calls, answers, errors, lists, forms, names, configurations.

use bytes::Bytes;
use policy::{BackendIds, File, Names, Routing, Sources};
use std::{collections::BTreeMap, io, path::Path, sync::LazyLock};
use types::Kind;
use wire::{
    hub,
    json::{self, Limits},
    multipart::{Event, Parser},
    openai::{
        chat::{self, AnswerContext, Ask, Call, Dialect, JsonSchema, MaxTokens, Messages, StreamOptions, Tools},
        embeddings,
    },
    upstream_error,
};

/// Our scanner and serde_json agree on what is JSON.
pub(crate) fn json(data: &[u8]) {
    let ours = json::validate(data, Limits { max_depth: 127, max_members: 1 << 20 }).is_ok();
    let theirs =
        std::str::from_utf8(data).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    assert_eq!(ours, theirs);
}

/// A call is refused, or what is sent for it is a good call for the model that was planned for.
pub(crate) fn call(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let pick = |n: u8| usize::from(choice >> n);
    let dialect = Dialect {
        json_schema: [
            JsonSchema::AsIs,
            JsonSchema::SchemaBesideType,
            JsonSchema::ObjectWithSchema,
            JsonSchema::ObjectWithValue,
            JsonSchema::NotStrict,
            JsonSchema::WithGuidedJson,
        ][pick(0) % 6],
        max_tokens: [MaxTokens::Both, MaxTokens::MaxTokens, MaxTokens::MaxCompletionTokens][pick(2) % 3],
        messages: [Messages::AsIs, Messages::Plain, Messages::PlainWithDeveloper, Messages::PlainWithReasoning]
            [pick(4) % 4],
        tools: [Tools::AsIs, Tools::Functions][pick(5) % 2],
        stream_options: [StreamOptions::Ask, StreamOptions::Never][pick(6) % 2],
        ..Dialect::COMPATIBLE
    };
    match Call::read(Bytes::copy_from_slice(body), &Limits::default()) {
        Err(fault) => assert_eq!(fault.kind, Kind::BadRequest),
        Ok(call) => {
            let ask = Ask { lenient: pick(7) == 1, backend: "b" };
            let Ok(encoded) = chat::encode(&call, &dialect, "their-name", ask) else { return };
            let again = Call::read(encoded.body.to_bytes(), &Limits { max_depth: 127, max_members: usize::MAX });
            assert_eq!(again.expect("what is sent is a good call").model(), "their-name");
        }
    }
}

/// An answer is a fault, or JSON with choices.
pub(crate) fn answer(data: &[u8]) {
    let ours = AnswerContext { id: "x", model: "m", created: 0 };
    if let Ok(came) = chat::answer(&Bytes::copy_from_slice(data), &ours) {
        let value: serde_json::Value = serde_json::from_slice(&came.body.to_bytes()).expect("good JSON");
        assert!(value["choices"].is_array());
    }
}

/// A call for embeddings and an answer to one, after a zero byte.
pub(crate) fn vectors(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (ask, came) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let default: &[u8] = br#"{"model":"m","input":["a","b"]}"#;
    let ask = if ask.is_empty() { default } else { ask };
    let Ok(call) = embeddings::Call::read(Bytes::copy_from_slice(ask), &Limits::default()) else { return };
    let context = embeddings::Context::of(&call, "m");
    if let Ok(answer) = embeddings::answer(&Bytes::copy_from_slice(came), &context) {
        let value: serde_json::Value = serde_json::from_slice(&answer.body.to_bytes()).expect("good JSON");
        assert_eq!(value["data"].as_array().map(Vec::len), Some(call.inputs()));
    }
}

/// A backend's error always says something.
pub(crate) fn error(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let status = 200 + u16::from(*choice) * 2;
    assert!(!upstream_error::read(status, &|_| None, body, 0).message.is_empty());
    assert!(!upstream_error::in_good_status(body).message.is_empty());
}

/// The Hub's and the router's shapes.
pub(crate) fn hub(data: &[u8]) {
    let _ = (hub::mapping(data), hub::models(data), hub::router_models(data), hub::router_model(data));
}

/// A form reads the same whole and in pieces; bytes of a part that come apart are put together.
pub(crate) fn form(data: &[u8]) {
    let read = |size: usize| {
        let (mut parser, mut parts, mut ended) = (Parser::new("XX", Default::default()), Vec::new(), 0);
        for piece in data.chunks(size) {
            let mut take = |event| match event {
                Event::PartBegin(head) => parts.push((head, Vec::new())),
                Event::Data(bytes) => parts.last_mut().expect("a part has begun").1.extend_from_slice(&bytes),
                Event::PartEnd | Event::End => ended += 1,
            };
            parser.push(Bytes::copy_from_slice(piece), &mut take).ok()?;
        }
        parser.finish().ok()?;
        Some((parts, ended))
    };
    let whole = read(data.len().max(1));
    assert_eq!(whole, read(1));
    assert_eq!(whole, read(5));
}

const TABLE: &[BackendIds<'static>] = &[
    BackendIds {
        id: "groq",
        aliases: &[],
        routing: Routing::Live,
        direct_base: Some("https://api.groq.com"),
        vendor: None,
    },
    BackendIds { id: "zai-org", aliases: &["z-ai", "zai"], routing: Routing::Live, direct_base: None, vendor: None },
    BackendIds {
        id: "nebius",
        aliases: &[],
        routing: Routing::Retired,
        direct_base: Some("https://n.example"),
        vendor: None,
    },
    BackendIds {
        id: "openai",
        aliases: &[],
        routing: Routing::Never,
        direct_base: Some("https://o.example"),
        vendor: None,
    },
];

static NAMES: LazyLock<Names> = LazyLock::new(|| Names::new(TABLE));

/// No name lets a path or a header be changed.
pub(crate) fn name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(asked) = policy::parse(text, &NAMES) {
        let model = asked.model();
        assert!(!model.is_empty() && !model.contains(|c: char| c.is_control() || c.is_whitespace()));
        assert!(!model.split('/').any(|part| part.is_empty() || part == "." || part == ".."), "{model}");
    }
}

/// A configuration is good, or its problems are told; a token in it is never repeated.
pub(crate) fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let env = BTreeMap::from([("HF_TOKEN".to_owned(), "hf_canaryCANARY".to_owned())]);
    if let Err(problems) = compile(text, &env) {
        assert!(!problems.is_empty() && problems.iter().all(|problem| !problem.to_string().contains("canaryCANARY")));
    }
}

fn compile(text: &str, env: &BTreeMap<String, String>) -> Result<policy::Compiled, Vec<policy::Problem>> {
    let none = |_: &Path| Err(io::Error::other("there are no files here"));
    let sources = Sources { file: Some(File { name: "fuzz.toml", text }), env, read_file: &none, flags: &[] };
    policy::compile(&sources, TABLE)
}
