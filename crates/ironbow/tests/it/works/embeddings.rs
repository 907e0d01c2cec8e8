//! `/v1/embeddings` at every backend that has them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::it::world::{World, and};

const MODEL: &str = "sandbox/embeds";
const BACKENDS: &[&str] = &["hf-inference", "scaleway", "together", "deepinfra"];

/// What the sandbox makes of a text, as its manual says.
fn vector(text: &str, length: usize) -> Vec<f64> {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mixed = |x: u64| {
        let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    };
    let number = |i: usize| (mixed(hash.wrapping_add(i as u64)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0;
    let raw: Vec<f64> = (0..length).map(number).collect();
    let norm = raw.iter().map(|x| x * x).sum::<f64>().sqrt();
    raw.into_iter().map(|x| x / norm).collect()
}

fn floats(item: &Value) -> Vec<f64> {
    match &item["embedding"] {
        Value::Array(numbers) => numbers.iter().map(|n| n.as_f64().unwrap()).collect(),
        Value::String(text) => {
            let bytes = STANDARD.decode(text).unwrap();
            bytes.chunks(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect()
        }
        other => panic!("{other}"),
    }
}

fn same(got: &[f64], text: &str) {
    let wanted = vector(text, got.len());
    assert!(
        got.len() >= 64 && got.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-5),
        "{text}: {:?} {:?}",
        &got[..3],
        &wanted[..3]
    );
}

fn embed(world: &World, body: &Value) -> crate::it::raw::Reply {
    world.send("POST", "/v1/embeddings", &[("content-type", "application/json")], body.to_string().as_bytes())
}

#[test]
fn vectors_come_in_order_as_floats_and_in_base64_from_every_backend() {
    let world = World::plain();
    for backend in BACKENDS {
        for (input, texts) in [
            (json!("one text"), vec!["one text"]),
            (json!(["first", "second", "third 🌈"]), vec!["first", "second", "third 🌈"]),
        ] {
            for encoding in [None, Some("float"), Some("base64")] {
                let mut body = json!({"model": format!("huggingface/{backend}/{MODEL}"), "input": input});
                if let Some(encoding) = encoding {
                    body["encoding_format"] = json!(encoding);
                }
                let reply = embed(&world, &body);
                assert_eq!(reply.status, 200, "{backend} {encoding:?}: {}", reply.text());
                let answer = reply.json();
                assert_eq!(answer["object"], "list");
                assert!(answer["usage"]["prompt_tokens"].as_u64().unwrap() > 0, "{backend}: {}", answer["usage"]);
                let items = answer["data"].as_array().unwrap();
                assert_eq!(items.len(), texts.len());
                for (index, (item, text)) in items.iter().zip(&texts).enumerate() {
                    assert_eq!(item["index"], index, "{backend}");
                    assert_eq!(item["embedding"].is_string(), encoding == Some("base64"), "{backend} {encoding:?}");
                    same(&floats(item), text);
                }
            }
        }
    }
}

#[test]
fn every_depth_of_answer_becomes_one_vector_per_input() {
    let world = World::plain();
    for model in ["sentence-transformers/all-MiniLM-L6-v2", "facebook/bart-base", "BAAI/bge-small-en-v1.5"] {
        for input in [json!("a b"), json!(["a b", "c d e"])] {
            let count = input.as_array().map_or(1, Vec::len);
            let reply = embed(&world, &json!({"model": format!("huggingface/hf-inference/{model}"), "input": input}));
            assert_eq!(reply.status, 200, "{model}: {}", reply.text());
            let answer = reply.json();
            let items = answer["data"].as_array().unwrap();
            assert_eq!(items.len(), count, "{model}");
            assert!(items.iter().all(|item| floats(item).len() >= 64), "{model}");
        }
    }
}

#[test]
fn a_batch_above_a_backends_limit_is_cut_and_joined_in_order() {
    let world = World::plain();
    let texts: Vec<String> = (0..100).map(|n| format!("text number {n}")).collect();
    let reply = embed(&world, &json!({"model": format!("huggingface/hf-inference/{MODEL}"), "input": texts}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer = reply.json();
    let items = answer["data"].as_array().unwrap();
    assert_eq!(items.len(), 100);
    for (index, (item, text)) in items.iter().zip(&texts).enumerate() {
        assert_eq!(item["index"], index);
        same(&floats(item), text);
    }
    let calls = world.sandbox.journal().iter().filter(|e| e["operation"] == "embeddings").count();
    assert!(calls > 1, "{calls}");
}

#[test]
fn what_a_backend_cannot_embed_is_refused_by_name() {
    let world = World::plain();
    let body = json!({"model": format!("huggingface/hf-inference/{MODEL}"), "input": [1, 2, 3]});
    let reply = embed(&world, &body);
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(reply.json()["error"]["param"], "input");
    let reply = embed(&world, &json!({"model": format!("huggingface/groq/{MODEL}"), "input": "x"}));
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!("unsupported_operation")));
    for bad in
        [json!({}), json!({"input": []}), json!({"input": [1, "a"]}), json!({"input": "x", "encoding_format": "hex"})]
    {
        let reply = embed(&world, &and(json!({"model": format!("huggingface/scaleway/{MODEL}")}), bad.clone()));
        assert_eq!(reply.status, 400, "{bad}: {}", reply.text());
    }
}
