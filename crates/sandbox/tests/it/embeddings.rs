//! Embeddings of every backend, in every depth, and what each refuses.

use super::client::{chat, own, sandbox, with};
use serde_json::{Value, json};

const OPENAI: &[(&str, &str)] = &[
    ("scaleway", "/scaleway/v1/embeddings"),
    ("together", "/together/v1/embeddings"),
    ("deepinfra", "/deepinfra/v1/openai/embeddings"),
];

#[tokio::test]
async fn the_same_text_has_the_same_vector_everywhere() {
    let running = sandbox();
    let path = "/hf-inference/models/sandbox/embeds/pipeline/feature-extraction";
    let bare = chat(&running, path, "hf_sandbox", &json!({"inputs": "hello"})).await.json();
    assert_eq!(bare.as_array().unwrap().len(), 384);
    for (backend, path) in OPENAI {
        let body = json!({"model": own(backend, "sandbox/embeds"), "input": ["other", "hello"]});
        let got = chat(&running, path, "hf_sandbox", &body).await;
        assert_eq!(got.status, 200, "{backend}: {}", got.text());
        assert_eq!(got.json()["data"][1]["embedding"], bare, "{backend}");
        let direct = chat(&running, &format!("/direct{path}"), &format!("key-{backend}"), &body).await;
        assert_eq!(direct.body, got.body, "{backend}");
    }
}

fn depth(value: &Value) -> usize {
    value.as_array().map_or(0, |all| 1 + depth(&all[0]))
}

#[tokio::test]
async fn depth_goes_with_the_model_and_the_input() {
    let running = sandbox();
    for (model, string, list) in
        [("sandbox/embeds", 1, 2), ("BAAI/bge-small-en-v1.5", 2, 2), ("facebook/bart-base", 3, 4)]
    {
        let path = format!("/hf-inference/models/{model}/pipeline/feature-extraction");
        let one = chat(&running, &path, "hf_sandbox", &json!({"inputs": "two words"})).await.json();
        let two = chat(&running, &path, "hf_sandbox", &json!({"inputs": ["a", "b c"]})).await.json();
        assert_eq!((depth(&one), depth(&two)), (string, list), "{model}");
        if model == "facebook/bart-base" {
            assert_eq!((one[0].as_array().unwrap().len(), two[0][0].as_array().unwrap().len()), (4, 3));
        }
    }
}

#[tokio::test]
async fn encodings_sizes_and_tokens_go_where_they_are_taken() {
    let running = sandbox();
    let ask = async |backend: &str, more: Value| {
        let path = OPENAI.iter().find(|(id, _)| *id == backend).unwrap().1;
        chat(&running, path, "hf_sandbox", &with(json!({"model": own(backend, "sandbox/embeds"), "input": "x"}), more))
            .await
    };
    let packed = ask("scaleway", json!({"encoding_format": "base64", "dimensions": 3})).await.json();
    assert_eq!(packed["data"][0]["embedding"].as_str().unwrap().len(), 16);
    assert_eq!(ask("scaleway", json!({"input": [[1, 2], [3]]})).await.json()["data"].as_array().unwrap().len(), 2);
    for (backend, more) in [
        ("together", json!({"encoding_format": "base64"})),
        ("together", json!({"dimensions": 3})),
        ("deepinfra", json!({"input": [1, 2]})),
        ("scaleway", json!({"input": []})),
        ("scaleway", json!({"dimensions": 385})),
    ] {
        assert_eq!(ask(backend, more.clone()).await.status, 400, "{backend} {more}");
    }
}

#[tokio::test]
async fn batches_order_and_size_can_be_made_to_matter() {
    let running = sandbox();
    let path = "/hf-inference/models/sandbox/embeds/pipeline/feature-extraction";
    let many: Vec<&str> = vec!["x"; 33];
    let got = chat(&running, path, "hf_sandbox", &json!({"inputs": many})).await;
    assert_eq!((got.status, got.json()["error_type"].clone()), (413, json!("validation")));
    running.set(&json!({"max_inputs": 1, "reversed_embeddings": true})).unwrap();
    let body = json!({"model": own("together", "sandbox/embeds"), "input": ["a", "b"]});
    assert_eq!(chat(&running, OPENAI[1].1, "hf_sandbox", &body).await.status, 400);
    running.set(&json!({"max_inputs": 2})).unwrap();
    assert_eq!(chat(&running, OPENAI[1].1, "hf_sandbox", &body).await.json()["data"][0]["index"], 1);
    let large = json!({"inputs": "x".repeat(2_097_152)});
    assert_eq!(chat(&running, path, "hf_sandbox", &large).await.status, 413);
}

#[tokio::test]
async fn removed_backends_and_self_hosted_servers_embed_too() {
    let running = sandbox();
    let body = json!({"model": "E5-Mistral-7B-Instruct", "input": "x", "inputs": "x"});
    let got = chat(&running, "/direct/sambanova/v1/embeddings", "key-sambanova", &body).await;
    assert_eq!(got.json()["usage"]["prompt_tokens"], 3);
    assert_eq!(chat(&running, "/sambanova/v1/embeddings", "hf_sandbox", &body).await.status, 400);
    let tei = chat(&running, "/custom/tei/embed", "key-tei", &json!({"inputs": ["x", "y"]})).await.json();
    assert_eq!(depth(&tei), 2);
    let vllm = chat(&running, "/custom/vllm/v1/embeddings", "key-vllm", &json!({"model": "m", "input": "x"})).await;
    assert_eq!(vllm.json()["data"][0]["embedding"], tei[0]);
}
