//! The capability table of the documentation, cell by cell: what it promises is called, what it does not is refused.

use serde_json::json;

use crate::it::world::World;

/// What `docs/backends.md` says: for each backend the operations in the table's order.
fn table() -> Vec<(String, Vec<bool>)> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/backends.md")).unwrap();
    let rows = page.lines().skip_while(|l| !l.starts_with("| backend |")).skip(2).take_while(|l| l.starts_with('|'));
    rows.filter(|row| !row.contains("server"))
        .map(|row| {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
            let name = cells[0].trim_matches('`').split([' ', '`', ',']).next().unwrap().to_owned();
            (name, cells[2..10].iter().map(|cell| !matches!(*cell, "–" | "-" | "")).collect())
        })
        .collect()
}

#[test]
fn every_cell_of_the_table_is_as_it_says() {
    let world = World::plain();
    let json = [("content-type", "application/json")];
    let png = "data:image/png;base64,iVBORw0KGgo=";
    let mut cells = 0;
    for (backend, able) in table() {
        let routed =
            !matches!(backend.as_str(), "hyperbolic" | "nebius" | "sambanova" | "openai" | "clarifai" | "nvidia");
        let calls = [
            (
                "/v1/chat/completions",
                json!({"model": "sandbox/everywhere", "messages": [{"role": "user", "content": "hi"}]}),
            ),
            ("/v1/embeddings", json!({"model": "sandbox/embeds", "input": "hi"})),
            ("/v1/audio/speech", json!({"model": "sandbox/speaks", "input": "hi", "voice": "af_alloy"})),
            ("", json!({"model": "openai/whisper-large-v3"})),
            ("/v1/images/generations", json!({"model": "sandbox/draws", "prompt": "hi"})),
            ("/v1/images/generations", json!({"model": "sandbox/draws", "prompt": "hi", "stream": true})),
            ("/v1/images/edits", json!({"model": "sandbox/edits", "prompt": "hi", "image": png})),
            ("/v1/images/edits", json!({"model": "sandbox/edits", "prompt": "hi", "image": png, "stream": true})),
        ];
        for ((path, mut body), able) in calls.into_iter().zip(able) {
            if path.is_empty() {
                continue; // Transcriptions are forms: see `sound`.
            }
            let model = body["model"].as_str().unwrap().to_owned();
            body["model"] = json!(format!("huggingface/{backend}/{model}"));
            let reply = world.send("POST", path, &json, body.to_string().as_bytes());
            cells += 1;
            if !able {
                assert_eq!(
                    (reply.status, &reply.json()["error"]["code"]),
                    (400, &json!("unsupported_operation")),
                    "{backend} {path}: {}",
                    reply.text()
                );
            } else if routed {
                assert_eq!(reply.status, 200, "{backend} {path}: {}", String::from_utf8_lossy(&reply.body));
            } else {
                assert!((400..500).contains(&reply.status), "{backend} {path}: {}", reply.text());
                assert_ne!(reply.json()["error"]["code"], "unsupported_operation", "{backend} {path}");
            }
        }
    }
    assert!(cells > 130, "{cells}");
}
