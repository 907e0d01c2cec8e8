//! The capability table of the documentation, cell by cell: what it promises is called, what it does not is refused.

use serde_json::{Value, json};

use super::sound::{form, wav};
use crate::it::{
    raw::Reply,
    world::{With, World},
};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const PNG: &str = "data:image/png;base64,iVBORw0KGgo=";

/// What `docs/backends.md` says: for each backend the mark of each operation, in the table's order.
fn table() -> Vec<(String, Vec<String>)> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/backends.md")).unwrap();
    let rows = page.lines().skip_while(|l| !l.starts_with("| backend |")).skip(2).take_while(|l| l.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        (cells[0].to_owned(), cells[2..10].iter().map(|cell| (*cell).to_owned()).collect())
    })
    .collect()
}

/// Calls an operation, by its place in the table.
fn call(world: &World, operation: usize, model: &str) -> Reply {
    let named = |mut body: Value| {
        body["model"] = json!(model);
        body.to_string().into_bytes()
    };
    let (path, body) = match operation {
        0 => ("chat/completions", json!({"messages": [{"role": "user", "content": "hi"}]})),
        1 => ("embeddings", json!({"input": "hi"})),
        2 => ("audio/speech", json!({"input": "hi", "voice": "af_alloy"})),
        3 => {
            let (kind, body) = form(&[("model", model)], Some(("a.wav", "audio/wav", &wav())));
            return world.send("POST", "/v1/audio/transcriptions", &[("content-type", &kind)], &body);
        }
        4 => ("images/generations", json!({"prompt": "hi"})),
        5 => ("images/generations", json!({"prompt": "hi", "stream": true})),
        6 => ("images/edits", json!({"prompt": "hi", "image": PNG})),
        _ => ("images/edits", json!({"prompt": "hi", "image": PNG, "stream": true})),
    };
    world.send("POST", &format!("/v1/{path}"), &JSON, &named(body))
}

/// What backends that nobody maps call their models themselves.
fn own_model(backend: &str, operation: usize) -> &'static str {
    match (backend, operation) {
        ("hyperbolic", 0) => "meta-llama/Llama-3.2-3B-Instruct",
        ("hyperbolic", 4) => "SD2",
        ("nebius", 0) => "meta-llama/Meta-Llama-3.1-8B-Instruct-fast",
        ("nebius", 1) => "BAAI/bge-en-icl",
        ("nebius", 4) => "stability-ai/sdxl",
        ("sambanova", 0) => "Meta-Llama-3.1-8B-Instruct",
        ("sambanova", 1) => "E5-Mistral-7B-Instruct",
        ("clarifai", 0) => "openai/chat-completion/models/gpt-oss-120b",
        ("nvidia", 0) => "meta/llama-3.1-8b-instruct",
        ("openai", 0) => "gpt-4o-mini",
        _ => model(operation),
    }
}

/// What the sandbox calls a model for each operation.
fn model(operation: usize) -> &'static str {
    match operation {
        0 => "sandbox/everywhere",
        1 => "sandbox/embeds",
        2 => "sandbox/speaks",
        3 => "openai/whisper-large-v3",
        4 | 5 => "sandbox/draws",
        _ => "sandbox/edits",
    }
}

fn served(reply: &Reply, cell: &str) {
    assert_eq!(reply.status, 200, "{cell}: {}", String::from_utf8_lossy(&reply.body));
}

fn refused(reply: &Reply, cell: &str) {
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!("unsupported_operation")), "{cell}");
}

#[test]
fn every_cell_of_the_table_is_as_it_says() {
    let routed = World::plain();
    let mut cells = 0;
    for (backend, marks) in table().into_iter().filter(|(name, _)| !name.starts_with("a server")) {
        // Who is not routed any more, or never was, is reached with a key of its own.
        let vendor = matches!(backend.as_str(), "openai" | "anthropic");
        let direct = marks.iter().any(|mark| mark == "R") || vendor;
        let own = direct.then(|| at_its_own_address(&backend));
        for (operation, mark) in marks.iter().enumerate() {
            let cell = format!("{backend}, operation {operation} ({mark})");
            let name = if direct { own_model(&backend, operation) } else { model(operation) };
            // One slash behind `huggingface/openai` would be a model of that organisation on the Hub.
            let name = if vendor {
                format!("huggingface/auto/{name}:{backend}")
            } else {
                format!("huggingface/{backend}/{name}")
            };
            let reply = call(own.as_ref().unwrap_or(&routed), operation, &name);
            if mark == "–" {
                refused(&reply, &cell);
                cells += 1;
                continue;
            }
            served(&reply, &cell);
            if direct {
                let without = call(&routed, operation, &name);
                assert!((400..500).contains(&without.status), "{cell} without its key: {}", without.text());
                assert_ne!(without.json()["error"]["code"], "unsupported_operation", "{cell}");
            }
            cells += 1;
        }
    }
    assert!(cells > 180, "{cells}");
}

/// A world in which this backend is asked with its own key.
fn at_its_own_address(backend: &str) -> World {
    let key = format!(r#"{{"name": "own", "backend": "{backend}", "value": "env:OWN_KEY"}}"#);
    let place = format!(r#"{{"{backend}": {{"base_url": "{{sandbox}}/direct/{backend}"}}}}"#);
    World::with(With {
        env: vec![
            ("OWN_KEY", format!("key-{backend}")),
            ("IRONBOW_HUGGINGFACE__KEYS", format!("[{key}]")),
            ("IRONBOW_BACKENDS", place),
        ],
        without_token: true,
        ..With::default()
    })
}

#[test]
fn every_cell_of_declared_servers_is_as_it_says() {
    const ENDPOINTS: [&str; 8] = [
        "",
        "feature-extraction",
        "text-to-speech",
        "automatic-speech-recognition",
        "text-to-image",
        "text-to-image",
        "image-to-image",
        "image-to-image",
    ];
    let world = World::configured(
        r#"
        [servers.own-openai]
        url = "{sandbox}/custom/vllm/v1"
        dialect = "openai"
        [servers.own-tgi]
        url = "{sandbox}/custom/tgi"
        dialect = "tgi"
        [servers.own-vllm]
        url = "{sandbox}/custom/vllm"
        dialect = "vllm"
        [servers.own-llamacpp]
        url = "{sandbox}/custom/vllm"
        dialect = "llamacpp"
        [servers.own-tei]
        url = "{sandbox}/custom/tei"
        dialect = "tei"
        [servers.own-inference-endpoint-0]
        url = "{sandbox}/custom/endpoint"
        dialect = "inference-endpoint"
        key = "env:HF_TOKEN"
        [servers.own-inference-endpoint-1]
        url = "{sandbox}/custom/endpoint/feature-extraction"
        dialect = "inference-endpoint"
        key = "env:HF_TOKEN"
        [servers.own-inference-endpoint-2]
        url = "{sandbox}/custom/endpoint/text-to-speech"
        dialect = "inference-endpoint"
        key = "env:HF_TOKEN"
        [servers.own-inference-endpoint-3]
        url = "{sandbox}/custom/endpoint/automatic-speech-recognition"
        dialect = "inference-endpoint"
        key = "env:HF_TOKEN"
        [servers.own-inference-endpoint-4]
        url = "{sandbox}/custom/endpoint/text-to-image"
        dialect = "inference-endpoint"
        key = "env:HF_TOKEN"
        [servers.own-inference-endpoint-6]
        url = "{sandbox}/custom/endpoint/image-to-image"
        dialect = "inference-endpoint"
        key = "env:HF_TOKEN"
        "#,
    );
    let mut cells = 0;
    for (name, marks) in table() {
        let Some(kind) = name.strip_prefix("a server of your own: ") else { continue };
        for (operation, mark) in marks.iter().enumerate() {
            let endpoint = kind == "inference-endpoint";
            // One endpoint serves one task.
            let server = match ENDPOINTS[..operation].iter().position(|task| *task == ENDPOINTS[operation]) {
                Some(same) if endpoint => format!("own-{kind}-{same}"),
                _ if endpoint => format!("own-{kind}-{operation}"),
                _ => format!("own-{kind}"),
            };
            let cell = format!("{server}, operation {operation} ({mark})");
            let reply = call(&world, operation, &format!("huggingface/{server}/sandbox/vllm-model"));
            if mark == "–" {
                refused(&reply, &cell);
            } else {
                served(&reply, &cell);
            }
            cells += 1;
        }
    }
    assert_eq!(cells, 6 * 8);
}
