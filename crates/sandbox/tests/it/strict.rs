//! What is refused, and in whose words.

use super::client::{chat, everywhere, get, sandbox, says, send, with};
use serde_json::{Value, json};

#[tokio::test]
async fn only_good_hf_tokens_pass_the_router() {
    let running = sandbox();
    let (path, model) = everywhere("groq");
    for token in ["key-groq", "hf_invalid", "sk-anything"] {
        let got = chat(&running, &path, token, &says(&model, "hi")).await;
        assert_eq!((got.status, got.json()), (401, json!({"error": "Invalid username or password."})), "{token}");
        assert_eq!(got.header("x-error-message"), Some("Invalid username or password."));
    }
    assert_eq!(chat(&running, &path, "hf_penniless", &says(&model, "hi")).await.status, 402);
    let bare = send(&running, "POST", &path, &[("content-type", "application/json")], "{}").await;
    assert_eq!(bare.status, 401);
}

#[tokio::test]
async fn a_direct_address_takes_its_own_key_only() {
    let running = sandbox();
    let (path, model) = everywhere("groq");
    let path = format!("/direct{path}");
    for token in ["hf_sandbox", "key-cerebras", "sk-anything"] {
        let got = chat(&running, &path, token, &says(&model, "hi")).await;
        assert_eq!((got.status, &got.json()["error"]["code"]), (401, &json!("invalid_api_key")), "{token}");
    }
    let named = json!({"tokens": [{"name": "mine", "value": "gsk_secret", "backend": "groq"}]});
    running.set(&named).unwrap();
    assert_eq!(chat(&running, &path, "gsk_secret", &says(&model, "hi")).await.status, 200);
    assert_eq!(running.journal().last().unwrap()["authorization_is"], "mine");
    assert!(!Value::from(running.journal()).to_string().contains("gsk_secret"));
}

#[tokio::test]
async fn paths_aliases_and_methods_are_strict() {
    let running = sandbox();
    let (_, model) = everywhere("groq");
    for path in [
        "/groq/v1/chat/completions",
        "/fireworks/inference/v1/chat/completions",
        "/openai/v1/chat/completions",
        "/groq",
    ] {
        assert_eq!(chat(&running, path, "hf_sandbox", &says(&model, "hi")).await.status, 404, "{path}");
    }
    assert_eq!(get(&running, &everywhere("groq").0, Some("hf_sandbox")).await.status, 405);
    let (path, model) = everywhere("groq");
    let headers = [("authorization", "Bearer hf_sandbox"), ("content-type", "text/plain")];
    assert_eq!(send(&running, "POST", &path, &headers, &says(&model, "hi").to_string()).await.status, 415);
}

#[tokio::test]
async fn the_hub_id_is_not_the_backends_own() {
    let running = sandbox();
    for backend in ["cerebras", "groq", "together", "novita", "deepinfra", "cohere", "scaleway"] {
        let (path, _) = everywhere(backend);
        let got = chat(&running, &path, "hf_sandbox", &says("sandbox/everywhere", "hi")).await;
        assert_eq!(got.status, 404, "{backend}: {}", got.text());
    }
    let got =
        chat(&running, "/hf-inference/models/no/such/v1/chat/completions", "hf_sandbox", &says("no/such", "hi")).await;
    assert_eq!((got.status, got.json()), (404, json!({"error": "Model no/such does not exist"})));
}

#[tokio::test]
async fn each_backend_refuses_in_its_own_words() {
    let running = sandbox();
    let bad = json!({"messages": "no list"});
    let refusal = async |backend: &str| {
        let (path, model) = everywhere(backend);
        chat(&running, &path, "hf_sandbox", &with(says(&model, "x"), bad.clone())).await
    };
    let tgi = refusal("hf-inference").await;
    assert_eq!((tgi.status, tgi.header("content-type")), (422, Some("text/plain; charset=utf-8")));
    assert!(
        tgi.text()
            .starts_with("Failed to deserialize the JSON body into the target type: messages: invalid type: string")
    );
    for (backend, pointer) in [
        ("groq", "/error/message"),
        ("together", "/error/message"),
        ("cerebras", "/message"),
        ("cohere", "/message"),
        ("fireworks-ai", "/error/message"),
        ("novita", "/reason"),
        ("nscale", "/error"),
        ("ovhcloud", "/message"),
        ("zai-org", "/error/code"),
        ("deepinfra", "/detail/error"),
    ] {
        let got = refusal(backend).await;
        assert_eq!(got.status, 400, "{backend}");
        assert!(got.json().pointer(pointer).is_some_and(Value::is_string), "{backend}: {}", got.text());
    }
}

#[tokio::test]
async fn strict_backends_refuse_members_that_they_do_not_know() {
    let running = sandbox();
    for (backend, takes) in [
        ("cerebras", false),
        ("groq", false),
        ("cohere", false),
        ("fireworks-ai", false),
        ("together", true),
        ("hf-inference", true),
    ] {
        let (path, model) = everywhere(backend);
        let got = chat(&running, &path, "hf_sandbox", &with(says(&model, "x"), json!({"store": true}))).await;
        assert_eq!(got.status == 200, takes, "{backend}: {}", got.text());
        if backend == "cerebras" {
            assert_eq!(got.json()["code"], "wrong_api_format");
        }
    }
}

#[tokio::test]
async fn a_schema_is_taken_in_the_backends_own_shape_only() {
    let running = sandbox();
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let openai = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    let flat = json!({"type": "json_schema", "schema": schema});
    let object = json!({"type": "json_object", "schema": schema});
    let value = json!({"type": "json_object", "value": schema});
    for (backend, own) in [
        ("groq", &openai),
        ("nscale", &openai),
        ("together", &flat),
        ("cohere", &object),
        ("fireworks-ai", &object),
        ("hf-inference", &value),
    ] {
        let (path, model) = everywhere(backend);
        for shape in [&openai, &flat, &object, &value] {
            let body = with(says(&model, "x"), json!({"response_format": shape}));
            let got = chat(&running, &path, "hf_sandbox", &body).await;
            if shape == own {
                assert_eq!(got.json()["choices"][0]["message"]["content"], r#"{"a":"x"}"#, "{backend} {shape}");
            } else {
                let plain_json =
                    got.status == 200 && got.json()["choices"][0]["message"]["content"] == r#"{"echo":"x"}"#;
                assert!(got.status >= 400 || plain_json, "{backend} {shape}: {}", got.text());
            }
        }
    }
}

#[tokio::test]
async fn the_developer_role_is_openais_alone() {
    let running = sandbox();
    let body = |model: &str| json!({"model": model, "messages": [{"role": "developer", "content": "x"}]});
    let (path, model) = everywhere("nscale");
    assert_eq!(chat(&running, &path, "hf_sandbox", &body(&model)).await.status, 400);
    let path = "/direct/openai/v1/chat/completions";
    assert_eq!(chat(&running, path, "key-openai", &body("gpt-4o-mini")).await.status, 200);
    let limited = with(body("o3"), json!({"max_tokens": 5}));
    let got = chat(&running, path, "key-openai", &limited).await;
    assert_eq!((got.status, &got.json()["error"]["param"]), (400, &json!("max_tokens")));
}

#[tokio::test]
async fn doubled_members_and_large_bodies_are_refused() {
    let running = sandbox();
    let (path, model) = everywhere("nscale");
    let headers = [("authorization", "Bearer hf_sandbox"), ("content-type", "application/json")];
    let double = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"x"}}],"model":"other"}}"#);
    assert_eq!(send(&running, "POST", &path, &headers, &double).await.status, 400);
    let entry = running.journal().pop().unwrap();
    assert_eq!((&entry["double_members"], &entry["model_first"]), (&json!(true), &json!(true)));
    let large = says(&model, &"x".repeat(2_097_152));
    assert_eq!(chat(&running, &path, "hf_sandbox", &large).await.status, 413);
    let direct = format!("/direct{path}");
    assert_eq!(chat(&running, &direct, "key-nscale", &large).await.status, 200);
}

#[tokio::test]
async fn zai_wants_its_headers() {
    let running = sandbox();
    let (path, model) = everywhere("zai-org");
    let body = says(&model, "x").to_string();
    let mut headers = vec![("authorization", "Bearer hf_sandbox"), ("content-type", "application/json")];
    assert_eq!(send(&running, "POST", &path, &headers, &body).await.status, 400);
    headers.extend([("x-source-channel", "hugging_face"), ("accept-language", "en-US,en")]);
    assert_eq!(send(&running, "POST", &path, &headers, &body).await.status, 200);
}

#[tokio::test]
async fn billing_needs_an_hf_token() {
    let running = sandbox();
    let (path, model) = everywhere("nscale");
    let body = says(&model, "x").to_string();
    let headers =
        |token: &'static str| [("authorization", token), ("content-type", "application/json"), ("x-hf-bill-to", "org")];
    assert_eq!(send(&running, "POST", &path, &headers("Bearer hf_sandbox"), &body).await.status, 200);
    let direct = format!("/direct{path}");
    assert_eq!(send(&running, "POST", &direct, &headers("Bearer key-nscale"), &body).await.status, 400);
}

#[tokio::test]
async fn self_hosted_servers_have_their_own_ways() {
    let running = sandbox();
    let ask = async |server: &str, token: &str, model: &str| {
        chat(&running, &format!("/custom/{server}/v1/chat/completions"), token, &says(model, "hi")).await
    };
    assert_eq!(ask("tgi", "key-tgi", "tgi").await.status, 200);
    assert_eq!(ask("llamacpp", "key-llamacpp", "whatever").await.status, 200);
    assert_eq!(ask("vllm", "key-vllm", "sandbox/vllm-model").await.status, 200);
    let unknown = ask("vllm", "key-vllm", "other").await;
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (404, &json!(404)));
    assert_eq!(ask("endpoint", "hf_sandbox", "tgi").await.status, 200);
    assert_eq!(ask("endpoint", "key-endpoint", "tgi").await.status, 401);
    assert_eq!(ask("tei", "key-tei", "tgi").await.status, 404);
    assert_eq!(get(&running, "/custom/vllm/v1/models", None).await.json()["data"][0]["id"], "sandbox/vllm-model");
    assert_eq!(get(&running, "/custom/tgi/health", None).await.status, 200);
}

#[tokio::test]
async fn strict_backends_refuse_what_only_an_answer_has() {
    let running = sandbox();
    for (backend, status) in [("groq", 400), ("cerebras", 400), ("nscale", 200)] {
        let (path, model) = everywhere(backend);
        let body = json!({"model": model, "messages": [{"role": "user", "content": "a"},
            {"role": "assistant", "content": "b", "refusal": null, "annotations": []}, {"role": "user", "content": "c"}]});
        let got = chat(&running, &path, "hf_sandbox", &body).await;
        assert_eq!(got.status, status, "{backend}: {}", got.text());
    }
}

#[tokio::test]
async fn groq_refuses_members_that_others_take_unless_they_ask_for_nothing() {
    let running = sandbox();
    let (path, model) = everywhere("groq");
    for (more, status) in [
        (json!({"n": 1, "logprobs": false, "logit_bias": null}), 200),
        (json!({"n": 2}), 400),
        (json!({"logprobs": true}), 400),
        (json!({"logit_bias": {"1": 2}}), 400),
    ] {
        assert_eq!(
            chat(&running, &path, "hf_sandbox", &with(says(&model, "x"), more.clone())).await.status,
            status,
            "{more}"
        );
    }
}

#[tokio::test]
async fn clarifai_has_its_own_word_for_a_key() {
    let running = sandbox();
    let path = "/direct/clarifai/v2/ext/openai/v1/chat/completions";
    let body = says("openai/chat-completion/models/gpt-oss-120b", "x").to_string();
    for (authorization, status) in [("Key key-clarifai", 200), ("Bearer key-clarifai", 401)] {
        let headers = [("authorization", authorization), ("content-type", "application/json")];
        assert_eq!(send(&running, "POST", path, &headers, &body).await.status, status, "{authorization}");
    }
}
