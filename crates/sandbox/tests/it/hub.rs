//! The Hub's answers.

use super::client::{get, sandbox};
use serde_json::{Value, json};

const MAPPED: &str = "/api/models/meta-llama/Llama-3.1-8B-Instruct?expand[]=inferenceProviderMapping";

#[tokio::test]
async fn one_models_mapping_is_a_dictionary() {
    let running = sandbox();
    for target in [MAPPED, "/api/models/meta-llama/Llama-3.1-8B-Instruct?expand=inferenceProviderMapping"] {
        let got = get(&running, target, None).await.json();
        let groq = &got["inferenceProviderMapping"]["groq"];
        assert_eq!((&groq["providerId"], &groq["task"]), (&json!("llama-3.1-8b-instant"), &json!("conversational")));
        assert_eq!(got.as_object().unwrap().len(), 3, "only what was asked for, and the two ids");
    }
}

#[tokio::test]
async fn a_renamed_model_is_a_redirect_in_plain_text() {
    let running = sandbox();
    let got =
        get(&running, "/api/models/meta-llama/Meta-Llama-3.1-8B-Instruct?expand[]=inferenceProviderMapping", None)
            .await;
    assert_eq!(got.status, 307);
    assert_eq!(got.header("content-type"), Some("text/plain; charset=utf-8"));
    let location = got.header("location").unwrap();
    assert!(location.starts_with("/api/models/meta-llama/Llama-3.1-8B-Instruct?expand"), "{location}");
    assert_eq!(get(&running, location, None).await.status, 200);
}

#[tokio::test]
async fn gated_private_and_unknown_models_need_the_right_token() {
    let running = sandbox();
    for (model, token, status, code) in [
        ("sandbox/gated", None, 401, Some("GatedRepo")),
        ("sandbox/gated", Some("hf_sandbox"), 403, Some("GatedRepo")),
        ("sandbox/gated", Some("hf_sandbox_member"), 200, None),
        ("sandbox/private", None, 401, Some("RepoNotFound")),
        ("sandbox/private", Some("hf_sandbox"), 404, Some("RepoNotFound")),
        ("sandbox/private", Some("hf_sandbox_member"), 200, None),
        ("no/such", Some("hf_sandbox"), 404, Some("RepoNotFound")),
        ("sandbox/everywhere", Some("hf_invalid"), 401, Some("Unauthorized")),
        ("sandbox/everywhere", Some("key-groq"), 401, Some("Unauthorized")),
    ] {
        let got = get(&running, &format!("/api/models/{model}?expand[]=inferenceProviderMapping"), token).await;
        assert_eq!((got.status, got.header("x-error-code")), (status, code), "{model} {token:?}");
        assert!(got.status == 200 || got.json()["error"].is_string());
    }
}

#[tokio::test]
async fn odd_models_are_there() {
    let running = sandbox();
    let asked = async |model: &str| {
        get(&running, &format!("/api/models/{model}?expand[]=inferenceProviderMapping"), None).await.json()
    };
    assert!(asked("sandbox/no-mapping").await.get("inferenceProviderMapping").is_none());
    assert_eq!(asked("sandbox/no-providers").await["inferenceProviderMapping"], json!({}));
    assert_eq!(asked("sandbox/staging").await["inferenceProviderMapping"]["groq"]["status"], "staging");
    assert_eq!(asked("sandbox/failing").await["inferenceProviderMapping"]["groq"]["status"], "error");
    assert_eq!(
        asked("black-forest-labs/FLUX.1-dev").await["inferenceProviderMapping"]["fal-ai"]["task"],
        "text-to-image"
    );
}

#[tokio::test]
async fn lists_are_paged_by_link_and_their_mappings_are_arrays() {
    let running = sandbox();
    let mut target =
        "/api/models?inference_provider=groq&filter=conversational&limit=2&expand[]=inferenceProviderMapping"
            .to_owned();
    let mut seen: Vec<String> = Vec::new();
    loop {
        let got = get(&running, &target, None).await;
        for item in got.json().as_array().unwrap() {
            assert!(
                item["inferenceProviderMapping"].as_array().unwrap().iter().any(|entry| entry["provider"] == "groq")
            );
            seen.push(item["id"].as_str().unwrap().to_owned());
        }
        let Some(link) = got.header("link") else { break };
        let next = link.trim_start_matches("<http://sandbox").split_once(">; rel=\"next\"").unwrap().0;
        target = next.to_owned();
    }
    assert!(seen.len() > 2 && !seen.contains(&"sandbox/private".to_owned()), "{seen:?}");
    let whole = get(&running, "/api/models?inference_provider=groq&filter=conversational&limit=100", None).await;
    assert_eq!(whole.json().as_array().unwrap().len(), seen.len());
    assert_eq!(whole.header("link"), None);
}

#[tokio::test]
async fn expand_is_checked() {
    let running = sandbox();
    assert_eq!(get(&running, "/api/models/sandbox/everywhere?expand[]=nonsense", None).await.status, 400);
    assert_eq!(get(&running, "/api/models?expand[]=likes&full=1", None).await.status, 400);
}

#[tokio::test]
async fn whoami_and_partners() {
    let running = sandbox();
    assert_eq!(get(&running, "/api/whoami-v2", Some("hf_sandbox")).await.json()["name"], "sandbox");
    assert_eq!(get(&running, "/api/whoami-v2", None).await.status, 401);
    assert_eq!(get(&running, "/api/whoami-v2", Some("hf_expired")).await.status, 401);
    let partners = get(&running, "/api/partners/together/models?status=live", None).await.json();
    assert_eq!(partners["conversational"]["sandbox/everywhere"]["providerId"], "sandbox/Everywhere-Turbo");
    assert_eq!(partners["text-to-image"]["black-forest-labs/FLUX.1-dev"]["status"], "live");
    assert!(get(&running, "/api/whoami-v2", Some("hf_sandbox")).await.header("date").is_some());
}

#[tokio::test]
async fn the_router_lists_who_serves_what_with_what_is_known() {
    let running = sandbox();
    let list = get(&running, "/v1/models", None).await.json();
    let items = list["data"].as_array().unwrap();
    let item = items.iter().find(|item| item["id"] == "meta-llama/Llama-3.1-8B-Instruct").unwrap();
    let providers = item["providers"].as_array().unwrap();
    let known = |name: &str| -> &Value { providers.iter().find(|provider| provider["provider"] == name).unwrap() };
    assert_eq!(known("groq")["pricing"], json!({"input": 0.05, "output": 0.08}));
    assert_eq!(known("groq")["throughput"], 750.25);
    assert!(known("hf-inference").get("pricing").is_none() && known("hf-inference").get("throughput").is_none());
    assert!(items.iter().all(|item| item["id"] != "sandbox/private"));
    assert_eq!(get(&running, "/v1/models/meta-llama/Llama-3.1-8B-Instruct", None).await.json(), *item);
    assert_eq!(get(&running, "/v1/models/no/such", None).await.status, 400);
}

#[tokio::test]
async fn a_remap_changes_the_hub_and_the_backend_together() {
    use super::client::{chat, says};
    let running = sandbox();
    let path = "/groq/openai/v1/chat/completions";
    assert_eq!(chat(&running, path, "hf_sandbox", &says("llama-3.1-8b-instant", "x")).await.status, 200);
    let fault = json!({"match": {"backend": "groq"},
        "fault": {"kind": "remap", "model": "meta-llama/Llama-3.1-8B-Instruct", "to": "llama-new"}});
    running.fault(&fault).unwrap();
    assert_eq!(chat(&running, path, "hf_sandbox", &says("llama-3.1-8b-instant", "x")).await.status, 404);
    assert_eq!(chat(&running, path, "hf_sandbox", &says("llama-new", "x")).await.status, 200);
    assert_eq!(get(&running, MAPPED, None).await.json()["inferenceProviderMapping"]["groq"]["providerId"], "llama-new");
}
