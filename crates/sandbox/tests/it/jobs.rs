//! What is submitted and polled: fal's queue, replicate, wavespeed, Z.ai; how jobs end, and how long lists get.

use super::client::{Got, asset, chat, get, own, sandbox, send};
use sandbox::Running;
use serde_json::{Value, json};

async fn call(running: &Running, method: &str, target: &str, body: &Value) -> Got {
    let headers = [
        ("authorization", "Bearer hf_sandbox"),
        ("content-type", "application/json"),
        ("x-source-channel", "hugging_face"),
        ("accept-language", "en-US,en"),
    ];
    let text = if body.is_null() { String::new() } else { body.to_string() };
    send(running, method, target, &headers, &text).await
}

fn path(url: &Value) -> String {
    let url = url.as_str().unwrap();
    format!("/{}", url.splitn(4, '/').nth(3).unwrap())
}

#[tokio::test]
async fn fals_queue_goes_through_its_states() {
    let running = sandbox();
    running.set(&json!({"queue_polls": 2})).unwrap();
    let body = json!({"prompt": "a cat"});
    let submitted = call(&running, "POST", "/fal-ai/fal-ai/flux/dev?_subdomain=queue", &body).await.json();
    assert_eq!(submitted["status"], "IN_QUEUE");
    let at = format!("/fal-ai{}", path(&submitted["response_url"]));
    assert!(at.starts_with("/fal-ai/fal-ai/flux/requests/"), "{at}");
    let early = call(&running, "GET", &format!("{at}?_subdomain=queue"), &Value::Null).await;
    assert_eq!((early.status, early.json()["detail"].clone()), (400, json!("Request is still in progress")));
    let mut seen = Vec::new();
    for _ in 0..3 {
        let got = call(&running, "GET", &format!("{at}/status?_subdomain=queue"), &Value::Null).await;
        seen.push((got.status, got.json()["status"].as_str().unwrap().to_owned()));
    }
    let states = [(202, "IN_QUEUE"), (202, "IN_PROGRESS"), (200, "COMPLETED")];
    assert_eq!(seen, states.map(|(status, word)| (status, word.to_owned())));
    let result = call(&running, "GET", &format!("{at}?_subdomain=queue"), &Value::Null).await.json();
    assert_eq!(get(&running, &asset(&running, &result["images"][0]["url"]), None).await.status, 200);
    assert_eq!(
        call(&running, "GET", &format!("{at}/status"), &Value::Null).await.status,
        404,
        "the parameter is missing"
    );
    let steps: Vec<Value> = running.journal().iter().map(|entry| entry["operation"].clone()).collect();
    assert_eq!(steps[..3], [json!("image"), json!("result"), json!("poll")]);
    assert_eq!(running.journal()[2]["job"], submitted["request_id"]);
}

#[tokio::test]
async fn fal_has_a_queue_of_its_own_for_keys_of_its_own() {
    let running = sandbox();
    let headers =
        |scheme: &str| [("authorization", format!("{scheme} key-fal-ai")), ("content-type", "application/json".into())];
    let ask = async |scheme: &str, target: &str| {
        let headers = headers(scheme);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        send(&running, "POST", target, &headers, r#"{"prompt": "x"}"#).await
    };
    assert_eq!(ask("Bearer", "/direct/fal-ai/fal-ai/flux/dev").await.status, 401);
    assert!(ask("Key", "/direct/fal-ai/fal-ai/flux/dev").await.json()["images"].is_array());
    for target in ["/direct/fal-ai-queue/fal-ai/flux/dev", "/direct/fal-ai/fal-ai/flux/dev?_subdomain=queue"] {
        assert_eq!(ask("Key", target).await.json()["status"], "IN_QUEUE", "{target}");
    }
    assert_eq!(running.jobs()["submits"], 2);
}

#[tokio::test]
async fn jobs_fail_stick_and_are_called_off() {
    let running = sandbox();
    let submit = async || {
        let got =
            call(&running, "POST", "/fal-ai/fal-ai/flux/dev?_subdomain=queue", &json!({"prompt": "x"})).await.json();
        format!("/fal-ai{}", path(&got["response_url"]))
    };
    let rule = json!({"match": {"operation": "image"}, "times": 1, "fault": {"kind": "job", "ends": "failed", "polls": 0, "message": "no"}});
    running.fault(&rule).unwrap();
    let failed = submit().await;
    let status = call(&running, "GET", &format!("{failed}/status?_subdomain=queue"), &Value::Null).await.json();
    assert_eq!((&status["status"], &status["error"]), (&json!("COMPLETED"), &json!("no")));
    let result = call(&running, "GET", &format!("{failed}?_subdomain=queue"), &Value::Null).await;
    assert_eq!((result.status, result.json()["detail"][0]["msg"].clone()), (422, json!("no")));

    running.set(&json!({"queue_ends": "stuck"})).unwrap();
    let stuck = submit().await;
    for _ in 0..4 {
        let got = call(&running, "GET", &format!("{stuck}/status?_subdomain=queue"), &Value::Null).await;
        assert_eq!(got.status, 202);
    }
    assert_eq!(call(&running, "PUT", &format!("{stuck}/cancel?_subdomain=queue"), &Value::Null).await.status, 202);
    let jobs = running.jobs();
    assert_eq!((&jobs["submits"], &jobs["cancels"]), (&json!(2), &json!(1)));
    assert_eq!((&jobs["jobs"][1]["canceled"], &jobs["jobs"][1]["polls"]), (&json!(true), &json!(4)));
}

#[tokio::test]
async fn predictions_are_waited_for_or_polled() {
    let running = sandbox();
    let model = own("replicate", "sandbox/draws");
    let at = format!("/replicate/v1/models/{model}/predictions");
    let body = json!({"input": {"prompt": "a cat", "num_outputs": 2}});
    let waiting = [("authorization", "Bearer hf_sandbox"), ("content-type", "application/json"), ("prefer", "wait")];
    let waited = send(&running, "POST", &at, &waiting, &body.to_string()).await;
    assert_eq!((waited.status, waited.json()["output"].as_array().unwrap().len()), (201, 2));
    assert_eq!(waited.json()["status"], "processing", "although the output is there");
    running.set(&json!({"slow_predictions": true})).unwrap();
    let slow = send(&running, "POST", &at, &waiting, &body.to_string()).await;
    assert_eq!((slow.status, slow.json()["output"].clone()), (202, Value::Null));
    let poll = format!("/replicate{}", path(&slow.json()["urls"]["get"]));
    assert_eq!(call(&running, "GET", &poll, &Value::Null).await.json()["status"], "processing");
    let done = call(&running, "GET", &poll, &Value::Null).await.json();
    assert_eq!((&done["status"], done["output"].as_array().unwrap().len()), (&json!("succeeded"), 2));
    let unfinished = call(&running, "POST", &at, &body).await.json();
    let off = format!("/replicate{}", path(&unfinished["urls"]["cancel"]));
    assert_eq!(call(&running, "POST", &off, &json!({})).await.json()["status"], "canceled");

    let version = own("replicate", "ByteDance/SDXL-Lightning");
    let version = version.split(':').nth(1).unwrap();
    let versioned = json!({"version": version, "input": {"prompt": "x"}});
    assert_eq!(call(&running, "POST", "/replicate/v1/predictions", &versioned).await.json()["version"], version);
    let refused = call(&running, "POST", &at, &json!({"input": {"prompt": "x"}, "provider": "replicate"})).await;
    assert_eq!((refused.status, refused.header("content-type")), (422, Some("application/problem+json")));
    assert_eq!(refused.json()["detail"], "- Additional property provider is not allowed\n");
}

#[tokio::test]
async fn wavespeed_and_zai_are_polled() {
    let running = sandbox();
    let body = json!({"prompt": "a cat", "width": 64, "height": 32, "loras": [{"path": "a/b", "scale": 1}]});
    let target = format!("/wavespeed/api/v3/{}", own("wavespeed", "sandbox/draws"));
    let job = call(&running, "POST", &target, &body).await.json();
    let at = format!("/wavespeed{}", path(&job["data"]["urls"]["get"]));
    assert_eq!(call(&running, "GET", &at, &Value::Null).await.json()["data"]["status"], "processing");
    let done = call(&running, "GET", &at, &Value::Null).await.json();
    assert_eq!(get(&running, &asset(&running, &done["data"]["outputs"][0]), None).await.status, 200);

    let body = json!({"model": own("zai-org", "sandbox/draws"), "prompt": "a cat", "size": "64x32"});
    let job = call(&running, "POST", "/zai-org/api/paas/v4/async/images/generations", &body).await.json();
    let at = format!("/zai-org/api/paas/v4/async-result/{}", job["id"].as_str().unwrap());
    assert_eq!(call(&running, "GET", &at, &Value::Null).await.json()["task_status"], "PROCESSING");
    let done = call(&running, "GET", &at, &Value::Null).await.json();
    assert_eq!(done["task_status"], "SUCCESS");
    assert_eq!(get(&running, &asset(&running, &done["image_result"][0]["url"]), None).await.status, 200);
    assert_eq!(chat(&running, "/zai-org/api/paas/v4/async-result/none", "hf_sandbox", &json!({})).await.status, 405);
}

#[tokio::test]
async fn ten_thousand_models_come_in_pages_and_adapters_are_mapped() {
    let running = sandbox();
    running.set(&json!({"extra_models": 10_000})).unwrap();
    let mut target = "/api/models?limit=1000&pipeline_tag=text-to-image&expand[]=inferenceProviderMapping".to_owned();
    let mut count = 0;
    loop {
        let got = get(&running, &target, None).await;
        count += got.json().as_array().unwrap().len();
        let Some(next) = got.header("link").and_then(|link| link.strip_prefix("<http://sandbox")) else { break };
        target = next.split('>').next().unwrap().to_owned();
    }
    assert!(count > 1000 && count < 1020, "{count}");
    let model = get(&running, "/api/models/sandbox/extra-00009?expand[]=inferenceProviderMapping", None).await.json();
    assert_eq!(model["inferenceProviderMapping"].as_object().unwrap().len(), 1);
    let lora = "/api/models/openfree/flux-chatgpt-ghibli-lora?expand[]=inferenceProviderMapping";
    let entry = get(&running, lora, None).await.json()["inferenceProviderMapping"]["fal-ai"].clone();
    assert_eq!((&entry["adapter"], &entry["providerId"]), (&json!("lora"), &json!("fal-ai/flux-lora")));
    assert!(entry["adapterWeightsPath"].is_string());
}
